//! A cell's row: who rests outside S, where, and what a displacement does.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::{Artefacts, Cell, Displaced, GAP, Row, Trial};
use crate::error::{Error, Result};
use crate::model::{Model, StripForm};
use crate::observe::{Alignment, Hull, Points};
use crate::rng::Stream;
use crate::study::common::Rest;
use crate::study::{Asked, Workbench, common};
use crate::tokens::Tokens;

/// How far a point is pushed from the middle to see whether it lies on the boundary, in units of its distance.
const PUSH: f64 = 1e-6;
/// Frames of a pictured cell.
const MOST_FRAMES: u64 = 60;
/// Masks asked for at once.
const AT_ONCE: usize = 64;

/// A state at its end.
struct End {
    points: Points,
    gaps: Vec<f64>,
    settled: bool,
}

impl End {
    /// The tokens at rest outside S, for a cloud of that squared radius.
    fn outside(&self, square: f64) -> Vec<usize> {
        let is_outside = |i: &usize| self.settled && self.gaps[*i] > GAP * square;
        (0..self.gaps.len()).filter(is_outside).collect()
    }
}

fn end_of(tokens: &Tokens, settled: bool) -> End {
    let points = Points::of(tokens);
    let gaps = Alignment::of(&points, &common::IDENTITY, &Hull::of(&points)).gap;
    End { points, gaps, settled }
}

