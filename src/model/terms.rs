//! What moves tokens beside attention, or is taken from it.

use std::sync::Arc;

use crate::error::Result;
use crate::model::moment::{Moment, checked};
use crate::model::perceptron::Perceptron;
use crate::schedule::Schedule;
use crate::tokens::Tokens;

/// The terms beside attention; none unless given.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Terms {
    /// Noise on the sphere.
    pub noise: Option<Noise>,
    /// A perceptron, on the sphere.
    pub perceptron: Option<Perceptron>,
    /// λ of the linear bias of position under a causal mask, `S_ij = <A x_i, x_j> − λ(i − j)/n` (ALiBi; arXiv
    /// 2605.09213); finite and at least 0, which is none.
    pub bias: f64,
    /// True for exclusive self attention (arXiv 2603.09078): a row's output y loses what lies along the value v = V x_i
    /// of its own token, `y − <y,v>v/|v|²`. Nothing is lost where v = 0.
    pub exclusive: bool,
    /// A truth that tokens are drawn to, in rules that average.
    pub truth: Option<Truth>,
}

/// A point τ in R^d that takes the share w of what a row averages, `y_i' = w_i·τ + (1 − w_i)·y_i` (Hegselmann and
/// Krause 2006, whose α_i is w_i).
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// τ, as the one row of tokens.
    pub point: Arc<Tokens>,
    /// w, in [0, 1], the same for all tokens or one for each.
    pub weight: Schedule,
}

impl Truth {
    /// w, checked, the first of values by token.
    ///
    /// # Errors
    /// w not in [0, 1].
    pub fn weight_at(&self, at: Moment) -> Result<f64> {
        checked("truth.weight", &self.weight, at, "at least 0 and at most 1", |w| (0.0..=1.0).contains(&w))
    }

    /// The smallest w of any token, but 0, by which none is drawn; `None` if all are 0.
    ///
    /// # Errors
    /// w not in [0, 1].
    pub fn least_weight_at(&self, at: Moment) -> Result<Option<f64>> {
        let one = self.weight_at(at)?;
        let one = [one];
        let all = self.weight.by_token().map_or(&one[..], |all| &all[..]);
        Ok(all.iter().copied().filter(|&w| w > 0.0).reduce(f64::min))
    }
}

/// White noise of strength √(2/κ) along the sphere (arXiv 2512.01868): a step moves x to
/// `(x + dt·f + √(2dt/κ)·P_x ξ)/|·|`, ξ standard normal.
#[derive(Clone, Debug, PartialEq)]
pub struct Noise {
    /// κ(t) > 0, the inverse temperature.
    pub kappa: Schedule,
    /// True if all tokens feel the same ξ (arXiv 2603.06187).
    pub common: bool,
    /// Seed of the draws ([`crate::normal::normals_at`]).
    pub seed: u64,
}

impl Noise {
    /// κ, checked.
    ///
    /// # Errors
    /// κ not above 0 or not finite.
    pub fn kappa_at(&self, at: Moment) -> Result<f64> {
        checked("noise", &self.kappa, at, "finite and above 0", |kappa| kappa > 0.0)
    }
}
