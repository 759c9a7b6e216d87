//! Verdicts on the claims.

use super::{
    BETWEEN, CAUSAL, Consensus, ELLIPSOID, ENERGY, EXPONENTIAL, FIRST_STAYS, HEMISPHERE, ONE_CLUSTER, PLATEAU, Row,
    SPHERE, STAIRCASE, SURFACE,
};
use crate::study::common::largest;
use crate::study::{Asked, Claim, Report, Statement, Verdict};
use crate::tokens::Precision;

pub(super) fn judge(asked: &Asked<Consensus>, rows: &[Row], report: &mut Report) {
    let epsilon = asked.own.epsilon;
    let of = |case: &'static str| rows.iter().filter(move |row| row.case == case);
    // Normalising a token rounds |x|² by ε a coordinate and a few more: on an ellipsoid of
    // W = diag(1, …, d) times d at most. A token at rest is moved by that in every step.
    let (d, ulp) = (
        asked.sizes.dim as f64,
        match asked.sizes.precision {
            Precision::F32 => f64::from(f32::EPSILON),
            Precision::F64 => f64::EPSILON,
        },
    );
    let on_surface = ulp * d * (d + 4.0);
    let steps = of("causal").map(|row| row.steps).max().unwrap_or(0);
    report.claim(together(SPHERE, of("sphere"), epsilon));
    report.claim(together(HEMISPHERE, of("hemisphere"), epsilon));
    let fitted: Vec<bool> = of("hemisphere").filter_map(|row| row.geometric).collect();
    let bent = fitted.iter().filter(|straight| !**straight).count() as u64;
    report.claim(EXPONENTIAL.always(bent, fitted.len() as u64, "fitted falls that bend"));
    let measured: Vec<u64> = rows.iter().filter(|row| row.case != "staircase").filter_map(|row| row.falls).collect();
    report.claim(ENERGY.always(measured.iter().sum(), measured.len() as u64, "runs, falls beyond rounding"));
    report.claim(together(ELLIPSOID, of("ellipsoid"), epsilon));
    report.claim(SURFACE.number(largest(rows, |row| row.off_surface), 0.0, on_surface));
    report.claim(together(CAUSAL, of("causal"), epsilon));
    report.claim(FIRST_STAYS.number(largest(of("causal"), |row| row.first_moved), 0.0, steps as f64 * on_surface));
    for row in of("plateau") {
        let shown = |energy: Option<f64>| energy.map_or("not reached".into(), |energy| format!("{energy:.4}"));
        report.claim(PLATEAU.counted(
            format!(
                "E is {} at t = {}, {} in the median over t = 50 to 250, {} at t = {}",
                shown(row.early_energy),
                BETWEEN[0],
                shown(row.plateau),
                shown(row.late_energy),
                BETWEEN[1]
            ),
            "nothing is claimed: the paper gives no number that was read",
        ));
        report.claim(ONE_CLUSTER.number(row.last_energy.unwrap_or(f64::NAN), libm::exp(4.0) / 8.0, 1e-4));
    }
    staircase(&of("staircase").collect::<Vec<_>>(), report);
}

/// Counts the runs that came to consensus.
fn together<'a>(claim: Statement, rows: impl Iterator<Item = &'a Row>, epsilon: f64) -> Claim {
    let times: Vec<Option<f64>> = rows.map(|row| row.consensus).collect();
    let (all, done) = (times.len(), times.iter().flatten().count());
    let longest = times.iter().flatten().copied().fold(0.0, f64::max);
    claim.counted(
        format!("{done} of {all} runs, the last after t = {longest:.1}"),
        format!("every token within {epsilon:e} of the first"),
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
