//! Steps in order, each begun before the cost of the one before is known.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::exact::Step;
use crate::gpu::exact::tree::{Tests, TreeSearch};
use crate::gpu::read_back::Reading;
use crate::gpu::report::{REPORT_LIMIT, REPORT_WORDS, REPORTS, counter, report};
use crate::outcome::StepReport;

/// Steps whose reports are read together.
#[derive(Default)]
struct Batch {
    /// Steps begun, and those whose reports are read or being read.
    begun: usize,
    asked: usize,
    /// Reports being read, in order.
    readings: VecDeque<Reading>,
    /// The words of the reports that are known.
    words: Vec<u32>,
    /// What was there before each step.
    before: Vec<Before>,
}

/// What a step was begun with.
struct Before {
    /// Of the queue.
    budget: f64,
    keys: u32,
    /// Whether the step may be left.
    is_limited: bool,
}

impl Batch {
    /// Steps whose reports are known.
    fn known(&self) -> usize {
        self.words.len() / REPORT_WORDS as usize
    }

    /// Whether a step may turn out to have been left.
    fn is_open(&self) -> bool {
        self.before[self.known()..].iter().any(|before| before.is_limited)
    }
}

impl TreeSearch {
    /// Applies the steps in order, up to an interrupt.
    ///
    /// # Errors
    /// [`Error::Interrupted`] before the first was taken whole. Device failures; the state is then
    /// undefined.
    pub(crate) async fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        for group in steps.chunks(REPORTS) {
            self.resident.start_reports(group.len()).await?;
            let (mut batch, mut interrupted) = (Batch::default(), None);
            // Steps that turn out to have been left at the end are taken again, too.
            while interrupted.is_none() && batch.known() < group.len() {
                while interrupted.is_none() && batch.begun < group.len() {
                    match self.one_step(&group[batch.begun], &mut batch).await {
                        Err(Error::Interrupted(reason)) => interrupted = Some(Error::Interrupted(reason)),
                        taken => taken?,
                    }
                }
                self.learn_all(&mut batch).await?;
            }
            let words = batch.words.chunks_exact(REPORT_WORDS as usize);
            reports.extend(group.iter().zip(words).map(|(step, words)| report(step.t, words)));
            match interrupted {
                Some(error) if reports.is_empty() => return Err(error),
                Some(_) => break,
                None => {}
            }
        }
        Ok(reports)
    }

    /// Begins a step, or learns that an earlier one was left.
    async fn one_step(&mut self, step: &Step, batch: &mut Batch) -> Result<()> {
        self.resident.queue.interrupt.check()?;
        while self.schedule.is_asking() {
            if !self.learn(batch).await? {
                return Ok(());
            }
        }
        let (is_due, turns) = (self.schedule.is_due(), step.mask != self.mask);
        if (turns || is_due && batch.is_open()) && !self.learn_all(batch).await? {
            return Ok(());
        }
        self.turn_to(step.mask).await?;
        if is_due && self.schedule.since() > 0 {
            self.read_reports(batch).await?;
            self.sort_keys().await?;
            self.learn_all(batch).await?;
            self.note_sort();
        }
        let budget = self.resident.queue.budget();
        // The device adds what it counts in the step before, unless that report is no longer there.
        let before = if batch.begun == 0 { self.tests.total() } else { 0.0 };
        let limit = self.schedule.patience_after(before).map_or(0, |patience| patience as i64 + 1);
        let base = self.prepare(step, batch.begun as u32, limit).await?;
        self.own = 0..self.keys();
        self.over_own(base).await?;
        self.sides.tokens ^= 1;
        self.warm = true;
        self.schedule.note_step();
        batch.begun += 1;
        batch.before.push(Before { budget, keys: self.keys(), is_limited: limit > 0 });
        if self.schedule.will_ask() {
            self.read_reports(batch).await?;
        }
        Ok(())
    }

    /// Has the reports of the steps so far read.
    async fn read_reports(&mut self, batch: &mut Batch) -> Result<()> {
        if batch.begun > batch.asked {
            let words = [batch.asked, batch.begun].map(|step| step * REPORT_WORDS as usize);
            batch.readings.push_back(self.resident.start_reading(("reports", 0), words[0]..words[1]).await?);
            batch.asked = batch.begun;
        }
        Ok(())
    }

    /// Waits for every step, and learns what it cost. False if one was left.
    async fn learn_all(&mut self, batch: &mut Batch) -> Result<bool> {
        self.read_reports(batch).await?;
        while !batch.readings.is_empty() {
            if !self.learn(batch).await? {
                return Ok(false);
            }
        }
        // Nothing is left to wait for, but the time is taken.
        self.resident.queue.finish().await?;
        Ok(true)
    }

    /// Waits for the first reports that are being read, and learns what their steps cost. False if a
    /// step was left: it turned out many times dearer than the one before, since tokens have met, and
    /// each tests all that it has met. It is then the next to be begun, and its keys are sorted.
    async fn learn(&mut self, batch: &mut Batch) -> Result<bool> {
        let Some(reading) = batch.readings.pop_front() else { return Ok(true) };
        let mut read = Vec::new();
        self.resident.device.take(&mut read, reading).await?;
        for words in read.chunks_exact(REPORT_WORDS as usize) {
            let tests = Tests::of(words);
            if tests.total() >= counter(words, REPORT_LIMIT) as f64 {
                self.go_back(batch).await?;
                return Ok(false);
            }
            (self.tests, self.rows) = (tests, batch.before[batch.known()].keys);
            batch.words.extend_from_slice(words);
            self.schedule.learn(tests.total());
        }
        Ok(true)
    }

    /// Goes back to the state before the first step that is not known of, and sorts. Steps after one
    /// that was left have done nothing.
    async fn go_back(&mut self, batch: &mut Batch) -> Result<()> {
        #[cfg(test)]
        {
            self.counts[1] += 1;
        }
        let known = batch.known();
        self.resident.restart_reports(known..batch.begun).await?;
        self.resident.queue.restore_budget(batch.before[known].budget);
        self.sides.tokens ^= (batch.begun - known) % 2;
        batch.readings.clear();
        batch.before.truncate(known);
        (batch.begun, batch.asked) = (known, known);
        self.sort().await
    }
}
