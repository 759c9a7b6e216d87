//! The number of clouds of a config, and whether its tokens have it.

use super::section::{Field, Section};
use crate::error::Result;
use crate::io::npy;

/// Most clouds of a run: a checkpoint's header has an entry for each.
const MOST_CLOUDS: usize = 1 << 17;

/// Reads m.
pub(super) fn clouds(section: &Section<'_>) -> Result<Option<usize>> {
    let Some(field) = section.get("clouds") else { return Ok(None) };
    match field.count(1)? {
        m if m <= MOST_CLOUDS as u64 => Ok(Some(m as usize)),
        m => Err(field.error(format!(" is {m}; a run has at most {MOST_CLOUDS} clouds"))),
    }
}

/// Checks that a file has as many clouds as are asked for.
pub(super) fn require(field: &Field<'_>, header: &npy::Header, clouds: Option<usize>) -> Result<()> {
    let (rows, d) = (header.rows, header.columns);
    match (clouds, header.clouds) {
        (None, None) => Ok(()),
        (Some(m), Some(found)) if m == found => Ok(()),
        (None, Some(m)) => {
            let n = rows / m;
            Err(field.error(format!(
                ": an array ({m}, {n}, {d}) is {m} clouds; tokens.clouds = {m} takes them side by side"
            )))
        }
        (Some(m), Some(found)) => {
            Err(field.error(format!(": it has {found} clouds, and tokens.clouds is {m}; give {found}")))
        }
        (Some(m), None) => Err(field.error(format!(
            ": an array ({rows}, {d}) is one cloud, and tokens.clouds is {m}; give an array ({m}, n, d)"
        ))),
    }
}

/// Checks that the tokens of all clouds can be counted.
pub(super) fn require_countable(section: &Section<'_>, rows: usize) -> Result<()> {
    match section.get("clouds") {
        Some(field) if u32::try_from(rows).is_err() => {
            Err(field.error(format!(": {rows} tokens in all; at most 4294967295")))
        }
        _ => Ok(()),
    }
}
