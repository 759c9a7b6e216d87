//! The end of a small cloud: rest, or a state that repeats.

use std::ops::ControlFlow;

use super::system::System;
use crate::choice::Plan;
use crate::engine::{self, Engines, Simulation, Until};
use crate::error::Result;
use crate::study::Sizes;
use crate::tokens::Tokens;

/// Steps after which a cloud that still moves is watched for a state that repeats.
const PATIENCE: u64 = 256;
/// States of a cycle that are compared for its size, from the first on.
const COMPARED: u64 = 4096;

/// How a cloud ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    /// No bit moves after so many steps.
    Rest(u64),
    Cycle(Cycle),
    /// Neither.
    Open,
}

/// States that repeat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cycle {
    /// The state after so many steps is the one a period before.
    pub(super) found: u64,
    pub(super) period: u64,
    /// The largest change of a coordinate within it, in units of the lattice and of the cloud's largest coordinate.
    pub(super) units: f64,
    pub(super) size: f64,
}

impl End {
    /// Takes a system to its end.
    pub(super) fn of(system: &System, engines: &Engines, sizes: &Sizes) -> Result<Self> {
        let (first, grid) = engine::first_state(&system.model, &system.cloud, sizes.precision)?;
        let (shape, largest) = ((first.n(), first.d()), first.largest_magnitude());
        let opened = engines.open(Plan::Auto, &system.model, &first, grid)?;
        let mut run = Simulation::from_state(&system.model, grid, shape, opened.engine, 0);
        if let Some(steps) = rest(&mut run, sizes.steps.min(PATIENCE))? {
            return Ok(Self::Rest(steps));
        }
        // Brent's algorithm: a state is kept for as many steps as there were before it, then another one.
        let (mut kept, mut since, mut power) = (run.tokens()?, 0, 1);
        while run.t() < sizes.steps {
            let next = run.t() + 1;
            if let Some(steps) = rest(&mut run, next)? {
                return Ok(Self::Rest(steps));
            }
            since += 1;
            let now = run.tokens()?;
            if now == kept {
                let units = amplitude(&mut run, &kept, since)? / grid.unit();
                let size = units * grid.unit() / largest.max(f64::MIN_POSITIVE);
                return Ok(Self::Cycle(Cycle { found: next, period: since, units, size }));
            }
            if since == power {
                (kept, since, power) = (now, 0, 2 * power);
            }
        }
        Ok(Self::Open)
    }
}

/// Takes a run to rest or to a step; the steps to rest, if it rests.
fn rest(run: &mut Simulation, end: u64) -> Result<Option<u64>> {
    let mut rests = None;
    run.run(
        Until { end, past_fixed_point: false },
        |_| false,
        Simulation::take,
        |run, at| {
            rests = at.fixed_point.map(|_| run.t());
            Ok(ControlFlow::Continue(()))
        },
    )?;
    Ok(rests)
}

/// The largest change of a coordinate within a cycle that a run stands at the beginning of.
fn amplitude(run: &mut Simulation, first: &Tokens, period: u64) -> Result<f64> {
    let (first, mut most) = (first.to_f64(), 0.0);
    for _ in 1..period.min(COMPARED) {
        run.advance(1)?;
        let moved = run.tokens()?.to_f64().into_iter().zip(&first).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        most = f64::max(most, moved);
    }
    Ok(most)
}
