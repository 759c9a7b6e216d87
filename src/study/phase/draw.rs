//! Figures of the study.

use super::claims::{System, at};
use super::measure::Point;
use super::{Phase, law};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels};
use crate::study::{Asked, Report};

/// Points from which on the law is drawn as a curve.
const CURVE: usize = 40;

pub(super) fn figures(asked: &Asked<Phase>, points: &[Point], report: &mut Report) -> Result<()> {
    let sheet = |title: &str, subtitle: String, draw: &dyn Fn(System<'_>) -> Chart| {
        let charts: Vec<Chart> = asked.systems().map(draw).collect();
        let columns = charts.len().clamp(1, 3);
        (Panels { title: title.into(), subtitle, charts, columns }, 400 * columns.max(2) as u32)
    };
    let form = asked.own.form;
    if asked.own.widths.iter().any(|width| *width > 0.0) {
        let subtitle = format!("N·n^(−(d−1)/(d+1)) over x = δ·n^(2/(d+1)), {form} strip; bands: 95 %");
        let (panels, width) =
            sheet("Clusters of all sizes on one curve?", subtitle, &|system| collapse(asked, system, points));
        let caption =
            "If clusters were a function of x alone, the curves of all n were one. At the left they come from C.";
        report.panels("collapse", caption, &panels, width, [60, 400])?;
    }
    let subtitle = format!("bars: 95 %; dashed: the law of leaders; {form} strip");
    let (panels, width) =
        sheet("Clusters over the number of tokens", subtitle, &|system| growth(asked, system, points));
    report.panels("growth", "Means over the clouds that came to rest.", &panels, width, [60, 400])?;
    if points.iter().any(|point| point.known > 0 && point.kind.width > 0.0) {
        let subtitle = format!("{form} strip; bars: 95 % (Wilson)");
        let (panels, width) = sheet("Clouds with a limit outside S", subtitle, &|system| shares(asked, system, points));
        report.panels("outside", "Of the clouds that came to rest.", &panels, width, [60, 380])?;
        let subtitle = format!("{form} strip");
        let (panels, width) =
            sheet("Tokens whose limit lies outside S", subtitle, &|system| density(asked, system, points));
        report.panels("density", "Of all tokens of the clouds that came to rest.", &panels, width, [60, 380])?;
    }
    Ok(())
}

/// The name of a system's panel.
fn title((cloud, d, alpha): System<'_>) -> String {
    format!("{cloud}, d = {d}, α = {alpha}")
}

/// The widths, ascending, with the colour that each has in all figures.
fn widths(asked: &Asked<Phase>) -> impl Iterator<Item = (usize, f64)> {
    let mut widths = asked.own.widths.clone();
    widths.sort_by(f64::total_cmp);
    widths.into_iter().enumerate()
}

fn above_zero(asked: &Asked<Phase>) -> impl Iterator<Item = (usize, f64)> {
    widths(asked).filter(|(_, width)| *width > 0.0)
}

fn tokens() -> Coordinate {
    Coordinate::log("n (tokens)")
}

fn collapse(asked: &Asked<Phase>, system: System<'_>, points: &[Point]) -> Chart {
    let axis = Coordinate::log("x = δ·n^(2/(d+1))");
    let mut chart = Chart::new(title(system), axis, Coordinate::log("N·n^(−(d−1)/(d+1))"));
    for (k, n) in asked.counts().into_iter().enumerate() {
        let of = above_zero(asked).filter_map(|(_, width)| at(points, system, width).find(|point| point.kind.n == n));
        let scaled: Vec<(f64, _)> = of.map(|point| (point.kind.width, point.scaled())).collect();
        let line: Vec<(f64, f64)> = scaled.iter().map(|(x, mean)| (*x, mean.value)).collect();
        let sure = scaled.iter().filter(|(_, mean)| mean.error.is_finite());
        let band = sure.map(|(x, mean)| [*x, mean.interval()[0].max(mean.value / 100.0), mean.interval()[1]]).collect();
        chart =
            chart.band("", band).colour(k).line(format!("n = {n}"), line.clone()).colour(k).points("", line).colour(k);
    }
    if system.0 == "ball" { chart.level("C, the law at δ = 0", law::constant(system.1)) } else { chart }
}

fn growth(asked: &Asked<Phase>, system: System<'_>, points: &[Point]) -> Chart {
    let mut chart = Chart::new(title(system), tokens(), Coordinate::log("clusters N"));
    for (k, width) in widths(asked) {
        let bar = |point: &Point| {
            let (mean, half) =
                (point.clusters.value, if point.clusters.error.is_finite() { point.clusters.half() } else { 0.0 });
            [point.kind.n as f64, mean, (mean - half).max(mean / 100.0), mean + half]
        };
        let bars: Vec<[f64; 4]> = at(points, system, width).map(bar).collect();
        let line: Vec<(f64, f64)> = bars.iter().map(|&[n, mean, ..]| (n, mean)).collect();
        chart = chart.line(format!("x = {width}"), line).colour(k).intervals("", bars).colour(k);
    }
    let (counts, (cloud, d, _)) = (asked.counts(), system);
    let (least, most) = (counts[0].max(1) as f64, counts[counts.len() - 1] as f64);
    let curve = (0..=CURVE).filter_map(|k| {
        let n = least * libm::pow(most / least, k as f64 / CURVE as f64);
        Some((n, law::leaders(cloud, n.round() as usize, d)?))
    });
    let curve: Vec<(f64, f64)> = curve.collect();
    if curve.is_empty() { chart } else { chart.dashed("law of leaders", curve).ink() }
}

fn shares(asked: &Asked<Phase>, system: System<'_>, points: &[Point]) -> Chart {
    let share = Coordinate::linear("clouds (%)").within(-2.0, 102.0);
    let mut chart = Chart::new(title(system), tokens(), share);
    for (k, width) in above_zero(asked) {
        // Widths a little aside, so that intervals do not hide each other.
        let aside = 1.0 + 0.04 * k as f64;
        let bar = |point: &Point| {
            let [share, low, high] = point.share();
            [point.kind.n as f64 * aside, 100.0 * share, 100.0 * low, 100.0 * high]
        };
        let bars: Vec<[f64; 4]> = at(points, system, width).filter(|point| point.known > 0).map(bar).collect();
        let line: Vec<(f64, f64)> = bars.iter().map(|&[n, share, ..]| (n, share)).collect();
        chart = chart.line(format!("x = {width}"), line).colour(k).intervals("", bars).colour(k);
    }
    chart
}

fn density(asked: &Asked<Phase>, system: System<'_>, points: &[Point]) -> Chart {
    let mut chart = Chart::new(title(system), tokens(), Coordinate::log("tokens (share)"));
    for (k, width) in above_zero(asked) {
        let of = at(points, system, width).filter(|point| point.known > 0);
        let line: Vec<(f64, f64)> = of.map(|point| (point.kind.n as f64, point.outside_tokens)).collect();
        chart = chart.line(format!("x = {width}"), line.clone()).colour(k).points("", line).colour(k);
    }
    chart
}
