//! A cell's row: how far tokens are from the first one, the energy on the way, the staircase.

use std::ops::ControlFlow;

use super::systems::System;
use super::{BETWEEN, Case, Cell, Consensus, Row, staircase};
use crate::error::{Error, Result};
use crate::model::Update;
use crate::observe::{ALL_PAIRS, Decay, Distinct, Energy, IncreaseLedger, Points, RateFit, Sample, sphere_energy};
use crate::study::common::{distance, median};
use crate::study::{Asked, Workbench};
use crate::tokens::Tokens;

/// Number of steps between two looks.
const EVERY: u64 = 5;
/// Most tokens for which E_β is taken at every look.
const MOST_PAIRED: usize = 512;
/// Most states kept for a player, and most tokens.
const MOST_FRAMES: u64 = 150;
const MOST_PICTURED: usize = 1500;
/// The rate is fitted where tokens are this near: there the field is linear but for a square of it.
const NEAR: f64 = 1e-2;
/// Tokens this near have come together to rounding: nothing happens any more.
const TOGETHER: f64 = 1e-9;

pub(super) fn row(asked: &Asked<Consensus>, cell: &Cell, work: &mut Workbench<'_>) -> Result<Row> {
    match (System::of(asked, cell)?, cell.case.beta()) {
        (Some(system), _) => follow(asked, cell, &system, work),
        (None, beta) => stairs(beta.unwrap_or(0.0), work),
    }
}

fn is_due(t: u64) -> bool {
    t.is_multiple_of(EVERY)
}

/// The looks at one trajectory.
#[derive(Default)]
struct Way {
    /// β of E_β, where it rises along the flow.
    beta: Option<f64>,
    ledger: IncreaseLedger,
    /// The first token at the start.
    start: Vec<f64>,
    first_moved: f64,
    off_surface: f64,
    /// Distances of the farthest token from the first.
    path: Vec<Sample>,
    /// Energies; NaN where they are not taken.
    energies: Vec<f64>,
    frames: Vec<(u64, Tokens)>,
}

impl Way {
    fn look(&mut self, t: u64, points: &Points, axes: Option<&[f64]>) {
        let first = points.row(0);
        if t == 0 {
            self.start = first.to_vec();
        }
        let apart = points.rows().map(|row| distance(row, first)).fold(0.0, f64::max);
        self.path.push(Sample { step: t, distance: apart });
        self.first_moved = self.first_moved.max(distance(first, &self.start));
        let square =
            |row: &[f64]| (0..row.len()).map(|k| axes.map_or(1.0, |axes| axes[k]) * row[k] * row[k]).sum::<f64>();
        self.off_surface = points.rows().map(|row| (square(row) - 1.0).abs()).fold(self.off_surface, f64::max);
        let energy = self.beta.map_or(f64::NAN, |beta| {
            let energy = sphere_energy(&Distinct::of(points), beta, 0.0);
            self.ledger.record(t, Energy { value: -energy.value, ..energy });
            energy.value
        });
        self.energies.push(energy);
    }

    /// The step from which every token stays within ε of the first.
    fn consensus(&self, epsilon: f64) -> Option<u64> {
        match self.path.iter().rposition(|sample| sample.distance > epsilon) {
            Some(last) => self.path.get(last + 1).map(|sample| sample.step),
            None => Some(0),
        }
    }
}

