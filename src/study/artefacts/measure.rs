//! A cell's row: which tokens rest outside S, where, and the effect of a displacement.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::{Artefacts, Cell, Displaced, GAP, Row, Trial};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::num::norm;
use crate::observe::{Alignment, Hull, Places, Points};
use crate::rng::Stream;
use crate::study::common::{self, IDENTITY, distance, ends_only, is_still, largest, masks};
use crate::study::{Asked, Workbench, clouds};
use crate::tokens::Tokens;

/// The share of its distance to the middle that a point is pushed, to see if it is on the boundary.
const PUSH: f64 = 1e-6;
/// Most frames of a pictured cell.
const MOST_FRAMES: u64 = 60;

/// A state at its end.
struct End {
    points: Points,
    gaps: Vec<f64>,
    settled: bool,
}

impl End {
    fn of(tokens: &Tokens, settled: bool) -> Self {
        let points = Points::of(tokens);
        let gaps = Alignment::of(&points, &IDENTITY, &Hull::of(&points)).gap;
        Self { points, gaps, settled }
    }

    /// The tokens at rest outside S, for a cloud of that radius.
    fn outside(&self, radius: f64) -> Vec<usize> {
        let is_outside = |i: &usize| self.settled && self.gaps[*i] > GAP * (radius * radius);
        (0..self.gaps.len()).filter(is_outside).collect()
    }
}

/// The end of a cell's way, as the engine has it.
struct Last {
    end: End,
    tokens: Tokens,
    /// Tokens at rest outside S, and the masks of each.
    outside: Vec<usize>,
    masks: Vec<Vec<u32>>,
    /// The unit of the lattice.
    unit: f64,
}

