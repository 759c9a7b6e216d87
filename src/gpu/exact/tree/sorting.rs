//! When to sort.
//!
//! Searches turn dearer as keys move and their order ages; a sort mends that and merges what has
//! become equal. With the gain G of the last sort (the tests of the step before it less those of
//! the step after it) and T steps between sorts, a linear drift costs least where G·T/2 equals the
//! cost of a sort: T is halved above and doubled below. Searches that turn dear before their time
//! are answered at once, unless the interval is given. Tests are counted, not timed, so that every
//! run of a state sorts alike.

/// The most steps between two sorts.
const MOST_STEPS: u32 = 32;

/// Cost of a sort, in tests of a box or a key: for each key, and in all.
const KEY_COST: f64 = 100.0;
const BASE_COST: f64 = 2e5;

/// When the next sort is due, from the tests counted since the last one.
#[derive(Clone, Debug)]
pub(crate) struct SortSchedule {
    /// The interval, if it is fixed.
    every: Option<u32>,
    interval: u32,
    since: u32,
    cost: f64,
    /// Tests of the last step before the sort.
    before: Option<f64>,
    /// Tests of the steps since: how many steps are known of, the least, the last, and all above
    /// the least.
    known: u32,
    least: f64,
    last: f64,
    above: f64,
}

impl SortSchedule {
    /// A schedule that starts with a sort.
    pub(crate) fn new(keys: u32, every: Option<u32>) -> Self {
        let cost = KEY_COST.mul_add(f64::from(keys), BASE_COST);
        Self { every, interval: 1, since: 0, cost, before: None, known: 0, least: 0.0, last: 0.0, above: 0.0 }
    }

    /// Records that a sort was done.
    pub(crate) fn note_sort(&mut self, keys: u32) {
        let before = (self.known > 0).then_some(self.last);
        *self = Self { interval: self.interval, before, ..Self::new(keys, self.every) };
    }

    /// Records that a step was queued.
    pub(crate) fn note_step(&mut self) {
        self.since += 1;
    }

    /// Whether tests of the steps so far should be counted before the next one.
    pub(crate) fn is_asking(&self, keys: u32) -> bool {
        self.every.is_none() && self.since > self.known && (self.since >= self.interval || keys > 1 << 14)
    }

    /// Records the tests of the next step not yet known of.
    pub(crate) fn learn(&mut self, tests: f64) {
        if self.known == 0 {
            if let Some(before) = self.before {
                let pays = (before - tests) * f64::from(self.interval) / 2.0 > self.cost;
                self.interval = if pays { (self.interval / 2).max(1) } else { (2 * self.interval).min(MOST_STEPS) };
            }
            self.least = tests;
        }
        self.above += (tests - self.least).max(0.0);
        self.least = self.least.min(tests);
        self.last = tests;
        self.known += 1;
    }

    /// Whether to sort before the next step.
    pub(crate) fn is_due(&self) -> bool {
        let dear = || self.since >= self.interval || self.above > self.cost;
        self.since > 0 && self.every.map_or_else(dear, |every| self.since >= every)
    }
}
