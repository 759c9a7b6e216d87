//! When the keys of a search are sorted again.
//!
//! Searches turn dearer as keys move and their order ages; a sort mends that and merges what has
//! become equal. With the gain G of the last sort (the cost of the step before it less that of the
//! step after it) and T steps between sorts, a linear drift costs least where G·T/2 equals the cost
//! of a sort: T is halved above and doubled below. Searches that turn dear before their time are
//! answered at once, unless the interval is given. Costs are counted, not timed, in a unit of the
//! engine's, so that every run of a state sorts alike; where a device computes the last steps while
//! the next ones are decided on, their costs count some steps later, whenever they come back.

use std::collections::VecDeque;

/// The most steps between two sorts.
const MOST_STEPS: u32 = 32;

/// A step that costs more than this many times the one before, and this many sorts, is better left
/// and taken again with sorted keys.
pub const PATIENCE: [u32; 2] = [4, 2];

/// When the next sort is due, from the costs of the steps since the last one.
#[derive(Clone, Debug)]
pub struct SortSchedule {
    /// The interval, if it is fixed.
    every: Option<u32>,
    interval: u32,
    since: u32,
    /// The cost of a sort.
    sort: f64,
    /// Whether the cost of each step is known before it matters.
    watched: bool,
    /// The last steps, whose costs decide nothing yet.
    lag: u32,
    /// The costs of those of them that are known.
    held: VecDeque<f64>,
    /// The cost of the last step before the sort.
    before: Option<f64>,
    /// Costs of the steps since: how many count, the least, the last, and all above the least.
    known: u32,
    least: f64,
    last: f64,
    above: f64,
}

impl SortSchedule {
    /// A schedule that starts with a sort of this cost; `watched` is whether the cost of each step
    /// will be known before it matters, not only where [`Self::is_asking`].
    pub fn new(every: Option<u32>, sort: f64, watched: bool) -> Self {
        Self {
            every,
            interval: 1,
            since: 0,
            sort,
            watched,
            lag: 0,
            held: VecDeque::new(),
            before: None,
            known: 0,
            least: 0.0,
            last: 0.0,
            above: 0.0,
        }
    }

    /// Decides without the costs of so many of the last steps, whether they are known or not: a device
    /// may still be at them.
    #[must_use]
    pub fn lagging(self, steps: u32) -> Self {
        Self { lag: steps, ..self }
    }

    /// Records that a sort of this cost was done. The costs of all steps before it must be known.
    pub fn note_sort(&mut self, sort: f64, watched: bool) {
        while let Some(cost) = self.held.pop_front() {
            self.count(cost);
        }
        let before = (self.known > 0).then_some(self.last);
        *self = Self { interval: self.interval, lag: self.lag, before, ..Self::new(self.every, sort, watched) };
    }

    /// Records that a step was begun.
    pub fn note_step(&mut self) {
        self.since += 1;
        self.count_held();
    }

    /// Number of steps begun since the last sort.
    pub fn since(&self) -> u32 {
        self.since
    }

    /// Whether the costs of the steps so far, but for those of the lag, should be learned before the
    /// next one.
    pub fn is_asking(&self) -> bool {
        self.will_ask() && self.since > self.known + self.held.len() as u32 + self.lag
    }

    /// Whether the cost of the last step will be asked for.
    pub fn will_ask(&self) -> bool {
        // The first step after a sort settles the interval.
        let settles = self.known == 0 && self.held.is_empty() && self.before.is_some();
        self.every.is_none() && (self.watched || settles)
    }

    /// Records the cost of the next step not yet known of.
    pub fn learn(&mut self, cost: f64) {
        self.held.push_back(cost);
        self.count_held();
    }

    /// Counts the costs that are older than the lag.
    fn count_held(&mut self) {
        while self.known + self.lag < self.since
            && let Some(cost) = self.held.pop_front()
        {
            self.count(cost);
        }
    }

    fn count(&mut self, cost: f64) {
        if self.known == 0 {
            if let Some(before) = self.before {
                let pays = (before - cost) * f64::from(self.interval) / 2.0 > self.sort;
                self.interval = if pays { (self.interval / 2).max(1) } else { (2 * self.interval).min(MOST_STEPS) };
            }
            self.least = cost;
        }
        self.above += (cost - self.least).max(0.0);
        self.least = self.least.min(cost);
        self.last = cost;
        self.known += 1;
    }

