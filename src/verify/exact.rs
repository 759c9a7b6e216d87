//! Bounds on the distance of one step of the contract from the mathematics, from equal states.
//!
//! With x = X·u, unit of scores w = u²·2^eA, ε = 2^−53:
//!
//! * **Queries.** Ã = A·2^(b−eA) + η with |η| ≤ ½, and Q rounds once more, so each coordinate of Q
//!   is within κ_i = ½·|X_i|₁/2^b + ½ of A x_i/(u·2^eA); κ = 0 for the identity.
//! * **Scores.** |s_ij·w − S_ij| ≤ κ_i·|X_j|₁·w; the same for the maximum, with the largest |X_j|₁.
//! * **Widths.** score: floor loses under 1. width and a-norm: P is off by ½ and multiplies the
//!   root ρ, which is off by ω: D by ½(ρ + ω') + ωP. width: ρ = |Ax_i|/(u·2^eA), P = δ/u, ω' =
//!   √d·κ_i, ω = 1 + ω'; a-norm, k the parity of eA and h = (eA + k)/2: ρ = √<Ax_i,
//!   x_i>·2^(k−h)/u, P = δ/(u·2^h), ω' = ω = min(√Δ, Δ/ρ) + 1 with Δ = 2^k·κ_i·|X_i|₁ under the
//!   root.
//! * **Distances.** s_ij·u²/2 is the score. floor loses under u²/2 of δ; ε is rounded up by under a unit, so
//!   ε²/2 by under (ε + u/2)u. Near the threshold θ = δ or ε²/2 a score in f64 is off by the share (d + 3)ε
//!   of it and the threshold by 3ε of it; together at most (2d + 8)ε times θ and what the lattice adds. f64
//!   holds all of them if u² is normal with room for its digits and Σ(2·max_j|x_jk|)² is finite.
//! * **f64.** [`crate::reference::real`] itself rounds, by c = (2d + 4)·ε: a score by c·Σ_k
//!   (|A||x_i|)_k·max_j|x_jk|, a width of 1 by c, |Ax_i| by c·||A||x_i||, the root of the a-norm by
//!   √ of its score's error; the maximum by as much as a score.
//! * **Token.** Y rounds by ½, scaled by γ < 1; the step rounds by ½, or is 1 where at least 1 is
//!   asked; G is within 1.5·2^−K of γ. Together at most 1.5 + |T|·1.5·2^−K units, and (|C_i| +
//!   4)·ε·(max|x_j − x_i| + |x_i|) for the f64 mean.
//! * **Truth.** Θ is off by ½ where Y is, with shares that sum to 1; the drawn mean rounds by another ½, and W is within
//!   1.5·2^−K of w, times |Θ − Y| ≤ |τ − x_i| + max|x_j − x_i|. |T| is at most the larger of these two distances. Together
//!   ½ + (2|τ − x_i| + max|x_j − x_i|)·1.5·2^−K units more, and 8ε(|τ − x_i| + max|x_j − x_i| + |x_i|) for f64.
//!
//! `tests/bounds.py` computes all of this from this text.

use crate::exact::{Grid, Step, StripWidth, TokenMatrix};
use crate::model::{Scoring, StripForm};
use crate::num;
use crate::real::Weights;
use crate::reference;

/// ExactBounds of one step.
#[derive(Debug)]
pub struct ExactBounds<'a> {
    grid: Grid,
    identity: bool,
    width: StripWidth,
    matrix_exponent: i32,
    /// |X_j|₁, in units.
    lengths: Vec<f64>,
    largest: f64,
    /// The step in real numbers.
    step: &'a crate::real::Step,
    /// Whether δ is a radius.
    is_radius: bool,
    /// max_j |x_jk| per coordinate.
    columns: Vec<f64>,
}

impl<'a> ExactBounds<'a> {
    /// The bounds of `step` from the state `exact`.
    pub fn new(grid: Grid, step: &Step, spec: &'a crate::real::Step, exact: &reference::exact::State) -> Self {
        let lengths: Vec<f64> =
            (0..exact.n).map(|j| exact.row(j).iter().map(|x| x.unsigned_abs() as f64).sum()).collect();
        let mut columns = vec![0.0f64; exact.d];
        for j in 0..exact.n {
            for (column, &x) in columns.iter_mut().zip(exact.row(j)) {
                *column = column.max(grid.real(x).abs());
            }
        }
        Self {
            grid,
            identity: step.matrix == TokenMatrix::Identity,
            width: step.width,
            matrix_exponent: step.matrix_exponent,
            largest: lengths.iter().copied().fold(0.0, f64::max),
            lengths,
            is_radius: matches!(spec.stages[0].weights, Weights::Strip { form: StripForm::Radius, .. }),
            step: spec,
            columns,
        }
    }

    /// True if f64 holds the scores of row i and the square of its query to all of its digits.
    fn in_range(&self, magnitude: &[f64]) -> bool {
        let held = |x: f64| x.is_finite() && x >= f64::MIN_POSITIVE / f64::EPSILON;
        let unit = self.grid.unit();
        let square = match self.width {
            StripWidth::QueryNorm { .. } => reference::real::dot(magnitude, magnitude),
            _ => 1.0,
        };
        let all = [num::scale(1.0, self.matrix_exponent), num::scale(unit * unit, self.matrix_exponent), square];
        let is_zero = magnitude.iter().all(|&v| v == 0.0);
        // Scores of nothing but products with zero are zero in f64 too.
        let vanish = magnitude.iter().zip(&self.columns).all(|(&v, &x)| v == 0.0 || x == 0.0);
        is_zero || (all.into_iter().all(held) && (vanish || held(reference::real::dot(magnitude, &self.columns))))
    }

