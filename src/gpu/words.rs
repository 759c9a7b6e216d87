//! Lattice coordinates as the device stores them: little-endian words, one or two each.

use crate::tokens::Precision;

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
