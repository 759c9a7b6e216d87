//! Figures of the study.

use super::{Asymmetric, Row};
use crate::error::Result;
use crate::observe::{Hull, Points};
use crate::plot::{Chart, Coordinate, Panels, Player, Size};
use crate::study::{Asked, Report, Results, common};

pub(super) fn figures(asked: &Asked<Asymmetric>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    ways(asked, results, report)?;
    over_asymmetry(asked, &results.rows, report)?;
    for (family, name) in [("identity", "trajectory"), ("query-key", "trajectory-query-key")] {
        if let Some(cell) = results.rows.iter().position(|row| row.family == family && row.seed == 1) {
            let caption = format!("A: {family}, α = {}, δ = {}, seed 1.", asked.own.alpha, asked.own.delta);
            report.player(name, &caption, Player::new(&results.frames(cell)?)?);
        }
    }
    Ok(())
}

/// The ways of one cloud's tokens under each A.
fn ways(asked: &Asked<Asymmetric>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    if asked.sizes.dim != 2 {
        return Ok(());
    }
    let mut charts = Vec::new();
    for (cell, row) in results.rows.iter().enumerate().filter(|(_, row)| row.seed == 1) {
        let frames = results.frames(cell)?;
        let (Some((_, first)), Some((_, last))) = (frames.first(), frames.last()) else { continue };
        let reach = first.largest_magnitude() * 1.08;
        let axis = |name: &str| Coordinate::linear(format!("{name} (dimensionless)")).within(-reach, reach);
        let way = |i: usize| frames.iter().map(move |(_, x)| (x.get(i, 0), x.get(i, 1))).collect();
        let points = Points::of(last);
        let rests = if row.settled { "at rest" } else { "moving" };
        let places = if row.places == 1 { "place" } else { "places" };
        let title = format!("A: {}: {} {places}, {rests}", row.family, row.places);
        charts.push(
            Chart::new(title, axis("x₁"), axis("x₂"))
                .equal_units()
                .region("last hull", common::outline(&Hull::of(&points).points(&points)))
                .colour(4)
                .lines("ways", (0..first.n()).map(way).collect())
                .grey()
                .opacity(0.35)
                .points("end", (0..last.n()).map(|i| (last.get(i, 0), last.get(i, 1))))
                .colour(1)
                .radius(3.6),
        );
    }
    let columns = charts.len().min(3);
    let lines = charts.len().div_ceil(3) as u32;
    let subtitle = format!(
        "{} cloud, n = {}, seed 1; α = {}, δ = {}, {} form",
        asked.own.cloud, asked.sizes.tokens, asked.own.alpha, asked.own.delta, asked.own.form
    );
    let panels = Panels { title: "Where tokens go under each A".into(), subtitle, charts, columns };
    let caption =
        "The same cloud under each A. W turns: the more of it, the fewer vertices of the first hull can stay.";
    report.figure("ways", caption, panels.draw(Size { width: 1320, height: 60 + 420 * lines })?);
    Ok(())
}

/// A number of a row.
type Value = fn(&Row) -> f64;

/// What becomes of K, over how asymmetric A is.
fn over_asymmetry(asked: &Asked<Asymmetric>, rows: &[Row], report: &mut Report) -> Result<()> {
    let axis = || Coordinate::linear("asymmetry |A − Aᵀ|/(2|A|) (dimensionless)").within(-0.04, 1.04);
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
    let panels = Panels {
        title: "What becomes of K, by how asymmetric A is".into(),
        subtitle: format!(
            "Every point is a cloud; n = {}, d = {}, at most {} steps",
            asked.sizes.tokens, asked.sizes.dim, asked.sizes.steps
        ),
        charts,
        columns: 2,
    };
    let caption = "0 is symmetric, 1 is skew.";
    report.figure("asymmetry", caption, panels.draw(Size { width: 1200, height: 860 })?);
    Ok(())
}
