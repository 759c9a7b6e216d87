//! Verdicts on the claims.

use super::{
    CAUSAL, Consensus, ELLIPSOID, ENERGY, EXPONENTIAL, FIRST_STAYS, HEMISPHERE, ONE_CLUSTER, PLATEAU, PLATEAU_ENERGY,
    Row, SPHERE, STAIRCASE, SURFACE,
};
use crate::study::common::largest;
use crate::study::{Asked, Basis, Claim, Report, Statement, Verdict};

/// Rounding of a token that never moves, and of a surface that is kept.
const STILL: f64 = 1e-12;

pub(super) fn judge(asked: &Asked<Consensus>, rows: &[Row], report: &mut Report) {
    let epsilon = asked.own.epsilon;
    let of = |case: &'static str| rows.iter().filter(move |row| row.case == case);
    let basis = if asked.sizes.dim >= 3 { Basis::Proved } else { Basis::Reported };
    report.claim(together(Statement { basis, ..SPHERE }, of("sphere"), epsilon));
    report.claim(together(HEMISPHERE, of("hemisphere"), epsilon));
    let fitted: Vec<bool> = of("hemisphere").filter_map(|row| row.geometric).collect();
    let bent = fitted.iter().filter(|straight| !**straight).count() as u64;
    report.claim(EXPONENTIAL.always(bent, fitted.len() as u64, "fitted falls that bend"));
    let measured: Vec<u64> = rows.iter().filter(|row| row.case != "staircase").filter_map(|row| row.falls).collect();
    report.claim(ENERGY.always(measured.iter().sum(), measured.len() as u64, "runs, falls beyond rounding"));
    report.claim(together(ELLIPSOID, of("ellipsoid"), epsilon));
    report.claim(SURFACE.number(largest(rows, |row| row.off_surface), 0.0, STILL));
    report.claim(together(CAUSAL, of("causal"), epsilon));
    report.claim(FIRST_STAYS.number(largest(of("causal"), |row| row.first_moved), 0.0, STILL));
    for row in of("plateau") {
        let (plateau, last) = (row.plateau.unwrap_or(f64::NAN), row.last_energy.unwrap_or(f64::NAN));
        report.claim(PLATEAU.number(plateau, PLATEAU_ENERGY, 1e-3));
        report.claim(ONE_CLUSTER.number(last, libm::exp(4.0) / 8.0, 1e-4));
    }
    staircase(&of("staircase").collect::<Vec<_>>(), report);
}

/// Judges that all of some runs came to consensus; the ones that did not are undecided.
fn together<'a>(claim: Statement, rows: impl Iterator<Item = &'a Row>, epsilon: f64) -> Claim {
    let times: Vec<Option<f64>> = rows.map(|row| row.consensus).collect();
    let (all, done) = (times.len(), times.iter().flatten().count());
    let longest = times.iter().flatten().copied().fold(0.0, f64::max);
    claim.judged(
        format!("{done} of {all} runs, the last after t = {longest:.1}"),
        format!("every token within {epsilon:e} of the first"),
        Verdict::if_seen(all > 0 && done == all),
    )
}

fn staircase(rows: &[&Row], report: &mut Report) {
    if rows.is_empty() {
        return;
    }
    let text = |row: &&Row| {
        format!(
            "β = {}: {} levels, {:.3} at the end",
            row.beta.unwrap_or(0.0),
            row.levels.unwrap_or(0),
            row.last_energy.unwrap_or(0.0)
        )
    };
    let climbs = |row: &&Row| row.levels.is_some_and(|levels| levels >= 2) && row.falls == Some(0);
    let ends = |row: &&Row| row.last_energy.is_some_and(|energy| energy > 0.99);
    report.claim(STAIRCASE.judged(
        rows.iter().map(text).collect::<Vec<_>>().join("; "),
        "a step: within 0.01 of a level Σm²/n² for a hundredth of the time; at least 2 of them below 1, no fall \
         beyond 0.01, above 0.99 at the end",
        Verdict::of(rows.iter().all(climbs) && rows.iter().all(ends)),
    ));
}
