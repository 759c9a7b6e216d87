//! Figures of the study.

use super::{Quiescent, RATE_ERROR, Row};
use crate::error::Result;
use crate::observe::contraction;
use crate::plot::{Chart, Coordinate, Panels, Player};
use crate::study::{Asked, Report, Results};

/// Most steps of the distances that are shown.
const SHOWN: f64 = 160.0;

pub(super) fn figures(asked: &Asked<Quiescent>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let caption = "Straight lines on a logarithmic axis: a geometric rate, which theory puts at 1/(1+α).";
    report.chart("distance", caption, &distances(asked, results)?, [960, 640])?;
    let caption = "Every point is the token farthest from theory in a cloud.";
    report.chart("rates", caption, &errors(asked, results), [860, 520])?;
    let caption = "Left of the dashed line a token begins inside the quiescent set. The bound is sufficient, not \
                   necessary: many stay from farther away.";
    report.panels("who-stays", caption, &who_stays(asked, results)?, 1080, [60, 330])?;
    let caption = "In the score form y begins within δ/(2+2α) of the vertex v and goes to p. In the width form v \
                   itself moves, and tokens that come within the radius of a vertex of the limit stay.";
    report.panels("constructed", caption, &constructed(results)?, 1180, [420, 0])?;
    if let Some((cell, row)) = asked.own.alphas.iter().find_map(|&alpha| shown(asked, results, alpha)) {
        let caption =
            format!("Tokens around corners, {} strip, δ = {}, α = {}, first seed.", row.form, row.delta, row.alpha);
        report.player("trajectory", &caption, Player::new(&results.frames(cell)?)?);
    }
    Ok(())
}

/// The pictured cell of an α.
fn shown<'a>(asked: &Asked<Quiescent>, results: &'a Results<Row>, alpha: f64) -> Option<(usize, &'a Row)> {
    let form = asked.own.forms[0];
    let wanted = |row: &Row| {
        row.seed == asked.sizes.first_seed && row.form == form && row.alpha == alpha && row.closed_groups > 0
    };
    results.cell(wanted)
}

/// Log distance against time, beside the slope of the theory.
fn distances(asked: &Asked<Quiescent>, results: &Results<Row>) -> Result<Chart> {
    let mut curves = Vec::new();
    for (k, &alpha) in asked.own.alphas.iter().enumerate() {
        let Some((cell, row)) = shown(asked, results, alpha) else { continue };
        let series = results.series(cell, "distance")?;
        let paths: Vec<Vec<(f64, f64)>> = series
            .rows
            .chunk_by(|a, b| a[1] == b[1])
            .map(|path| path.iter().map(|row| (row[0], row[2])).take_while(|(_, y)| *y > 0.0).collect())
            .collect();
        curves.push((k, alpha, row.closed_from as f64, paths));
    }
    let last =
        curves.iter().flat_map(|(.., paths)| paths).filter_map(|path| path.last()).map(|(t, _)| *t).fold(1.0, f64::max);
    let last = last.min(SHOWN);
    let mut chart = Chart::new(
        "Distance to the vertex in quiescent sets",
        Coordinate::whole("step t").within(0.0, last),
        Coordinate::log("|xᵢ − v|").within(1e-17, 1.0),
    )
    .subtitle(format!("{} strip, δ = {}, {}, first seed", asked.own.forms[0], asked.own.delta, asked.sizes.shape()))
    .foot(
        "Dashed: slope −ln(1+α), from the step at which all groups are closed. Lines end where a token is at the \
           vertex to the last bit.",
    );
    for (k, alpha, from, paths) in curves {
        let start = paths.iter().flatten().filter(|(t, _)| *t == from).map(|(_, y)| *y).fold(0.0, f64::max);
        chart = chart.lines(format!("α = {alpha}"), paths).colour(k).opacity(0.7);
        if start > 0.0 {
            let theory = (0u32..).map(|t| (from + f64::from(t), 1.6 * start * contraction(alpha).powf(f64::from(t))));
            chart = chart.dashed("", theory.take_while(|(t, y)| *t <= last && *y > 1e-16)).colour(k);
        }
    }
    Ok(chart)
}

/// The errors of the fitted rates.
fn errors(asked: &Asked<Quiescent>, results: &Results<Row>) -> Chart {
    let mut chart = Chart::new(
        "The worst fitted rate of each cloud",
        Coordinate::log("α"),
        Coordinate::log("|rate − 1/(1+α)| (per step)"),
    )
    .subtitle(format!("{} for each α and strip form", asked.sizes.clouds()));
    for (k, form) in asked.own.forms.iter().enumerate() {
        let of = results.rows.iter().filter(|row| row.seed > 0 && row.form == *form);
        // The forms side by side.
        let aside = 1.03f64.powi(k as i32);
        chart = chart.points(format!("{form} strip"), of.filter_map(|row| Some((row.alpha * aside, row.worst?))));
    }
    chart.level(format!("allowed error {RATE_ERROR:.0e}"), RATE_ERROR)
}

/// The starts of tokens that stay near a vertex, and of those that do not.
fn who_stays(asked: &Asked<Quiescent>, results: &Results<Row>) -> Result<Panels> {
    const BINS: usize = 40;
    const FAR: f64 = 8.0;
    let mut charts = Vec::new();
    for &alpha in &asked.own.alphas {
        let Some((cell, _)) = shown(asked, results, alpha) else { continue };
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
    let title = "Tokens that stay near a vertex, by where they began".into();
    let subtitle = format!("{} strip, first seed; v is the vertex whose ball is nearest", asked.own.forms[0]);
    Ok(Panels { title, subtitle, charts, columns: 2 })
}

/// The constructed case under each form: the heights of its tokens over time.
fn constructed(results: &Results<Row>) -> Result<Panels> {
    let mut charts = Vec::new();
    for (cell, row) in results.cells(|row| row.case == "constructed" && row.closed_groups > 0) {
        let frames = results.frames(cell)?;
        let heights = |i: usize| frames.iter().map(move |(t, tokens)| (*t as f64, tokens.get(i, 1)));
        let title = format!("{} strip: {} lost", row.form, row.lost);
        let mut chart = Chart::new(title, Coordinate::whole("step t"), Coordinate::linear("x₂"));
        // Where v goes as y does, the points show below the line.
        chart = chart.points("v = (10, 0)", heights(0)).colour(1).radius(5.0);
        chart = chart.line("p = (9.89, 8)", heights(1)).colour(2).line("y = (9.89, 0.3)", heights(2)).colour(0);
        let last = frames.last().map_or(0.0, |(t, _)| *t as f64);
        for v in results.series(cell, "vertices")?.rows.iter().filter(|v| v[0] > 0.0) {
            let around = |radius: f64| [0.0, last].map(|t| [t, v[1] - radius, v[1] + radius]).to_vec();
            chart = chart.band("published: within δ/(2+2α) of a vertex", around(v[3])).colour(5).opacity(0.5);
            chart = chart.band("within s(v)/(2+2α)", around(v[2])).colour(3).opacity(0.6);
        }
        charts.push(chart);
    }
    let title = "A constructed case: the published radius in the score form".into();
    let subtitle = "α = 1/2, δ = 1, |v| = 10 > 2 + 2α = 3; 100 tokens at p; two more lie far to the left".into();
    let columns = charts.len();
    Ok(Panels { title, subtitle, charts, columns })
}
