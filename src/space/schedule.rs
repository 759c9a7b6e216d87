//! When the keys of a search are sorted again.
//!
//! Searches turn dearer as keys move and their order ages; a sort mends that and merges what has
//! become equal. With the gain G of the last sort (the cost of the step before it less that of the
//! step after it) and T steps between sorts, a linear drift costs least where G·T/2 equals the cost
//! of a sort: T is halved above and doubled below. Searches that turn dear before their time are
//! answered at once, unless the interval is given. Costs are counted, not timed, in a unit of the
//! engine's, so that every run of a state sorts alike.

/// The most steps between two sorts.
const MOST_STEPS: u32 = 32;

/// A step that costs more than this many times the one before, and this many sorts, is better left
/// and taken again with sorted keys.
const PATIENCE: [f64; 2] = [4.0, 2.0];

/// When the next sort is due, from the costs of the steps since the last one.
#[derive(Clone, Debug)]
pub struct SortSchedule {
    /// The interval, if it is fixed.
    every: Option<u32>,
    interval: u32,
    since: u32,
    /// The cost of a sort.
    sort: f64,
    /// Whether the cost of each step is known before the next one.
    watched: bool,
    /// The cost of the last step before the sort.
    before: Option<f64>,
    /// Costs of the steps since: how many are known, the least, the last, and all above the least.
    known: u32,
    least: f64,
    last: f64,
    above: f64,
}

impl SortSchedule {
    /// A schedule that starts with a sort of this cost; `watched` is whether the cost of each step
    /// will be known before the next one, not only where [`Self::is_asking`].
    pub fn new(every: Option<u32>, sort: f64, watched: bool) -> Self {
        let (since, known, before) = (0, 0, None);
        Self { every, interval: 1, since, sort, watched, before, known, least: 0.0, last: 0.0, above: 0.0 }
    }

    /// Records that a sort of this cost was done.
    pub fn note_sort(&mut self, sort: f64, watched: bool) {
        let before = (self.known > 0).then_some(self.last);
        *self = Self { interval: self.interval, before, ..Self::new(self.every, sort, watched) };
    }

    /// Records that a step was begun.
    pub fn note_step(&mut self) {
        self.since += 1;
    }

    /// Number of steps begun since the last sort.
    pub fn since(&self) -> u32 {
        self.since
    }

    /// Whether the costs of the steps so far should be learned before the next one.
    pub fn is_asking(&self) -> bool {
        // The first step after a sort settles the interval.
        let settles = self.known == 0 && self.before.is_some();
        let matters = self.watched || settles || self.since >= self.interval;
        self.every.is_none() && self.since > self.known && matters
    }

    /// Records the cost of the next step not yet known of.
    pub fn learn(&mut self, cost: f64) {
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
        self.is_dear() || (self.since > 0 && self.every.is_none() && self.since >= self.interval)
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
        let may_help = self.watched && self.since > 0 && self.every.is_none();
        may_help.then(|| PATIENCE[0] * self.last + PATIENCE[1] * self.sort)
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
        let run = |batch: usize| {
            let (mut schedule, mut sorts, mut pending) = (SortSchedule::new(None, 100.0, false), Vec::new(), vec![]);
            for t in 0..200u32 {
                if schedule.is_asking() {
                    pending.drain(..).for_each(|cost| schedule.learn(cost));
                }
                if schedule.is_due() {
                    schedule.note_sort(100.0, false);
                    sorts.push(t);
                }
                schedule.note_step();
                pending.push(f64::from(t * t % 97));
                if pending.len() % batch == 0 {
                    pending.drain(..).for_each(|cost| schedule.learn(cost));
                }
            }
            sorts
        };
        assert!(run(1).len() > 5);
        (2..20).for_each(|batch| assert_eq!(run(batch), run(1), "batches of {batch}"));
    }
}
