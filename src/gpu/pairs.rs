//! What kernels for pairs of a row and a key are made for.

use crate::model::{Mask, Scoring};

/// What a pair of a row and a key is to a kernel; the parts branch on the constants DISTANCE, RANGED and BIASED.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pairs {
    /// Its score.
    pub(crate) scoring: Scoring,
    /// Whether rows see ranges of keys, or not their own.
    pub(crate) ranged: bool,
    /// Whether scores have a bias.
    pub(crate) biased: bool,
}

impl Pairs {
    /// All that a kernel may be made for.
    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = Self> + Clone {
        let all = |scoring| [false, true].map(|ranged| [false, true].map(|biased| Self { scoring, ranged, biased }));
        Scoring::ALL.iter().flat_map(move |&(scoring, _)| all(scoring).concat())
    }

    /// Those of a system, whose bias is 0 in exact rules.
    pub(crate) fn of(scoring: Scoring, mask: Mask, bias: f64) -> Self {
        Self { scoring, ranged: !mask.is_prefix(), biased: bias > 0.0 }
    }
}
