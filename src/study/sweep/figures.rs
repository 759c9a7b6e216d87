//! Figures of a sweep: a curve over one key, a map over two, points over each for drawn cells.

use super::axes::Axis;
use super::{Cell, Row};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels};
use crate::study::common::median;
use crate::study::{Report, Results};

/// Most values of a key that a map or an axis of names shows.
const MOST_NAMES: usize = 40;

/// A measure that is drawn.
struct Measure {
    name: &'static str,
    title: &'static str,
    label: &'static str,
    log: bool,
    of: fn(&Row) -> Option<f64>,
}

const MEASURES: [Measure; 3] = [
    Measure {
        name: "clusters",
        title: "Clusters at the end",
        label: "clusters",
        log: false,
        of: |row| Some(row.clusters as f64),
    },
    Measure { name: "settled", title: "Time to settle", label: "settled (steps)", log: true, of: |row| row.settled },
    Measure {
        name: "spread",
        title: "Spread at the end over that at the start",
        label: "spread, end over start",
        log: false,
        of: |row| Some(row.spread_ratio),
    },
];

pub(super) fn figures(
    axes: &[Axis],
    cells: &[Cell],
    results: &Results<Row>,
    is_grid: bool,
    report: &mut Report,
) -> Result<()> {
    // Seeds are repeats.
    let keys: Vec<usize> = (0..axes.len()).filter(|&k| axes[k].varies() && axes[k].key != "seed").collect();
    let few = |k: usize| distinct(cells, k).len() <= MOST_NAMES;
    if let [x, y, ..] = keys[..]
        && is_grid
        && few(x)
        && few(y)
    {
        for measure in MEASURES {
            let caption = if measure.log {
                "A dash: more than half of the runs did not settle, or half of them did so at step 0."
            } else {
                "Of the last states, whether or not they are at rest."
            };
            let map = map((&axes[x], x), (&axes[y], y), cells, &results.rows, &measure);
            report.chart(measure.name, caption, &map, [860, 560])?;
        }
        return Ok(());
    }
    for x in keys {
        let panels = over(&axes[x].key, x, cells, &results.rows);
        report.panels(&format!("over-{}", axes[x].key), "One point for each cell.", &panels, 1320, [440, 0])?;
    }
    Ok(())
}

/// The different values of key k in the order of cells, up to one more than an axis shows.
fn distinct(cells: &[Cell], k: usize) -> Vec<&str> {
    let mut values: Vec<&str> = Vec::new();
    for value in cells.iter().map(|cell| cell.at[k].as_str()) {
        if values.len() <= MOST_NAMES && !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// The median of a measure over two keys.
fn map((across, x): (&Axis, usize), (up, y): (&Axis, usize), cells: &[Cell], rows: &[Row], measure: &Measure) -> Chart {
    let names = |k: usize| distinct(cells, k).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let (columns, lines) = (names(x), names(y));
    let value = |r: &String, c: &String| {
        let of = cells.iter().zip(rows).filter(|(cell, _)| cell.at[x] == *c && cell.at[y] == *r);
        median(of.map(|(_, row)| (measure.of)(row))).unwrap_or(f64::NAN)
    };
    let values = lines.iter().map(|r| columns.iter().map(|c| value(r, c)).collect()).collect();
    Chart::heat(measure.title, (&across.key, &columns), (&up.key, &lines), measure.label, measure.log, values)
        .subtitle("median over all other keys")
}

/// Every measure over one key.
fn over(key: &str, k: usize, cells: &[Cell], rows: &[Row]) -> Panels {
    let numbers: Option<Vec<f64>> = cells.iter().map(|cell| cell.at[k].parse().ok()).collect();
    let (axis, xs) = numbers.map_or_else(|| by_name(key, k, cells), |numbers| (by_value(key, &numbers), numbers));
    let mut places: Vec<f64> = xs.clone();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let chart = |measure: Measure| {
        let y = if measure.log { Coordinate::log(measure.label) } else { Coordinate::linear(measure.label) };
        let points = xs.iter().zip(rows).filter_map(|(&x, row)| Some((x, (measure.of)(row)?)));
        let points: Vec<(f64, f64)> = points.collect();
        let mut chart =
            Chart::new(measure.title, axis.clone(), y).points("cells", points.iter().copied()).colour(0).opacity(0.6);
        if places.len() <= MOST_NAMES && places.len() > 1 {
            let at = |x: f64| median(points.iter().filter(move |(other, _)| *other == x).map(|(_, y)| Some(*y)));
            let line: Vec<(f64, f64)> = places.iter().filter_map(|&x| Some((x, at(x)?))).collect();
            chart = chart.line("median", line).colour(1);
        }
        chart
    };
    let charts = MEASURES.into_iter().map(chart).collect();
    Panels { title: format!("Measures over {key}"), subtitle: format!("{} cells", cells.len()), charts, columns: 3 }
}

/// An axis of numbers, logarithmic where they span decades.
fn by_value(key: &str, numbers: &[f64]) -> Coordinate {
    let (low, high) = numbers.iter().fold((f64::INFINITY, 0.0f64), |(l, h), &v| (l.min(v), h.max(v)));
    if low > 0.0 && high / low >= 20.0 { Coordinate::log(key) } else { Coordinate::linear(key) }
}

/// An axis of texts, and the place of every cell on it.
fn by_name(key: &str, k: usize, cells: &[Cell]) -> (Coordinate, Vec<f64>) {
    let mut seen: Vec<&str> = Vec::new();
    let mut place = |name| {
        seen.iter().position(|known| *known == name).unwrap_or_else(|| {
            seen.push(name);
            seen.len() - 1
        }) as f64
    };
    let places = cells.iter().map(|cell| place(cell.at[k].as_str())).collect();
    let texts = seen.iter().enumerate().map(|(at, name)| (at as f64, (*name).to_owned()));
    (Coordinate::linear(key).named(texts), places)
}
