//! Verdicts on the law of leaders, and counts beside it.

use super::measure::Point;
use super::{CLUSTERS, COLLAPSE, GROWTH, Kind, LAW, LEADERS, OUTSIDE, Phase, REFUTED, RESTS, Row, law};
use crate::observe::{Mean, PowerLaw};
use crate::study::common::with_half;
use crate::study::{Asked, Report, Verdict};

/// A cloud, a dimension and an α: what the widths and numbers of tokens of a figure share.
pub(super) type System<'a> = (&'a String, usize, f64);

/// The points of a system at a width, n ascending.
pub(super) fn at<'a>(
    points: &'a [Point],
    (cloud, d, alpha): System<'a>,
    width: f64,
) -> impl Iterator<Item = &'a Point> + Clone {
    let is_of = move |kind: &Kind| (kind.d, kind.alpha, kind.width) == (d, alpha, width) && kind.cloud == *cloud;
    points.iter().filter(move |point| is_of(&point.kind))
}

pub(super) fn judge(asked: &Asked<Phase>, rows: &[Row], points: &[Point], report: &mut Report) {
    let resting = rows.iter().filter(|row| row.rests).count();
    report.claim(RESTS.counted(
        format!("{resting} of {} clouds rest after at most {} steps", rows.len(), asked.sizes.steps),
        "rest: no bit moves any more",
    ));
    for system in asked.systems() {
        let bare: Vec<&Point> = at(points, system, 0.0).collect();
        if !bare.is_empty() {
            of_leaders(system, &bare, report);
        }
        if system.0 == "ball" {
            collapse(asked, system, points, report);
        }
        outside(asked, system, points, report);
    }
}

/// The law of leaders beside the first step and the end, at δ = 0.
fn of_leaders(system @ (cloud, d, _): System<'_>, bare: &[&Point], report: &mut Report) {
    let named = |statement: crate::study::Statement| statement.with("cloud", cloud).with("d", d);
    let deviations =
        |which: usize| -> Vec<f64> { bare.iter().flat_map(|point| point.deviations[which].clone()).collect() };
    let found = [0, 1].map(|which| Mean::of(&deviations(which)));
    let criterion = format!("mean of (N − E)/√E over all clouds at most {REFUTED} standard errors off 0");
    for (statement, mean) in [LEADERS, CLUSTERS].into_iter().zip(found).filter(|(_, mean)| mean.count > 0) {
        let off = mean.value / mean.error;
        let measured = format!(
            "{:+.4} ± {:.4}: {} standard errors off, {} clouds",
            mean.value,
            mean.half(),
            if off.is_finite() { format!("{:.1}", off.abs()) } else { "no".into() },
            mean.count
        );
        // No cloud strays where all tokens lead.
        let refuted = mean.error.is_finite() && mean.value.abs() > REFUTED * mean.error;
        report.claim(named(statement).judged(measured, criterion.clone(), Verdict::unless(refuted, mean.count > 1)));
    }
    if cloud == "ball" {
        report.claim(limit(d, bare));
    }
    let growth: Vec<(f64, Mean)> = bare.iter().map(|point| (point.kind.n as f64, point.clusters)).collect();
    let beside: Vec<(f64, Mean)> =
        bare.iter().filter_map(|point| Some((point.kind.n as f64, over_law(point)?))).collect();
    if let Some(fit) = PowerLaw::of(&growth) {
        let over = PowerLaw::of(&beside).map_or(String::new(), |fit| {
            format!("; N over the law of leaders at each n grows as n^b, b = {}", with_half(fit.exponent, fit.half))
        });
        let text = format!("N = {:.3}·n^b, b = {}{over}", fit.factor, with_half(fit.exponent, fit.half));
        let statement = named(GROWTH).with("exponent", format!("{:.4}", law::exponent(system.1)));
        report.claim(statement.counted(text, format!("fitted over {} numbers of tokens, 95 % interval", fit.points)));
    }
}

/// N over the law of leaders.
fn over_law(point: &Point) -> Option<Mean> {
    let law = point.law?;
    Some(Mean { value: point.clusters.value / law, error: point.clusters.error / law, ..point.clusters })
}

