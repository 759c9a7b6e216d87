//! Figures of the study.

use super::{Quiescent, RATE_ERROR, Row};
use crate::error::Result;
use crate::observe::contraction;
use crate::plot::{Chart, Coordinate, Panels, Player, Size};
use crate::study::{Asked, Report, Results};

/// Steps of the distances that are shown at most.
const SHOWN: f64 = 160.0;

pub(super) fn figures(asked: &Asked<Quiescent>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let form = &asked.own.forms[0];
    let cell = |alpha: f64| {
        let wanted = |row: &Row| row.seed == 1 && row.form == *form && row.alpha == alpha && row.closed_groups > 0;
        results.rows.iter().position(wanted)
    };
    distances(asked, results, &cell, report)?;
    errors(asked, results, report)?;
    who_stays(asked, results, &cell, report)?;
    constructed(results, report)?;
    if let Some(cell) = asked.own.alphas.iter().find_map(|&alpha| cell(alpha)) {
        let row = &results.rows[cell];
        let caption = format!("Tokens around corners, {form} strip, δ = {}, α = {}, seed 1.", row.delta, row.alpha);
        report.player("trajectory", &caption, Player::new(&results.frames(cell)?)?);
    }
    Ok(())
}

/// Log distance against time, beside the slope of the theory.
fn distances(
    asked: &Asked<Quiescent>,
    results: &Results<Row>,
    cell: &impl Fn(f64) -> Option<usize>,
    report: &mut Report,
) -> Result<()> {
    let form = &asked.own.forms[0];
    let mut curves = Vec::new();
    for (k, &alpha) in asked.own.alphas.iter().enumerate() {
        let Some(cell) = cell(alpha) else { continue };
        let series = results.series(cell, "distance")?;
        let paths: Vec<Vec<(f64, f64)>> = series
            .rows
            .chunk_by(|a, b| a[1] == b[1])
            .map(|path| path.iter().map(|row| (row[0], row[2])).take_while(|(_, y)| *y > 0.0).collect())
            .collect();
        curves.push((k, alpha, cell, paths));
    }
    let last =
        curves.iter().flat_map(|(.., paths)| paths).filter_map(|path| path.last()).map(|(t, _)| *t).fold(1.0, f64::max);
    let last = last.min(SHOWN);
    let mut chart = Chart::new(
        "Distance to the vertex in quiescent sets",
        Coordinate::whole("step t").within(0.0, last),
        Coordinate::log("|xᵢ − v| (dimensionless)").within(1e-17, 1.0),
    )
    .subtitle(format!("{form} strip, δ = {}, n = {}, d = {}, seed 1", asked.own.delta, asked.sizes.tokens, asked.sizes.dim))
    .foot("Dashed: slope −ln(1+α), from the step at which all groups are closed. Lines end where a token is at the vertex to the last bit.");
    for (k, alpha, cell, paths) in curves {
        let from = results.rows[cell].closed_from as f64;
        let start = paths.iter().flatten().filter(|(t, _)| *t == from).map(|(_, y)| *y).fold(0.0, f64::max);
        chart = chart.lines(format!("α = {alpha}"), paths).colour(k).opacity(0.7);
        if start > 0.0 {
            let theory = (0u32..).map(|t| (from + f64::from(t), 1.6 * start * contraction(alpha).powf(f64::from(t))));
            chart = chart.dashed("", theory.take_while(|(t, y)| *t <= last && *y > 1e-16)).colour(k);
        }
    }
    let caption = "Straight lines on a logarithmic axis: a geometric rate, which theory puts at 1/(1+α).";
    report.figure("distance", caption, chart.draw(Size { width: 960, height: 640 })?);
    Ok(())
}

/// How far the fitted rates are off.
fn errors(asked: &Asked<Quiescent>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let mut chart = Chart::new(
        "The worst fitted rate of each cloud",
        Coordinate::log("α (dimensionless)"),
        Coordinate::log("|rate − 1/(1+α)| (per step)"),
    )
    .subtitle(format!("{} clouds for each α and strip form", asked.sizes.seeds));
    for (k, form) in asked.own.forms.iter().enumerate() {
        let of = results.rows.iter().filter(|row| row.seed > 0 && row.form == *form);
        // The forms side by side.
        let aside = 1.03f64.powi(k as i32);
        chart = chart.points(format!("{form} strip"), of.filter_map(|row| Some((row.alpha * aside, row.worst?))));
    }
    let chart = chart.level(format!("stated error {RATE_ERROR:.0e}"), RATE_ERROR);
    report.figure(
        "rates",
        "Every point is the token farthest from theory in a cloud.",
        chart.draw(Size { width: 860, height: 520 })?,
    );
    Ok(())
}

