//! What rows have of their own in a step of the contract, and the truth that draws them.

use std::sync::Arc;

use crate::error::Result;
use crate::exact::grid::Grid;
use crate::exact::width::{StripWidth, gain, width};
use crate::model::{Model, Moment};
use crate::num;
use crate::tokens::Precision;

/// The integers in which rows differ, and the truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// G of each row, where tokens have gains of their own.
    pub gains: Option<Arc<[u64]>>,
    /// D of each row, where tokens have widths of their own.
    pub widths: Option<Arc<[StripWidth]>>,
    /// Θ and W.
    pub truth: Option<Truth>,
    precision: Precision,
}

/// A truth on the lattice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// Θ.
    pub point: Arc<[i64]>,
    /// W of every row, or of each, below 2^K.
    pub weights: Arc<[u64]>,
}

impl Truth {
    /// W of row i.
    pub fn weight(&self, i: usize) -> u64 {
        self.weights[i.min(self.weights.len() - 1)]
    }
}

impl Own {
    /// What rows of a step at this moment have of their own; `None` in most systems.
    pub(super) fn at(model: &Model, grid: Grid, matrix_exponent: i32, at: Moment) -> Result<Option<Self>> {
        if model.own_key().is_none() {
            return Ok(None);
        }
        let gains = model.gammas().map(|all| all.iter().map(|&gamma| gain(gamma, grid)).collect());
        let widths =
            model.deltas().map(|all| all.iter().map(|&delta| width(model, delta, grid, matrix_exponent)).collect());
        let truth = match &model.terms.truth {
            None => None,
            Some(truth) => {
                let one = truth.weight_at(at)?;
                let weights = truth.weight.by_token().map_or_else(|| vec![one], |all| all.to_vec());
                let weights = weights.into_iter().map(|weight| gain(weight, grid)).collect();
                Some(Truth { point: grid.coordinates(&truth.point).into(), weights })
            }
        };
        Ok(Some(Self { gains, widths, truth, precision: grid.precision }))
    }

    /// True if tokens that coincide may part: one has what the other has not.
    pub fn parts(&self) -> bool {
        self.gains.is_some()
            || self.widths.is_some()
            || self.truth.as_ref().is_some_and(|truth| truth.weights.len() > 1)
    }

    /// Step 4 of the contract for coordinate k of row i, at x and with the sum of `count` keys, at least one, in its
    /// strip; `gain` is that of rows without one of their own.
    pub fn moved(&self, (i, k): (usize, usize), x: i64, (sum, count): (i128, u32), gain: u64) -> i64 {
        let bits = self.precision.gain_bits();
        let share = |apart: i128, of: u64| (apart.abs() * i128::from(of) + (1 << (bits - 1))) >> bits;
        let mut mean = num::divide_to_nearest_even(sum, i128::from(count));
        if let Some(truth) = &self.truth {
            let apart = i128::from(truth.point[k]) - mean;
            mean += apart.signum() * share(apart, truth.weight(i));
        }
        let towards = mean - i128::from(x);
        let gain = self.gains.as_ref().map_or(gain, |gains| gains[i]);
        if towards == 0 { x } else { x + (towards.signum() * share(towards, gain).max(1)) as i64 }
    }
}
