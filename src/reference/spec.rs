//! SPEC's face: sections 1.1 and 2 in f64, on real numbers as far as f64 goes.

use crate::error::Result;
use crate::model::{Matrix, Model, StripForm};
use crate::tokens::Tokens;

/// The parameters of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// γ(t).
    pub gamma: f64,
    /// δ(t).
    pub delta: f64,
    /// factor(t) of A.
    pub factor: f64,
}

impl Parameters {
    /// The parameters of step t.
    ///
    /// # Errors
    /// A schedule outside its domain at step t.
    pub fn of(model: &Model, t: u64) -> Result<Self> {
        Ok(Self { gamma: model.gamma(t)?, delta: model.delta(t)?, factor: model.factor(t)? })
    }
}

/// Tokens as f64 rows under one model.
#[derive(Clone, Debug)]
pub struct State<'a> {
    /// The system.
    pub model: &'a Model,
    /// Number of tokens.
    pub n: usize,
    /// Dimension.
    pub d: usize,
    /// X, row-major.
    pub x: Vec<f64>,
}

/// The strip of one token.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// S_ij for visible j.
    pub scores: Vec<f64>,
    /// max_j S_ij.
    pub max: f64,
    /// max − δ·s_i.
    pub threshold: f64,
}

impl Strip {
    /// C_i, ascending.
    pub fn members(&self) -> Vec<usize> {
        (0..self.scores.len()).filter(|&j| self.scores[j] >= self.threshold).collect()
    }
}

impl<'a> State<'a> {
    /// The tokens, widened.
    pub fn new(model: &'a Model, tokens: &Tokens) -> Self {
        Self { model, n: tokens.n(), d: tokens.d(), x: tokens.to_f64() }
    }

    /// x_i.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.x[i * self.d..][..self.d]
    }

    /// A(t) x_i.
    pub fn query(&self, p: &Parameters, i: usize) -> Vec<f64> {
        let matrix: &Matrix = &self.model.scores.matrix;
        matrix.apply(self.row(i)).into_iter().map(|v| p.factor * v).collect()
    }

    /// Scores and threshold of row i: `C_i = { j : max_l S_il − S_ij <= δ·s_i }`.
    pub fn strip(&self, p: &Parameters, i: usize) -> Strip {
        let query = self.query(p, i);
        let visible = self.model.mask.visible(i, self.n);
        let scores: Vec<f64> = (0..visible).map(|j| dot(&query, self.row(j))).collect();
        let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let scale = match self.model.strip_form() {
            StripForm::Score => 1.0,
            StripForm::Width => dot(&query, &query).sqrt(),
            StripForm::ANorm => dot(&query, self.row(i)).max(0.0).sqrt(),
        };
        let threshold = max - p.delta * scale;
        Strip { scores, max, threshold }
    }

    /// `x_i + γ·(mean over members − x_i)`.
    pub fn moved(&self, p: &Parameters, i: usize, members: &[usize]) -> Vec<f64> {
        (0..self.d)
            .map(|k| {
                let x = self.row(i)[k];
                // The mean is taken relative to x_i: W coincident tokens then average to themselves exactly.
                let towards: f64 = members.iter().map(|&j| self.row(j)[k] - x).sum::<f64>() / members.len() as f64;
                x + p.gamma * towards
            })
            .collect()
    }

    /// X(t+1).
    #[must_use]
    pub fn step(&self, p: &Parameters) -> Self {
        let x = (0..self.n).flat_map(|i| self.moved(p, i, &self.strip(p, i).members())).collect();
        Self { x, ..self.clone() }
    }
}

/// Inner product in index order.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
