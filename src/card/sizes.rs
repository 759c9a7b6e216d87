//! The sizes of the work that a card is asked for. They follow from counted multiply-adds and the measured peaks, so
//! that a slow card has fewer tokens and not fewer results.

use serde::Serialize;

/// The part of a device's peak that a step is taken to reach.
const SHARE: f64 = 0.25;

/// Sizes of every stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Numbers of tokens of the exact systems, the largest first: the first that fits, else the last.
    pub systems: &'static [usize],
    /// Steps of these.
    pub steps: u64,
    /// Seconds that one of these may take on an engine, at [`SHARE`] of its peak.
    pub system_seconds: f64,
    /// Numbers of tokens that are timed, the smallest first; those that fit.
    pub tokens: &'static [usize],
    /// Dimensions that are timed by brute force.
    pub dimensions: &'static [usize],
    /// Rounds of the timing.
    pub rounds: usize,
    /// Seconds that one size may take on an engine, at [`SHARE`] of its peak.
    pub seconds: f64,
}

/// Minutes, on a laptop's card.
pub(crate) const FULL: Sizes = Sizes {
    systems: &[20_000, 10_000, 5_000, 2_000],
    steps: 12,
    system_seconds: 4.0,
    tokens: &[10_000, 100_000, 1_000_000],
    dimensions: &[3, 16, 64],
    rounds: 3,
    seconds: 8.0,
};

/// For a first look, and for software.
pub(crate) const QUICK: Sizes = Sizes {
    systems: &[1_000],
    steps: 3,
    system_seconds: 1.0,
    tokens: &[1_000, 3_000],
    dimensions: &[3],
    rounds: 1,
    seconds: 1.0,
};

/// Steps of each cloud that are timed.
pub(super) const TIMED_STEPS: u64 = 4;

/// The rate of multiply-adds on registers alone, in GFLOP/s.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Peaks {
    /// The card.
    pub card: f64,
    /// The CPU engine.
    pub cpu: f64,
}

/// Multiply-adds that a device of this peak does in some seconds.
fn work(gflops: f64, seconds: f64) -> f64 {
    gflops * 1e9 / 2.0 * SHARE * seconds
}

impl Sizes {
    /// Number of tokens of an exact system in R^d. A product of two 64-bit numbers counts as four.
    pub(super) fn tokens_of_system(&self, d: usize, is_wide: bool, peaks: Peaks) -> usize {
        let most = work(peaks.card.min(peaks.cpu), self.system_seconds);
        let products = if is_wide { 4.0 } else { 1.0 };
        let taken = |n: usize| (n as f64).powi(2) * d as f64 * self.steps as f64 * products;
        let fits = self.systems.iter().find(|&&n| taken(n) <= most);
        *fits.or(self.systems.last()).unwrap_or(&1)
    }

    /// Multiply-adds of a step beyond which a size isn't timed on a device of this peak: the rounds, and one
    /// step that is not counted, take a given time.
    pub(super) fn most_timed(&self, gflops: f64) -> f64 {
        work(gflops, self.seconds) / (self.rounds as f64 * TIMED_STEPS as f64 + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A card a hundred times slower must be done in about the time, and a fast one be shown what it is for.
    #[test]
    fn sizes_follow_the_peak() {
        let peaks = |card, cpu| Peaks { card, cpu };
        assert_eq!(FULL.tokens_of_system(3, false, peaks(30_000.0, 1000.0)), 20_000);
        assert_eq!(FULL.tokens_of_system(64, false, peaks(30_000.0, 100.0)), 5_000);
        assert_eq!(FULL.tokens_of_system(64, true, peaks(1.0, 100.0)), 2_000);
        let pairs = |n: f64, d: f64| n * n * d;
        let times = |gflops, n, d| pairs(n, d) <= FULL.most_timed(gflops);
        assert!(times(60_000.0, 1e5, 64.0) && !times(60_000.0, 1e6, 64.0));
        assert!(times(100.0, 1e4, 64.0) && !times(100.0, 1e5, 64.0));
    }
}