/// F(0) beside C: N over its law at each n, by all clouds, times C. What N·n^(−(d−1)/(d+1)) is off C at finite n is in
/// the law, and so taken out.
fn limit(d: usize, bare: &[&Point]) -> crate::study::Claim {
    let constant = law::constant(d);
    // Each n by its certainty: the least squares of a constant.
    let ratios =
        || bare.iter().filter_map(|point| over_law(point)).filter(|mean| mean.error > 0.0 && mean.error.is_finite());
    let weight: f64 = ratios().map(|mean| mean.error.powi(-2)).sum();
    let value = constant * ratios().map(|mean| mean.value * mean.error.powi(-2)).sum::<f64>() / weight;
    let error = constant / weight.sqrt();
    let last = bare[bare.len() - 1].scaled();
    let measured = format!(
        "F(0) = {} against {constant:.4}: {:.1} standard errors off; {} at n = {} as it is",
        with_half(value, 1.96 * error),
        (value - constant).abs() / error,
        with_half(last.value, last.half()),
        bare[bare.len() - 1].kind.n
    );
    let refuted = (value - constant).abs() > REFUTED * error;
    let statement = LAW.with("constant", format!("{constant:.4}")).with("d", d);
    let criterion = format!("N over the law at each n, times C: at most {REFUTED} standard errors off C");
    statement.judged(measured, criterion, Verdict::unless(refuted, weight > 0.0))
}

/// What is left of the dependence on n where the guess says that there is none.
fn collapse(asked: &Asked<Phase>, system: System<'_>, points: &[Point], report: &mut Report) {
    let (mut squares, mut count, mut worst, mut drifts) = (0.0, 0, (0.0, 0.0), Vec::new());
    for &width in asked.own.widths.iter().filter(|width| **width > 0.0) {
        let of: Vec<(f64, Mean)> =
            at(points, system, width).map(|point| (point.kind.n as f64, point.scaled())).collect();
        let Some(&(_, last)) = of.last().filter(|_| of.len() > 1) else { continue };
        for (_, mean) in &of[..of.len() - 1] {
            let off = mean.value / last.value - 1.0;
            squares += off * off;
            count += 1;
            if off.abs() > f64::abs(worst.0) {
                worst = (off, width);
            }
        }
        if let Some(fit) = PowerLaw::of(&of) {
            drifts.push(format!("{} at x = {width}", with_half(fit.exponent, fit.half)));
        }
    }
    if count > 0 {
        let residual = 100.0 * (squares / f64::from(count)).sqrt();
        let text = format!(
            "residual {residual:.1} % (root mean square against the largest n), {:+.1} % at worst, at \
             x = {}; as n^b with b = {}",
            100.0 * worst.0,
            worst.1,
            if drifts.is_empty() { "?".into() } else { drifts.join(", ") }
        );
        report.claim(COLLAPSE.with("d", system.1).counted(text, "a residual of 0 and b = 0 if it holds at every n"));
    }
}

/// How often limits lie outside S.
fn outside(asked: &Asked<Phase>, system: System<'_>, points: &[Point], report: &mut Report) {
    let mut lines = Vec::new();
    for &width in asked.own.widths.iter().filter(|width| **width > 0.0) {
        let share = |point: &Point| {
            let [share, low, high] = point.share();
            format!("{share:.2} [{low:.2}, {high:.2}]")
        };
        let mut of = at(points, system, width).filter(|point| point.known > 0);
        if let Some(first) = of.next() {
            let last = of.last().unwrap_or(first);
            lines.push(format!(
                "x = {width}: {} at n = {}, {} at {}",
                share(first),
                first.kind.n,
                share(last),
                last.kind.n
            ));
        }
    }
    if !lines.is_empty() {
        let statement = OUTSIDE.with("cloud", crate::study::clouds::described(system.0)).with("d", system.1);
        report.claim(statement.counted(lines.join("; "), "shares of clouds at rest, 95 % intervals by Wilson"));
    }
}
