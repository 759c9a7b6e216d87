//! A step's report as the device counts it, word by word.

use crate::gpu::wgsl::constants;
use crate::gpu::words::pair;
use crate::outcome::StepReport;

/// Steps whose reports are read back together.
pub(crate) const REPORTS: usize = 256;

constants! {
    /// Words of a report.
    REPORT_WORDS: u32 = 14;
    /// Tokens that moved.
    REPORT_MOVED: u32 = 0;
    /// Keys of the smallest strip.
    REPORT_LEAST: u32 = 1;
    /// Keys of the largest strip.
    REPORT_MOST: u32 = 2;
    /// Keys of all strips, in 64 bits.
    REPORT_TOTAL: u32 = 3;
    /// Exact scores that a filter left to take, in 64 bits.
    REPORT_REDONE: u32 = 5;
    /// The first token that stopped being finite.
    REPORT_BAD: u32 = 7;
    /// Keys that a search scored, in 64 bits.
    REPORT_KEYS: u32 = 8;
    /// Boxes that a search bounded, in 64 bits.
    REPORT_BOXES: u32 = 10;
    /// What the keys and boxes of a step must not reach, in 64 bits with a sign.
    REPORT_LIMIT: u32 = 12;
}

/// The words of some reports before any row is counted.
pub(crate) fn fresh(steps: usize) -> Vec<u32> {
    let mut words = [0; REPORT_WORDS as usize];
    words[REPORT_LEAST as usize] = u32::MAX;
    words[REPORT_BAD as usize] = u32::MAX;
    words[REPORT_LIMIT as usize..].copy_from_slice(&pair(i64::MAX));
    words.repeat(steps)
}

/// The report of step t in its words.
pub(crate) fn report(t: u64, words: &[u32]) -> StepReport {
    StepReport {
        t,
        moved: u64::from(words[REPORT_MOVED as usize]),
        strip_min: words[REPORT_LEAST as usize],
        strip_max: words[REPORT_MOST as usize],
        strip_total: counter(words, REPORT_TOTAL),
        redone: counter(words, REPORT_REDONE),
    }
}

/// A counter of 64 bits in the words of a report.
pub(crate) fn counter(words: &[u32], at: u32) -> u64 {
    let at = at as usize;
    u64::from(words[at + 1]) << 32 | u64::from(words[at])
}