    /// Whether to sort before the next step.
    pub fn is_due(&self) -> bool {
        // The first step after a sort says whether it paid.
        let is_over = self.since >= self.interval && (self.known > 0 || self.before.is_none());
        self.is_dear() || (self.since > 0 && self.every.is_none() && is_over)
    }

    /// Whether to sort before the next step though order is of little use: for what steps cost above the least, or
    /// since the interval is given.
    pub fn is_dear(&self) -> bool {
        // Unless watched, when the costs are learned depends on the length of a batch.
        let dear = || self.watched && self.above > self.sort;
        self.since > 0 && self.every.map_or_else(dear, |every| self.since >= every)
    }

    /// The cost at which the next step is better left for a sort; `None` where a sort is of no use,
    /// or not wanted.
    pub fn patience(&self) -> Option<f64> {
        self.patience_after(self.last)
    }

    /// The same, if the last step had this cost.
    pub fn patience_after(&self, cost: f64) -> Option<f64> {
        let may_help = self.watched && self.since > 0 && self.every.is_none();
        let [steps, sorts] = PATIENCE.map(f64::from);
        may_help.then_some(steps * cost + sorts * self.sort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens that meet make every later step dearer, a hundredfold from one to the next: a schedule
    /// that let one such step run to its end, or waited for the interval, would stall a run.
    #[test]
    fn steps_that_turn_dear_are_answered_at_once() {
        let mut schedule = SortSchedule::new(None, 100.0, true);
        for cost in [50.0; 8] {
            while schedule.is_due() {
                schedule.note_sort(100.0, true);
            }
            schedule.note_step();
            schedule.learn(cost);
        }
        assert!(!schedule.is_due() && schedule.patience() == Some(400.0));
        schedule.note_step();
        schedule.learn(151.0);
        assert!(schedule.is_due());
        schedule.note_sort(100.0, true);
        assert_eq!(schedule.patience(), None, "a sort is of no use twice");
    }

    /// The length of a batch depends on what else a run is asked for: it must not decide when keys
    /// are sorted, or two runs of a system would take other ways.
    #[test]
    fn the_length_of_a_batch_decides_nothing() {
        let run = |batch: usize, lag: u32, watched: bool| {
            let mut schedule = SortSchedule::new(None, 100.0, watched).lagging(lag);
            let (mut sorts, mut pending) = (Vec::new(), VecDeque::new());
            for t in 0..200u32 {
                while schedule.is_asking() {
                    schedule.learn(pending.pop_front().expect("a cost"));
                }
                if schedule.is_due() {
                    pending.drain(..).for_each(|cost| schedule.learn(cost));
                    schedule.note_sort(100.0, watched);
                    sorts.push(t);
                }
                schedule.note_step();
                pending.push_back(f64::from(t * t % 97));
                if (t as usize + 1).is_multiple_of(batch) {
                    pending.drain(..).for_each(|cost| schedule.learn(cost));
                }
            }
            sorts
        };
        for (lag, watched) in [(0, false), (0, true), (1, false), (1, true), (3, true)] {
            assert!(run(1, lag, watched).len() > 5);
            (2..20).for_each(|batch| assert_eq!(run(batch, lag, watched), run(1, lag, watched), "batches of {batch}"));
        }
    }

    /// A device that must tell the cost of a step before the next one begins waits for its host.
    #[test]
    fn costs_of_the_lag_are_not_asked_for() {
        let mut schedule = SortSchedule::new(None, 100.0, true).lagging(1);
        schedule.note_step();
        assert!(schedule.will_ask() && !schedule.is_asking());
        schedule.learn(1e9); // earlier than it must be
        schedule.note_sort(100.0, true);
        for cost in [1.0, 1e9] {
            schedule.note_step();
            schedule.learn(cost);
        }
        schedule.interval = 9;
        assert!(!schedule.is_due(), "the last step counts already");
        schedule.note_step();
        assert!(schedule.is_due() && !schedule.is_asking());
        schedule.note_step();
        assert!(schedule.is_asking());
    }
}