pub(super) fn row(asked: &Asked<Artefacts>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let cloud = cell.tokens(asked)?;
    let radius = Points::of(&cloud).rows().map(common::norm).fold(0.0, f64::max);
    let square = radius * radius;
    let (model, steps) = (cell.model(), asked.sizes.steps);
    let pictured = cell.seed <= 1;
    let every = steps.min(300).div_ceil(MOST_FRAMES).max(1);
    let (mut frames, mut end, mut masks, mut unit) = (Vec::new(), None, Vec::new(), 0.0);
    let taken = work.simulate(
        &model,
        &cloud,
        steps,
        |t| pictured && t < 300 && t.is_multiple_of(every),
        |look| {
            if pictured {
                frames.push((look.t, look.tokens.clone()));
            }
            if look.last {
                let found = end_of(look.tokens, look.report.is_some_and(|report| report.moved == 0));
                for some in found.outside(square).chunks(AT_ONCE) {
                    masks.extend(look.masks(some)?);
                }
                unit = look.unit();
                end = Some((found, look.tokens.clone()));
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    let (end, last) = end.ok_or_else(|| Error::input("a simulation that never looked at its last state"))?;
    let outside = end.outside(square);

    let rest = Rest::of(&last, unit)?;
    let corners = rest.centres.select(&rest.at_vertex.iter().map(|&place| place as u32).collect::<Vec<_>>());
    let at_vertex: BTreeSet<usize> = rest.at_vertex.iter().copied().collect();
    let rounding = 8.0 * unit * radius * (1.0 + 1.0 / cell.alpha);
    let mut row = Row {
        cloud: cell.cloud.clone(),
        form: cell.form.name().to_owned(),
        delta: cell.delta,
        seed: cell.seed,
        steps: taken,
        settled: end.settled,
        tokens: cloud.n() as u64,
        places: rest.members.len() as u64,
        vertices: at_vertex.len() as u64,
        outside: outside.len() as u64,
        outside_places: outside.iter().map(|&i| rest.label[i]).collect::<BTreeSet<_>>().len() as u64,
        boundary: 0,
        between_vertices: 0,
        attended: 0.0,
        gap_max: end.gaps.iter().copied().fold(0.0, f64::max),
        beyond: 0,
        freed: 0,
        last_token: last.row(last.n() - 1).iter().map(f64::to_string).collect::<Vec<_>>().join(" "),
    };
    for (&i, mask) in outside.iter().zip(&masks) {
        let own = rest.label[i];
        let keys: BTreeSet<usize> = mask.iter().map(|&j| rest.label[j as usize]).filter(|&c| c != own).collect();
        row.attended += keys.len() as f64 / outside.len() as f64;
        row.between_vertices += u64::from(keys.is_subset(&at_vertex));
        row.boundary += u64::from(on_boundary(&corners, end.points.row(i)));
        let width = if cell.form == StripForm::Score { 1.0 } else { common::norm(end.points.row(i)) };
        row.beyond += u64::from(end.gaps[i] > cell.delta * width + rounding);
    }
    if !outside.is_empty() {
        let flags = (0..last.n()).map(|i| vec![f64::from(u8::from(outside.contains(&i))), end.gaps[i]]);
        work.series("ends", &["outside", "gap"], flags.collect())?;
        let hardmax = finish(&cell.hardmax(), &last, steps, work)?;
        let again = hardmax.outside(square);
        row.freed = outside.iter().filter(|i| hardmax.settled && !again.contains(i)).count() as u64;
        let trials = displacements(asked, cell, &cloud, &last, radius, &outside, work)?;
        work.series("displaced", &Trial::COLUMNS, trials)?;
    }
    if pictured {
        work.frames(&frames)?;
    }
    Ok(row)
}

fn finish(model: &Model, from: &Tokens, steps: u64, work: &mut Workbench<'_>) -> Result<End> {
    let mut end = None;
    work.simulate(
        model,
        from,
        steps,
        |_| false,
        |look| {
            if look.last {
                end = Some(end_of(look.tokens, look.report.is_some_and(|report| report.moved == 0)));
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(end.unwrap_or_else(|| end_of(from, false)))
}

/// Every displacement of every length, drawn a few times.
fn displacements(
    asked: &Asked<Artefacts>,
    cell: &Cell,
    first: &Tokens,
    last: &Tokens,
    radius: f64,
    outside: &[usize],
    work: &mut Workbench<'_>,
) -> Result<Vec<Vec<f64>>> {
    let rested = Points::of(last);
    let mut trials = Vec::new();
    for (k, (displaced, _)) in Displaced::EVERY.into_iter().enumerate() {
        for &by in &asked.own.displacements {
            for draw in 0..asked.own.draws {
                let from = if displaced == Displaced::Start { first } else { last };
                let mut moved = from.to_f64();
                for (i, x) in moved.chunks_exact_mut(from.d()).enumerate() {
                    if displaced == Displaced::Themselves && !outside.contains(&i) {
                        continue;
                    }
                    let mut stream = Stream::new(cell.seed, "displacement", draw << 32 | i as u64);
                    let way = common::direction(&mut stream, from.d());
                    x.iter_mut().zip(way).for_each(|(x, u)| *x += by * radius * u);
                }
                let start = Tokens::from_flat(from.n(), from.d(), moved)?;
                let end = finish(&cell.model(), &start, asked.sizes.steps, work)?;
                let again = end.outside(radius * radius);
                let kept: Vec<usize> = outside.iter().copied().filter(|i| again.contains(i)).collect();
                let apart = |i: usize| {
                    let apart: Vec<f64> = end.points.row(i).iter().zip(rested.row(i)).map(|(a, b)| a - b).collect();
                    common::norm(&apart) / (by * radius)
                };
                let farthest = kept.iter().map(|&i| apart(i)).fold(0.0, f64::max);
                trials.push(vec![k as f64, by, outside.len() as f64, kept.len() as f64, farthest]);
            }
        }
    }
    Ok(trials)
}

/// Whether a point of the hull of these corners lies on its boundary: pushed outwards a little, it is a vertex of the hull with
/// it.
fn on_boundary(corners: &Points, x: &[f64]) -> bool {
    let mut rows = corners.coordinates().to_vec();
    for (k, x) in x.iter().enumerate() {
        let middle = corners.rows().map(|v| v[k]).sum::<f64>() / corners.n() as f64;
        rows.push(middle + (x - middle) * (1.0 + PUSH));
    }
    let pushed = corners.n() as u32;
    Points::new(corners.d(), rows).is_ok_and(|all| Hull::of(&all).vertices.contains(&pushed))
}
