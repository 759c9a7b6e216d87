//! What rows have of their own in a step, and the truth that draws them.

use std::sync::Arc;

use crate::error::Result;
use crate::model::{Model, Moment};

/// The numbers in which rows differ, and the truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Own {
    /// γ of each row, where tokens have gains of their own.
    pub gammas: Option<Arc<[f64]>>,
    /// δ of each row, where tokens have widths of their own.
    pub deltas: Option<Arc<[f64]>>,
    /// τ and w.
    pub truth: Option<Truth>,
}

/// A truth.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// τ.
    pub point: Vec<f64>,
    /// w of every row, or of each.
    pub weights: Arc<[f64]>,
}

impl Truth {
    /// w of row i.
    pub fn weight(&self, i: usize) -> f64 {
        self.weights[i.min(self.weights.len() - 1)]
    }
}

impl Own {
    /// What rows of a step at this moment have of their own; `None` in most systems.
    pub(super) fn at(model: &Model, at: Moment) -> Result<Option<Self>> {
        if model.own_key().is_none() {
            return Ok(None);
        }
        let truth = match &model.terms.truth {
            None => None,
            Some(truth) => {
                let one = truth.weight_at(at)?;
                let weights = truth.weight.by_token().cloned().unwrap_or_else(|| Arc::new([one]));
                Some(Truth { point: truth.point.to_f64(), weights })
            }
        };
        Ok(Some(Self { gammas: model.gammas(), deltas: model.deltas().cloned(), truth }))
    }
}
