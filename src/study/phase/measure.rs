//! A cell's row, and all clouds of a kind together.

use std::ops::ControlFlow;

use super::{Cell, Kind, Phase, Row, law};
use crate::error::Result;
use crate::observe::{Mean, wilson};
use crate::study::common::{is_still, total, with_half};
use crate::study::{Asked, Report, Workbench, clouds};

pub(super) fn row(asked: &Asked<Phase>, Cell { kind, seed }: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let cloud = clouds::named(&kind.cloud, kind.n, kind.d, *seed)?;
    let mut row = Row {
        cloud: kind.cloud.clone(),
        d: kind.d,
        alpha: kind.alpha,
        width: kind.width,
        n: kind.n,
        delta: kind.delta(),
        seed: *seed,
        ..Row::default()
    };
    row.steps = work.simulate(
        &kind.model(asked.own.form),
        &cloud,
        asked.sizes.steps,
        |t| t == 1,
        |look| {
            if look.t == 1 {
                row.leaders = look.report.map_or(0, |report| kind.n as u64 - report.moved);
            }
            if look.last {
                let limits = look.limits();
                row.rests = is_still(look);
                row.clusters = limits.places.len() as u64;
                row.vertices = limits.vertices().map(|count| count as u64);
                row.outside = limits.outside().map(|count| count as u64);
                let outside = limits.places.iter().filter(|place| place.in_s == Some(false));
                row.outside_tokens = row.outside.map(|_| outside.map(|place| place.tokens as u64).sum());
                row.hash = look.tokens.hash().to_hex().to_string();
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(row)
}

/// The clouds of a kind that came to rest.
pub(super) struct Point {
    pub(super) kind: Kind,
    /// E.
    pub(super) law: Option<f64>,
    pub(super) clouds: u64,
    pub(super) leaders: Mean,
    pub(super) clusters: Mean,
    pub(super) vertices: Option<Mean>,
    /// Clouds of which it is known whether a limit is outside S, and those with one.
    pub(super) known: u64,
    pub(super) with_outside: u64,
    /// The share of tokens whose limit is outside S.
    pub(super) outside_tokens: f64,
    /// (N − E)/√E of every cloud, for leaders and for clusters at the end: its scatter does not depend on n.
    pub(super) deviations: [Vec<f64>; 2],
}

impl Point {
    /// N·n^(−(d−1)/(d+1)) with its standard error.
    pub(super) fn scaled(&self) -> Mean {
        let unit = libm::pow(self.kind.n as f64, law::exponent(self.kind.d));
        Mean { value: self.clusters.value / unit, error: self.clusters.error / unit, ..self.clusters }
    }

    /// The share of clouds with a limit outside S, and its interval.
    pub(super) fn share(&self) -> [f64; 3] {
        let [low, high] = wilson(self.with_outside, self.known);
        [self.with_outside as f64 / self.known.max(1) as f64, low, high]
    }
}

/// Every kind of clouds: system, width, n.
pub(super) fn points(asked: &Asked<Phase>, rows: &[Row]) -> Vec<Point> {
    let mut points = Vec::new();
    for system in asked.systems() {
        for &width in &asked.own.widths {
            for kind in asked.kinds(system, width) {
                let of: Vec<&Row> = rows.iter().filter(|row| kind.has(row) && row.rests).collect();
                points.extend(if of.is_empty() { None } else { Some(point(kind, &of)) });
            }
        }
    }
    points
}

fn point(kind: Kind, rows: &[&Row]) -> Point {
    let law = law::leaders(&kind.cloud, kind.n, kind.d);
    let values = |of: fn(&Row) -> u64| rows.iter().map(|row| of(row) as f64).collect::<Vec<f64>>();
    let (leaders, clusters) = (values(|row| row.leaders), values(|row| row.clusters));
    let vertices: Option<Vec<f64>> = rows.iter().map(|row| row.vertices.map(|count| count as f64)).collect();
    let known = || rows.iter().copied().filter(|row| row.outside.is_some());
    let deviations = [&leaders, &clusters].map(|values| {
        let off = |law: f64| values.iter().map(move |value| (value - law) / law.sqrt());
        law.map(|law| off(law).collect()).unwrap_or_default()
    });
    Point {
        law,
        clouds: rows.len() as u64,
        leaders: Mean::of(&leaders),
        clusters: Mean::of(&clusters),
        vertices: vertices.map(|values| Mean::of(&values)),
        known: known().count() as u64,
        with_outside: known().filter(|row| row.outside > Some(0)).count() as u64,
        outside_tokens: total(known(), |row| row.outside_tokens.unwrap_or(0)) as f64
            / total(known(), |row| row.n as u64).max(1) as f64,
        deviations,
        kind,
    }
}

/// A line for each kind of clouds, to read and as `phase.csv`.
pub(super) fn tables(points: &[Point], report: &mut Report) {
    let line = |point: &Point| {
        let ([share, low, high], scaled) = (point.share(), point.scaled());
        vec![
            point.kind.cloud.clone(),
            point.kind.d.to_string(),
            point.kind.alpha.to_string(),
            point.kind.width.to_string(),
            point.kind.n.to_string(),
            point.clouds.to_string(),
            with_half(point.clusters.value, point.clusters.half()),
            point.law.filter(|_| point.kind.width == 0.0).map_or("–".into(), |law| format!("{law:.2}")),
            with_half(scaled.value, scaled.half()),
            point.vertices.map_or("–".into(), |vertices| format!("{:.1}", vertices.value)),
            if point.known == 0 { "–".into() } else { format!("{share:.2} ({low:.2} to {high:.2})") },
            if point.known == 0 { "–".into() } else { format!("{:.1e}", point.outside_tokens) },
        ]
    };
    let head = "cloud | d | α | x | n | clouds at rest | clusters N | law E | N·n^(−(d−1)/(d+1)) | vertices | clouds with a \
                limit outside S | tokens there (share)";
    report.table("Clusters at rest. phase.csv has the numbers.", head, points.iter().map(line).collect());
    let columns = [
        "cloud",
        "d",
        "alpha",
        "width",
        "n",
        "delta",
        "clouds",
        "leaders",
        "leaders_error",
        "clusters",
        "clusters_error",
        "law",
        "scaled",
        "scaled_error",
        "vertices",
        "with_outside",
        "known",
        "outside_tokens",
    ];
    let data = |point: &Point| {
        let (kind, scaled) = (&point.kind, point.scaled());
        let number = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
        let mut row = vec![kind.cloud.clone(), kind.d.to_string(), kind.alpha.to_string(), kind.width.to_string()];
        row.extend([kind.n.to_string(), kind.delta().to_string(), point.clouds.to_string()]);
        row.extend([point.leaders, point.clusters].iter().flat_map(|mean| [number(mean.value), number(mean.error)]));
        row.push(point.law.map_or(String::new(), number));
        row.extend([number(scaled.value), number(scaled.error)]);
        row.push(point.vertices.map_or(String::new(), |mean| number(mean.value)));
        row.extend([point.with_outside.to_string(), point.known.to_string(), number(point.outside_tokens)]);
        row
    };
    report.data("phase", columns.map(str::to_owned).to_vec(), points.iter().map(data).collect());
}