pub(super) fn row(asked: &Asked<Artefacts>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let cloud = cell.tokens(asked)?;
    let radius = Points::of(&cloud).rows().map(norm).fold(0.0, f64::max);
    let steps = asked.sizes.steps;
    let pictured = cell.seed <= asked.sizes.first_seed;
    let every = steps.min(300).div_ceil(MOST_FRAMES).max(1);
    let (mut frames, mut last) = (Vec::new(), None);
    let due = |t: u64| pictured && t < 300 && t.is_multiple_of(every);
    let taken = work.simulate(&cell.model(), &cloud, steps, due, |look| {
        if pictured {
            frames.push((look.t, look.tokens.clone()));
        }
        if look.last {
            let end = End::of(look.tokens, is_still(look));
            let outside = end.outside(radius);
            let masks = masks(look, &outside)?;
            last = Some(Last { end, tokens: look.tokens.clone(), outside, masks, unit: look.unit() });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let last = last.ok_or_else(|| Error::input("a simulation that never looked at its last state"))?;
    let mut row = Row {
        cloud: cell.cloud.clone(),
        form: cell.form,
        delta: cell.delta,
        seed: cell.seed,
        steps: taken,
        tokens: cloud.n() as u64,
        ..Row::default()
    };
    rest(cell, &last, radius, &mut row);
    if !last.outside.is_empty() {
        let Last { end, outside, tokens, .. } = &last;
        let flags = (0..tokens.n()).map(|i| vec![f64::from(u8::from(outside.contains(&i))), end.gaps[i]]);
        work.series("ends", &["outside", "gap"], flags.collect())?;
        let hardmax = finish(&cell.hardmax(), tokens, steps, work)?;
        let again = hardmax.outside(radius);
        row.hardmax_settled = hardmax.settled;
        row.freed = outside.iter().filter(|i| hardmax.settled && !again.contains(i)).count() as u64;
        let trials = displacements(asked, cell, &cloud, &last, radius, work)?;
        work.series("displaced", &Trial::COLUMNS, trials)?;
    }
    if pictured {
        work.frames(&frames)?;
    }
    Ok(row)
}

/// Measures the last state: its places, and the surroundings of the tokens outside S.
fn rest(cell: &Cell, last: &Last, radius: f64, row: &mut Row) {
    let Last { end, tokens, outside, masks, unit } = last;
    let places = Places::of(&end.points, &common::together(*unit));
    let corners = places.points(&places.vertices);
    let vertices: BTreeSet<usize> = places.vertices.iter().copied().collect();
    let rounding = common::rounding(*unit, radius, cell.alpha);
    row.settled = end.settled;
    row.places = places.members.len() as u64;
    row.vertices = vertices.len() as u64;
    row.outside = outside.len() as u64;
    row.outside_places = outside.iter().map(|&i| places.label[i]).collect::<BTreeSet<_>>().len() as u64;
    row.gap_max = largest(&end.gaps, |gap| *gap);
    row.last_token = tokens.row(tokens.n() - 1).iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    for (&i, mask) in outside.iter().zip(masks) {
        let (own, x) = (places.label[i], end.points.row(i));
        let keys: BTreeSet<usize> = mask.iter().map(|&j| places.label[j as usize]).filter(|&c| c != own).collect();
        row.attended += keys.len() as f64 / outside.len() as f64;
        row.between_vertices += u64::from(keys.is_subset(&vertices));
        row.boundary += u64::from(on_boundary(&corners, x));
        row.beyond += u64::from(end.gaps[i] > cell.delta * common::width_unit(cell.form, x, x) + rounding);
    }
}

/// Takes a state to its end.
fn finish(model: &Model, from: &Tokens, steps: u64, work: &mut Workbench<'_>) -> Result<End> {
    let mut end = None;
    work.simulate(model, from, steps, ends_only, |look| {
        if look.last {
            end = Some(End::of(look.tokens, is_still(look)));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(end.unwrap_or_else(|| End::of(from, false)))
}

/// Tries every displacement of every length, drawn a few times.
fn displacements(
    asked: &Asked<Artefacts>,
    cell: &Cell,
    first: &Tokens,
    last: &Last,
    radius: f64,
    work: &mut Workbench<'_>,
) -> Result<Vec<Vec<f64>>> {
    let outside = &last.outside;
    let mut trials = Vec::new();
    for (k, (displaced, _)) in Displaced::EVERY.into_iter().enumerate() {
        for &by in &asked.own.displacements {
            for draw in 0..asked.own.draws {
                let from = if displaced == Displaced::Start { first } else { &last.tokens };
                let mut moved = from.to_f64();
                for (i, x) in moved.chunks_exact_mut(from.d()).enumerate() {
                    if displaced == Displaced::Themselves && !outside.contains(&i) {
                        continue;
                    }
                    let mut stream = Stream::new(cell.seed, "displacement", draw << 32 | i as u64);
                    let way = clouds::direction(&mut stream, from.d());
                    x.iter_mut().zip(way).for_each(|(x, u)| *x += by * radius * u);
                }
                let start = Tokens::from_flat(from.n(), from.d(), moved)?;
                let end = finish(&cell.model(), &start, asked.sizes.steps, work)?;
                let again = end.outside(radius);
                let kept: Vec<usize> = outside.iter().copied().filter(|i| again.contains(i)).collect();
                let apart = |i: &usize| distance(end.points.row(*i), last.end.points.row(*i)) / (by * radius);
                let farthest = largest(&kept, apart);
                let tried = if end.settled { outside.len() } else { 0 };
                trials.push(vec![k as f64, by, tried as f64, kept.len() as f64, farthest]);
            }
        }
    }
    Ok(trials)
}

/// True if a point lies on the boundary of a hull: pushed outwards a little, it is a vertex.
fn on_boundary(corners: &Points, x: &[f64]) -> bool {
    let mut rows = corners.coordinates().to_vec();
    for (k, x) in x.iter().enumerate() {
        let middle = corners.rows().map(|v| v[k]).sum::<f64>() / corners.n() as f64;
        rows.push(middle + (x - middle) * (1.0 + PUSH));
    }
    let pushed = corners.n() as u32;
    Points::new(corners.d(), rows).is_ok_and(|all| Hull::of(&all).vertices.contains(&pushed))
}
