//! A cell's row: where tokens ended, and how they came there.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::{Cell, Quiescent, Row};
use crate::error::Result;
use crate::model::{Matrix, StripForm};
use crate::observe::{Clusters, Directions, Entries, Hull, Points, QuiescentSets, RateFit, Sample, contraction};
use crate::real::Linear;
use crate::study::workbench::Look;
use crate::study::{Asked, Workbench};
use crate::tokens::Tokens;

/// Tokens of a group at the end are at most this many units of the lattice apart.
const TOGETHER: f64 = 4096.0;
/// Directions in which vertices are looked for.
const DIRECTIONS: usize = 2048;
/// Directions in which it is seen whether K(t) has come to K, beside the axes; and how near, in radii of quiescent sets.
const SUPPORTED: usize = 62;
const SETTLED: f64 = 0.05;
/// Members of a group whose masks are asked for at every step, and rates fitted in a cell.
const ASKED: usize = 8;
const MOST_RATES: usize = 200;
/// Tokens and steps of the pictured distances.
const PICTURED: usize = 12;
const MOST_FRAMES: u64 = 150;

/// A group at a vertex.
struct Group {
    /// Ascending.
    members: Vec<u32>,
    /// The mean: the vertex.
    v: Vec<f64>,
}

impl Group {
    /// Whether C_i is the group, for so many of its members, evenly spread.
    fn is_closed(&self, look: &mut Look<'_>, most: usize) -> Result<bool> {
        let count = self.members.len().min(most);
        let some: Vec<usize> = (0..count).map(|k| self.members[k * self.members.len() / count] as usize).collect();
        Ok(look.masks(&some)?.iter().all(|mask| *mask == self.members))
    }
}

