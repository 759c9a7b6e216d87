//! A cell's row: gaps and distances at the end, and the way there.

use std::ops::ControlFlow;

use super::{ARTEFACT, Cell, DIRECTIONS, NONE, Row, Vanishing};
use crate::error::Result;
use crate::model::Moment;
use crate::observe::{Alignment, Directions, Hull, Places, Points, SupportLedger, nearest};
use crate::study::common::{self, IDENTITY, is_log_spaced, is_still};
use crate::study::{Asked, Look, Workbench, clouds};

/// Multiply-adds for a hull on the way, in more than three dimensions.
const EFFORT: u64 = 1 << 22;

pub(super) fn row(asked: &Asked<Vanishing>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    let (own, sizes) = (&asked.own, &asked.sizes);
    let cloud = clouds::named(&cell.cloud, sizes.tokens, sizes.dim, cell.seed)?;
    let model = own.model(&cell.delta);
    let directions = Directions::new(sizes.dim, DIRECTIONS, cell.seed);
    let mut ledger = SupportLedger::new(Points::of(&cloud).largest_magnitude(), sizes.precision);
    let pictured = cell.seed == sizes.first_seed && cell.cloud == own.clouds[0];
    let (mut frames, mut way, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let mut row = Row { cloud: cell.cloud.clone(), delta: cell.text.clone(), seed: cell.seed, ..Row::default() };
    row.steps = work.simulate(&model, &cloud, sizes.steps, is_log_spaced, |look| {
        let points = Points::of(look.tokens);
        let support: Vec<f64> = directions.support(&points).iter().map(|support| support.value).collect();
        row.rise_ulps = row.rise_ulps.max(ledger.record(look.t, &support));
        let hull = if look.last { Hull::of(&points) } else { Hull::with_effort(&points, EFFORT) };
        let gaps = Alignment::of(&points, &IDENTITY, &hull).gap;
        let delta = model.delta_at(Moment::of_step(look.t.max(1) - 1))?;
        row.gap_max = gaps.iter().copied().fold(0.0, f64::max);
        row.artefacts = gaps.iter().filter(|gap| **gap > ARTEFACT).count() as u64;
        way.push(vec![look.t as f64, delta, row.gap_max, row.artefacts as f64]);
        if pictured {
            frames.push((look.t, look.tokens.clone()));
        }
        if look.last {
            row.delta_last = delta;
            ends = at_the_end(own, look, &points, &gaps, &mut row);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    work.series("way", &["step", "delta", "gap", "artefacts"], way)?;
    work.series("ends", &["gap", "distance"], ends)?;
    if pictured {
        work.frames(&frames)?;
    }
    Ok(row)
}

/// Measures the last state; returns the gap of every token and its distance to the nearest vertex.
fn at_the_end(own: &Vanishing, look: &Look<'_>, points: &Points, gaps: &[f64], row: &mut Row) -> Vec<Vec<f64>> {
    let places = Places::of(points, &common::together(look.unit()));
    let vertices = places.points(&places.vertices);
    let far = nearest(points, &vertices);
    let rounding = common::rounding(look.unit(), points.largest_magnitude(), own.alpha);
    let allowed = |x: &[f64]| row.delta_last * common::width_unit(own.form, x, x) + rounding;
    row.beyond = points.rows().zip(gaps).filter(|(x, gap)| **gap > allowed(x)).count() as u64;
    row.settled = is_still(look);
    row.vertices = vertices.n() as u64;
    row.aligned = gaps.iter().filter(|gap| **gap <= NONE).count() as u64;
    row.distance_max = far.iter().map(|near| near.distance).fold(0.0, f64::max);
    row.distance_mean = far.iter().map(|near| near.distance.abs()).sum::<f64>().abs() / far.len() as f64;
    gaps.iter().zip(&far).map(|(gap, near)| vec![*gap, near.distance]).collect()
}
