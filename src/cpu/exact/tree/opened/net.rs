//! The calls of a step between ranks, and a count of their bytes.

use crate::error::{Error, Result};
use crate::outcome::Traffic;
use crate::ranks::{Gathered, Join, Ranks};

/// The ranks of a step, with counts of what this one receives.
pub(crate) struct Net<'a> {
    ranks: &'a dyn Ranks,
    pub(crate) traffic: Traffic,
    /// Bytes that all ranks have given, the same number on all of them.
    pub(crate) told: u64,
}

impl<'a> Net<'a> {
    pub(crate) fn new(ranks: &'a dyn Ranks) -> Self {
        Self { ranks, traffic: Traffic::default(), told: 0 }
    }

    pub(crate) fn size(&self) -> usize {
        self.ranks.size()
    }

    pub(crate) fn rank(&self) -> usize {
        self.ranks.rank()
    }

    pub(crate) fn gather(&mut self, mine: &[u8]) -> Result<Gathered> {
        let all = self.ranks.all_gather(mine)?;
        let told = all.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
        self.count(told - mine.len() as u64, told);
        Ok(all)
    }

    pub(crate) fn reduce(&mut self, join: Join, words: &mut [u64]) -> Result<()> {
        if self.size() > 1 {
            self.ranks.reduce(join, words)?;
            self.count(8 * words.len() as u64, 8 * words.len() as u64);
        }
        Ok(())
    }

    fn count(&mut self, bytes: u64, told: u64) {
        self.traffic.bytes += bytes;
        self.told += told;
        self.traffic.calls += 1;
    }
}

/// The error where ranks hear what they do not expect.
pub(crate) fn apart() -> Error {
    Error::device("the ranks of this run took different steps; start the same program on all of them")
}
