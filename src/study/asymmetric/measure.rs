//! A cell's row: where tokens end under A, and how fast they come there.

use std::ops::ControlFlow;

use nalgebra::DMatrix;

use super::{Asymmetric, Cell, Row};
use crate::error::Result;
use crate::model::StripForm;
use crate::observe::{Alignment, Directions, Hull, Points, RateFit, Sample, SupportLedger, contraction};
use crate::real::Linear;
use crate::study::common::{Rest, norm};
use crate::study::{Asked, Workbench, common};

/// Random directions of support functions.
const DIRECTIONS: usize = 64;
/// Groups that are followed, and members whose masks are asked for at every step.
const MOST_GROUPS: usize = 8;
const MEMBERS: usize = 4;
/// Steps up to which a pictured cloud has frames.
const PICTURED: u64 = 120;

pub(super) fn row(asked: &Asked<Asymmetric>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (own, sizes) = (&asked.own, &asked.sizes);
    let cloud = common::cloud(&own.cloud, sizes.tokens, sizes.dim, cell.seed)?;
    let model = own.model(&cell.a)?;
    let a = Linear { factor: 1.0, matrix: cell.a.clone() };
    let dense: DMatrix<f64> = cell.a.to_dense(sizes.dim);
    let size = dense.norm();
    let first = Points::of(&cloud);
    let radius = first.rows().map(norm).fold(0.0, f64::max);
    let scale = size * radius * radius;
    let relative = |x: f64| if scale > 0.0 { x / scale } else { x };
    let first_hull = Hull::of(&first);
    let first_gaps = Alignment::of(&first, &a, &first_hull).gap;
    let own_cells = first_hull.vertices.iter().filter(|&&v| relative(first_gaps[v as usize]) <= super::NONE).count();

    let directions = Directions::new(sizes.dim, DIRECTIONS, cell.seed);
    let mut ledger = SupportLedger::new(first.largest_magnitude(), sizes.precision);
    let (mut widths, mut frames, mut end) = (Vec::new(), Vec::new(), None);
    let pictured = cell.seed == 1;
    let mut row = Row {
        family: cell.family.clone(),
        seed: cell.seed,
        asymmetry: if size > 0.0 { (&dense - dense.transpose()).norm() / (2.0 * size) } else { 0.0 },
        steps: 0,
        settled: false,
        moving: 0,
        own_cell: own_cells as f64 / first_hull.vertices.len() as f64,
        width_kept: 0.0,
        places: 0,
        vertices: 0,
        vertex_gap: 0.0,
        vertex_score: 0.0,
        outside: 0,
        beyond: 0,
        fitted: 0,
        worst: None,
        rise_ulps: 0.0,
    };
    let due = |t: u64| common::is_log_spaced(t) || (pictured && t <= PICTURED);
    row.steps = work.simulate(&model, &cloud, sizes.steps, due, |look| {
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
            row.settled = row.moving == 0;
            end = Some((points, look.unit(), Rest::of(look.tokens, look.unit())?));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if pictured {
        work.frames(&frames)?;
    }
    let Some((points, unit, rest)) = end else { return Ok(row) };
    row.width_kept = widths.last().copied().unwrap_or(0.0) / widths.first().copied().unwrap_or(1.0);
    row.places = rest.members.len() as u64;
    row.vertices = rest.at_vertex.len() as u64;
    let gaps = Alignment::of(&points, &a, &Hull::of(&points)).gap;
    let rounding = 8.0 * unit * radius * size * (1.0 + 1.0 / own.alpha);
    let form = common::form(&own.form)?;
    for (x, &gap) in points.rows().zip(&gaps) {
        let query = a.apply(x);
        let width = match form {
            StripForm::Score => 1.0,
            StripForm::Width => norm(&query),
            StripForm::ANorm => query.iter().zip(x).map(|(q, x)| q * x).sum::<f64>().max(0.0).sqrt(),
        };
        row.outside += u64::from(relative(gap) > super::NONE);
        row.beyond += u64::from(gap > own.delta * width + rounding);
    }
    for &g in &rest.at_vertex {
        let query = a.apply(rest.centres.row(g));
        let own_gap = rest.members[g].iter().map(|&i| relative(gaps[i as usize])).fold(0.0, f64::max);
        row.vertex_gap = row.vertex_gap.max(own_gap);
        for &other in rest.at_vertex.iter().filter(|other| **other != g) {
            let score: f64 = query.iter().zip(rest.centres.row(other)).map(|(q, w)| q * w).sum();
            row.vertex_score = row.vertex_score.max(relative(score.abs()));
        }
    }
    let theory = contraction(own.alpha);
    for rate in rates(asked, cell, &rest, unit, row.steps, work)? {
        row.fitted += 1;
        row.worst = Some(row.worst.unwrap_or(0.0).max((rate - theory).abs()));
    }
    Ok(row)
}

/// The same way again: the rates of groups at vertices, each from the step on at which the strips of its members are the group.
fn rates(
    asked: &Asked<Asymmetric>,
    cell: &Cell,
    rest: &Rest,
    unit: f64,
    end: u64,
    work: &mut Workbench<'_>,
) -> Result<Vec<f64>> {
    let several = rest.at_vertex.iter().copied().filter(|&g| rest.members[g].len() > 1);
    let groups: Vec<usize> = several.take(MOST_GROUPS).collect();
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let cloud = common::cloud(&asked.own.cloud, asked.sizes.tokens, asked.sizes.dim, cell.seed)?;
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); groups.len()];
    work.simulate(
        &asked.own.model(&cell.a)?,
        &cloud,
        end,
        |_| true,
        |look| {
            let points = Points::of(look.tokens);
            for (samples, &g) in samples.iter_mut().zip(&groups) {
                let members = &rest.members[g];
                let mut closed = |most: usize| -> Result<bool> {
                    let count = members.len().min(most);
                    let some: Vec<usize> = (0..count).map(|k| members[k * members.len() / count] as usize).collect();
                    Ok(look.masks(&some)?.iter().all(|mask| mask == members))
                };
                // A few say that it still is; that it is from now on takes all.
                if !closed(MEMBERS)? || (samples.is_empty() && !closed(usize::MAX)?) {
                    // Not yet closed: what came before is no part of the rate.
                    samples.clear();
                    continue;
                }
                let v = rest.centres.row(g);
                let away = |&i: &u32| {
                    let apart: Vec<f64> = points.row(i as usize).iter().zip(v).map(|(x, v)| x - v).collect();
                    norm(&apart)
                };
                let distance = members.iter().map(away).fold(0.0, f64::max);
                samples.push(Sample { step: look.t, distance });
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    let noise = (asked.sizes.dim as f64).sqrt() * unit;
    // A group that was closed too late has too few distances above rounding.
    Ok(samples.iter().filter_map(|samples| RateFit::of(samples, noise).ok()).map(|fit| fit.rate).collect())
}
