//! Decisions by floats: the error bound of a float score.
//!
//! A score `s = Σ q_k x_k` of lattice integers is computed as s̃ by d multiply-adds in any order,
//! fused or not, to nearest, with r = 2^-24 (f32) or 2^-53 (f64) the relative error of one
//! rounding. Coordinates are exact as floats, a query may be rounded once, nothing underflows (all
//! values are 0 or at least 1) and nothing overflows (2^63 and 2^121 at most). Each term meets at
//! most d + 1 roundings, so with γ = (d+1)r / (1 − (d+1)r)
//!
//! `|s̃ − s| ≤ γ Σ|q_k||x_k| ≤ E := 1.001 (d+1) r Σ_k |q_k| max_j|x_jk|`,
//!
//! since (d+1)r ≤ 2^-9.99 at d ≤ 2^14; what is left of the 1.001 covers the rounding of E's own f64
//! sum. The row maximum m̃ of the s̃ obeys |m̃ − m| ≤ E too. Hence, for a strip of width D,
//!
//! * s̃ < m̃ − 2E: not a maximiser;
//! * s̃ < m̃ − D − 2E: outside the strip;
//! * s̃ ≥ m̃ − D + 2E: inside it;
//! * in between: decided by the exact score against m − D.
//!
//! The three limits are rounded outwards.

use crate::cpu::exact::width::Width;

/// The limits of one row.
#[derive(Clone, Copy)]
pub(crate) struct Limits<W> {
    /// Scores below it are no maximum.
    pub(crate) top: W,
    /// Scores below it are outside the strip.
    pub(crate) low: W,
    /// Scores from it on are inside the strip.
    pub(crate) high: W,
}

/// The error bound E, from `weight = Σ_k |q_k| max_j|x_jk|` summed in f64.
pub(crate) fn error_bound<W: Width>(d: usize, weight: f64) -> W {
    if weight == 0.0 { W::default() } else { W::above(1.001 * (d + 1) as f64 * W::ROUNDING * weight) }
}

impl<W: Width> Limits<W> {
    /// The limits of a row with float maximum m̃, strip width D and error bound E.
    pub(crate) fn new(max: W, width: W::Wide, error: W) -> Self {
        let (width_low, width_high) = W::around(width);
        let twice = error.plus_up(error);
        Self {
            top: max.minus_down(twice),
            low: max.minus_down(width_high).minus_down(twice),
            // −(width_low) rounds outwards with the sum.
            high: max.plus_up(width_low.negated()).plus_up(twice),
        }
    }
}
