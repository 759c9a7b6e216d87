//! Verdicts on the claims.

use super::{Asymmetric, BOUNDED, MAXIMISER, NESTED, NONE, RATE, RESTS, Row, SKEW};
use crate::num;
use crate::observe::contraction;
use crate::study::common::{largest, roundings, total};
use crate::study::{Asked, Report, Verdict};

/// Largest distance of a fitted rate from 1/(1+α).
const RATE_ERROR: f64 = 1e-3;

pub(super) fn judge(asked: &Asked<Asymmetric>, rows: &[Row], report: &mut Report) {
    let rise = largest(rows, |row| row.rise_ulps);
    let steps = rows.iter().map(|row| row.steps).max().unwrap_or(0);
    let allowed = roundings(steps, asked.own.alpha / (1.0 + asked.own.alpha), asked.sizes.dim);
    report.claim(NESTED.judged(
        format!("the largest rise of a support function is {rise:.1} ulp of the radius, over {} clouds", rows.len()),
        format!("at most {allowed:.0} ulp: what roundings of {steps} steps add up to"),
        Verdict::if_any(steps > 0, num::within(rise, allowed)),
    ));
    for (kind, is_symmetric) in [("symmetric", true), ("asymmetric", false)] {
        let of: Vec<&Row> = rows.iter().filter(|row| (row.asymmetry == 0.0) == is_symmetric).collect();
        of_a_kind(asked, kind, &of, report);
    }
    let rest = || rows.iter().filter(|row| row.settled);
    let turned: Vec<&Row> = rest().filter(|row| row.family == "skew").collect();
    if rows.iter().any(|row| row.family == "skew") {
        let several = turned.iter().filter(|row| row.vertices > 1).count();
        let score = largest(turned.iter().copied(), |row| row.vertex_score);
        let (alone, all) = (turned.iter().filter(|row| row.places == 1).count(), turned.len());
        report.claim(SKEW.judged(
            format!(
                "the largest |<Av, w>| is {score:.1e}·|A|·R², in the {several} clouds at rest with more than one vertex; \
                 {alone} of {all} clouds at rest are at one place"
            ),
            format!("at most {NONE:.0e}·|A|·R²"),
            Verdict::if_any(several > 0, num::within(score, NONE)),
        ));
    }
    let tried = (rest().count() * asked.sizes.tokens) as u64;
    report.claim(BOUNDED.always(total(rest(), |row| row.beyond), tried, "tokens of clouds at rest"));
}

/// Judges what is claimed of symmetric and of asymmetric A alike.
fn of_a_kind(asked: &Asked<Asymmetric>, kind: &str, rows: &[&Row], report: &mut Report) {
    let rest = || rows.iter().copied().filter(|row| row.settled);
    let (clouds, gap) = (rest().count(), largest(rest(), |row| row.vertex_gap));
    report.claim(MAXIMISER.with("kind", kind).judged(
        format!("the largest gap of a vertex is {gap:.1e}·|A|·R², over {clouds} clouds at rest"),
        format!("at most {NONE:.0e}·|A|·R²"),
        Verdict::if_any(clouds > 0, num::within(gap, NONE)),
    ));
    let fitted = total(rows.iter().copied(), |row| row.fitted);
    let worst = rows.iter().filter_map(|row| row.worst).fold(f64::NAN, f64::max);
    let rate = format!("{:.6}", contraction(asked.own.alpha));
    report.claim(RATE.with("kind", kind).with("rate", rate).judged(
        match fitted {
            0 => "nothing was fitted".into(),
            _ => format!("the worst of {fitted} groups is {worst:.1e} off"),
        },
        format!("at most {RATE_ERROR:.0e} off"),
        Verdict::if_any(fitted > 0, num::within(worst, RATE_ERROR)),
    ));
    let moving = rows.len() - clouds;
    report.claim(RESTS.with("kind", kind).counted(
        format!(
            "no counterexample among {} clouds: {clouds} came to rest, {moving} still moved after {} steps, with {} \
             tokens at most",
            rows.len(),
            asked.sizes.steps,
            rows.iter().map(|row| row.moving).max().unwrap_or(0)
        ),
        "no bit moves any more; open for constant δ",
    ));
}
