//! Figures of the study.

use super::{Cells, GAMMA, NEAR, Row, START};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels, Player};
use crate::study::drawing::{path, plane, spot};
use crate::study::{Asked, Report, Results};

/// Steps that charts of distances show.
const SHOWN: u64 = 120;

pub(super) fn figures(asked: &Asked<Cells>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let small = asked.sizes.tokens <= 3000;
    if small && asked.sizes.dim == 2 {
        let caption = "Left: B = I, Voronoi cells of the vertices. Right: Voronoi cells in the norm of B.";
        report.panels("lines", caption, &straight_lines(asked, results)?, 1160, [620, 0])?;
    }
    let caption = "A straight line for constant γ, a parabola where γ tends to 1: super-exponential.";
    report.chart("distance", caption, &distances(asked, results)?, [960, 560])?;
    let caption = "Above the dashed line the token has not come to its corner. At small β it never does.";
    report.chart("attention", caption, &attention(asked, results)?, [960, 560])?;
    let caption = "Metastability: the time at the corners grows exponentially in β.";
    report.chart("exits", caption, &exits(asked, &results.rows), [860, 520])?;
    if small && let Some(cell) = first(results, "constant", "identity") {
        let caption = format!("Frank–Wolfe with γ = {}, B = I, first seed.", asked.own.gamma);
        report.player("trajectory", &caption, Player::new(&results.frames(cell)?)?);
    }
    Ok(())
}

fn first(results: &Results<Row>, case: &str, b: &str) -> Option<usize> {
    results.cell(|row| row.case == case && row.b == b).map(|(cell, _)| cell)
}

/// Trajectories in the plane, a colour for each cell.
fn straight_lines(asked: &Asked<Cells>, results: &Results<Row>) -> Result<Panels> {
    let vertices = asked.own.vertices;
    let mut charts = Vec::new();
    for (b, title) in [("identity", "B = I"), ("stretched", "B = diag(1, 2)")] {
        let Some(cell) = first(results, "constant", b) else { continue };
        let frames = results.frames(cell)?;
        let owners = results.series(cell, "owners")?.column("vertex")?;
        let mut chart = plane(title, None);
        let (_, start) = &frames[0];
        for v in 0..vertices {
            let of: Vec<usize> = (vertices..start.n()).filter(|&i| owners[i] == v as f64).take(60).collect();
            let paths = of.iter().map(|&i| path(&frames, i).collect()).collect();
            chart = chart.lines("", paths).colour(v).opacity(0.5);
            chart = chart.points("", of.iter().map(|&i| spot(start, i))).colour(v).radius(1.6);
        }
        charts.push(chart.points("vertices", (0..vertices).map(|k| spot(start, k))).ink().radius(4.0));
    }
    let columns = charts.len();
    let subtitle = format!("γ = {}, first seed; a colour for each cell, vertices in black", asked.own.gamma);
    Ok(Panels { title: "Straight lines to the vertex that owns the cell".into(), subtitle, charts, columns })
}

/// Distances to the vertex over time, beside the exact solution.
fn distances(asked: &Asked<Cells>, results: &Results<Row>) -> Result<Chart> {
    let mut chart = Chart::new(
        "Distance to the vertex",
        Coordinate::whole("step t").within(0.0, SHOWN as f64),
        Coordinate::log("|x − v|").within(1e-17, 2.0),
    )
    .subtitle(format!("d = {}, first seed; lines end at rounding", asked.sizes.dim));
    let names = [
        ("constant", format!("γ = {}", asked.own.gamma)),
        ("growing", format!("γ(t) = 1 − exp(−{}(t+1))", asked.own.rate)),
    ];
    for (k, (case, name)) in names.into_iter().enumerate() {
        let Some(cell) = first(results, case, "identity") else { continue };
        let series = results.series(cell, "distance")?;
        let paths = series
            .rows
            .chunk_by(|a, b| a[0] == b[0])
            .map(|path| path.iter().filter(|row| row[2] > 0.0).map(|row| (row[1], row[2])).collect());
        chart = chart.lines(name, paths.take(20).collect()).colour(k).opacity(0.6);
        let mut left = 1.6;
        let exact = (0..SHOWN).map(|t| {
            let at = (t as f64, left);
            left *= 1.0 - asked.own.gamma(case == "growing", t);
            at
        });
        let exact: Vec<(f64, f64)> = exact.filter(|(_, y)| *y > 1e-17).collect();
        chart = chart.dashed(if k == 0 { "exact solution" } else { "" }, exact).colour(k);
    }
    Ok(chart)
}

/// The distance of a token from its corner under attention.
fn attention(asked: &Asked<Cells>, results: &Results<Row>) -> Result<Chart> {
    let mut chart = Chart::new(
        "A token inside a corner under attention at β",
        Coordinate::whole("step t").within(0.0, SHOWN as f64),
        Coordinate::log("distance from the corner"),
    )
    .subtitle(format!("regular {}-gon, γ = {GAMMA}, start {START} from the corner", asked.own.corners));
    for (cell, row) in results.cells(|row| row.case == "attention") {
        let series = results.series(cell, "distance")?;
        let path = series.rows.iter().map(|row| (row[0], row[1])).filter(|(t, y)| *t <= SHOWN as f64 && *y > 0.0);
        chart = chart.line(format!("β = {}", row.beta.unwrap_or(0.0)), path);
    }
    Ok(chart.level(format!("within {NEAR}"), NEAR))
}

/// The mean time of the first exit over β.
fn exits(asked: &Asked<Cells>, rows: &[Row]) -> Chart {
    let chains = || rows.iter().filter(|row| row.case == "chain");
    let points = chains().filter_map(|row| {
        let (beta, time, error) = (row.beta?, row.time?, row.standard_error?);
        Some([beta, time, (time - 2.0 * error).max(0.5), time + 2.0 * error])
    });
    let exact = chains().filter_map(|row| Some((row.beta?, row.expected?)));
    Chart::new(
        "First exit of the Markov chain",
        Coordinate::linear("β"),
        Coordinate::log("mean time of the first exit (steps)"),
    )
    .subtitle(format!("regular {}-gon, {} runs each, bars: two standard errors", asked.own.corners, asked.own.runs))
    .intervals("measured", points.collect())
    .dashed("exact", exact)
    .ink()
}
