//! Figures of the study.

use super::{CANDIDATES, Lyapunov, RELATIONS, ROUNDING, Record, Row, summary};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels, Size};
use crate::study::{Asked, Report, Results};

/// Trajectories drawn of each kind.
const MOST_LINES: usize = 12;

pub(super) fn figures(
    asked: &Asked<Lyapunov>,
    results: &Results<Row>,
    records: &[Vec<Record>],
    report: &mut Report,
) -> Result<()> {
    over_time(asked, results, report)?;
    who_rises(asked, &results.rows, records, report)?;
    patterns(asked, &results.rows, report)?;
    largest(asked, results, report)
}

/// V over time, with its rises.
fn over_time(asked: &Asked<Lyapunov>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let mut charts = Vec::new();
    for (family, delta, name) in asked.own.kinds() {
        let (mut paths, mut rises) = (Vec::new(), Vec::new());
        let of = results.rows.iter().enumerate().filter(|(_, row)| row.family == *family && row.delta == delta);
        for (cell, _) in of.take(MOST_LINES) {
            let v = results.series(cell, "values")?.column("V")?;
            let first = v.first().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
            let most = v.iter().copied().fold(0.0, f64::max);
            let path: Vec<(f64, f64)> = v.iter().enumerate().map(|(t, v)| (t as f64, v / first)).collect();
            rises.extend((1..v.len()).filter(|&t| v[t] - v[t - 1] > ROUNDING * most).map(|t| path[t]));
            paths.push(path);
        }
        let x = Coordinate::whole("step t").within(0.0, 40.0);
        let chart = Chart::new(format!("A: {name}"), x, Coordinate::linear("V(t) / V(0)").within(0.0, 1.12));
        charts.push(
            chart.lines("V of a cloud", paths).colour(0).opacity(0.7).points("V rose in this step", rises).colour(1),
        );
    }
    let columns = asked.own.deltas.len().clamp(1, 4);
    let lines = charts.len().div_ceil(columns) as u32;
    let panels = Panels {
        title: "Hegselmann and Krause's V along localmax".into(),
        subtitle: format!(
            "R = δ (R = {} for δ = 0); n = {}, d = {}, up to {MOST_LINES} clouds of each kind, the first 40 steps",
            asked.own.radius, asked.sizes.tokens, asked.sizes.dim
        ),
        charts,
        columns,
    };
    let caption = "A Lyapunov function would fall along every line; dots are steps in which V rose.";
    report.figure("v-over-time", caption, panels.draw(Size { width: 440 * columns as u32, height: 70 + 280 * lines })?);
    Ok(())
}

/// Runs in which each candidate rises.
fn who_rises(asked: &Asked<Lyapunov>, rows: &[Row], records: &[Vec<Record>], report: &mut Report) -> Result<()> {
    let kinds = asked.own.kinds();
    let columns: Vec<String> = kinds.iter().map(|(.., name)| name.clone()).collect();
    let names: Vec<String> = CANDIDATES.map(str::to_owned).to_vec();
    let share = |candidate: usize| -> Vec<f64> {
        let of = |family: &str, delta: f64| {
            let s = summary(rows, records, family, delta, candidate);
            100.0 * s.rising as f64 / s.runs.max(1) as f64
        };
        kinds.iter().map(|(family, delta, _)| of(family, *delta)).collect()
    };
    let chart = Chart::heat(
        "Runs in which a candidate rises at least once",
        ("A and δ", &columns),
        ("candidate", &names),
        "runs (%)",
        false,
        (0..CANDIDATES.len()).map(share).collect(),
    );
    let chart =
        chart.subtitle(format!("{} runs each, n = {}, d = {}", asked.sizes.seeds, asked.sizes.tokens, asked.sizes.dim));
    let caption = "A row of zeros is a candidate that never rose.";
    let width = 300 + 124 * columns.len() as u32;
    report.figure("candidates", caption, chart.draw(Size { width, height: 460 })?);
    Ok(())
}

