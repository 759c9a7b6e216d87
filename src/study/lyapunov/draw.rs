//! Figures of the study.

use super::rises::Runs;
use super::{CANDIDATES, Kind, Lyapunov, RELATIONS, ROUNDING, Row};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels};
use crate::study::common::mean;
use crate::study::drawing::{plane, spot, spots};
use crate::study::{Asked, Report, Results};

/// Most trajectories drawn of each kind.
const MOST_LINES: usize = 12;

pub(super) fn figures(
    asked: &Asked<Lyapunov>,
    results: &Results<Row>,
    runs: &Runs<'_>,
    report: &mut Report,
) -> Result<()> {
    let panels = over_time(asked, results)?;
    let caption = "A Lyapunov function would fall along every line; dots are steps in which V rose.";
    report.panels("v-over-time", caption, &panels, 440 * panels.columns as u32, [70, 280])?;
    let caption = "A row of zeros is a candidate that never rose.";
    let width = 300 + 124 * asked.own.kinds().count() as u32;
    report.chart("candidates", caption, &candidates(asked, runs), [width, 460])?;
    if let Some(chart) = patterns(asked, &results.rows) {
        let caption = "V counts pairs by distance, attention goes by alignment: near tokens that do not attend to \
                       each other may part.";
        report.chart("patterns", caption, &chart, [1180, 520])?;
    }
    if asked.sizes.dim == 2 {
        let panels = largest(asked, results)?;
        let caption =
            "Two tokens near each other that choose different leaders part, and V, which counts distances, rises.";
        report.panels("largest-rise", caption, &panels, 260 + 440 * panels.charts.len() as u32, [520, 0])?;
    }
    Ok(())
}

/// V over time, with its rises.
fn over_time(asked: &Asked<Lyapunov>, results: &Results<Row>) -> Result<Panels> {
    let mut charts = Vec::new();
    for kind in asked.own.kinds() {
        let (mut paths, mut rises) = (Vec::new(), Vec::new());
        for (cell, _) in results.cells(|row| kind.has(row)).take(MOST_LINES) {
            let v = results.series(cell, "values")?.column("V")?;
            let first = v.first().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
            let most = v.iter().copied().fold(0.0, f64::max);
            let path: Vec<(f64, f64)> = v.iter().enumerate().map(|(t, v)| (t as f64, v / first)).collect();
            rises.extend((1..v.len()).filter(|&t| v[t] - v[t - 1] > ROUNDING * most).map(|t| path[t]));
            paths.push(path);
        }
        let x = Coordinate::whole("step t").within(0.0, 40.0);
        let chart = Chart::new(format!("A: {}", kind.name), x, Coordinate::linear("V(t) / V(0)").within(0.0, 1.12));
        charts.push(
            chart.lines("V of a cloud", paths).colour(0).opacity(0.7).points("V rose in this step", rises).colour(1),
        );
    }
    let subtitle = format!(
        "R = δ (R = {} for δ = 0); {}, up to {MOST_LINES} clouds of each kind, the first 40 steps",
        asked.own.radius,
        asked.sizes.shape()
    );
    let columns = asked.own.deltas.len().clamp(1, 4);
    Ok(Panels { title: "Hegselmann and Krause's V along localmax".into(), subtitle, charts, columns })
}

/// The share of runs in which each candidate rises.
fn candidates(asked: &Asked<Lyapunov>, runs: &Runs<'_>) -> Chart {
    let kinds: Vec<Kind<'_>> = asked.own.kinds().collect();
    let share = |candidate: usize, kind: &Kind<'_>| {
        let s = runs.summary(kind, candidate);
        100.0 * s.rising as f64 / s.runs.max(1) as f64
    };
    let row = |candidate: usize| kinds.iter().map(|kind| share(candidate, kind)).collect();
    Chart::heat(
        "Runs in which a candidate rises at least once",
        ("A and δ", &kinds.iter().map(|kind| kind.name.clone()).collect::<Vec<_>>()),
        ("candidate", &CANDIDATES.map(str::to_owned)),
        "runs (%)",
        false,
        (0..CANDIDATES.len()).map(row).collect(),
    )
    .subtitle(format!("{} runs each, {}", asked.sizes.seeds, asked.sizes.shape()))
}

