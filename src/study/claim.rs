//! Claims: what a paper says, beside what was measured.
//!
//! A study's claim sheet is a list of [`Statement`]s: the part of each claim that is fixed before
//! anything is measured. [`Statement::judged`] and its relatives add the measurement.

use std::borrow::Cow;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::choice::named;
use crate::num;

/// How well a claim is founded where it was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Proved in the paper, or derived in full.
    Proved,
    /// Not read in the paper itself: rebuilt from its summary and checked.
    Reconstructed,
    /// Reported by the paper from an experiment.
    Reported,
    /// Open: a case against it refutes it, no number of cases for it proves it.
    Conjecture,
    /// No claim but a number that was counted.
    Counted,
    /// True by definition or by algebra: it shows what is meant, and only a bug can break it.
    Illustration,
}

/// Whether the measurement agrees with the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The criterion is met.
    Yes,
    /// The criterion is not met.
    No,
    /// Too little was measured to say, or the claim says nothing about this case.
    Undecided,
    /// Nothing is claimed: the measurement is the result.
    Counted,
    /// Nothing could have disagreed but a bug.
    Illustration,
}

named!(
    Basis,
    "basis",
    [
        Proved = "proved",
        Reconstructed = "reconstructed",
        Reported = "reported",
        Conjecture = "conjecture",
        Counted = "counted",
        Illustration = "illustration",
    ]
);
named!(
    Verdict,
    "verdict",
    [Yes = "yes", No = "no", Undecided = "undecided", Counted = "counted", Illustration = "illustration"]
);

impl Basis {
    /// The verdict on a claim so founded where the measurement alone would say `found`.
    fn verdict(self, found: Verdict) -> Verdict {
        match (self, found) {
            (Self::Counted, _) => Verdict::Counted,
            (Self::Illustration, Verdict::Yes) => Verdict::Illustration,
            (Self::Conjecture, Verdict::Yes) => Verdict::Undecided,
            (_, found) => found,
        }
    }
}

impl Verdict {
    /// Yes or no.
    pub fn of(agrees: bool) -> Self {
        if agrees { Self::Yes } else { Self::No }
    }

    /// Yes or no; undecided if nothing was measured.
    pub fn if_any(measured: bool, agrees: bool) -> Self {
        if measured { Self::of(agrees) } else { Self::Undecided }
    }

    /// Judges a claim that something occurs: it is not refuted where it was not seen.
    pub fn if_seen(seen: bool) -> Self {
        if seen { Self::Yes } else { Self::Undecided }
    }

    /// Yes, unless the claim is refuted; undecided where it neither agrees nor is refuted.
    pub fn unless(refuted: bool, agrees: bool) -> Self {
        match (refuted, agrees) {
            (true, _) => Self::No,
            (false, true) => Self::Yes,
            (false, false) => Self::Undecided,
        }
    }
}

/// A row of `claims.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The sentence that is claimed.
    pub claim: String,
    /// The paper, and the theorem or section in it.
    pub source: String,
    /// How well it is founded.
    pub basis: Basis,
    /// The measurement, with the theory's value where that is a number.
    pub measured: String,
    /// The criterion: how far measurement and claim may differ, or what has to be seen.
    pub error: String,
    /// Whether they agree.
    pub agrees: Verdict,
}

/// A line of a claim sheet: what is claimed, before anything is measured.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The sentence; [`Statement::with`] fills in words in braces.
    pub sentence: Cow<'static, str>,
    /// The paper, and the theorem or section in it.
    pub source: &'static str,
    /// How well it is founded.
    pub basis: Basis,
}

impl Statement {
    /// Fills in a word in braces of the sentence.
    #[must_use]
    pub fn with(self, word: &str, value: impl Display) -> Self {
        let sentence = self.sentence.replace(&format!("{{{word}}}"), &value.to_string());
        Self { sentence: sentence.into(), ..self }
    }

    /// Adds a measurement, the criterion and what the measurement says; the basis decides whether
    /// that is a verdict.
    pub fn judged(self, measured: impl Into<String>, criterion: impl Into<String>, found: Verdict) -> Claim {
        let Self { sentence, source, basis } = self;
        let agrees = basis.verdict(found);
        let (measured, error) = (measured.into(), criterion.into());
        Claim { claim: sentence.into_owned(), source: source.to_owned(), basis, measured, error, agrees }
    }

    /// Gives a number that was counted, of which nothing is claimed.
    pub fn counted(self, measured: impl Into<String>, of: impl Into<String>) -> Claim {
        self.judged(measured, of, Verdict::Counted)
    }

    /// Judges a claim about each of `tried` cases by its `failed` exceptions.
    pub fn always(self, failed: u64, tried: u64, of: &str) -> Claim {
        let measured = format!("{failed} exceptions in {tried} {of}");
        self.judged(measured, "no exception", Verdict::if_any(tried > 0, failed == 0))
    }

    /// Judges a claim that a number is `theory` to within `allowed`. NaN does not agree.
    pub fn number(self, measured: f64, theory: f64, allowed: f64) -> Claim {
        let apart = (measured - theory).abs();
        let text = format!("{measured:.9} against {theory:.9}, {apart:.1e} apart");
        self.judged(text, format!("at most {allowed:.0e} apart"), Verdict::of(num::within(apart, allowed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If what only counts, or holds by definition, came out as agreement, a table of claims would say
    /// that theory was tested where it was not.
    #[test]
    fn verdicts_follow_from_the_basis() {
        let verdict = |basis, failed, tried| {
            let statement = Statement { sentence: "x > {a}".into(), source: "", basis }.with("a", 1);
            statement.always(failed, tried, "cases").agrees.name()
        };
        for (basis, none, one, nothing) in [
            (Basis::Proved, "yes", "no", "undecided"),
            (Basis::Reconstructed, "yes", "no", "undecided"),
            (Basis::Conjecture, "undecided", "no", "undecided"),
            (Basis::Counted, "counted", "counted", "counted"),
            (Basis::Illustration, "illustration", "no", "undecided"),
        ] {
            let found = [verdict(basis, 0, 9), verdict(basis, 1, 9), verdict(basis, 0, 0)];
            assert_eq!(found, [none, one, nothing], "{basis:?}");
        }
    }
}
