//! Weights that are 0 but on the keys near the maximum.

use crate::choice::named;

/// The maps from scores to weights of sum 1 that leave most keys out: with u_j = (a − 1)·β·S_ij, weights are
/// `max(0, u_j − τ)^{1/(a−1)}`, τ the number that makes their sum 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sparse {
    /// a = 2: the point of the simplex nearest to β·S_i (arXiv 1602.02068).
    Sparsemax,
    /// a = 1.5, between sparsemax and softmax, which has a = 1 (arXiv 1905.05702).
    Entmax15,
}

named!(Sparse, "sparse weights", [Sparsemax = "sparsemax", Entmax15 = "entmax15"]);

impl Sparse {
    /// u of z = β(S − max): (a − 1)·z.
    pub(crate) fn level(self, z: f64) -> f64 {
        match self {
            Self::Sparsemax => z,
            Self::Entmax15 => 0.5 * z,
        }
    }

    /// The weight of a key that is `above` τ.
    pub(crate) fn weight(self, above: f64) -> f64 {
        let above = above.max(0.0);
        match self {
            Self::Sparsemax => above,
            Self::Entmax15 => above * above,
        }
    }
}
