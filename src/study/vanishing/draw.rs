//! Figures of the study.

use super::{ARTEFACT, NONE, Row, Sort, Vanishing};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels, Player};
use crate::schedule::Schedule;
use crate::study::drawing::{outline, plane, spot, spots};
use crate::study::{Asked, Report, Results};
use crate::tokens::Tokens;

pub(super) fn figures(asked: &Asked<Vanishing>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let gaps = survivors(asked, results, "gap", "alignment gap g", "Alignment gaps at the last step")?;
    let caption = "How many tokens have a larger gap: a curve at 0 has none. Gaps above the dashed line are limits \
                   that do not lie in S.";
    report.panels("gaps", caption, &gaps, 1180, [70, 340])?;
    let title = "Distance to the nearest vertex of the last hull";
    let distances = survivors(asked, results, "distance", "distance r to the nearest vertex", title)?;
    let caption = "How many tokens are farther away. Tokens far from every vertex are what a constant δ leaves \
                   behind, or lie in S between vertices.";
    report.panels("distances", caption, &distances, 1180, [70, 340])?;
    let caption =
        "Under a vanishing δ a gap stands as long as δ(t) holds a token between vertices, then falls geometrically.";
    report.panels("gap-over-time", caption, &over_time(asked, results)?, 1320, [70, 300])?;
    ends(asked, results, report)
}

/// The least gap or distance that is drawn.
const LEAST: f64 = 1e-18;

fn title(delta: &str) -> String {
    if delta == "0" { "δ = 0: hardmax".to_owned() } else { format!("δ(t) = {delta}") }
}

fn cells(results: &Results<Row>, cloud: &str, delta: &str) -> impl Iterator<Item = usize> {
    results.cells(move |row| row.cloud == cloud && row.delta == delta).map(|(cell, _)| cell)
}

/// The share of tokens above each value of a column of the last states, a panel for each kind of
/// cloud, a curve for each schedule.
fn survivors(
    asked: &Asked<Vanishing>,
    results: &Results<Row>,
    column: &str,
    label: &str,
    heading: &str,
) -> Result<Panels> {
    let (own, sizes) = (&asked.own, &asked.sizes);
    let mut charts = Vec::new();
    for cloud in &own.clouds {
        let x = Coordinate::log(label).within(LEAST, 10.0);
        let mut chart =
            Chart::new(format!("{cloud} clouds"), x, Coordinate::linear("tokens above (%)").within(-3.0, 103.0));
        for (k, delta) in own.deltas.list().iter().enumerate() {
            let mut values = Vec::new();
            for cell in cells(results, cloud, delta) {
                values.extend(results.series(cell, "ends")?.column(column)?);
            }
            values.sort_by(|a, b| b.total_cmp(a));
            let share = |above: usize| 100.0 * above as f64 / values.len().max(1) as f64;
            // A step down at each value, from right to left: up.
            let mut curve = vec![(10.0, 0.0)];
            for (above, value) in values.iter().enumerate().filter(|(_, value)| **value > LEAST) {
                curve.extend([(*value, share(above)), (*value, share(above + 1))]);
            }
            curve.push((LEAST, curve.last().map_or(0.0, |point| point.1)));
            // Curves that coincide lie side by side.
            let aside = 0.6 * k as f64;
            let curve = curve.into_iter().map(|(x, y)| (x, y + aside)).collect::<Vec<_>>();
            chart = chart.lines(title(delta), vec![curve]).colour(k);
        }
        charts.push(if column == "gap" { chart.upright(format!("artefact: {ARTEFACT}"), ARTEFACT) } else { chart });
    }
    let subtitle = format!(
        "{}, {} of each kind, at most {} steps; each curve 0.6 % above the one before, so that all are seen",
        sizes.shape(),
        sizes.clouds(),
        sizes.steps
    );
    Ok(Panels { title: heading.into(), subtitle, charts, columns: 2 })
}

