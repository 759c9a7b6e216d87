//! Rows that are asked for: every rank answers with the count and the sum of the strip among its own keys.

use crate::cpu::exact::width::Width;
use crate::cpu::share::Word;

/// A row whose threshold is known, and not all of its strip.
#[derive(Clone, Copy)]
pub(crate) struct Asked<W: Width> {
    pub(crate) key: u32,
    pub(crate) visible: u32,
    pub(crate) threshold: W::Wide,
}

/// Bytes that ask for a row: its query, the tokens that it sees, and its threshold.
pub(crate) fn row_bytes<W: Width>(d: usize) -> usize {
    d * <W::Int as Word>::BYTES + 4 + 16
}

/// Bits that all ranks receive for a row that is asked for.
pub(crate) fn bits<W: Width>(d: usize) -> u64 {
    let row = row_bytes::<W>(d);
    8 * (row + 8 * words::<W>() * (d + 1)) as u64
}

/// Words of a sum: one of 64 bits, or four that have room for carries.
pub(crate) const fn words<W: Width>() -> usize {
    if <W::Int as Word>::BYTES == 4 { 1 } else { 4 }
}

/// Writes a sum as words that add up over ranks.
pub(crate) fn put_sum<W: Width>(sum: W::Wide, into: &mut [u64]) {
    let sum = W::narrow(sum);
    match into {
        [word] => *word = sum as u64,
        parts => parts.iter_mut().enumerate().for_each(|(i, part)| *part = u64::from((sum >> (32 * i)) as u32)),
    }
}

/// The sum that such words have come to.
pub(crate) fn sum_of<W: Width>(words: &[u64]) -> W::Wide {
    match words {
        [word] => W::wide(i128::from(*word as i64)),
        parts => W::wide(parts.iter().rev().fold(0i128, |sum, &part| (sum << 32).wrapping_add(i128::from(part)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of many ranks' sums is that of all keys, also where its halves carry.
    #[test]
    fn sums_are_added_in_parts() {
        for parts in [[-5i128, 3, 1 << 90], [-(1 << 100), 1 << 40, -1], [(1 << 32) - 1, 1, 7], [-1, -1, -1]] {
            let mut total = [0u64; 4];
            for part in parts {
                let mut words = [0; 4];
                put_sum::<f64>(part, &mut words);
                total.iter_mut().zip(words).for_each(|(total, word)| *total += word);
            }
            assert_eq!(sum_of::<f64>(&total), parts.iter().sum::<i128>());
        }
        let mut total = [0u64];
        for part in [-5i64, 3, -(1 << 60)] {
            let mut word = [0];
            put_sum::<f32>(part, &mut word);
            total[0] = total[0].wrapping_add(word[0]);
        }
        assert_eq!(sum_of::<f32>(&total), -2 - (1 << 60));
    }
}