pub(super) fn row(asked: &Asked<Quiescent>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (model, cloud, steps) = (cell.model(), cell.cloud(asked)?, asked.sizes.steps);
    let (mut groups, mut hull_groups, mut unit, mut limit) = (Vec::new(), 0, 0.0, Vec::new());
    let end = work.simulate(
        &model,
        &cloud,
        steps,
        |_| false,
        |look| {
            if look.last {
                unit = look.unit();
                let all = at_vertices(look.tokens, TOGETHER * unit);
                hull_groups = all.len() as u64;
                limit = support(look.tokens);
                for group in all {
                    if group.is_closed(look, usize::MAX)? {
                        groups.push(group);
                    }
                }
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;

    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let mut row = Row {
        case: if cell.seed == 0 { "constructed" } else { "cloud" }.to_owned(),
        seed: cell.seed,
        form: cell.form.name().to_owned(),
        alpha: cell.alpha,
        delta: cell.delta,
        steps: end,
        hull_groups,
        closed_groups: groups.len() as u64,
        vertex_norm: groups.iter().map(|group| norm(&group.v)).fold(0.0, f64::max),
        inside_first: 0,
        inside_last: 0,
        hull_settled: 0,
        early_departures: 0,
        departures: 0,
        closed_from: 0,
        lost: 0,
        fitted: 0,
        rate: None,
        theory: contraction(cell.alpha),
        worst: None,
        interval: None,
        drift: 0.0,
    };
    if !groups.is_empty() {
        follow(cell, &cloud, &Last { end, unit, groups, limit }, &mut row, work)?;
    }
    Ok(row)
}

/// Groups of the last state that are vertices of the hull of all groups.
fn at_vertices(tokens: &Tokens, tolerance: f64) -> Vec<Group> {
    let points = Points::of(tokens);
    let clusters = Clusters::of(tokens, tolerance);
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); clusters.weight.len()];
    for (i, &label) in (0..).zip(&clusters.label) {
        members[label].push(i);
    }
    let mean = |members: &[u32]| -> Vec<f64> {
        let origin = points.row(members[0] as usize);
        let sum = |k: usize| members.iter().map(|&i| points.row(i as usize)[k] - origin[k]).sum::<f64>();
        (0..points.d()).map(|k| origin[k] + sum(k) / members.len() as f64).collect()
    };
    let centres: Vec<Vec<f64>> = members.iter().map(|members| mean(members)).collect();
    let Ok(all) = Points::new(points.d(), centres.concat()) else { return Vec::new() };
    let is_away = |c: &usize| centres[*c].iter().any(|x| x.abs() > tolerance);
    let corners: Vec<usize> = exposed(&all, tolerance).into_iter().filter(is_away).collect();
    corners.iter().map(|&c| Group { members: members[c].clone(), v: centres[c].clone() }).collect()
}

/// Vertices of a hull that stick out by more than `tolerance` in some of many directions: what is in the middle of an edge but for
/// rounding does not.
fn exposed(centres: &Points, tolerance: f64) -> Vec<usize> {
    let hull = Hull::of(centres);
    let corners = hull.points(centres);
    let directions = Directions::new(centres.d(), DIRECTIONS, 0);
    let mut found = BTreeSet::new();
    for j in 0..directions.len() {
        let u = directions.vector(j);
        let heights = corners.rows().map(|v| v.iter().zip(&u).map(|(v, u)| v * u).sum::<f64>());
        let mut order: Vec<(usize, f64)> = heights.enumerate().collect();
        order.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
        if order.get(1).is_none_or(|next| order[0].1 - next.1 > tolerance) {
            found.insert(hull.vertices[order[0].0] as usize);
        }
    }
    found.into_iter().collect()
}

/// h_u(t) in some directions.
fn support(tokens: &Tokens) -> Vec<f64> {
    let directions = Directions::new(tokens.d(), SUPPORTED, 0);
    directions.support(&Points::of(tokens)).iter().map(|support| support.value).collect()
}

/// What the first way has found.
struct Last {
    /// Steps taken.
    end: u64,
    /// Of the lattice.
    unit: f64,
    groups: Vec<Group>,
    /// h_u of the last state, which stands for K.
    limit: Vec<f64>,
}

/// The same way again from the start, with the vertices known.
fn follow(cell: &Cell, cloud: &Tokens, last: &Last, row: &mut Row, work: &mut Workbench<'_>) -> Result<()> {
    let Last { end, unit, groups, limit } = last;
    let (end, unit) = (*end, *unit);
    let (n, d) = (cloud.n(), cloud.d());
    let identity = Linear { factor: 1.0, matrix: Matrix::Identity };
    let vertices = Points::new(d, groups.iter().flat_map(|group| group.v.clone()).collect())?;
    let sets = QuiescentSets::new(&vertices, &identity, cell.form, cell.delta, cell.alpha);
    // The radius as it is published, whatever the form.
    let published = QuiescentSets::new(&vertices, &identity, StripForm::Width, cell.delta, cell.alpha);
    // Groups that are not closed have no vertex here: their tokens are elsewhere.
    let mut home: Vec<Option<usize>> = vec![None; n];
    for (g, group) in groups.iter().enumerate() {
        group.members.iter().for_each(|&i| home[i as usize] = Some(g));
    }
    let tracked: Vec<(usize, usize)> = (0..n).filter_map(|i| Some((i, home[i]?))).collect();
    let tracked: Vec<(usize, usize)> = spread(&tracked, MOST_RATES);
    let mut distances: Vec<Vec<f64>> = vec![Vec::new(); tracked.len()];
    // The theorem is about late times: K(t) within a small part of the least radius of K.
    let least = (0..groups.len()).filter_map(|g| sets.radius(g)).fold(f64::INFINITY, f64::min);
    let mut settled = false;
    let (mut early, mut entries) = (Entries::new(n), Entries::new(n));
    let (mut lost, mut drift) = (BTreeSet::new(), Vec::new());
    let (mut starts, mut frames) = (Vec::new(), Vec::new());
    let pictured = cell.seed <= 1;
    let every = end.div_ceil(MOST_FRAMES).max(1);

    work.simulate(
        &cell.model(),
        cloud,
        end,
        |_| true,
        |look| {
            let points = Points::of(look.tokens);
            if !settled {
                let rise = support(look.tokens).iter().zip(limit).map(|(now, last)| now - last).fold(0.0, f64::max);
                settled = rise <= SETTLED * least;
                row.hull_settled = look.t;
            }
            let labels = sets.label(&points);
            if settled { &mut entries } else { &mut early }.record(look.t, &labels);
            if look.t == 0 {
                row.inside_first = labels.iter().flatten().count() as u64;
                starts = first_distances(&points, &vertices, &sets, &home);
            }
            for (i, at) in published.label(&points).into_iter().enumerate().filter(|_| settled) {
                if at.is_some_and(|v| home[i] != Some(v as usize)) {
                    lost.insert(i);
                }
            }
            for (&(i, g), out) in tracked.iter().zip(&mut distances) {
                out.push(distance(points.row(i), &groups[g].v));
            }
            let mut closed = true;
            let mut farthest = 0.0f64;
            for group in groups {
                // A few say that it still is; that it is from now on takes all.
                closed &= group.is_closed(look, if row.closed_from == look.t { usize::MAX } else { ASKED })?;
                farthest = farthest.max(distance(&mean_from(&points, group), &group.v));
            }
            drift.push(farthest / unit);
            if !closed {
                row.closed_from = look.t + 1;
            }
            if pictured && (look.t % every == 0 || look.last) {
                frames.push((look.t, look.tokens.clone()));
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;

    row.inside_last = entries.in_s1().iter().filter(|&&inside| inside).count() as u64;
    (row.early_departures, row.departures) = (early.departures, entries.departures);
    row.lost = lost.len() as u64;
    row.drift = drift.iter().skip(row.closed_from as usize).copied().fold(0.0, f64::max);
    // A rounding of half a unit a step and coordinate fades by 1/(1+α) a step.
    let noise = unit * (d as f64).sqrt() * ((1.0 + cell.alpha) / (2.0 * cell.alpha)).max(1.0);
    let from = row.closed_from as usize;
    let fits = distances.iter().filter_map(|distances| {
        let samples = (0u64..).zip(distances).skip(from).map(|(step, &distance)| Sample { step, distance });
        RateFit::of(&samples.collect::<Vec<_>>(), noise).ok()
    });
    let fits: Vec<RateFit> = fits.collect();
    if !fits.is_empty() {
        let largest = |of: &dyn Fn(&RateFit) -> f64| fits.iter().map(of).fold(0.0, f64::max);
        row.fitted = fits.len() as u64;
        row.rate = Some(fits.iter().map(|fit| fit.rate).sum::<f64>() / fits.len() as f64);
        row.worst = Some(largest(&|fit| (fit.rate - row.theory).abs()));
        row.interval = Some(largest(&|fit| (fit.interval[1] - fit.interval[0]) / 2.0));
    }
    if pictured {
        let shown = spread(&(0..tracked.len()).collect::<Vec<_>>(), PICTURED);
        let lines = shown.iter().flat_map(|&k| {
            let token = tracked[k].0 as f64;
            (0u64..).zip(&distances[k]).map(move |(t, &distance)| vec![t as f64, token, distance])
        });
        work.series("distance", &["t", "token", "distance"], lines.collect())?;
        work.series("starts", &["ratio", "stays"], starts)?;
        let corners = groups.iter().zip(0..).map(|(group, g)| {
            let radius = sets.radius(g).unwrap_or(0.0);
            vec![group.v[0], group.v.get(1).copied().unwrap_or(0.0), radius, published.radius(g).unwrap_or(0.0)]
        });
        work.series("vertices", &["x1", "x2", "radius", "published"], corners.collect())?;
        work.frames(&frames)?;
    }
    Ok(())
}

/// For every token the distance to the vertex whose ball it is deepest in or nearest to, over the ball's radius, and whether it
/// ends there.
fn first_distances(points: &Points, vertices: &Points, sets: &QuiescentSets, home: &[Option<usize>]) -> Vec<Vec<f64>> {
    let ratio = |i: usize, v: usize| Some(distance(points.row(i), vertices.row(v)) / sets.radius(v)?);
    let least = |i: usize| {
        let all = (0..vertices.n()).filter_map(|v| Some((ratio(i, v)?, v)));
        all.min_by(|a, b| a.0.total_cmp(&b.0))
    };
    (0..points.n())
        .filter_map(|i| least(i).map(|(ratio, v)| vec![ratio, f64::from(u8::from(home[i] == Some(v)))]))
        .collect()
}

fn mean_from(points: &Points, group: &Group) -> Vec<f64> {
    let sum = |k: usize| group.members.iter().map(|&i| points.row(i as usize)[k] - group.v[k]).sum::<f64>();
    (0..points.d()).map(|k| group.v[k] + sum(k) / group.members.len() as f64).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// At most `most` of a list, evenly spread.
fn spread<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    let count = all.len().min(most);
    (0..count).map(|k| all[k * all.len() / count]).collect()
}