    /// Distance from the threshold within which a score of row i may be decided either way, in
    /// units of
    /// |x|²; infinite where f64 does not hold the scores.
    pub fn threshold(&self, state: &reference::real::State, i: usize) -> f64 {
        let d = state.d as f64;
        let unit = self.grid.unit();
        let weights = self.step.weights_of(i, self.step.stages[0].weights);
        let delta = if let Weights::Strip { delta, .. } = weights { delta } else { 0.0 };
        if self.step.scoring == Scoring::Distance {
            return self.distance(d, delta);
        }
        let scores = &self.step.stages[0].heads[0].scores;
        let magnitude: Vec<f64> =
            scores.matrix.magnitude(state.row(i)).into_iter().map(|v| (scores.factor * v).abs()).collect();
        if !self.in_range(&magnitude) {
            return f64::INFINITY;
        }
        let b = self.grid.precision.state_bits();
        let kappa = if self.identity { 0.0 } else { 0.5 * self.lengths[i] * num::scale(1.0, -b) + 0.5 };
        let scale = num::scale(1.0, self.matrix_exponent);
        let query = scores.apply(state.row(i));
        let in_units = |x: f64| x / unit / scale;
        let factor = delta / unit;
        let width = match self.width {
            StripWidth::Constant(_) | StripWidth::Argmax => 1.0,
            StripWidth::QueryNorm { .. } => {
                let norm = in_units(reference::real::dot(&query, &query).sqrt());
                0.5 * (norm + kappa * d.sqrt()) + factor * (1.0 + kappa * d.sqrt())
            }
            StripWidth::ANorm { parity, .. } => {
                let parity = parity as i32;
                let half = self.matrix_exponent.midpoint(parity);
                let norm = reference::real::dot(&query, state.row(i)).max(0.0).sqrt();
                let root = num::scale(norm / unit, parity - half);
                let change = num::scale(kappa * self.lengths[i], parity);
                let root_change = change.sqrt().min(change / root) + 1.0;
                0.5 * (root + root_change) + num::scale(factor, -half) * root_change
            }
        };
        let integer = (2.0 * kappa * self.largest + width) * unit * unit * scale;
        integer + self.rounding(d, delta, &magnitude)
    }

    /// The same where scores are distances.
    fn distance(&self, d: f64, delta: f64) -> f64 {
        let unit = self.grid.unit();
        let most = if self.is_radius { 0.5 * delta * delta } else { delta };
        let integer = if self.is_radius { (delta + 0.5 * unit) * unit } else { 0.5 * unit * unit };
        // Squares of the largest and the least distance, and the threshold.
        let extent: f64 = self.columns.iter().map(|x| 4.0 * x * x).sum();
        let held = extent.is_finite() && unit * unit >= f64::MIN_POSITIVE / f64::EPSILON;
        if held { integer + (2.0 * d + 8.0) * f64::EPSILON / 2.0 * (most + integer) } else { f64::INFINITY }
    }

    /// f64 rounding of the mathematics' own scores, maximum and threshold.
    fn rounding(&self, d: f64, delta: f64, magnitude: &[f64]) -> f64 {
        let c = (2.0 * d + 4.0) * f64::EPSILON / 2.0;
        let score = c * reference::real::dot(magnitude, &self.columns);
        let width = match self.width {
            StripWidth::Constant(_) | StripWidth::Argmax => c,
            StripWidth::QueryNorm { .. } => c * reference::real::dot(magnitude, magnitude).sqrt(),
            // The root of a radicand that is off by `score`, beside which its own rounding is
            // nothing.
            StripWidth::ANorm { .. } => score.sqrt(),
        };
        2.0 * score + delta * width
    }

    /// Bound on the error of coordinate k of token i, in lattice units, given the members of its
    /// strip.
    pub fn token(&self, state: &reference::real::State, i: usize, k: usize, members: &[usize]) -> f64 {
        let x = state.row(i)[k];
        let spread = members.iter().map(|&j| (state.row(j)[k] - x).abs()).fold(0.0, f64::max);
        let in_units = spread / self.grid.unit();
        let gain = 1.5 * num::scale(1.0, -(self.grid.precision.gain_bits() as i32));
        let rounding = (members.len() as f64 + 4.0) * f64::EPSILON / 2.0 * (in_units + x.abs() / self.grid.unit());
        let bound = 1.5 + in_units * gain + rounding;
        let Some((truth, _)) = self.step.truth_of(i) else { return bound };
        // T is at most the larger of the two distances, and Θ − Y at most their sum.
        let apart = (truth[k] - x).abs() / self.grid.unit();
        bound
            + 0.5
            + (2.0 * apart + in_units) * gain
            + 4.0 * f64::EPSILON * (apart + in_units + x.abs() / self.grid.unit())
    }
}
