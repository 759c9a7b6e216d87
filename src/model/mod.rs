//! A system as pure data: rule × scores × mask × update. Nothing here executes a step.
//!
//! `x_i' = x_i + γ(t)·(mean over C_i of x_j − x_i)` with `C_i = { j visible to i : max_l S_il − S_ij <= δ(t)·s_i }` and
//! `S_ij = <A(t) x_i, x_j>` (SPEC 1.1, Eq. 5 of arXiv 2509.15958 as reconstructed; hardmax, SPEC 2, is δ = 0).

mod matrix;

pub use matrix::Matrix;

use crate::error::{Error, Result};
use crate::schedule::Schedule;

/// The largest dimension: a gap of two scores, 2·d·2^(2b), then never exceeds the clamp of strip widths, 2^62 at b = 24.
pub const MAX_DIMENSION: usize = 1 << 13;

/// What a strip's width is measured in (SPEC 1.1; the paper's own form is reconstructed, SPEC 1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StripForm {
    /// `s_i = 1`: a plain difference of scores (δ in units of |x|²).
    Score,
    /// `s_i = |A x_i|`: a strip of geometric width δ (units of |x|).
    Width,
    /// `s_i = sqrt(max(0, <A x_i, x_i>))`: the width form in the norm of A.
    ANorm,
}

impl StripForm {
    /// Every form with its name in configs.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Score, "score"), (Self::Width, "width"), (Self::ANorm, "a-norm")];

    /// The name used in configs and files.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(form, _)| *form == self).map_or("", |(_, name)| name)
    }
}

/// Who is averaged, and with what weight.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// Uniform over the δ-strip (SPEC 1).
    Localmax {
        /// Alignment sensitivity δ(t) >= 0.
        delta: Schedule,
        /// What δ is measured in.
        strip: StripForm,
    },
    /// Uniform over the exact maximisers (SPEC 2).
    Hardmax,
}

impl Rule {
    /// The name used in configs and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Localmax { .. } => "localmax",
            Self::Hardmax => "hardmax",
        }
    }
}

/// S_ij = <A(t) x_i, x_j> with `A(t) = factor(t) · matrix`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The constant part of A.
    pub matrix: Matrix,
    /// Its factor in time; 1 if none was given.
    pub factor: Schedule,
}

/// Which keys a row sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All n.
    Full,
    /// Keys 0..=i for row i.
    Causal,
}

impl Mask {
    /// Number of keys that row i of n sees; they are keys `0..visible`.
    pub fn visible(self, i: usize, n: usize) -> usize {
        match self {
            Self::Full => n,
            Self::Causal => i + 1,
        }
    }
}

/// How far a token moves towards its mean.
#[derive(Clone, Debug, PartialEq)]
pub enum Gain {
    /// α(t) > 0, γ = α/(1+α).
    Alpha(Schedule),
}

/// A discrete averaging system.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Who is averaged.
    pub rule: Rule,
    /// The inner products that decide.
    pub scores: Scores,
    /// Which keys a row sees.
    pub mask: Mask,
    /// How far a token moves.
    pub gain: Gain,
}

impl Model {
    /// γ(t), checked.
    ///
    /// # Errors
    /// α(t) not above 0 or not finite.
    pub fn gamma(&self, t: u64) -> Result<f64> {
        let Gain::Alpha(alpha) = &self.gain;
        let a = alpha.at(t as f64);
        if !(a > 0.0 && a.is_finite()) {
            return Err(Error::input(format!("model.alpha is {a} at step {t}; it must be finite and above 0")));
        }
        Ok(a / (1.0 + a))
    }

    /// δ(t), checked; 0 for hardmax.
    ///
    /// # Errors
    /// δ(t) below 0 or not finite.
    pub fn delta(&self, t: u64) -> Result<f64> {
        let Rule::Localmax { delta, .. } = &self.rule else { return Ok(0.0) };
        let value = delta.at(t as f64);
        if !(value >= 0.0 && value.is_finite()) {
            return Err(Error::input(format!("model.delta is {value} at step {t}; it must be finite and at least 0")));
        }
        Ok(value)
    }

    /// The factor of A(t), checked.
    ///
    /// # Errors
    /// A factor that is not finite.
    pub fn factor(&self, t: u64) -> Result<f64> {
        let value = self.scores.factor.at(t as f64);
        if !value.is_finite() {
            return Err(Error::input(format!("model.a factor is {value} at step {t}; it must be finite")));
        }
        Ok(value)
    }

    /// The strip's form; hardmax, whose width is 0, counts as score.
    pub fn strip_form(&self) -> StripForm {
        match &self.rule {
            Rule::Localmax { strip, .. } => *strip,
            Rule::Hardmax => StripForm::Score,
        }
    }

    /// Whether every step applies the same map, so that a step that moves nothing is a fixed point for ever.
    pub fn is_autonomous(&self) -> bool {
        let Gain::Alpha(alpha) = &self.gain;
        let delta = if let Rule::Localmax { delta, .. } = &self.rule { delta.is_constant() } else { true };
        alpha.is_constant() && delta && self.scores.factor.is_constant()
    }

    /// Checks shapes against tokens in R^d and every schedule at the steps `0..steps`.
    ///
    /// # Errors
    /// The first parameter that leaves its domain, with name, value, step and domain.
    pub fn validate(&self, d: usize, steps: u64) -> Result<()> {
        if d > MAX_DIMENSION {
            return Err(Error::input(format!("d = {d} exceeds the largest dimension, {MAX_DIMENSION}")));
        }
        if let Some(rows) = self.scores.matrix.dimension()
            && rows != d
        {
            return Err(Error::input(format!(
                "model.a is {rows}×{rows} but the tokens have d = {d}; it must be {d}×{d}"
            )));
        }
        let last = if self.is_autonomous() { steps.min(1) } else { steps };
        for t in 0..last {
            self.gamma(t)?;
            self.delta(t)?;
            self.factor(t)?;
        }
        Ok(())
    }
}
