//! Figures of the study.

use super::{Rates, Row};
use crate::error::Result;
use crate::observe::contraction;
use crate::plot::{Chart, Coordinate, Panels};
use crate::study::common::{mean, median};
use crate::study::{Asked, Report, Results};

pub(super) fn figures(
    asked: &Asked<Rates>,
    results: &Results<Row>,
    slowest: Option<&Row>,
    report: &mut Report,
) -> Result<()> {
    let rows = &results.rows;
    // A run that did not come to rest took longer than all that did.
    let middle =
        |of: fn(&Row) -> Option<f64>| move |rows: &[&Row]| median(rows.iter().map(|row| of(row))).unwrap_or(f64::NAN);
    let slow = |rows: &[&Row]| {
        100.0 * rows.iter().filter(|row| row.is_slow(asked.own.slow)).count() as f64 / rows.len().max(1) as f64
    };
    let time = heat(asked, rows, ("Time to convergence", "time to rest (steps)", true), middle(|row| row.settled));
    let caption = "Median over the clouds; a dash: most did not come to rest.";
    report.chart("time", caption, &time, [860, 560])?;
    let title = ("Slowdown over the rate of quiescent sets", "measured time / time at the rate alone (ratio)", false);
    let slowdown = heat(asked, rows, title, middle(|row| row.slowdown));
    let caption =
        "Time over what the rate of quiescent sets alone would take: tokens must first come to a quiescent set.";
    report.chart("slowdown", caption, &slowdown, [860, 560])?;
    let slow = heat(asked, rows, ("Runs that are impractically slow", "share of runs (%)", false), slow);
    report.chart("slow", "Share of runs whose convergence is impractically slow.", &slow, [860, 560])?;
    if asked.counts().len() > 1 {
        let caption = "Points: medians over the clouds. Bars: the fastest and the slowest.";
        report.panels("over-n", caption, &over_n(asked, rows), 1080, [60, 330])?;
    }
    if let Some(slowest) = slowest {
        report.chart("distance", "The slowest run that came to rest.", &path(asked, results, slowest)?, [960, 560])?;
    }
    Ok(())
}

/// A value over α and δ, at the largest n.
fn heat(
    asked: &Asked<Rates>,
    rows: &[Row],
    (title, label, log): (&str, &str, bool),
    value: impl Fn(&[&Row]) -> f64,
) -> Chart {
    let own = &asked.own;
    let n = rows.iter().map(|row| row.n).max().unwrap_or(0);
    let names = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>();
    let of = |alpha: f64, delta: f64| rows.iter().filter(|row| row.is_of(n, alpha, delta)).collect::<Vec<_>>();
    let row = |&delta: &f64| own.alphas.iter().map(|&alpha| value(&of(alpha, delta))).collect();
    let values = own.deltas.iter().map(row).collect();
    let (x, y) = (names(&own.alphas), names(&own.deltas));
    Chart::heat(title, ("α", &x), ("δ (units of |x|)", &y), label, log, values).subtitle(format!(
        "n = {n}, d = {}, {}, ε = {:e}",
        asked.sizes.dim,
        asked.sizes.clouds(),
        own.epsilon
    ))
}

/// The time to rest over n, a panel for each α.
fn over_n(asked: &Asked<Rates>, rows: &[Row]) -> Panels {
    let own = &asked.own;
    let mut charts = Vec::new();
    for &alpha in &own.alphas {
        let mut chart =
            Chart::new(format!("α = {alpha}"), Coordinate::log("n (tokens)"), Coordinate::log("time to rest (steps)"));
        for (k, &delta) in own.deltas.iter().enumerate() {
            let mut intervals = Vec::new();
            for n in asked.counts() {
                let of = rows.iter().filter(|row| row.is_of(n, alpha, delta));
                let mut times: Vec<f64> = of.filter_map(|row| row.settled).collect();
                times.sort_by(f64::total_cmp);
                if let [first, .., last] | [first @ last] = times[..] {
                    // Widths side by side.
                    let aside = 1.0 + 0.04 * k as f64;
                    intervals.push([n as f64 * aside, times[times.len() / 2], first, last]);
                }
            }
            let line: Vec<(f64, f64)> = intervals.iter().map(|&[x, y, ..]| (x, y)).collect();
            chart = chart.line(format!("δ = {delta}"), line).colour(k).intervals("", intervals).colour(k);
        }
        let theory = mean(rows.iter().filter(|row| row.alpha == alpha), |row| row.theory);
        charts.push(chart.level("rate 1/(1+α) alone", theory));
    }
    let title = "Time to convergence over the number of tokens".into();
    let subtitle = format!("d = {}, {} each, ε = {:e}", asked.sizes.dim, asked.sizes.clouds(), own.epsilon);
    Panels { title, subtitle, charts, columns: 2 }
}

/// Distances of one run over time.
fn path(asked: &Asked<Rates>, results: &Results<Row>, row: &Row) -> Result<Chart> {
    let found = results.cell(|other| other.is_of(row.n, row.alpha, row.delta) && other.seed == row.seed);
    let cell = found.map_or(0, |(cell, _)| cell);
    let series = results.series(cell, "distance")?;
    let times = series.column("t")?;
    let (epsilon, theory) = (asked.own.epsilon, contraction(row.alpha));
    let mut chart =
        Chart::new("Distance to the last place", Coordinate::whole("step t"), Coordinate::log("|xᵢ(t) − xᵢ(∞)|"))
            .subtitle(format!("n = {}, α = {}, δ = {}, seed {}", row.n, row.alpha, row.delta, row.seed));
    for (name, column) in [("farthest token", "all"), ("99 % are within", "most"), ("half are within", "half")] {
        // The last state is the place itself.
        let points: Vec<_> = times.iter().copied().zip(series.column(column)?).filter(|(_, y)| *y > 0.0).collect();
        // The farthest token and 99 % of the tokens may be one curve: points show below a line.
        chart = if column == "all" { chart.points(name, points).radius(5.0) } else { chart.line(name, points) };
    }
    let start = series.column("all")?.first().copied().unwrap_or(1.0);
    let end = libm::log(start / epsilon) / libm::log1p(row.alpha);
    let slope = (0..=100).map(|k| f64::from(k) / 100.0 * end).map(|t| (t, start * libm::pow(theory, t)));
    Ok(chart.dashed("rate 1/(1+α) alone", slope).ink().level(format!("ε = {epsilon:e}"), epsilon).grey())
}
