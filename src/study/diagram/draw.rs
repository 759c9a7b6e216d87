//! The diagram, and the times at which pairs meet.

use super::measure::law;
use super::{Diagram, Row};
use crate::error::Result;
use crate::num::short;
use crate::plot::{Chart, Coordinate};
use crate::study::{Asked, Report, Results};

/// Most rows and columns of a heat map.
const MOST: [usize; 2] = [60, 60];

pub(super) fn figures(asked: &Asked<Diagram>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let rows = &results.rows;
    let cells: Vec<(usize, &Row)> = results.cells(|_| true).collect();
    let shown: Vec<(usize, &Row)> = spread(cells.len(), MOST[0]).into_iter().map(|place| cells[place]).collect();
    let series = shown.iter().map(|&(cell, _)| results.series(cell, "shares")).collect::<Result<Vec<_>>>()?;
    let looks = spread(series[0].rows.len(), MOST[1]);
    let betas: Vec<String> = shown.iter().map(|(_, row)| format!("{:.1}", row.beta)).collect();
    let times: Vec<String> = looks.iter().map(|&look| short(round(series[0].rows[look][0]))).collect();
    let values = |column: usize, unit: f64| -> Vec<Vec<f64>> {
        series.iter().map(|of| looks.iter().map(|&look| round(unit * of.rows[look][column])).collect()).collect()
    };
    let (shape, clouds) = (asked.sizes.shape(), asked.sizes.clouds());
    for (name, title, label, column, unit, caption) in [
        (
            "shares",
            "Pairs that have met",
            "pairs (%)",
            1,
            100.0,
            "The share of the pairs of tokens with a product above 0.999, mean over clouds.",
        ),
        ("groups", "Groups of a cloud", "groups", 3, 1.0, "The median over clouds."),
    ] {
        let chart = Chart::heat(title, ("time t", &times), ("β", &betas), label, false, values(column, unit));
        let chart = chart.subtitle(format!("sphere, {shape}, {clouds} at each β"));
        report.chart(name, caption, &chart, [1000, 640])?;
    }
    let met: Vec<(f64, f64)> = rows.iter().filter_map(|row| Some((row.beta, row.half?))).collect();
    let law: Vec<(f64, f64)> = rows.iter().map(|row| (row.beta, law(asked.sizes.tokens, row.beta))).collect();
    let mut chart = Chart::new(
        "The time at which half of the pairs have met",
        Coordinate::linear("β"),
        Coordinate::linear("time t"),
    )
    .subtitle(format!("sphere, {shape}, {clouds} at each β"))
    .dashed("equal angles, d → ∞", law)
    .ink();
    if !met.is_empty() {
        chart = chart.line("measured", met.clone()).colour(0).points("", met).colour(0);
    }
    report.chart("half", "The first look at which half have met, beside the law of equal angles.", &chart, [900, 560])
}

/// At most `most` of 0..n, as far apart from one another, the last among them.
fn spread(n: usize, most: usize) -> Vec<usize> {
    let apart = n.div_ceil(most).max(1);
    ((n - 1) % apart..n).step_by(apart).collect()
}

/// Three decimals.
fn round(x: f64) -> f64 {
    (1000.0 * x).round() / 1000.0
}
