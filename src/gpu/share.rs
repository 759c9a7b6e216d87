//! The rows of a step shared out over several devices, each of which holds every key.

use std::ops::Range;

use crate::gpu::report::{REPORT_BAD, REPORT_LEAST, REPORT_LIMIT, REPORT_MOST, REPORT_MOVED, counter, fresh, report};
use crate::model::Mask;
use crate::outcome::StepReport;

/// The words of a report that stand alone; the others are counters in 64 bits, two words each.
const SINGLE: [u32; 4] = [REPORT_MOVED, REPORT_LEAST, REPORT_MOST, REPORT_BAD];

/// One of several shares of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Its place among them, from 0.
    pub(crate) index: usize,
    /// Their number.
    pub(crate) count: usize,
}

impl Share {
    /// Its part of n rows that cost the same.
    pub(crate) fn of(self, n: u32) -> Range<u32> {
        let bound = |index: usize| (u64::from(n) * index as u64 / self.count as u64) as u32;
        bound(self.index)..bound(self.index + 1)
    }

    /// Its part of n rows under a mask.
    pub(crate) fn under(self, mask: Mask, n: u32) -> Range<u32> {
        if mask.causal && mask.window.is_none() { self.of_causal(n) } else { self.of(n) }
    }

    /// Its part of n rows of which row i sees i + 1 keys: as many pairs as the others have, up to a row's.
    pub(crate) fn of_causal(self, n: u32) -> Range<u32> {
        let bound = |index: usize| (f64::from(n) * (index as f64 / self.count as f64).sqrt()).round() as u32;
        bound(self.index)..bound(self.index + 1)
    }
}

/// What a device computed of its share of a step, or all of them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Computed {
    /// The new coordinates of the rows, as words of the device.
    pub(crate) rows: Vec<u32>,
    /// The words of the step's report.
    pub(crate) report: Vec<u32>,
}

impl Computed {
    /// All shares of a step, in their order, as one.
    pub(crate) fn join(shares: Vec<Self>) -> Self {
        let mut whole = Self { rows: Vec::new(), report: fresh(1) };
        for share in shares {
            whole.rows.extend(share.rows);
            add(&mut whole.report, &share.report);
        }
        whole
    }

    /// The words as bytes of this machine: those of the report, then those of the rows.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.report.iter().chain(&self.rows).flat_map(|word| word.to_ne_bytes()).collect()
    }

    /// What such bytes tell; `None` if they are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<4>();
        let (report, rows) = words.split_at_checked(fresh(1).len()).filter(|_| rest.is_empty())?;
        let [report, rows] = [report, rows].map(|words| words.iter().map(|word| u32::from_ne_bytes(*word)).collect());
        Some(Self { rows, report })
    }

    /// The report of step t.
    pub(crate) fn report(&self, t: u64) -> StepReport {
        report(t, &self.report)
    }
}

/// Adds the rows of another report, as the kernels add theirs.
fn add(report: &mut [u32], other: &[u32]) {
    let place = |word: u32| word as usize;
    report[place(REPORT_MOVED)] += other[place(REPORT_MOVED)];
    for word in [REPORT_LEAST, REPORT_BAD] {
        report[place(word)] = report[place(word)].min(other[place(word)]);
    }
    report[place(REPORT_MOST)] = report[place(REPORT_MOST)].max(other[place(REPORT_MOST)]);
    let mut word = 0;
    // The limit of a step is no counter.
    while word < REPORT_LIMIT {
        if SINGLE.contains(&word) {
            word += 1;
            continue;
        }
        let sum = counter(report, word) + counter(other, word);
        (report[place(word)], report[place(word) + 1]) = (sum as u32, (sum >> 32) as u32);
        word += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::report::{REPORT_BOXES, REPORT_KEYS, REPORT_REDONE, REPORT_TOTAL};

    /// A row in no share would stay where it is for ever, one in two would be counted twice; a share
    /// with most of the pairs would have all the others wait.
    #[test]
    fn every_row_is_in_one_share() {
        for (n, count) in [(0, 1), (1, 3), (2, 3), (10, 3), (1001, 4), (1_000_000, 7), (u32::MAX, 8)] {
            for parts in [Share::of, Share::of_causal] {
                let ranges = (0..count).map(|index| parts(Share { index, count }, n));
                assert_eq!(ranges.fold(0, |end, range| if range.start == end { range.end } else { u32::MAX }), n);
            }
            let pairs = |index| {
                let rows = Share { index, count }.of_causal(n);
                let before = |row: u32| f64::from(row) * (f64::from(row) + 1.0) / 2.0;
                before(rows.end) - before(rows.start)
            };
            let all = f64::from(n) * (f64::from(n) + 1.0) / 2.0;
            assert!((0..count).all(|index| pairs(index) <= all / count as f64 + f64::from(n) + 1.0), "n = {n}");
        }
    }

    /// A counter lost between two devices would show in a run's metrics.
    #[test]
    fn reports_add_up() {
        let mut all = fresh(1);
        for (moved, least, most, total) in [(3, 2, 9, u64::from(u32::MAX)), (4, 5, 7, 2)] {
            let mut one = fresh(1);
            let words = [(REPORT_MOVED, moved), (REPORT_LEAST, least), (REPORT_MOST, most)];
            for (word, value) in words {
                one[word as usize] = value;
            }
            for word in [REPORT_TOTAL, REPORT_REDONE, REPORT_KEYS, REPORT_BOXES] {
                (one[word as usize], one[word as usize + 1]) = (total as u32, (total >> 32) as u32);
            }
            add(&mut all, &one);
        }
        let single = [REPORT_MOVED, REPORT_LEAST, REPORT_MOST, REPORT_BAD].map(|word| all[word as usize]);
        assert_eq!(single, [7, 2, 9, u32::MAX]);
        for word in [REPORT_TOTAL, REPORT_REDONE, REPORT_KEYS, REPORT_BOXES] {
            assert_eq!(counter(&all, word), 1 + (1 << 32));
        }
    }
}