fn follow(asked: &Asked<Consensus>, cell: &Cell, system: &System, work: &mut Workbench<'_>) -> Result<Row> {
    let System { model, cloud, steps, axes } = system;
    let Update::Flow { dt, .. } = model.update else { return Err(Error::input("consensus is studied in flows")) };
    // E rises along the symmetric flow on the sphere alone.
    let symmetric = matches!(cell.case, Case::Sphere(_) | Case::Hemisphere(_) | Case::Plateau);
    let paired = symmetric && cloud.n() <= MOST_PAIRED.min(ALL_PAIRS);
    let pictured = cell.seed <= asked.sizes.first_seed && cloud.n() <= MOST_PICTURED && cloud.d() <= 3;
    let every = steps.div_ceil(MOST_FRAMES).div_ceil(EVERY).max(1) * EVERY;
    let mut way = Way { beta: cell.case.beta().filter(|beta| paired && *beta > 0.0), ..Way::default() };
    let taken = work.simulate(model, cloud, *steps, is_due, |look| {
        way.look(look.t, &Points::of(look.tokens), axes.as_deref());
        if pictured && (look.t % every == 0 || look.last) {
            way.frames.push((look.t, look.tokens.clone()));
        }
        let together = way.path.last().is_some_and(|sample| sample.distance < TOGETHER);
        let ends = together && cell.case != Case::Plateau;
        Ok(if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let time = |sample: &Sample| sample.step as f64 * dt;
    let rows: Vec<Vec<f64>> = way
        .path
        .iter()
        .zip(&way.energies)
        .map(|(sample, &energy)| vec![time(sample), sample.distance, energy])
        .collect();
    let near: Vec<Sample> = way.path.iter().skip_while(|sample| sample.distance > NEAR).copied().collect();
    let fit = RateFit::of(&near, f64::EPSILON * (cloud.d() as f64).sqrt()).ok();
    let energy_at = |at: f64| rows.iter().find(|row| row[0] >= at && cell.case == Case::Plateau).map(|row| row[2]);
    let [early_energy, late_energy] = BETWEEN.map(energy_at);
    let plateau = rows.iter().filter(|row| (50.0..=250.0).contains(&row[0])).map(|row| Some(row[2]));
    let plateau = if cell.case == Case::Plateau { median(plateau) } else { None };
    if cell.seed <= asked.sizes.first_seed {
        work.series("path", &["t", "apart", "energy"], rows)?;
    }
    if !way.frames.is_empty() {
        work.frames(&way.frames)?;
    }
    Ok(Row {
        case: cell.case.name().into(),
        seed: cell.seed,
        beta: cell.case.beta(),
        steps: taken,
        end: taken as f64 * dt,
        consensus: way.consensus(asked.own.epsilon).map(|step| step as f64 * dt),
        apart: way.path.last().map_or(0.0, |sample| sample.distance),
        falls: way.beta.map(|_| way.ledger.increases.len() as u64),
        first_moved: way.first_moved,
        off_surface: way.off_surface,
        rate: fit.map(|fit| -libm::log(fit.rate) / dt),
        geometric: fit.map(|fit| fit.decay() == Decay::Geometric),
        plateau,
        early_energy,
        late_energy,
        last_energy: way.energies.last().copied().filter(|energy| energy.is_finite()),
        levels: None,
    })
}

fn stairs(beta: f64, work: &mut Workbench<'_>) -> Result<Row> {
    let records = staircase::energies(beta, |_| work.check())?;
    let stayed =
        |level: &f64| records.iter().filter(|record| (record[1] - level).abs() < 0.01).count() * 100 >= records.len();
    // The last level is no stay: it is where the run ends.
    let levels = staircase::levels().iter().filter(|level| **level < 1.0 && stayed(level)).count() as u64;
    let [end, last] = records.last().copied().unwrap_or_default();
    let row = Row {
        case: "staircase".into(),
        beta: Some(beta),
        steps: (end / staircase::STEP).round() as u64,
        end,
        falls: Some(records.windows(2).filter(|pair| pair[1][1] < pair[0][1] - 0.01).count() as u64),
        plateau: records.first().map(|record| record[1]),
        last_energy: Some(last),
        levels: Some(levels),
        ..Row::default()
    };
    let rows = records.into_iter().map(|[t, energy]| vec![t, f64::NAN, energy]).collect();
    work.series("path", &["t", "apart", "energy"], rows)?;
    Ok(row)
}
