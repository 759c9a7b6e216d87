//! Verdicts on the claims.

use super::{CLOSED, MEAN, Quiescent, RADIUS_FAILS, RADIUS_HOLDS, RATE, RATE_ERROR, Row, STAYS};
use crate::model::StripForm;
use crate::num;
use crate::observe::contraction;
use crate::study::common::{largest, total};
use crate::study::{Asked, Report, Verdict};

pub(super) fn judge(asked: &Asked<Quiescent>, rows: &[Row], report: &mut Report) {
    let clouds: Vec<&Row> = rows.iter().filter(|row| row.case == "cloud").collect();
    for &form in &asked.own.forms {
        of_form(asked, form, &clouds, report);
    }
    for &alpha in &asked.own.alphas {
        rates(alpha, &clouds, report);
    }
    // A mean is rounded once a step, and a rounding fades by 1/(1+α) a step.
    let allowed = |alpha: f64| (1.0 + alpha) / alpha + 2.0;
    let is_over = |row: &&&Row| !num::within(row.drift / allowed(row.alpha), 1.0);
    let over = clouds.iter().filter(is_over).count();
    let drift = largest(clouds.iter().copied(), |row| row.drift);
    report.claim(MEAN.judged(
        format!("it drifts by {drift:.1} units of the lattice at most; {over} clouds drift more than rounding can"),
        "at most (1+α)/α + 2 units: a rounding in each step",
        Verdict::if_any(!clouds.is_empty(), over == 0),
    ));
    for &form in &asked.own.forms {
        if let Some(row) = rows.iter().find(|row| row.case == "constructed" && row.form == form) {
            constructed(row, report);
        }
    }
}

/// Judges the claims about the sets of one strip form.
fn of_form(asked: &Asked<Quiescent>, form: StripForm, clouds: &[&Row], report: &mut Report) {
    let of = || clouds.iter().copied().filter(|row| row.form == form);
    let early = total(of(), |row| row.early_departures);
    report.claim(STAYS.with("form", form).always(
        total(of(), |row| row.departures),
        total(of(), |row| row.inside_last),
        &format!(
            "tokens that ended in one ({early} departures before K(t) was within ε/20 of K, of which the theorem \
             does not speak)"
        ),
    ));
    let mut closed = CLOSED.with("form", form).always(
        total(of(), |row| row.hull_groups - row.closed_groups),
        total(of(), |row| row.hull_groups),
        "groups at vertices of the last hull",
    );
    if closed.agrees == Verdict::No {
        // A group of a cloud that still moves may close yet.
        let mut open = of().filter(|row| row.closed_groups < row.hull_groups);
        closed.agrees = Verdict::at_rest(false, open.all(|row| row.steps < asked.sizes.steps));
    }
    report.claim(closed);
}

fn rates(alpha: f64, clouds: &[&Row], report: &mut Report) {
    let of = || clouds.iter().copied().filter(|row| row.alpha == alpha);
    let worst = of().filter_map(|row| row.worst).fold(f64::NAN, f64::max);
    let fitted = total(of(), |row| row.fitted);
    let interval = of().filter_map(|row| row.interval).fold(0.0, f64::max);
    let rate = format!("{:.6}", contraction(alpha));
    report.claim(RATE.with("rate", rate).with("alpha", alpha).judged(
        match fitted {
            0 => "nothing was fitted".into(),
            _ => format!("the worst of {fitted} fitted rates is {worst:.1e} off; intervals up to ±{interval:.1e}"),
        },
        format!("at most {RATE_ERROR:.0e} off"),
        Verdict::if_any(fitted > 0, num::within(worst, RATE_ERROR)),
    ));
}

/// Judges the published radius by the constructed case.
fn constructed(row: &Row, report: &mut Report) {
    let fails = row.form == StripForm::Score;
    let claim = if fails { RADIUS_FAILS } else { RADIUS_HOLDS.with("form", row.form) };
    report.claim(claim.judged(
        format!(
            "{} tokens came within it of a vertex, with K(t) near K, and went elsewhere; {} departures from B(v, \
             s(v)/(2+2α))",
            row.lost, row.departures
        ),
        if fails { "at least one such token, no departure" } else { "no such token, no departure" },
        Verdict::of((row.lost > 0) == fails && row.departures == 0),
    ));
}
