//! Verdicts on the claims.

use super::rises::{Runs, Summary};
use super::{
    FALLS_BACK, Kind, Lyapunov, NOT_MONOTONE, RAISED_BY, ROUNDING, SQUARES, SQUARES_FALL, SQUARES_RISE, V, WIDTH,
    WIDTH_FALLS,
};
use crate::study::common::largest;
use crate::study::{Asked, Report, Verdict};

pub(super) fn judge(asked: &Asked<Lyapunov>, runs: &Runs<'_>, report: &mut Report) {
    let kinds: Vec<Kind<'_>> = asked.own.kinds().collect();
    for kind in kinds.iter().filter(|kind| kind.delta != 0.0) {
        of_v(kind, runs, report);
    }
    let summaries = |candidate: usize, wanted: fn(&Kind<'_>) -> bool| -> Vec<Summary> {
        kinds.iter().filter(|kind| wanted(kind)).map(|kind| runs.summary(kind, candidate)).collect()
    };
    let rises = |sums: &[Summary]| sums.iter().map(|s| s.rises as u64).sum();
    let steps = |sums: &[Summary]| sums.iter().map(|s| s.steps).sum::<u64>();
    let sums = summaries(WIDTH, |_| true);
    report.claim(WIDTH_FALLS.always(rises(&sums), steps(&sums), "steps"));
    let sums = summaries(SQUARES, |kind| kind.delta == 0.0 && ["identity", "gram"].contains(&kind.family));
    report.claim(SQUARES_RISE.always(rises(&sums), steps(&sums), "steps"));
    let sums = summaries(SQUARES, |kind| kind.delta > 0.0 && kind.family == "identity");
    if !sums.is_empty() {
        let rises: f64 = sums.iter().map(|s| s.rises).sum();
        report.claim(SQUARES_FALL.counted(
            format!("it falls in {rises} of {} steps", steps(&sums)),
            format!("by more than {ROUNDING:.0e} of it; nothing is claimed"),
        ));
    }
}

/// Judges the claims about V under one kind of A and δ.
fn of_v(kind: &Kind<'_>, runs: &Runs<'_>, report: &mut Report) {
    let v = runs.summary(kind, V);
    let of = || runs.rows.iter().filter(|row| kind.has(row));
    let highest = largest(of(), |row| row.largest);
    report.claim(NOT_MONOTONE.with("kind", &kind.name).judged(
        format!(
            "rises: {} in {} steps, in {} of {} runs; the largest by {highest:.3}",
            v.rises, v.steps, v.rising, v.runs
        ),
        format!("a rise above {ROUNDING:.0e} of V"),
        Verdict::if_seen(v.rises > 0.0),
    ));
    report.claim(FALLS_BACK.with("kind", &kind.name).judged(
        format!(
            "{} of {} rises never waited out in the {} of {} runs that came to rest; the longest wait is {} steps",
            v.never, v.rises_at_rest, v.resting, v.runs, v.wait
        ),
        "every rise, before the run ends; that none was found is no proof",
        Verdict::if_any(v.rises_at_rest > 0.0, v.never == 0.0),
    ));
    let up = [
        of().map(|row| row.up_both).sum::<f64>(),
        of().map(|row| row.up_one).sum(),
        of().map(|row| row.up_neither).sum(),
    ];
    let all: f64 = up.iter().sum();
    let [both, one, neither] = up.map(|up| 100.0 * up / all);
    report.claim(RAISED_BY.with("kind", &kind.name).counted(
        if all > 0.0 {
            format!("of what rises {both:.0} % is from pairs where both attend, {one:.0} % one, {neither:.0} % neither")
        } else {
            "nothing rose".into()
        },
        "nothing is claimed: were asymmetry the cause, it would be one",
    ));
}
