//! Figures of the study.

use super::{Consensus, Row, staircase};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels, Player};
use crate::study::{Asked, Report, Results};

pub(super) fn figures(asked: &Asked<Consensus>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let caption = "Medians; bars: the fastest and the slowest cloud. Uniform clouds first gather in clusters, which \
                   part the longer the larger β.";
    report.chart("times", caption, &times(asked, &results.rows), [860, 560])?;
    let caption = "Plateaus: tokens have gathered in clusters that stay apart.";
    report.chart("paths", caption, &paths(asked, results)?, [960, 620])?;
    if let Some((cell, row)) = results.cell(|row| row.case == "plateau") {
        let caption = "Two clusters, for hundreds of time units, then one.";
        report.chart("plateau", caption, &plateau(results, cell, row)?, [860, 480])?;
    }
    report.panels(
        "staircase",
        "Each step is a merger of clusters. A loop of the study's own, after the authors' script; no engine runs it.",
        &stairs(results)?,
        1080,
        [60, 330],
    )?;
    let pictured = asked.sizes.dim <= 3 && asked.sizes.tokens <= 1500;
    if let Some((cell, _)) =
        results.cell(|row| row.case == "causal" && row.seed == asked.sizes.first_seed).filter(|_| pictured)
    {
        let caption = "Causal attention, arbitrary Q and K, first seed: all go to the first token.";
        report.player("causal", caption, Player::new(&results.frames(cell)?)?);
    }
    if let Some((cell, _)) = results.cell(|row| row.case == "plateau") {
        let caption = "The five tokens of 2410.06833 at β = 4: two clusters, for long.";
        report.player("plateau-tokens", caption, Player::new(&results.frames(cell)?)?);
    }
    Ok(())
}

/// Time to consensus over β.
fn times(asked: &Asked<Consensus>, rows: &[Row]) -> Chart {
    let mut chart = Chart::new("Time to consensus", Coordinate::linear("β"), Coordinate::log("time t"))
        .subtitle(format!("{}, {} each, ε = {:e}", asked.sizes.shape(), asked.sizes.clouds(), asked.own.epsilon));
    let limit = asked.sizes.steps as f64 * asked.own.dt;
    let (mut open, mut without) = (0, Vec::new());
    for (k, case) in ["sphere", "hemisphere"].into_iter().enumerate() {
        let mut medians = Vec::new();
        for &beta in &asked.own.betas {
            let of = || rows.iter().filter(move |row| row.case == case && row.beta == Some(beta));
            let mut times: Vec<f64> = of().map(|row| row.consensus.unwrap_or(f64::INFINITY)).collect();
            open += times.iter().filter(|time| time.is_infinite()).count();
            times.sort_by(f64::total_cmp);
            let at = beta + 0.04 * k as f64;
            let median = times.get(times.len() / 2);
            if median.is_some_and(|time| time.is_infinite()) {
                without.push((at, limit));
            } else if let Some(median) = median {
                let last = times.iter().copied().rfind(|time| time.is_finite()).unwrap_or(*median);
                medians.push([at, *median, times[0], last]);
            }
        }
        let line: Vec<(f64, f64)> = medians.iter().map(|&[x, y, ..]| (x, y)).collect();
        chart = chart.line(case, line).colour(k).intervals("", medians).colour(k);
    }
    if !without.is_empty() {
        chart = chart.points("no consensus in most runs", without).ink().radius(4.5);
    }
    chart.level("end of the runs", limit).foot(format!("{open} runs did not come to consensus before the end."))
}

/// Distances over time, a line for each system.
fn paths(asked: &Asked<Consensus>, results: &Results<Row>) -> Result<Chart> {
    let mut chart = Chart::new(
        "Distance of the farthest token from the first",
        Coordinate::log("time t"),
        Coordinate::log("max |xᵢ − x₁|"),
    )
    .subtitle(format!("{}, first seed", asked.sizes.shape()));
    for (cell, row) in results.cells(|row| row.seed == asked.sizes.first_seed) {
        let series = results.series(cell, "path")?;
        let points: Vec<(f64, f64)> =
            series.rows.iter().map(|r| (r[0], r[1])).filter(|(t, y)| *t > 0.0 && *y > 0.0).collect();
        let name = match (&row.case[..], row.beta) {
            ("sphere" | "hemisphere", Some(beta)) => format!("{}, β = {beta}", row.case),
            _ => row.case.clone(),
        };
        chart = if row.case == "sphere" { chart.line(name, points) } else { chart.dashed(name, points) };
    }
    Ok(chart.level(format!("ε = {:e}", asked.own.epsilon), asked.own.epsilon).grey())
}

/// The energy of a cell over time.
fn energy(results: &Results<Row>, cell: usize) -> Result<Vec<(f64, f64)>> {
    Ok(results.series(cell, "path")?.rows.iter().map(|row| (row[0], row[2])).collect())
}

fn plateau(results: &Results<Row>, cell: usize, row: &Row) -> Result<Chart> {
    let chart =
        Chart::new("The energy of five tokens at β = 4", Coordinate::linear("time t"), Coordinate::linear("energy"))
            .line("energy", energy(results, cell)?);
    let between = row.plateau.unwrap_or(f64::NAN);
    let name = format!("median over t = 50 to 250: {between:.4}");
    Ok(chart.level(name, between).level("one cluster: e⁴/8", libm::exp(4.0) / 8.0).grey())
}

fn stairs(results: &Results<Row>) -> Result<Panels> {
    let mut charts = Vec::new();
    for (cell, row) in results.cells(|row| row.case == "staircase") {
        let mut chart = Chart::new(
            format!("β = {}", row.beta.unwrap_or(0.0)),
            Coordinate::linear("10⁻⁵ · iterations (rescaled time)"),
            Coordinate::linear("energy").within(0.0, 1.05),
        )
        .line("energy", energy(results, cell)?)
        .colour(0);
        for (k, level) in staircase::levels().into_iter().enumerate() {
            chart = chart.level(if k == 0 { "levels Σm²/n²" } else { "" }, level).grey().opacity(0.6);
        }
        charts.push(chart);
    }
    let (title, subtitle) = ("The staircase of five tokens on a circle".into(), "the authors' scheme and start".into());
    Ok(Panels { title, subtitle, charts, columns: 2 })
}