/// The largest gap of each cloud over time.
fn over_time(asked: &Asked<Vanishing>, results: &Results<Row>) -> Result<Panels> {
    let cloud = &asked.own.clouds[0];
    let mut charts = Vec::new();
    for delta in asked.own.deltas.list() {
        let (mut gaps, mut width) = (Vec::new(), Vec::new());
        for cell in cells(results, cloud, delta) {
            let way = results.series(cell, "way")?;
            let from_one = |column: usize| -> Vec<(f64, f64)> {
                way.rows.iter().map(|row| (row[0] + 1.0, row[column].max(LEAST))).collect()
            };
            gaps.push(from_one(2));
            let longer = from_one(1);
            if longer.len() > width.len() {
                width = longer;
            }
        }
        let x = Coordinate::log("step t + 1").within(1.0, asked.sizes.steps.max(2) as f64 * 1.5);
        let chart = Chart::new(title(delta), x, Coordinate::log("largest gap").within(LEAST, 10.0));
        charts.push(chart.lines("largest gap of a cloud", gaps).colour(0).opacity(0.7).dashed("δ(t)", width).colour(1));
    }
    let subtitle = format!("{cloud} clouds; a line for each cloud, to where it stops; 0 is drawn at the lower end");
    Ok(Panels { title: "The largest alignment gap over time".into(), subtitle, charts, columns: 3 })
}

/// Draws where tokens end, under the first constant and the first vanishing schedule.
fn ends(asked: &Asked<Vanishing>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let cloud = &asked.own.clouds[0];
    let mut shown = Vec::new();
    for sort in [Sort::Constant, Sort::Vanishing] {
        let is_first = |text: &&String| Schedule::parse(text).is_ok_and(|delta| Sort::of(&delta) == sort);
        let first = asked.own.deltas.list().iter().find(is_first);
        if let Some((text, cell)) = first.and_then(|text| Some((text, cells(results, cloud, text).next()?))) {
            shown.push((text, results.frames(cell)?, results.series(cell, "ends")?.column("gap")?));
        }
    }
    if asked.sizes.dim == 2 {
        let reach = shown.iter().filter_map(|(_, frames, _)| frames.first()).map(|(_, x)| x.largest_magnitude());
        let reach = reach.fold(0.0, f64::max) * 1.1;
        let charts = shown.iter().map(|(text, frames, gaps)| places(text, frames, gaps, reach)).collect();
        let subtitle = format!("{cloud} cloud, first seed, n = {}", asked.sizes.tokens);
        let panels = Panels { title: "Where tokens end".into(), subtitle, charts, columns: 2 };
        let caption = "Tokens outside S rest between two vertices that both lie in their strip; once δ is small \
                       enough they choose one.";
        report.panels("ends", caption, &panels, 1200, [560, 0])?;
    }
    for (k, (text, frames, _)) in shown.iter().enumerate() {
        let name = if k == 0 { "trajectory" } else { "trajectory-vanishing" };
        let caption = format!("δ(t) = {text}, {cloud} cloud, first seed; frames at log-spaced steps.");
        report.player(name, &caption, Player::new(frames)?);
    }
    Ok(())
}

/// The last places of tokens in the plane, in S and outside.
fn places(delta: &str, frames: &[(u64, Tokens)], gaps: &[f64], reach: f64) -> Chart {
    let ((_, start), (t, tokens)) = (&frames[0], &frames[frames.len() - 1]);
    let inside = |out: bool| (0..tokens.n()).filter(move |&i| (gaps[i] > NONE) == out).map(|i| spot(tokens, i));
    let lost = gaps.iter().filter(|gap| **gap > NONE).count();
    plane(format!("δ(t) = {delta}, step {t}: {lost} outside S"), Some(reach))
        .region("last hull", outline(tokens))
        .colour(4)
        .points("start", spots(start))
        .grey()
        .radius(1.2)
        .points("ends in S", inside(false))
        .colour(0)
        .points("ends outside S", inside(true))
        .colour(1)
        .radius(4.5)
}
