//! Figures of the study.

use super::{Cells, GAMMA, NEAR, Row, START};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels, Player, Size};
use crate::study::{Asked, Report, Results};

pub(super) fn figures(asked: &Asked<Cells>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let rows = &results.rows;
    let cell = |case: &str, b: &str| rows.iter().position(|row| row.case == case && row.b == b && row.seed == 1);
    let small = asked.sizes.tokens <= 3000;
    if small && asked.sizes.dim == 2 {
        let mut charts = Vec::new();
        for b in ["identity", "stretched"] {
            if let Some(cell) = cell("constant", b) {
                charts.push(lines(asked, results, cell, b)?);
            }
        }
        let columns = charts.len();
        let subtitle = format!("γ = {}, seed 1; a colour a cell, vertices in black", asked.own.gamma);
        let sheet =
            Panels { title: "Straight lines to the vertex that owns the cell".into(), subtitle, charts, columns };
        report.figure(
            "lines",
            "Left: B = I, Voronoi cells of the vertices. Right: Voronoi cells in the norm of B.",
            sheet.draw(Size { width: 1160, height: 620 })?,
        );
    }
    let mut chart = Chart::new(
        "Distance to the vertex",
        Coordinate::whole("step t").within(0.0, 120.0),
        Coordinate::log("|x − v| (dimensionless)").within(1e-17, 2.0),
    )
    .subtitle(format!("d = {}, seed 1; lines end at rounding", asked.sizes.dim));
    for (k, (case, theory)) in [
        ("constant", format!("γ = {}", asked.own.gamma)),
        ("growing", format!("γ(t) = 1 − exp(−{}(t+1))", asked.own.rate)),
    ]
    .into_iter()
    .enumerate()
    {
        let Some(cell) = cell(case, "identity") else { continue };
        let series = results.series(cell, "distance")?;
        let paths = series
            .rows
            .chunk_by(|a, b| a[0] == b[0])
            .map(|path| path.iter().filter(|row| row[2] > 0.0).map(|row| (row[1], row[2])).collect());
        chart = chart.lines(theory, paths.take(20).collect()).colour(k).opacity(0.6);
        let mut left = 1.6;
        let exact = (0..120u64).map(|t| {
            let at = (t as f64, left);
            left *= 1.0 - asked.own.gamma(case == "growing", t);
            at
        });
        chart = chart
            .dashed(if k == 0 { "exact solution" } else { "" }, exact.filter(|(_, y)| *y > 1e-17).collect::<Vec<_>>())
            .colour(k);
    }
    report.figure(
        "distance",
        "A straight line for constant γ, a parabola where γ tends to 1: super-exponential.",
        chart.draw(Size { width: 960, height: 560 })?,
    );

    let mut chart = Chart::new(
        "A token inside a corner under attention at β",
        Coordinate::whole("step t").within(0.0, 120.0),
        Coordinate::log("distance from the corner (dimensionless)"),
    )
    .subtitle(format!("regular {}-gon, γ = {GAMMA}, start {START} from the corner", asked.own.corners));
    for (cell, row) in rows.iter().enumerate().filter(|(_, row)| row.case == "attention") {
        let series = results.series(cell, "distance")?;
        let path: Vec<(f64, f64)> =
            series.rows.iter().map(|row| (row[0], row[1])).filter(|(t, y)| *t <= 120.0 && *y > 0.0).collect();
        chart = chart.line(format!("β = {}", row.beta.unwrap_or(0.0)), path);
    }
    report.figure(
        "attention",
        "Above the dashed line the token has not come to its corner. At small β it never does.",
        chart.level(format!("within {NEAR}"), NEAR).draw(Size { width: 960, height: 560 })?,
    );

    let chains = || rows.iter().filter(|row| row.case == "chain");
    let points = chains().filter_map(|row| {
        let (beta, time, error) = (row.beta?, row.time?, row.standard_error?);
        Some([beta, time, (time - 2.0 * error).max(0.5), time + 2.0 * error])
    });
    let exact = chains().filter_map(|row| Some((row.beta?, row.expected?)));
    let chart = Chart::new(
        "First exit of the Markov chain",
        Coordinate::linear("β (dimensionless)"),
        Coordinate::log("mean time of the first exit (steps)"),
    )
    .subtitle(format!("regular {}-gon, {} runs each, bars: two standard errors", asked.own.corners, asked.own.runs))
    .intervals("measured", points.collect())
    .dashed("exact", exact)
    .ink();
    report.figure(
        "exits",
        "Metastability: the time at the corners grows exponentially in β.",
        chart.draw(Size { width: 860, height: 520 })?,
    );
    if small && let Some(cell) = cell("constant", "identity") {
        let caption = format!("Frank–Wolfe with γ = {}, B = I, seed 1.", asked.own.gamma);
        report.player("trajectory", &caption, Player::new(&results.frames(cell)?)?);
    }
    Ok(())
}

/// Trajectories in the plane, a colour a cell.
fn lines(asked: &Asked<Cells>, results: &Results<Row>, cell: usize, b: &str) -> Result<Chart> {
    let frames = results.frames(cell)?;
    let owners = results.series(cell, "owners")?.column("vertex")?;
    let axis = |name: &str| Coordinate::linear(format!("{name} (dimensionless)"));
    let mut chart =
        Chart::new(if b == "identity" { "B = I" } else { "B = diag(1, 2)" }, axis("x₁"), axis("x₂")).equal_units();
    let (_, start) = &frames[0];
    for v in 0..asked.own.vertices {
        let of: Vec<usize> = (asked.own.vertices..start.n()).filter(|&i| owners[i] == v as f64).take(60).collect();
        let path = |i: usize| frames.iter().map(|(_, tokens)| (tokens.get(i, 0), tokens.get(i, 1))).collect();
        chart = chart.lines("", of.iter().map(|&i| path(i)).collect()).colour(v).opacity(0.5);
        chart = chart.points("", of.iter().map(|&i| (start.get(i, 0), start.get(i, 1)))).colour(v).radius(1.6);
    }
    Ok(chart.points("vertices", (0..asked.own.vertices).map(|k| (start.get(k, 0), start.get(k, 1)))).ink().radius(4.0))
}
