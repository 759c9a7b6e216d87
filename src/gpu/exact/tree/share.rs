//! Shares of a step: the same keys in the same order on several devices, of which each takes some.

use crate::error::Result;
use crate::exact::Step;
use crate::gpu::exact::tree::{Tests, TreeSearch};
use crate::gpu::report::{REPORT_LIMIT, counter};
use crate::gpu::share::{Computed, Share};

impl TreeSearch {
    /// Computes a share of the keys of the next state. None if its tests alone came to many times those
    /// of all keys in the step before: it is then to be computed again on every device, with sorted
    /// keys. All devices hold the keys in the same order: each is told of the tests of all, by which
    /// sorts are decided.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::error::Error::Interrupted): the state is as it was. Device failures.
    pub(crate) async fn compute(&mut self, step: &Step, share: Share, is_again: bool) -> Result<Option<Computed>> {
        self.turn_to(step.mask).await?;
        if is_again || self.schedule.is_due() {
            self.sort().await?;
        }
        self.resident.queue.interrupt.check()?;
        let limit = self.schedule.patience_after(self.tests.total()).map_or(0, |patience| patience as i64 + 1);
        self.resident.start_reports(1).await?;
        let base = self.prepare(step, 0, limit).await?;
        self.own = share.of(self.keys());
        self.over_own(base).await?;
        let report = self.resident.reports(1).await?;
        if Tests::of(&report).total() >= counter(&report, REPORT_LIMIT) as f64 {
            return Ok(None);
        }
        let next = ("tokens", 1 - self.sides.tokens);
        let rows = self.read_keys(next, self.words_of_row(), self.own.clone()).await?;
        Ok(Some(Computed { rows, report }))
    }

    /// Takes the next state, of which every key is given.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn accept(&mut self, all: &Computed) -> Result<()> {
        self.sides.tokens ^= 1;
        self.warm = true;
        self.schedule.note_step();
        self.tests = Tests::of(&all.report);
        self.schedule.learn(self.tests.total());
        self.rows = self.keys();
        let (line, mut given) = (self.words_of_row(), 0);
        for (part, keys) in self.parts.split(&(0..self.keys())) {
            let words = &all.rows[given..][..keys.len() * line];
            let first = self.parts.first_place(part) as usize * line;
            self.resident.write_some(("tokens", self.sides.tokens), first, words).await?;
            given += words.len();
        }
        Ok(())
    }
}
