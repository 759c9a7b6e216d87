//! When to choose again among plans: what choosing has cost, and what steps have cost since.

/// Steps cost this many times as much as choosing among plans.
const SHARE: f64 = 20.0;

/// Costs that say when to choose again.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The cost of the last choice, and of all steps since.
    choosing: f64,
    stepping: f64,
    /// Number of steps since then, and the cost of the first and of the last.
    since: u32,
    first: f64,
    last: f64,
    /// True if tokens moved in one of them.
    moved: bool,
    chosen: bool,
}

impl Ledger {
    pub(crate) fn is_due(&self) -> bool {
        !self.chosen || (self.moved && (self.is_expensive() || self.stepping > self.choosing * SHARE))
    }

    pub(crate) fn is_expensive(&self) -> bool {
        self.since > 1 && self.last > self.first * 2.0 + self.choosing
    }

    pub(crate) fn restart(&mut self, choosing: f64) {
        *self = Self { choosing, chosen: true, ..Self::default() };
    }

    pub(crate) fn count(&mut self, cost: f64, moved: bool) {
        if self.since == 0 {
            self.first = cost;
        }
        self.last = cost;
        self.stepping += cost;
        self.since += 1;
        self.moved |= moved;
    }
}
