//! The perceptron of a layer, beside its attention.

use std::sync::Arc;

use crate::choice::named;
use crate::error::{Error, Result};
use crate::num;

/// σ of a perceptron.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activation {
    /// max(0, s).
    #[default]
    Relu,
    /// tanh s.
    Tanh,
}

named!(Activation, "activation", [Relu = "relu", Tanh = "tanh"]);

impl Activation {
    /// φ(s) with φ' = 2σ and φ(0) = 0.
    pub fn potential(self, s: f64) -> f64 {
        match self {
            Self::Relu => s.max(0.0) * s.max(0.0),
            // ln cosh s, without overflow.
            Self::Tanh => 2.0 * (s.abs() + libm::log1p(libm::exp(-2.0 * s.abs())) - std::f64::consts::LN_2),
        }
    }
}

/// A perceptron Σ_k ω_k σ(<a_k, x>) a_k, of which ω is symmetric in what it reads and writes, so that it has an energy
/// (arXiv 2601.21366).
#[derive(Clone, Debug, PartialEq)]
pub struct Perceptron {
    /// ω_k.
    pub omega: Arc<[f64]>,
    /// a_k, row-major.
    pub a: Arc<[f64]>,
    /// σ.
    pub activation: Activation,
}

impl Perceptron {
    /// A perceptron of units a_k of one length, with weights ω_k.
    ///
    /// # Errors
    /// No units, or not as many as weights; ragged rows; a number that is not finite.
    pub fn new(omega: Vec<f64>, a: &[Vec<f64>], activation: Activation) -> Result<Self> {
        let d = a.first().map_or(0, Vec::len);
        let refuse = |key: &str, text: String| Err(Error::at_key(format!("model.perceptron.{key}"), text));
        if d == 0 {
            return refuse("a", "has no units; give rows [[...], ...], one a unit".into());
        }
        if let Some(k) = a.iter().position(|row| row.len() != d) {
            let found = a[k].len();
            return refuse("a", format!("has {found} entries in row {k} where row 0 has {d}; every row needs as many"));
        }
        if omega.len() != a.len() {
            let (weights, units) = (omega.len(), a.len());
            return refuse("omega", format!("has {weights} weights for the {units} units of a; each unit needs one"));
        }
        if let Some(w) = omega.iter().find(|w| !w.is_finite()) {
            return refuse("omega", format!("has the weight {}; it must be finite", num::short(*w)));
        }
        if let Some(v) = a.iter().flatten().find(|v| !v.is_finite()) {
            return refuse("a", format!("has the entry {}; it must be finite", num::short(*v)));
        }
        Ok(Self { omega: omega.into(), a: a.concat().into(), activation })
    }

    /// ω_k and a_k of every unit in R^d.
    pub fn units(&self, d: usize) -> impl Iterator<Item = (f64, &[f64])> {
        self.omega.iter().copied().zip(self.a.chunks_exact(d))
    }

    /// Entries of a unit.
    pub fn dimension(&self) -> usize {
        self.a.len() / self.omega.len()
    }
}
