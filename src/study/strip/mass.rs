//! Strips beside softmax's mass: how wide a strip must be to hold a share of it, row by row.

use super::{Row, Strip};
use crate::error::Result;
use crate::model::StripForm;
use crate::num::short;
use crate::plot::{Chart, Coordinate};
use crate::study::common::{largest, mean};
use crate::study::{Asked, Report, Results};

/// The name of the series that the shown cell of the first seed keeps.
pub(super) const SERIES: &str = "mass";
/// Rows that a column of widths and one of keys have before them.
const BEFORE: usize = 2;

/// The columns: the token, its length, and for each ω the least δ whose strip holds 1 − ω of the
/// mass and the number of its keys.
pub(super) fn columns(omegas: &[f64]) -> Vec<String> {
    let of = |omega: &f64| [format!("delta_{omega}"), format!("keys_{omega}")];
    ["token", "length"].map(str::to_owned).into_iter().chain(omegas.iter().flat_map(of)).collect()
}

/// For each ω the least δ, in units of `unit`, whose strip holds 1 − ω of the mass, and the number
/// of its keys. `weights` sum to 1.
pub(super) fn widths(scores: &[f64], weights: &[f64], unit: f64, omegas: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let (mut held, mut ends) = (0.0, Vec::with_capacity(order.len()));
    for &j in &order {
        held += weights[j];
        ends.push(held);
    }
    let of = |omega: &f64| {
        // The sum of all may round below 1 − ω.
        let last = ends.iter().position(|held| *held >= 1.0 - omega).unwrap_or(order.len() - 1);
        let score = scores[order[last]];
        let keys = order.partition_point(|&j| scores[j] >= score);
        [(scores[order[0]] - score) / unit, keys as f64]
    };
    omegas.iter().flat_map(of).collect()
}

/// Says what the series of the shown cell has, in words, a table and figures.
pub(super) fn conclude(asked: &Asked<Strip>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let own = &asked.own;
    let shown = |row: &Row| row.seed == asked.sizes.first_seed && row.delta == own.shown;
    let Some((cell, _)) = results.cell(shown) else { return Ok(()) };
    let series = results.series(cell, SERIES)?;
    let column = |at: usize| series.rows.iter().map(move |row| row[at]);
    let quantiles = |at: usize| {
        let mut values: Vec<f64> = column(at).collect();
        values.sort_by(f64::total_cmp);
        // The least value that this share of the rows does not exceed.
        [0.5, 0.9, 1.0].map(|share| values[((share * values.len() as f64).ceil() as usize).max(1) - 1])
    };
    let line = |(k, omega): (usize, &f64)| {
        let [widths, keys] = [0, 1].map(|of| quantiles(BEFORE + 2 * k + of));
        let (widths, keys) = (widths.map(|width| format!("{width:.4}")), keys.map(short));
        [vec![short(*omega)], widths.to_vec(), keys.to_vec()].concat()
    };
    report.table(
        &format!(
            "The least δ whose strip holds all but ω of softmax's mass at β = {}, and the number of its keys, over {} rows",
            own.beta,
            series.rows.len()
        ),
        "ω | δ: half of the rows | 90 % | all | keys: half of the rows | 90 % | all",
        own.omegas.iter().enumerate().map(line).collect(),
    );
    let unit = if own.form == StripForm::Score { "units of |x|²" } else { "units of |x|" };
    let of_delta = |of: fn(&Row) -> f64| {
        let mut all: Vec<f64> = own.deltas.clone();
        all.sort_by(f64::total_cmp);
        all.dedup();
        let rows = |delta: f64| results.rows.iter().filter(move |row| row.delta == delta);
        all.into_iter().map(move |delta| (delta, mean(rows(delta), of))).collect::<Vec<_>>()
    };
    let chart = Chart::new(
        "Softmax's mass in a strip",
        Coordinate::log(format!("δ ({unit})")),
        Coordinate::linear("share of the mass").within(0.0, 1.0),
    )
    .subtitle(format!("{}, β = {}", asked.sizes.shape(), own.beta))
    .line("mean", of_delta(|row| row.mass_mean))
    .line("least", of_delta(|row| row.mass_min));
    let caption = "The share of softmax's mass that the engine's strips hold, over δ.";
    report.chart("mass", caption, &chart, [960, 480])?;
    let mut chart = Chart::new(
        "Keys that a token needs, against its length",
        Coordinate::linear("length |x| of the token"),
        Coordinate::log("keys that hold 1 − ω of the mass"),
    )
    .subtitle(format!("{}, β = {}", asked.sizes.shape(), own.beta));
    for (k, omega) in own.omegas.iter().enumerate() {
        chart = chart.points(format!("ω = {omega}"), column(1).zip(column(BEFORE + 2 * k + 1))).radius(2.0);
    }
    let caption =
        "Long tokens have large scores, of which softmax takes the largest: the longer, the fewer keys count.";
    report.chart("keys-by-length", caption, &chart, [960, 480])?;
    let most = largest(&results.rows, |row| if shown(row) { row.mass_min } else { 0.0 });
    report.text(format!(
        "At δ = {} every strip that was examined holds at least {:.1} % of softmax's mass.",
        own.shown,
        100.0 * most
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: weights 1/2, 1/4, 1/8, 1/8 at scores 3, 2, 0, 0.
    #[test]
    fn widths_are_the_least() {
        let found = widths(&[0.0, 3.0, 2.0, 0.0], &[0.125, 0.5, 0.25, 0.125], 2.0, &[0.5, 0.25, 0.2, 0.001]);
        assert_eq!(found, [0.0, 1.0, 0.5, 2.0, 1.5, 4.0, 1.5, 4.0]);
    }
}
