//! The forms of a strip: what δ is measured in.

use std::fmt;

use crate::choice::named;

/// The unit s_i of a strip's width (Eq. 5 of arXiv 2509.15958, reconstructed: docs/equations.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StripForm {
    /// `s_i = 1`: a plain difference of scores (δ in units of |x|²).
    #[default]
    Score,
    /// `s_i = |A x_i|`: a strip of geometric width δ (units of |x|).
    Width,
    /// `s_i = sqrt(max(0, <A x_i, x_i>))`: the width form in the norm of A.
    ANorm,
    /// `s_i = δ/2`, where scores are distances: `|x_i − x_j| <= δ` (units of |x|).
    Radius,
}

named!(StripForm, "strip", [Score = "score", Width = "width", ANorm = "a-norm", Radius = "radius"]);

impl StripForm {
    /// Those of inner products, with their names; the other one is for distances.
    pub const OF_PRODUCTS: [(Self, &str); 3] = [Self::ALL[0], Self::ALL[1], Self::ALL[2]];

    /// The key of δ in configs.
    pub fn key(self) -> &'static str {
        if self == Self::Radius { "epsilon" } else { "delta" }
    }

    /// s_i where it is no matter of the tokens.
    pub(crate) fn constant(self, delta: f64) -> f64 {
        if self == Self::Radius { 0.5 * delta } else { 1.0 }
    }
}

impl fmt::Display for StripForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
