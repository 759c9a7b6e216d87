//! Where a layer normalises its tokens.

use crate::error::Result;
use crate::model::moment::{Moment, checked};
use crate::schedule::Schedule;

/// The normalisation schemes of attention on directions θ = x/|x| beside the sphere itself, which is post-norm (arXiv
/// 2510.22026): dθ/dt = P_θ A/s, A = V Σ_j w_ij θ_j, scores on θ, and s the speed at which a direction may turn.
///
/// A token x has the direction θ and the length r. Where r changes, it is that of x in R^d; elsewhere r = 1.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scheme {
    /// s = r, r' = <θ, A>: dx/dt = A in R^d.
    Pre,
    /// s = r|A|, r' = <θ, A>/|A|: dx/dt = A/|A| in R^d.
    Peri,
    /// Post-norm before a time, pre-norm from then on.
    Mix {
        /// The time τ of the first step under pre-norm.
        switch: f64,
    },
    /// s = |A|/α(t), r = 1.
    Ngpt {
        /// α(t), finite.
        speed: Schedule,
    },
    /// s = √(t+1), r = 1.
    Cod,
}

impl Scheme {
    /// The name used in configs and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Peri => "peri",
            Self::Mix { .. } => "mix",
            Self::Ngpt { .. } => "ngpt",
            Self::Cod => "cod",
        }
    }

    /// True if tokens have the length 1 in a step that starts at a time. A switch that a step meets but for
    /// rounding is met.
    pub fn is_on_sphere(&self, time: f64) -> bool {
        match self {
            Self::Pre | Self::Peri => false,
            Self::Mix { switch } => time < *switch * (1.0 - 1e-12),
            Self::Ngpt { .. } | Self::Cod => true,
        }
    }

    /// True if tokens have the length 1 at all times.
    pub fn keeps_length(&self) -> bool {
        matches!(self, Self::Ngpt { .. } | Self::Cod)
    }

    /// The length that A is brought to, where it is.
    ///
    /// # Errors
    /// An α that is not finite.
    pub(crate) fn length_at(&self, at: Moment) -> Result<Option<f64>> {
        Ok(match self {
            Self::Peri => Some(1.0),
            Self::Ngpt { speed } => Some(checked("speed", speed, at, "finite", |_| true)?),
            Self::Pre | Self::Mix { .. } | Self::Cod => None,
        })
    }

    /// The factor of A.
    pub(crate) fn factor_at(&self, at: Moment) -> f64 {
        if *self == Self::Cod { (at.time + 1.0).sqrt().recip() } else { 1.0 }
    }
}
