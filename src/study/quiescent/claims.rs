//! Verdicts on the claims.

use super::{CLOSED, FROM_ENTRY, MEAN, Quiescent, RADIUS_FAILS, RADIUS_HOLDS, RATE, RATE_ERROR, Row, STAYS};
use crate::model::StripForm;
use crate::num;
use crate::observe::contraction;
use crate::study::common::total;
use crate::study::{Asked, Report, Verdict};

pub(super) fn judge(asked: &Asked<Quiescent>, rows: &[Row], report: &mut Report) {
    let clouds: Vec<&Row> = rows.iter().filter(|row| row.case == "cloud").collect();
    for &form in &asked.own.forms {
        of_form(form, &clouds, report);
    }
    for &alpha in &asked.own.alphas {
        rates(alpha, &clouds, report);
    }
    let closed: Vec<(&Row, f64)> =
        clouds.iter().filter(|row| row.fitted > 0).filter_map(|row| Some((*row, row.drift_allowed?))).collect();
    let over = closed.iter().filter(|(row, allowed)| !num::within(row.drift, *allowed)).count();
    let drift = closed.iter().map(|(row, _)| row.drift).fold(0.0, f64::max);
    let most = closed.iter().map(|(_, allowed)| *allowed).fold(0.0, f64::max);
    report.claim(MEAN.judged(
        format!(
            "it drifts by {drift:.1} units of the lattice at most, in {} clouds; {over} drift more than rounding can",
            closed.len()
        ),
        format!(
            "what roundings add up to until the group has merged, √d·(γ/2 + max(1/2, 1 − γ)) a step: {most:.0} units \
             at most"
        ),
        Verdict::if_any(!closed.is_empty(), over == 0),
    ));
    for &form in &asked.own.forms {
        if let Some(row) = rows.iter().find(|row| row.case == "constructed" && row.form == form) {
            constructed(row, report);
        }
    }
}

/// Judges the claims about the sets of one strip form.
fn of_form(form: StripForm, clouds: &[&Row], report: &mut Report) {
    let of = || clouds.iter().copied().filter(|row| row.form == form);
    let (inside, early) = (total(of(), |row| row.inside_last), total(of(), |row| row.early_departures));
    let (departures, late) = (total(of(), |row| row.departures), total(of(), |row| row.late_departures));
    report.claim(STAYS.with("form", form).judged(
        format!(
            "{departures} departures, {late} of them after the groups were closed, beside {inside} tokens that ended \
             in a ball; {early} before K(t) was within ε/20 of K, of which the theorem does not speak"
        ),
        "no departure; one refutes it after the groups are closed: the theorem does not say from which step on it holds",
        if inside == 0 { Verdict::Undecided } else { Verdict::unless(late > 0, departures == 0) },
    ));
    let rest = || of().filter(|row| row.settled);
    let (clouds, resting) = (of().count(), rest().count());
    report.claim(CLOSED.with("form", form).always(
        total(rest(), |row| row.hull_groups - row.closed_groups),
        total(rest(), |row| row.hull_groups),
        &format!("groups at vertices of the last hull, in the {resting} of {clouds} clouds at rest"),
    ));
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
    let (entered, near) = (total(of(), |row| row.entered), total(of(), |row| row.entry_near));
    let worst = of().filter_map(|row| row.entry_worst).fold(0.0, f64::max);
    report.claim(FROM_ENTRY.with("alpha", alpha).counted(
        format!("{near} of {entered} fitted rates within {RATE_ERROR:.0e} of 1/(1+α), the worst {worst:.1e} off"),
        "nothing is claimed",
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
