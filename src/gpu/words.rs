//! Lattice coordinates as the device stores them: little-endian words, one or two each.

use crate::error::Result;
use crate::exact::Grid;
use crate::tokens::{Precision, Tokens};

/// The words of an integer of 64 bits.
pub(crate) fn pair(value: i64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// Coordinates for the device.
pub(crate) fn words(coordinates: &[i64], precision: Precision) -> Vec<u32> {
    match precision {
        Precision::F32 => coordinates.iter().map(|&x| x as u32).collect(),
        Precision::F64 => coordinates.iter().flat_map(|&x| pair(x)).collect(),
    }
}

/// Coordinates from the device.
pub(crate) fn coordinates(words: &[u32], precision: Precision) -> Vec<i64> {
    match precision {
        Precision::F32 => words.iter().map(|&w| i64::from(w as i32)).collect(),
        Precision::F64 => words.chunks_exact(2).map(|w| (u64::from(w[1]) << 32 | u64::from(w[0])) as i64).collect(),
    }
}

/// Tokens in the stored width from coordinates from the device, the i-th of the row `row(i)` there.
///
/// # Errors
/// n or d of 0.
pub(crate) fn tokens(
    grid: Grid,
    (n, d): (usize, usize),
    words: &[u32],
    row: impl Fn(usize) -> usize + Sync,
) -> Result<Tokens> {
    let wide = grid.precision == Precision::F64;
    let coordinate = move |at: usize| {
        if wide {
            (u64::from(words[2 * at + 1]) << 32 | u64::from(words[2 * at])) as i64
        } else {
            i64::from(words[at] as i32)
        }
    };
    grid.tokens_of(n, d, |i| {
        let first = row(i) * d;
        (first..first + d).map(coordinate)
    })
}