/// Who stays, by where it began.
fn who_stays(
    asked: &Asked<Quiescent>,
    results: &Results<Row>,
    cell: &impl Fn(f64) -> Option<usize>,
    report: &mut Report,
) -> Result<()> {
    const BINS: usize = 40;
    const FAR: f64 = 8.0;
    let mut charts = Vec::new();
    for &alpha in &asked.own.alphas {
        let Some(cell) = cell(alpha) else { continue };
        let series = results.series(cell, "starts")?;
        let of = |stays: f64| -> Vec<f64> {
            series.rows.iter().filter(|row| row[1] == stays && row[0] <= FAR).map(|row| row[0]).collect()
        };
        let chart = Chart::new(
            format!("α = {alpha}"),
            Coordinate::linear("start: |xᵢ(0) − v| / ε(v)").within(0.0, FAR),
            Coordinate::whole("tokens"),
        );
        let chart = chart.histogram("ends at that vertex", &of(1.0), BINS).histogram("ends elsewhere", &of(0.0), BINS);
        charts.push(chart.upright("ε(v) = s(v)/(2+2α)", 1.0));
    }
    if charts.is_empty() {
        return Ok(());
    }
    let columns = if charts.len() > 1 { 2 } else { 1 };
    let rows = charts.len().div_ceil(columns) as u32;
    let panels = Panels {
        title: "Who stays near a vertex, by where it began".into(),
        subtitle: format!("{} strip, seed 1; v is the vertex whose ball is nearest", asked.own.forms[0]),
        charts,
        columns,
    };
    let caption = "Left of the dashed line a token begins inside the quiescent set. The bound is sufficient, not necessary: many stay from \
                   farther away.";
    report.figure("who-stays", caption, panels.draw(Size { width: 1080, height: 60 + 330 * rows })?);
    Ok(())
}

/// The constructed case under each form, near its vertex.
fn constructed(results: &Results<Row>, report: &mut Report) -> Result<()> {
    let mut charts = Vec::new();
    for (cell, row) in
        results.rows.iter().enumerate().filter(|(_, row)| row.case == "constructed" && row.closed_groups > 0)
    {
        let frames = results.frames(cell)?;
        let path = |i: usize| frames.iter().map(move |(_, tokens)| (tokens.get(i, 0), tokens.get(i, 1)));
        let mut chart = Chart::new(
            format!("{} strip: {} lost", row.form, row.lost),
            Coordinate::linear("x₁ (dimensionless)"),
            Coordinate::linear("x₂ (dimensionless)"),
        )
        .equal_units();
        let names = ["v = (10, 0)", "p = (9.89, 8)", "y = (9.89, 0.3)"];
        for (i, name) in names.into_iter().enumerate() {
            chart = chart.line(name, path(i)).colour(i);
        }
        chart = chart.points("start", (0..3).filter_map(|i| path(i).next())).ink().radius(2.2);
        let around = |x: f64, y: f64, radius: f64| -> Vec<(f64, f64)> {
            let at = |k: u32| f64::from(k) / 72.0 * std::f64::consts::TAU;
            (0..72).map(|k| (x + radius * at(k).cos(), y + radius * at(k).sin())).collect()
        };
        for v in results.series(cell, "vertices")?.rows.iter().filter(|v| v[0] > 0.0) {
            chart = chart.region("published: δ/(2+2α)", around(v[0], v[1], v[3])).colour(5);
            chart = chart.region("s(v)/(2+2α)", around(v[0], v[1], v[2])).colour(4).opacity(0.6);
        }
        charts.push(chart);
    }
    if charts.is_empty() {
        return Ok(());
    }
    let columns = charts.len();
    let panels = Panels {
        title: "A constructed case: the published radius in the score form".into(),
        subtitle: "α = 1/2, δ = 1, |v| = 10 > 2 + 2α = 3; 100 tokens at p; two more lie far to the left".into(),
        charts,
        columns,
    };
    let caption = "In the score form y begins within δ/(2+2α) of the vertex v and goes to p. In the width form v itself moves, and tokens that \
                   come within the radius of a vertex of the limit stay.";
    report.figure("constructed", caption, panels.draw(Size { width: 1080, height: 560 })?);
    Ok(())
}
