//! Verdicts on the claims.

use super::rises::{Runs, Summary};
use super::{
    FALLS_BACK, Kind, Lyapunov, NOT_MONOTONE, NOT_MUTUAL, ROUNDING, SQUARES, SQUARES_FALL, SQUARES_RISE, V, WIDTH,
    WIDTH_FALLS,
};
use crate::study::common::largest;
use crate::study::{Asked, Report, Verdict};

/// The share of the rises that makes a pattern their cause.
const CAUSE: f64 = 0.5;

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
        report.claim(SQUARES_FALL.judged(
            format!("it falls in {rises} of {} steps", steps(&sums)),
            format!("by more than {ROUNDING:.0e} of it"),
            Verdict::if_seen(rises > 0.0),
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
        format!("{} of {} rises never waited out; the longest wait is {} steps", v.never, v.rises, v.wait),
        "every rise, before the run ends",
        if v.rises > 0.0 { Verdict::at_rest(v.never == 0.0, of().all(|row| row.settled)) } else { Verdict::Undecided },
    ));
    let up = [
        of().map(|row| row.up_both).sum::<f64>(),
        of().map(|row| row.up_one).sum(),
        of().map(|row| row.up_neither).sum(),
    ];
    let all: f64 = up.iter().sum();
    let [both, one, neither] = up.map(|up| 100.0 * up / all);
    report.claim(NOT_MUTUAL.with("kind", &kind.name).judged(
        if all > 0.0 {
            format!(
                "of what rises {neither:.0} % is from pairs where neither attends, {one:.0} % one, {both:.0} % both"
            )
        } else {
            "nothing rose".into()
        },
        format!("more than {} %", 100.0 * CAUSE),
        Verdict::if_any(all > 0.0, up[1] + up[2] > CAUSE * all),
    ));
}
