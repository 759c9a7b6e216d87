//! A cell's row: where tokens end under A, and how fast they come there.

use std::ops::ControlFlow;

use nalgebra::DMatrix;

use super::{Asymmetric, Cell, NONE, Row};
use crate::error::Result;
use crate::model::Model;
use crate::num::{dot, norm};
use crate::observe::{Alignment, Directions, Hull, Places, Points, RateFit, Sample, SupportLedger, contraction};
use crate::real::Linear;
use crate::study::common::{self, distance, every_step, is_closed, is_log_spaced};
use crate::study::{Asked, Workbench, clouds};
use crate::tokens::Tokens;

/// Number of random directions of support functions.
const DIRECTIONS: usize = 64;
/// Most groups that are followed, and most members whose masks are asked for at every step.
const MOST_GROUPS: usize = 8;
const MEMBERS: usize = 4;
/// Steps up to which a pictured cloud has frames.
const PICTURED: u64 = 120;

/// A gap or a score in units of |A|·R².
fn relative(x: f64, scale: f64) -> f64 {
    if scale > 0.0 { x / scale } else { x }
}

/// The last state.
struct Last {
    points: Points,
    places: Places,
    /// The unit of the lattice.
    unit: f64,
}

pub(super) fn row(asked: &Asked<Asymmetric>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (own, sizes) = (&asked.own, &asked.sizes);
    let cloud = clouds::named(&own.cloud, sizes.tokens, sizes.dim, cell.seed)?;
    let dense: DMatrix<f64> = cell.a.to_dense(sizes.dim);
    let first = Points::of(&cloud);
    let (size, radius) = (dense.norm(), first.rows().map(norm).fold(0.0, f64::max));
    let (a, scale) = (Linear { factor: 1.0, matrix: cell.a.clone() }, size * radius * radius);
    let hull = Hull::of(&first);
    let gaps = Alignment::of(&first, &a, &hull).gap;
    let own_cells = hull.vertices.iter().filter(|&&v| relative(gaps[v as usize], scale) <= NONE).count();

    let directions = Directions::new(sizes.dim, DIRECTIONS, cell.seed);
    let mut ledger = SupportLedger::new(first.largest_magnitude(), sizes.precision);
    let (mut widths, mut frames, mut last) = (Vec::new(), Vec::new(), None);
    let pictured = cell.seed == sizes.first_seed;
    let mut row = Row {
        family: cell.family.clone(),
        seed: cell.seed,
        asymmetry: if size > 0.0 { (&dense - dense.transpose()).norm() / (2.0 * size) } else { 0.0 },
        own_cell: own_cells as f64 / hull.vertices.len() as f64,
        ..Row::default()
    };
    let due = |t: u64| is_log_spaced(t) || (pictured && t <= PICTURED);
    row.steps = work.simulate(&own.model(&cell.a), &cloud, sizes.steps, due, |look| {
        let points = Points::of(look.tokens);
        let support: Vec<f64> = directions.support(&points).iter().map(|support| support.value).collect();
        row.rise_ulps = row.rise_ulps.max(ledger.record(look.t, &support));
        // The axes come in pairs of opposite directions; their mean width is enough.
        widths.push(support[..2 * sizes.dim].iter().sum::<f64>());
        if pictured {
            frames.push((look.t, look.tokens.clone()));
        }
        if look.last {
            row.moving = look.report.map_or(0, |report| report.moved);
            row.settled = common::is_still(look);
            let places = Places::of(&points, &common::together(look.unit()));
            last = Some(Last { points, places, unit: look.unit() });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if pictured {
        work.frames(&frames)?;
    }
    let Some(last) = last else { return Ok(row) };
    row.width_kept = widths.last().copied().unwrap_or(0.0) / widths.first().copied().unwrap_or(1.0);
    at_the_end(own, &a, [size, radius], &last, &mut row);
    let theory = contraction(own.alpha);
    for rate in rates(&own.model(&cell.a), &cloud, &last, row.steps, work)? {
        row.fitted += 1;
        row.worst = Some(row.worst.unwrap_or(0.0).max((rate - theory).abs()));
    }
    Ok(row)
}

/// Measures the last state: gaps of tokens and of vertices, and scores of vertices.
fn at_the_end(own: &Asymmetric, a: &Linear, [size, radius]: [f64; 2], last: &Last, row: &mut Row) {
    let Last { points, places, unit } = last;
    let vertices = &places.vertices;
    let scale = size * radius * radius;
    row.places = places.members.len() as u64;
    row.vertices = vertices.len() as u64;
    let gaps = Alignment::of(points, a, &Hull::of(points)).gap;
    let rounding = common::rounding(*unit, radius * size, own.alpha);
    for (x, &gap) in points.rows().zip(&gaps) {
        row.outside += u64::from(relative(gap, scale) > NONE);
        row.beyond += u64::from(gap > own.delta * common::width_unit(own.form, &a.apply(x), x) + rounding);
    }
    for &g in vertices {
        let query = a.apply(places.centres.row(g));
        let gaps = places.members[g].iter().map(|&i| relative(gaps[i as usize], scale));
        row.vertex_gap = gaps.fold(row.vertex_gap, f64::max);
        for &other in vertices.iter().filter(|other| **other != g) {
            let score = dot(&query, places.centres.row(other));
            row.vertex_score = row.vertex_score.max(relative(score.abs(), scale));
        }
    }
}

/// Takes the cloud the same way again and fits the rates of groups at vertices, each from the step
/// on at which the strips of its members are the group.
fn rates(model: &Model, cloud: &Tokens, last: &Last, end: u64, work: &mut Workbench<'_>) -> Result<Vec<f64>> {
    let Last { places, unit, .. } = last;
    let several = places.vertices.iter().copied().filter(|&g| places.members[g].len() > 1);
    let groups: Vec<usize> = several.take(MOST_GROUPS).collect();
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); groups.len()];
    work.simulate(model, cloud, end, every_step, |look| {
        let points = Points::of(look.tokens);
        for (samples, &g) in samples.iter_mut().zip(&groups) {
            let members = &places.members[g];
            // A few say that it still is; that it is from now on takes all.
            if !is_closed(look, members, MEMBERS)? || (samples.is_empty() && !is_closed(look, members, usize::MAX)?) {
                // Not yet closed: what came before is no part of the rate.
                samples.clear();
                continue;
            }
            let v = places.centres.row(g);
            let distance = members.iter().map(|&i| distance(points.row(i as usize), v)).fold(0.0, f64::max);
            samples.push(Sample { step: look.t, distance });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let noise = (cloud.d() as f64).sqrt() * unit;
    // A group that was closed too late has too few distances above rounding.
    Ok(samples.iter().filter_map(|samples| RateFit::of(samples, noise).ok()).map(|fit| fit.rate).collect())
}
