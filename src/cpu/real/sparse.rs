//! Sparse weights of a packet: the keys near the maxima, and the level at which weights end.
//!
//! A key has a weight only where its level u is above τ ≥ −1. So a second pass over the tiles that reach that far
//! collects the levels above −1, and Newton's method finds τ among them in f64. From τ = −1 on, the sum of the weights
//! (sparsemax) or its root (entmax), convex and falling in τ, takes τ up and never past the solution; with g what that
//! exceeds 1 by and s its slope, g·s falls by 4 or more a step, from at most m².

use crate::cpu::real::cloud::Cloud;
use crate::cpu::real::kernels::{KEYS, Real};
use crate::cpu::real::packet::Worker;
use crate::model::Sparse;
use crate::num;

impl<W: Real> Worker<W> {
    /// Collects the keys with a weight of every lane, from the marks of all tiles: `few`, with weights of sum 1.
    pub(super) fn select(&mut self, cloud: &Cloud<'_, W>, beta: f64, form: Sparse) {
        self.few.iter_mut().for_each(Vec::clear);
        let betas: Vec<f64> = (0..self.width).map(|l| num::scale(beta, self.exponent[l]).min(f64::MAX)).collect();
        let level = |this: &Self, l: usize, score: W| form.level(betas[l] * (score.to_f64() - this.max[l].to_f64()));
        for at in 0..self.marks.len() / self.width {
            let reaches = |l: usize| level(self, l, self.marks[at * self.width + l]) > -1.0;
            if !(0..self.rows.len()).any(reaches) {
                continue;
            }
            let tile = self.first_tile + at;
            self.score(cloud, tile);
            let mut few = std::mem::take(&mut self.few);
            for (j, row) in self.tile.chunks_exact(self.width).take(self.keys).enumerate() {
                for (l, few) in few.iter_mut().enumerate().take(self.rows.len()) {
                    // Keys that the lane does not see have the score −∞.
                    let key = tile * KEYS + j;
                    let level = level(self, l, row[l]);
                    if level > -1.0 {
                        few.push((key as u32, level));
                    }
                }
            }
            self.few = few;
        }
        for few in &mut self.few {
            weigh(few, form);
        }
    }

    /// Makes weights of the tile's scores: as they are, or none below 0; 0 where a lane does not see the key.
    pub(super) fn plain(&mut self, rectified: bool) {
        let zero = W::default();
        for score in &mut self.tile[..self.keys * self.width] {
            if *score == W::LOWEST || (rectified && *score < zero) {
                *score = zero;
            }
        }
        self.sums.fill(zero);
    }

    /// Writes Σ_j w_ij x_j of a lane.
    pub(super) fn mean_of_few(&self, cloud: &Cloud<'_, W>, lane: usize, mean: &mut [f64]) {
        mean.fill(0.0);
        for &(key, weight) in &self.few[lane] {
            mean.iter_mut().zip(cloud.row(key as usize)).for_each(|(sum, x)| *sum += weight * x);
        }
    }
}

/// Turns levels, of which one is 0, into weights of sum 1, and leaves out the keys without one.
fn weigh(few: &mut Vec<(u32, f64)>, form: Sparse) {
    let mut end = -1.0;
    // After so many steps g·s ≤ m²/4^steps < 2^-60.
    let steps = 31 + usize::BITS - few.len().leading_zeros();
    for _ in 0..steps {
        let (mut count, mut sum, mut total) = (0.0, 0.0, 0.0);
        for (_, level) in few.iter() {
            let above = level - end;
            if above > 0.0 {
                (count, sum, total) = (count + 1.0, sum + above, total + form.weight(above));
            }
        }
        let next = end
            + match form {
                Sparse::Entmax15 => (total.sqrt() - 1.0) * total.sqrt() / sum,
                _ => (total - 1.0) / count,
            };
        // Not up any more, but for rounding.
        if next.is_nan() || next <= end {
            break;
        }
        end = next;
    }
    for (_, level) in few.iter_mut() {
        *level = form.weight(*level - end);
    }
    few.retain(|(_, weight)| *weight > 0.0);
    let total: f64 = few.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in few.iter_mut() {
        *weight /= total;
    }
}
