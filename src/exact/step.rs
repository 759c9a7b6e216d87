//! Steps 1 to 3 of the contract, as far as they do not depend on the tokens: the integers of one
//! step.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::exact::grid::Grid;
use crate::exact::own::Own;
use crate::exact::width::{StripWidth, gain, width};
use crate::model::{Graph, Mask, Matrix, Model, Moment, Scoring};
use crate::num;

/// Ã: how queries Q are made from tokens X.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenMatrix {
    /// Q = X.
    Identity,
    /// Ã = a·I: `Q = floor((a·X + 2^(b−1))/2^b)`.
    Multiple(i64),
    /// Dense Ã, row-major: `Q = floor((ÃX + 2^(b−1))/2^b)`.
    Dense(Arc<[i64]>),
}

/// The integers of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// t, counted from 0.
    pub t: u64,
    /// G, below 2^K, of rows without one of their own; the least where rows have them.
    pub gain: u64,
    /// s_ij: `Q_i·X_j`, or `−|X_i − X_j|²`, which is twice a score in units of u².
    pub scoring: Scoring,
    /// Ã.
    pub matrix: TokenMatrix,
    /// eA.
    pub matrix_exponent: i32,
    /// D, of rows without one of their own; the widest where rows have them.
    pub width: StripWidth,
    /// What rows have of their own, and the truth.
    pub own: Option<Arc<Own>>,
    /// Which keys a row sees.
    pub mask: Mask,
    /// The graph of the mask, if it has one.
    pub graph: Option<Arc<Graph>>,
}

impl Step {
    /// The keys that row i of n sees, ascending.
    pub fn keys(&self, i: usize, n: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        self.mask.keys_in(self.graph.as_deref(), i, n)
    }

    /// G of row i.
    pub fn gain_of(&self, i: usize) -> u64 {
        let gains = self.own.as_ref().and_then(|own| own.gains.as_ref());
        gains.and_then(|gains| gains.get(i)).copied().unwrap_or(self.gain)
    }

    /// D of row i.
    pub fn width_of(&self, i: usize) -> StripWidth {
        let widths = self.own.as_ref().and_then(|own| own.widths.as_ref());
        widths.and_then(|widths| widths.get(i)).copied().unwrap_or(self.width)
    }

    /// True if a search serves the step: rows see keys from the first on, and move alike.
    pub fn is_searchable(&self) -> bool {
        self.mask.is_prefix() && self.own.is_none()
    }
}

/// The steps of one run, made on demand. Ã is made anew only when its factor or its matrix changes.
#[derive(Clone, Debug)]
pub struct Steps {
    model: Model,
    grid: Grid,
    d: usize,
    last: Option<((f64, u64), TokenMatrix, i32)>,
    /// What rows had of their own in the last step, by eA, where it does not change in time.
    own: Option<(i32, Arc<Own>)>,
}

impl Steps {
    /// Steps of `model`, one that [`Model::is_exact`], on `grid`, for tokens in R^d.
    pub fn new(model: &Model, grid: Grid, d: usize) -> Self {
        Self { model: model.clone(), grid, d, last: None, own: None }
    }

    /// The integers of step t.
    ///
    /// # Errors
    /// A schedule outside its domain at step t; rows of A whose sum leaves the range of f64.
    pub fn at(&mut self, t: u64) -> Result<Step> {
        let (model, grid) = (&self.model, self.grid);
        let at = Moment::of_step(t);
        let factor = model.score_factor(0, at)?;
        let of = (factor, model.scores().random().map_or(0, |random| random.index(t)));
        let (matrix, matrix_exponent) = match self.last.take() {
            Some((made, matrix, exponent)) if made == of => (matrix, exponent),
            _ => quantise(&model.scores().matrix_at(t, self.d), factor, grid, self.d, at)?,
        };
        self.last = Some((of, matrix.clone(), matrix_exponent));
        let own = match &self.own {
            Some((exponent, own)) if *exponent == matrix_exponent => Some(own.clone()),
            _ => Own::at(model, grid, matrix_exponent, at)?.map(Arc::new),
        };
        let is_lasting = model.terms.truth.as_ref().is_none_or(|truth| truth.weight.is_constant());
        self.own = own.clone().filter(|_| is_lasting).map(|own| (matrix_exponent, own));
        Ok(Step {
            t,
            gain: gain(model.gamma_at(at)?, grid),
            scoring: model.scoring,
            matrix,
            matrix_exponent,
            width: width(model, model.delta_at(at)?, grid, matrix_exponent),
            own,
            mask: model.mask,
            graph: model.graph.clone(),
        })
    }
}