/// The part of each relation of pairs in the rises of V, under the kinds in which it rises.
fn patterns(asked: &Asked<Lyapunov>, rows: &[Row]) -> Option<Chart> {
    let rises = |kind: &Kind<'_>| rows.iter().any(|row| kind.has(row) && row.rises > 0);
    let kinds: Vec<Kind<'_>> = asked.own.kinds().filter(rises).collect();
    if kinds.is_empty() {
        return None;
    }
    let names = kinds.iter().enumerate().map(|(at, kind)| (at as f64, kind.name.clone()));
    let x = Coordinate::linear("A and δ").named(names).within(-0.6, kinds.len() as f64 - 0.4);
    let mut chart =
        Chart::new("Pairs that raise V", x, Coordinate::linear("share of the rises (%)").within(0.0, 100.0))
            .subtitle("By who attended to whom in the step; summed over all steps in which V rose")
            .foot("Grey dots: share of one-way pairs among the pairs that attend, over all steps.");
    let of = |kind: &Kind<'_>| rows.iter().filter(|row| kind.has(row)).collect::<Vec<_>>();
    let sums = kinds.iter().map(of).map(|rows| {
        let sum = |up: fn(&Row) -> f64| rows.iter().map(|row| up(row)).sum::<f64>();
        [sum(|row| row.up_both), sum(|row| row.up_one), sum(|row| row.up_neither)]
    });
    let sums: Vec<[f64; 3]> = sums.collect();
    for (k, relation) in RELATIONS.iter().enumerate() {
        let bar = |(at, up): (usize, &[f64; 3])| {
            let low = at as f64 - 0.36 + 0.24 * k as f64;
            [low, low + 0.22, 100.0 * up[k] / up.iter().sum::<f64>()]
        };
        let name = if k == 1 { format!("{relation} attended") } else { format!("{relation} attended to the other") };
        chart = chart.bars(name, sums.iter().enumerate().map(bar).collect()).colour(k);
    }
    let one_way = kinds.iter().map(|kind| 100.0 * mean(of(kind), |row| row.one_way));
    let dots = one_way.enumerate().map(|(at, share)| (at as f64, share));
    Some(chart.points("one-way pairs among all that attend", dots).grey().radius(4.0))
}

/// The largest rise of V under each A: the tokens before and after.
fn largest(asked: &Asked<Lyapunov>, results: &Results<Row>) -> Result<Panels> {
    let mut charts = Vec::new();
    for family in &asked.own.families {
        let of = results.cells(|row| row.family == *family && row.rises > 0);
        let Some((cell, row)) = of.reduce(|a, b| if b.1.largest > a.1.largest { b } else { a }) else { continue };
        let frames = results.frames(cell)?;
        let (before, after) = (&frames[0].1, &frames[frames.len() - 1].1);
        let title = format!("{family}, δ = {}: +{:.2} in step {}", row.delta, row.largest, row.largest_at);
        let mut chart = plane(title, None);
        let pairs = results.series(cell, "pairs")?;
        for (k, relation) in RELATIONS.iter().enumerate() {
            let of = pairs.rows.iter().filter(|pair| pair[3] as usize == k && pair[2] > 0.0);
            let path = |pair: &Vec<f64>| vec![spot(after, pair[0] as usize), spot(after, pair[1] as usize)];
            let name = format!("pair that raises V: {relation} attended");
            chart = chart.lines(name, of.map(path).collect()).colour(k).opacity(0.8);
        }
        let moves = (0..before.n()).map(|i| vec![spot(before, i), spot(after, i)]).collect();
        charts.push(
            chart
                .lines("the step", moves)
                .grey()
                .points("before", spots(before))
                .grey()
                .radius(2.2)
                .points("after", spots(after))
                .ink()
                .radius(2.6),
        );
    }
    let subtitle = format!("n = {}; the pairs whose part in V grows most", asked.sizes.tokens);
    let columns = charts.len();
    Ok(Panels { title: "The largest rise of V under each A".into(), subtitle, charts, columns })
}
