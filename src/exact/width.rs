//! The integers of a gain and of the width of a strip.

use crate::exact::grid::Grid;
use crate::model::{Model, Rule, Scoring, StripForm};
use crate::num;

/// Width of a token's strip, in units of its integer scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StripWidth {
    /// One D for every token; 0 is hardmax.
    Constant(i128),
    /// No strip at all: `C_i = {argmax}`, the lowest index that attains m_i (Frank–Wolfe).
    Argmax,
    /// `D_i = P·isqrt(Q_i·Q_i)`, clamped.
    QueryNorm {
        /// P.
        factor: i128,
    },
    /// `D_i = P·isqrt(2^k·max(0, Q_i·X_i))`, clamped.
    ANorm {
        /// P.
        factor: i128,
        /// k, the parity of eA: 0 or 1.
        parity: u32,
    },
}

/// G.
pub(super) fn gain(gamma: f64, grid: Grid) -> u64 {
    let bits = grid.precision.gain_bits();
    let rounded = num::scale(gamma, bits as i32).round_ties_even() as u128;
    rounded.min((1u128 << bits) - 1) as u64
}

/// D of a δ, or of an ε, which `delta` then is.
pub(super) fn width(model: &Model, delta: f64, grid: Grid, matrix_exponent: i32) -> StripWidth {
    // Clamping P as well as D changes nothing: a product with a root of at least 1 is clamped
    // anyway.
    let clamped = |units: f64| {
        let clamp = 1i128 << grid.precision.clamp_bits();
        if units < clamp as f64 { units as i128 } else { clamp }
    };
    let factor = |half: i32| clamped(num::scale(delta, -grid.unit_exponent() - half).round_ties_even());
    match (&model.rule, model.strip_form()) {
        (Rule::FrankWolfe, _) => StripWidth::Argmax,
        // The root is clamped to 2^(L/2), so that the square is to 2^L.
        (_, StripForm::Radius) => {
            let most = num::scale(1.0, (grid.precision.clamp_bits() / 2) as i32);
            let radius = num::scale(delta, -grid.unit_exponent()).ceil().min(most) as i128;
            StripWidth::Constant(radius * radius)
        }
        (_, StripForm::Score) if model.scoring == Scoring::Distance => {
            StripWidth::Constant(clamped(num::scale(delta, 1 - 2 * grid.unit_exponent()).floor()))
        }
        // Hardmax, whose δ is 0, among them.
        (_, StripForm::Score) => {
            StripWidth::Constant(clamped(num::scale(delta, -2 * grid.unit_exponent() - matrix_exponent).floor()))
        }
        (_, StripForm::Width) => StripWidth::QueryNorm { factor: factor(0) },
        (_, StripForm::ANorm) => {
            let parity = matrix_exponent.rem_euclid(2);
            StripWidth::ANorm { factor: factor(matrix_exponent.midpoint(parity)), parity: parity as u32 }
        }
    }
}
