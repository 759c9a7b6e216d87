//! Verdicts on the claims.

use super::{Asymmetric, BOUNDED, MAXIMISER, NESTED, NONE, RATE, RESTS, Row, SKEW};
use crate::num;
use crate::observe::contraction;
use crate::study::common::{largest, total};
use crate::study::{Asked, Report, Verdict};

/// Largest distance of a fitted rate from 1/(1+α).
const RATE_ERROR: f64 = 1e-3;
/// Rise of a support function that rounding explains, in ulps of the radius.
const RISE: f64 = 8.0;

pub(super) fn judge(asked: &Asked<Asymmetric>, rows: &[Row], report: &mut Report) {
    let rise = largest(rows, |row| row.rise_ulps);
    report.claim(NESTED.judged(
        format!("the largest rise of a support function is {rise:.1} ulp of the radius, over {} clouds", rows.len()),
        format!("at most {RISE} ulp"),
        Verdict::of(num::within(rise, RISE)),
    ));
    for (kind, is_symmetric) in [("symmetric", true), ("asymmetric", false)] {
        let of: Vec<&Row> = rows.iter().filter(|row| (row.asymmetry == 0.0) == is_symmetric).collect();
        of_a_kind(asked, kind, &of, report);
    }
    let rest = || rows.iter().filter(|row| row.settled);
    let turned: Vec<&Row> = rest().filter(|row| row.family == "skew").collect();
    if !turned.is_empty() {
        let score = largest(turned.iter().copied(), |row| row.vertex_score);
        let (alone, all) = (turned.iter().filter(|row| row.places == 1).count(), turned.len());
        report.claim(SKEW.judged(
            format!("the largest |<Av, w>| is {score:.1e}·|A|·R²; {alone} of {all} clouds at rest are at one place"),
            format!("at most {NONE:.0e}·|A|·R²"),
            Verdict::of(num::within(score, NONE)),
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
    report.claim(RESTS.with("kind", kind).judged(
        format!(
            "{moving} of {} clouds still moved after {} steps, with {} tokens at most",
            rows.len(),
            asked.sizes.steps,
            rows.iter().map(|row| row.moving).max().unwrap_or(0)
        ),
        "no bit moves any more; open for constant δ",
        Verdict::if_seen(!rows.is_empty() && moving == 0),
    ));
}
