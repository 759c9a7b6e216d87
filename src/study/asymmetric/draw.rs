//! Figures of the study.

use super::{Asymmetric, Row};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels, Player};
use crate::study::drawing::{outline, path, plane, spots};
use crate::study::{Asked, Report, Results};

pub(super) fn figures(asked: &Asked<Asymmetric>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    if asked.sizes.dim == 2 {
        let caption =
            "The same cloud under each A. W turns: the more of it, the fewer vertices of the first hull can stay.";
        report.panels("ways", caption, &ways(asked, results)?, 1320, [60, 420])?;
    }
    report.panels("asymmetry", "0 is symmetric, 1 is skew.", &over_asymmetry(asked, &results.rows), 1200, [0, 430])?;
    for (family, name) in [("identity", "trajectory"), ("query-key", "trajectory-query-key")] {
        if let Some((cell, _)) = results.cell(|row| row.family == family && row.seed == asked.sizes.first_seed) {
            let caption = format!("A: {family}, α = {}, δ = {}, first seed.", asked.own.alpha, asked.own.delta);
            report.player(name, &caption, Player::new(&results.frames(cell)?)?);
        }
    }
    Ok(())
}

/// The ways of one cloud's tokens under each A.
fn ways(asked: &Asked<Asymmetric>, results: &Results<Row>) -> Result<Panels> {
    let mut charts = Vec::new();
    for (cell, row) in results.cells(|row| row.seed == asked.sizes.first_seed) {
        let frames = results.frames(cell)?;
        let (first, last) = (&frames[0].1, &frames[frames.len() - 1].1);
        let rests = if row.settled { "at rest" } else { "moving" };
        let places = if row.places == 1 { "place" } else { "places" };
        let title = format!("A: {}: {} {places}, {rests}", row.family, row.places);
        charts.push(
            plane(title, Some(first.largest_magnitude() * 1.08))
                .region("last hull", outline(last))
                .colour(4)
                .lines("ways", (0..first.n()).map(|i| path(&frames, i).collect()).collect())
                .grey()
                .opacity(0.35)
                .points("end", spots(last))
                .colour(1)
                .radius(3.6),
        );
    }
    let subtitle = format!(
        "{} cloud, n = {}, first seed; α = {}, δ = {}, {} form",
        asked.own.cloud, asked.sizes.tokens, asked.own.alpha, asked.own.delta, asked.own.form
    );
    Ok(Panels { title: "Where tokens go under each A".into(), subtitle, charts, columns: 3 })
}

/// A number of a row.
type Value = fn(&Row) -> f64;

/// The last K over how asymmetric A is.
fn over_asymmetry(asked: &Asked<Asymmetric>, rows: &[Row]) -> Panels {
    let axis = || Coordinate::linear("asymmetry |A − Aᵀ|/(2|A|)").within(-0.04, 1.04);
    let panels: [(&str, Coordinate, Value); 4] = [
        ("Width of K left", Coordinate::linear("mean width, last / first"), |row| row.width_kept),
        ("Vertices of K", Coordinate::whole("vertices at the end"), |row| row.vertices as f64),
        ("Steps to rest", Coordinate::log("steps"), |row| row.steps.max(1) as f64),
        ("First vertices that are their own maximisers", Coordinate::linear("share of vertices (%)"), |row| {
            100.0 * row.own_cell
        }),
    ];
    let mut charts = Vec::new();
    for (title, y, value) in panels {
        let mut chart = Chart::new(title, axis(), y);
        for (k, family) in asked.own.families.iter().enumerate() {
            let of = rows.iter().filter(|row| row.family == *family);
            chart = chart.points(family, of.map(|row| (row.asymmetry, value(row)))).colour(k);
        }
        let others = rows.iter().filter(|row| !asked.own.families.contains(&row.family));
        chart = chart.points("I + κW", others.map(|row| (row.asymmetry, value(row)))).colour(4);
        charts.push(chart);
    }
    let subtitle = format!("Every point is a cloud; {}, at most {} steps", asked.sizes.shape(), asked.sizes.steps);
    Panels { title: "The last hull K, by how asymmetric A is".into(), subtitle, charts, columns: 2 }
}
