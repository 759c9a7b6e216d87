//! What a paper claims beside what was measured.

use serde::{Deserialize, Serialize};

use crate::num;

/// How well a claim is founded where it was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Proved in the paper, or derived in full.
    Proved,
    /// Reported by the paper from an experiment, or conjectured.
    Reported,
    /// Not read in the paper itself: rebuilt from its summary and checked.
    Reconstructed,
}

/// Whether what was measured agrees with what is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Within the stated error.
    Yes,
    /// Outside it.
    No,
    /// Too little was measured to say, or the claim says nothing about this case.
    Undecided,
}

impl Basis {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Reported => "reported",
            Self::Reconstructed => "reconstructed",
        }
    }
}

impl Verdict {
    /// Yes or no.
    pub fn of(agrees: bool) -> Self {
        if agrees { Self::Yes } else { Self::No }
    }

    /// Of a claim on where tokens end: while they still move, what does not agree refutes nothing.
    pub fn at_rest(agrees: bool, rests: bool) -> Self {
        match (agrees, rests) {
            (true, _) => Self::Yes,
            (false, true) => Self::No,
            (false, false) => Self::Undecided,
        }
    }

    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Undecided => "undecided",
        }
    }
}

/// A row of `claims.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// What is claimed.
    pub claim: String,
    /// Where: paper and theorem, or section.
    pub source: String,
    /// How well it is founded.
    pub basis: Basis,
    /// What was measured, with what theory says where that is a number.
    pub measured: String,
    /// The stated error: how far the two may be apart, or how sure the measurement is.
    pub error: String,
    /// Whether they agree.
    pub agrees: Verdict,
}

impl Claim {
    /// A claim that something holds in all of `tried` cases and failed in `failed` of them; undecided where none was tried.
    pub fn always(claim: &str, source: &str, basis: Basis, failed: u64, tried: u64, of: &str) -> Self {
        Self {
            claim: claim.to_owned(),
            source: source.to_owned(),
            basis,
            measured: format!("{failed} exceptions in {tried} {of}"),
            error: "none allowed".to_owned(),
            agrees: if tried == 0 { Verdict::Undecided } else { Verdict::of(failed == 0) },
        }
    }

    /// A claim that a number is `theory`, measured as `measured` in the worst case, and `allowed` apart at most. NaN does not
    /// agree.
    pub fn number(claim: &str, source: &str, basis: Basis, measured: f64, theory: f64, allowed: f64) -> Self {
        Self {
            claim: claim.to_owned(),
            source: source.to_owned(),
            basis,
            measured: format!("{measured:.9} against {theory:.9}, {:.1e} apart", (measured - theory).abs()),
            error: format!("{allowed:.0e}"),
            agrees: Verdict::of(num::within((measured - theory).abs(), allowed)),
        }
    }
}