/// Ã and eA of `factor · matrix`.
fn quantise(matrix: &Matrix, factor: f64, grid: Grid, d: usize, at: Moment) -> Result<(TokenMatrix, i32)> {
    let row_sum = |r: usize| -> f64 { (0..d).map(|c| (factor * matrix.entry(r, c)).abs()).sum() };
    let largest = match matrix {
        Matrix::Identity if factor == 1.0 => return Ok((TokenMatrix::Identity, 0)),
        Matrix::Identity | Matrix::Multiple(_) => (factor * matrix.entry(0, 0)).abs(),
        Matrix::Dense { .. } => (0..d).map(row_sum).fold(0.0, f64::max),
    };
    if !largest.is_finite() {
        let most = f64::MAX;
        return Err(Error::at_key(
            "model.a",
            format!("has a row whose magnitudes sum to more than {most:.1e} at {at}; take a smaller multiple of it"),
        ));
    }
    let exponent = num::exponent_above(largest);
    let entry = |a: f64| num::scale(factor * a, grid.precision.state_bits() - exponent).round_ties_even() as i64;
    Ok(match matrix {
        Matrix::Dense { entries, .. } => (TokenMatrix::Dense(entries.iter().map(|&a| entry(a)).collect()), exponent),
        _ => (TokenMatrix::Multiple(entry(matrix.entry(0, 0))), exponent),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Gain, Operator, Rule, StripForm};
    use crate::schedule::Schedule;
    use crate::tokens::Precision;

    fn model(delta: f64, strip: StripForm, matrix: Matrix) -> Model {
        Model::averaging(
            Rule::Localmax { delta: Schedule::Constant(delta), strip },
            Operator::constant(matrix),
            Mask::FULL,
            Gain::Alpha(Schedule::Constant(1.0)),
        )
    }

    /// The integers of a step by hand: R = 1, f32, so u = 2^-24.
    #[test]
    fn integers_of_a_step_by_hand() {
        let grid = Grid { exponent: 0, precision: Precision::F32 };
        let score = Steps::new(&model(0.5, StripForm::Score, Matrix::Multiple(2.0)), grid, 2).at(0).unwrap();
        assert_eq!(score.gain, 1 << 31);
        assert_eq!(score.matrix, TokenMatrix::Multiple(1 << 24));
        assert_eq!(score.matrix_exponent, 1);
        assert_eq!(score.width, StripWidth::Constant(1 << 46)); // 0.5 / (2^-48 · 2)
        let width = Steps::new(&model(0.5, StripForm::Width, Matrix::Identity), grid, 2).at(0).unwrap();
        assert_eq!(width.width, StripWidth::QueryNorm { factor: 1 << 23 });
        let huge = Steps::new(&model(1e300, StripForm::Score, Matrix::Identity), grid, 2).at(0).unwrap();
        assert_eq!(huge.width, StripWidth::Constant(1 << 62));
    }

    /// cA with √c·δ is one system at every scale: were a digit lost on the way, a small A would
    /// have other strips than a large one.
    #[test]
    fn a_norms_of_every_scale_have_the_same_integers() {
        let grid = Grid { exponent: 0, precision: Precision::F32 };
        let at = |m: i32| {
            let matrix = Matrix::multiple(num::scale(0.75, 2 * m)).unwrap();
            Steps::new(&model(num::scale(0.5, m), StripForm::ANorm, matrix), grid, 2).at(0).unwrap()
        };
        assert_eq!(at(0).width, StripWidth::ANorm { factor: 1 << 23, parity: 0 });
        for m in [-500, -60, -7, 1, 60, 500] {
            assert_eq!(at(m), Step { matrix_exponent: 2 * m, ..at(0) });
        }
    }

    /// Rows of A whose sum leaves the range of f64 would be scaled by a number that is none.
    #[test]
    fn a_matrix_beyond_f64_is_refused() {
        let grid = Grid { exponent: 0, precision: Precision::F64 };
        let matrix = Matrix::dense(&[vec![1e308, 1e308], vec![0.0, 1.0]]).unwrap();
        let error = Steps::new(&model(0.5, StripForm::Score, matrix), grid, 2).at(3).unwrap_err().to_string();
        assert!(error.contains("model.a") && error.contains("step 3"), "{error}");
    }

    /// γ just below 1 must not become 2^K, which K bits cannot hold. (2^K − 1 still lands on the
    /// mean: |T| < 2^(K−1).)
    #[test]
    fn gain_stays_below_one() {
        for precision in [Precision::F32, Precision::F64] {
            let grid = Grid { exponent: 0, precision };
            let largest = u64::MAX >> (64 - precision.gain_bits());
            assert_eq!(
                gain(1.0 - f64::EPSILON / 2.0, grid),
                if precision == Precision::F32 { largest } else { 0u64.wrapping_sub(2048) }
            );
            assert_eq!(gain(1.0, grid), largest);
        }
    }
}
