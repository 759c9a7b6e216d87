//! When the keys of a tree are sorted again: the module above says why.

use std::time::Duration;

/// The most steps between two sorts.
const MOST_STEPS: u32 = 32;

/// Times that say when to sort.
#[derive(Default)]
pub(crate) struct Sorting {
    /// Steps from one sort to the next, and since the last one.
    pub(crate) interval: u32,
    pub(crate) since: u32,
    /// Time of the last sort, and of the last search before it.
    pub(crate) cost: Duration,
    pub(crate) before: Duration,
    /// Times of searches since the last sort: the least, all, and the last.
    pub(crate) least: Duration,
    pub(crate) spent: Duration,
    pub(crate) last: Duration,
}

impl Sorting {
    /// True if it is time to sort: the interval is over or, unless it is fixed, the searches since
    /// the last sort took longer, by the time of a sort, than if each had been like the best.
    pub(crate) fn is_due(&self, every: Option<u32>) -> bool {
        let expensive = || self.since >= self.interval || self.spent > self.least * self.since + self.cost;
        self.since > 0 && every.map_or_else(expensive, |every| self.since >= every)
    }

    /// Notes the time of a search and settles when to sort next.
    pub(crate) fn note(&mut self, search: Duration) {
        if self.since == 0 && self.before > Duration::ZERO {
            let gain = self.before.saturating_sub(search);
            self.interval = if gain * self.interval / 2 > self.cost {
                (self.interval / 2).max(1)
            } else {
                (2 * self.interval).min(MOST_STEPS)
            };
        }
        if self.since == 0 {
            (self.least, self.spent) = (search, Duration::ZERO);
        }
        self.least = self.least.min(search);
        self.spent += search;
        self.last = search;
        self.since += 1;
    }
}
