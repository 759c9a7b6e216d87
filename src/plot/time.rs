//! The steps of a run as an axis.

use super::chart::coordinate::Coordinate;

/// Number of points of a curve, at most about; longer runs are drawn by blocks of steps.
pub(super) const MOST_POINTS: usize = 1500;

/// The steps of a run as an axis: logarithmic in t + 1 past 3000 steps, and where half of the
/// recorded steps lie in the first fifth.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    first: u64,
    last: u64,
    log: bool,
}

impl Time {
    /// The axis of recorded steps, which ascend.
    pub fn of(steps: &[u64]) -> Self {
        let (first, last) = (steps.first().map_or(0, |t| *t), steps.last().map_or(0, |t| *t));
        let is_long = last.saturating_add(1) / (first + 1) > 3000;
        let is_early = first == 0 && last > 20 && steps[steps.len() / 2] < last / 5;
        Self { first, last, log: is_long || is_early }
    }

    /// The axis.
    pub fn axis(self) -> Coordinate {
        if self.log {
            return Coordinate::log("step t + 1").within(self.first as f64 + 1.0, (self.last as f64 + 1.0) * 1.1);
        }
        let margin = 0.02 * ((self.last - self.first) as f64).max(1.0);
        Coordinate::whole("step t").within(self.first as f64 - margin, self.last as f64 + margin)
    }

    /// The place of a step on the axis.
    pub fn at(self, t: u64) -> f64 {
        (t + u64::from(self.log)) as f64
    }

    /// The number of the block that a step lies in, of blocks that are equally wide on the axis.
    pub(super) fn block(self, t: u64) -> usize {
        let place = |t: u64| if self.log { self.at(t).ln() } else { t as f64 };
        let (first, last) = (place(self.first), place(self.last));
        ((place(t) - first) / (last - first).max(1.0) * MOST_POINTS as f64) as usize
    }
}
