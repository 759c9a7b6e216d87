//! When a trajectory settles: the time after which every token stays within ε of where it ends.
//!
//! The end is known only once it is reached, so states are kept on the way, ever farther apart: at
//! every step at first, later some in each doubling of t, as many as [`MEMORY`] holds. Between two
//! of them a distance is taken to fall geometrically, as it does near the end; the time is then
//! known to a fraction of their spacing.

use crate::observe::{RateFit, Sample};
use crate::tokens::Tokens;

/// Number of coordinates kept of one trajectory.
const MEMORY: usize = 1 << 26;
/// Number of states kept in a doubling of t.
const DENSE: usize = 8;
/// The share of tokens that "most" stands for.
pub(super) const MOST: f64 = 0.99;

/// The states kept of one trajectory.
pub(super) struct Settling {
    dense: f64,
    kept: Vec<(u64, Tokens)>,
}

/// Distances of tokens from their last places after some steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Distances {
    /// Number of steps t.
    pub(super) step: u64,
    /// Distance of the farthest token.
    pub(super) all: f64,
    /// Distance that [`MOST`] of the tokens are within.
    pub(super) most: f64,
    /// Distance that half of the tokens are within.
    pub(super) half: f64,
}

impl Settling {
    /// Prepares for n tokens in R^d that take at most `steps` steps.
    pub(super) fn new(n: usize, d: usize, steps: u64) -> Self {
        let octaves = (steps.max(2) as f64).log2();
        let fit = MEMORY as f64 / (n * d) as f64 / octaves;
        Self { dense: fit.clamp(1.0, DENSE as f64), kept: Vec::new() }
    }

    /// Tells the steps after which the state is to be kept.
    pub(super) fn is_due(&self) -> impl Fn(u64) -> bool + use<> {
        let dense = self.dense;
        let mark = move |t: u64| (dense * libm::log2(t as f64)).floor();
        move |t| t < 2 || mark(t) > mark(t - 1)
    }

    /// Keeps a state; returns the farthest that a token has gone since the last, at first infinite.
    pub(super) fn keep(&mut self, step: u64, tokens: &Tokens) -> f64 {
        let last = self.kept.last();
        let moved = last
            .map_or(f64::INFINITY, |(_, before)| distances(step, &before.to_f64(), &tokens.to_f64(), tokens.d()).all);
        if last.is_none_or(|(last, _)| *last < step) {
            self.kept.push((step, tokens.clone()));
        }
        moved
    }

    /// Measures every state against the last one kept.
    pub(super) fn distances(&self) -> Vec<Distances> {
        let Some((_, end)) = self.kept.last() else { return Vec::new() };
        let end = end.to_f64();
        self.kept.iter().map(|(step, tokens)| distances(*step, &tokens.to_f64(), &end, tokens.d())).collect()
    }
}

fn distances(step: u64, x: &[f64], end: &[f64], d: usize) -> Distances {
    let square = |(a, b): (&[f64], &[f64])| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    let mut squares: Vec<f64> = x.chunks_exact(d).zip(end.chunks_exact(d)).map(square).collect();
    let mut within = |share: f64| {
        let at = ((squares.len() as f64 * share).ceil() as usize).clamp(1, squares.len()) - 1;
        squares.select_nth_unstable_by(at, f64::total_cmp).1.sqrt()
    };
    Distances { step, all: within(1.0), most: within(MOST), half: within(0.5) }
}

/// Finds the time from which a distance stays within `epsilon`; `noise` stands in for 0.
pub(super) fn settled(path: &[Distances], of: impl Fn(&Distances) -> f64, epsilon: f64, noise: f64) -> f64 {
    let Some(last) = path.iter().rposition(|at| of(at) > epsilon) else { return 0.0 };
    let Some(next) = path.get(last + 1) else { return path[last].step as f64 };
    let (from, to) = (of(&path[last]), of(next).max(noise.min(epsilon / 2.0)));
    let share = libm::log(from / epsilon) / libm::log(from / to);
    path[last].step as f64 + share * (next.step - path[last].step) as f64
}

/// Fits the last rate of the farthest token, below `start`, from step `since` on and above `noise`.
pub(super) fn last_rate(path: &[Distances], start: f64, since: u64, noise: f64) -> Option<RateFit> {
    let from = path.iter().rposition(|at| at.all > start || at.step < since).map_or(0, |at| at + 1);
    let samples: Vec<Sample> = path[from..].iter().map(|at| Sample { step: at.step, distance: at.all }).collect();
    RateFit::of(&samples, noise).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time of convergence that was off would be put beside the theory's.
    #[test]
    fn geometric_trajectories_settle_when_they_should() {
        let factor: f64 = 0.9;
        let steps = 400;
        let mut settling = Settling::new(3, 1, steps);
        let due = settling.is_due();
        for t in (0..=steps).filter(|t| due(*t) || *t == steps) {
            let y = factor.powi(t as i32);
            settling.keep(t, &Tokens::from_flat(3, 1, vec![2.0 + y, -1.0, 0.5 - 0.1 * y]).unwrap());
        }
        let path = settling.distances();
        for (epsilon, share) in [(1e-3, 1.0), (1e-6, 1.0), (1e-6, 0.1)] {
            let time = if share == 1.0 {
                settled(&path, |at| at.all, epsilon, 1e-14)
            } else {
                settled(&path, |at| at.half, epsilon, 1e-14)
            };
            let theory = libm::log(share / epsilon) / -libm::log(factor);
            assert!((time - theory).abs() < 1e-6 * theory, "{epsilon} {share}: {time} {theory}");
        }
        let rate = last_rate(&path, 1e-2, 0, 1e-14).unwrap().rate;
        assert!((rate - factor).abs() < 1e-6, "{rate}");
        assert_eq!(settled(&path, |at| at.all, 2.0, 1e-14), 0.0);
    }
}