/// Whose pairs raise V.
fn patterns(asked: &Asked<Lyapunov>, rows: &[Row], report: &mut Report) -> Result<()> {
    let kinds: Vec<_> = asked
        .own
        .kinds()
        .into_iter()
        .filter(|(family, delta, _)| {
            rows.iter().any(|row| row.family == **family && row.delta == *delta && row.rises > 0)
        })
        .collect();
    if kinds.is_empty() {
        return Ok(());
    }
    let names = kinds.iter().enumerate().map(|(at, (.., name))| (at as f64, name.clone()));
    let x = Coordinate::linear("A and δ").named(names).within(-0.6, kinds.len() as f64 - 0.4);
    let mut chart =
        Chart::new("Whose pairs raise V", x, Coordinate::linear("share of what rises (%)").within(0.0, 100.0))
            .subtitle("By who attended to whom in the step; summed over all steps in which V rose")
            .foot("One-way pairs of those in which anyone attends, over all steps: the grey dots.");
    let sums: Vec<[f64; 3]> = kinds
        .iter()
        .map(|(family, delta, _)| {
            let of = || rows.iter().filter(|row| row.family == **family && row.delta == *delta);
            [of().map(|row| row.up_both).sum(), of().map(|row| row.up_one).sum(), of().map(|row| row.up_neither).sum()]
        })
        .collect();
    for (k, relation) in RELATIONS.iter().enumerate() {
        let bar = |(at, up): (usize, &[f64; 3])| {
            let low = at as f64 - 0.36 + 0.24 * k as f64;
            [low, low + 0.22, 100.0 * up[k] / up.iter().sum::<f64>()]
        };
        let name = if k == 1 { format!("{relation} attended") } else { format!("{relation} attended to the other") };
        chart = chart.bars(name, sums.iter().enumerate().map(bar).collect()).colour(k);
    }
    let one_way = kinds.iter().enumerate().map(|(at, (family, delta, _))| {
        let of: Vec<f64> =
            rows.iter().filter(|row| row.family == **family && row.delta == *delta).map(|row| row.one_way).collect();
        (at as f64, 100.0 * of.iter().sum::<f64>() / of.len().max(1) as f64)
    });
    let chart = chart.points("one-way pairs among all that attend", one_way).grey().radius(4.0);
    let caption = "V counts pairs by distance, attention goes by alignment: near tokens that do not attend to each other may part.";
    report.figure("patterns", caption, chart.draw(Size { width: 1180, height: 520 })?);
    Ok(())
}

/// The largest rise: before and after.
fn largest(asked: &Asked<Lyapunov>, results: &Results<Row>, report: &mut Report) -> Result<()> {
    let mut charts = Vec::new();
    for family in &asked.own.families {
        let of = results.rows.iter().enumerate().filter(|(_, row)| row.family == *family && row.rises > 0);
        let Some((cell, row)) = of.reduce(|a, b| if b.1.largest > a.1.largest { b } else { a }) else { continue };
        let frames = results.frames(cell)?;
        let (Some((_, before)), Some((_, after))) = (frames.first(), frames.last()) else { continue };
        if before.d() != 2 {
            return Ok(());
        }
        let at = |x: &crate::tokens::Tokens, i: usize| (x.get(i, 0), x.get(i, 1));
        let title = format!("{family}, δ = {}: +{:.2} in step {}", row.delta, row.largest, row.largest_at);
        let axis = |name: &str| Coordinate::linear(format!("{name} (dimensionless)"));
        let mut chart = Chart::new(title, axis("x₁"), axis("x₂")).equal_units();
        let pairs = results.series(cell, "pairs")?;
        for (k, relation) in RELATIONS.iter().enumerate() {
            let of = pairs.rows.iter().filter(|pair| pair[3] as usize == k && pair[2] > 0.0);
            let path = |pair: &Vec<f64>| vec![at(after, pair[0] as usize), at(after, pair[1] as usize)];
            let name = format!("pair that raises V: {relation} attended");
            chart = chart.lines(name, of.map(path).collect()).colour(k).opacity(0.8);
        }
        let moves = (0..before.n()).map(|i| vec![at(before, i), at(after, i)]).collect();
        charts.push(
            chart
                .lines("the step", moves)
                .grey()
                .points("before", (0..before.n()).map(|i| at(before, i)))
                .grey()
                .radius(2.2)
                .points("after", (0..after.n()).map(|i| at(after, i)))
                .ink()
                .radius(2.6),
        );
    }
    if charts.is_empty() {
        return Ok(());
    }
    let columns = charts.len();
    let subtitle = format!("n = {}; the pairs whose part in V grows most", asked.sizes.tokens);
    let panels = Panels { title: "The largest rise of V under each A".into(), subtitle, charts, columns };
    let caption =
        "Two tokens near each other that choose different leaders part, and V, which counts distances, rises.";
    report.figure("largest-rise", caption, panels.draw(Size { width: 260 + 440 * columns as u32, height: 520 })?);
    Ok(())
}
