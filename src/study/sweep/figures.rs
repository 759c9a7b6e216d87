//! Figures of a sweep: a curve over one key, a map over two, points over each where cells were drawn.

use super::axes::Axis;
use super::{Cell, Row};
use crate::error::Result;
use crate::plot::{Chart, Coordinate, Panels, Picture, Size};
use crate::study::{Report, Results};

/// Values of a key that a map or an axis of names shows, at most.
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
        label: "clusters (count)",
        log: false,
        of: |row| Some(row.clusters as f64),
    },
    Measure { name: "settled", title: "Time to settle", label: "settled (steps)", log: true, of: |row| row.settled },
    Measure {
        name: "spread",
        title: "Spread at the end over that at the start",
        label: "spread_ratio (ratio)",
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
    let distinct = |k: usize| {
        let mut values: Vec<&str> = Vec::new();
        cells.iter().map(|cell| cell.at[k].as_str()).for_each(|value| {
            if !values.contains(&value) && values.len() <= MOST_NAMES {
                values.push(value);
            }
        });
        values
    };
    let few = |k: &usize| distinct(*k).len() <= MOST_NAMES;
    match keys[..] {
        [] => Ok(()),
        [x, y, ..] if is_grid && few(&x) && few(&y) => {
            for measure in MEASURES {
                let (columns, rows) = (distinct(x), distinct(y));
                let value = |r: &str, c: &str| {
                    let of = cells.iter().zip(&results.rows).filter(|(cell, _)| cell.at[x] == c && cell.at[y] == r);
                    median(of.map(|(_, row)| (measure.of)(row)))
                };
                let values = rows.iter().map(|r| columns.iter().map(|c| value(r, c)).collect()).collect();
                let names = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
                let (columns, rows) = (names(&columns), names(&rows));
                let (across, up) = ((axes[x].key.as_str(), &columns[..]), (axes[y].key.as_str(), &rows[..]));
                let picture = Chart::heat(measure.title, across, up, measure.label, measure.log, values)
                    .subtitle("median over all other keys")
                    .draw(Size { width: 860, height: 560 })?;
                report.figure(
                    measure.name,
                    "A dash: no value, or more than half of the runs did not come to rest.",
                    picture,
                );
            }
            Ok(())
        }
        _ => {
            for &x in &keys {
                let picture = over(&axes[x].key, x, cells, &results.rows)?;
                report.figure(&format!("over-{}", axes[x].key), "A point a cell.", picture);
            }
            Ok(())
        }
    }
}

/// The median, values that are missing being the largest; NaN where that is one of them.
fn median(values: impl Iterator<Item = Option<f64>>) -> f64 {
    let mut values: Vec<f64> = values.map(|value| value.unwrap_or(f64::INFINITY)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().filter(|value| value.is_finite()).unwrap_or(f64::NAN)
}

/// Every measure over one key.
fn over(key: &str, k: usize, cells: &[Cell], rows: &[Row]) -> Result<Picture> {
    let numbers: Option<Vec<f64>> = cells.iter().map(|cell| cell.at[k].parse().ok()).collect();
    let mut names: Vec<&str> = cells.iter().map(|cell| cell.at[k].as_str()).collect();
    names.dedup();
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    let place = |cell: &Cell, k: usize| seen.iter().position(|name| *name == cell.at[k]).unwrap_or(0) as f64;
    let (axis, xs) = if let Some(numbers) = numbers {
        let (low, high) = numbers.iter().fold((f64::INFINITY, 0.0f64), |(l, h), &v| (l.min(v), h.max(v)));
        let log = low > 0.0 && high / low >= 20.0;
        (if log { Coordinate::log(key) } else { Coordinate::linear(key) }, numbers)
    } else {
        let texts = seen.iter().enumerate().map(|(at, name)| (at as f64, (*name).to_owned()));
        (Coordinate::linear(key).named(texts), cells.iter().map(|cell| place(cell, k)).collect())
    };
    let chart = |measure: Measure| {
        let y = if measure.log { Coordinate::log(measure.label) } else { Coordinate::linear(measure.label) };
        let points = xs.iter().zip(rows).filter_map(|(&x, row)| Some((x, (measure.of)(row)?)));
        let points: Vec<(f64, f64)> = points.collect();
        let mut places: Vec<f64> = xs.clone();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let mut chart =
            Chart::new(measure.title, axis.clone(), y).points("cells", points.iter().copied()).colour(0).opacity(0.6);
        if places.len() <= MOST_NAMES && places.len() > 1 {
            let at = |x: f64| median(points.iter().filter(move |(other, _)| *other == x).map(|(_, y)| Some(*y)));
            chart = chart
                .line("median", places.iter().map(|&x| (x, at(x))).filter(|(_, y)| y.is_finite()).collect::<Vec<_>>())
                .colour(1);
        }
        chart
    };
    let charts = MEASURES.into_iter().map(chart).collect();
    let subtitle = format!("{} cells", cells.len());
    Panels { title: format!("Measures over {key}"), subtitle, charts, columns: 3 }
        .draw(Size { width: 1320, height: 440 })
}
