//! What the diagram says, with verdicts.

use super::measure::law;
use super::{BLOCKED, Diagram, FALLS, LAW, MEETS, Row, SLOWER};
use crate::num::short;
use crate::study::{Asked, Report, Statement, Verdict};

pub(super) fn judge(asked: &Asked<Diagram>, rows: &[Row], report: &mut Report) {
    let (n, d) = (asked.sizes.tokens, asked.sizes.dim);
    let of = |statement: Statement| statement.with("n", n).with("d", d);
    let end = asked.sizes.steps as f64 * asked.own.dt;
    let look = (end / (asked.own.checkpoints - 1) as f64).max(asked.own.dt);

    // A half time is known to a look; one that is not reached is after all others.
    let times: Vec<f64> = rows.iter().map(|row| row.half.unwrap_or(f64::INFINITY)).collect();
    let sooner = times.windows(2).filter(|pair| pair[1] < pair[0] - 1.5 * look).count() as u64;
    report.claim(of(SLOWER).always(sooner, times.len().saturating_sub(1) as u64, "neighbouring values of β"));

    let first = &rows[0];
    let low = first.share - 4.0 * first.share_error;
    let high = first.share + 4.0 * first.share_error;
    let verdict = if low > 0.99 {
        Verdict::Yes
    } else if high < 0.99 {
        Verdict::No
    } else {
        Verdict::Undecided
    };
    report.claim(of(MEETS).with("beta", short(first.beta)).judged(
        format!("{:.4} ± {:.4} at t = {}", first.share, first.share_error, short(end)),
        "0.99 is more than 4 standard errors off",
        verdict,
    ));

    let blocked = |row: &Row| 2 * row.several > row.clouds;
    let from = rows.iter().rposition(|row| !blocked(row)).map_or(0, |at| at + 1);
    let found = rows.get(from).map_or_else(
        || "none: at every β half of the clouds or more are one group".to_owned(),
        |row| format!("{}: {} of {} clouds", short(row.beta), row.several, row.clouds),
    );
    report.claim(of(BLOCKED).counted(found, format!("t = {}", short(end))));

    let ratios = rows.iter().filter_map(|row| Some(row.half? / law(n, row.beta)));
    let (least, most) = crate::num::range(ratios.clone());
    let reached = ratios.count();
    let found = if reached == 0 { "half was never reached".into() } else { format!("{least:.2} to {most:.2}") };
    report.claim(of(LAW).counted(found, format!("{reached} of {} values of β at which half is reached", rows.len())));

    let fall = rows.iter().map(|row| row.fall).fold(0.0, f64::max);
    report.claim(of(FALLS).counted(format!("{fall:.2e}"), format!("{} values of β", rows.len())));
}
