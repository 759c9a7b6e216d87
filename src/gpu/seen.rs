//! Slices of rows that see few keys: rows of a slice are compared with the keys of all of them.

use crate::model::Mask;

/// Rows of a slice where a row sees fewer keys than that.
const SLICE: u32 = 1 << 12;

/// The most keys that a row is compared with, of n.
pub(crate) fn keys_a_row(mask: Mask, n: u32) -> f64 {
    let all = f64::from(n);
    if mask.window.is_none() { all } else { (mask.reach(n as usize) as f64 + f64::from(slice_rows(mask, n))).min(all) }
}

/// The rows of a slice, at most `most`.
pub(crate) fn slice_rows(mask: Mask, most: u32) -> u32 {
    match mask.window {
        Some(w) => most.min(w.div_ceil(SLICE).saturating_mul(SLICE)),
        None => most,
    }
}
