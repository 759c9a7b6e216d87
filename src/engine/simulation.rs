//! The loop: a model's steps applied by an engine, in batches, with reports handed out in order.

use std::time::{Duration, Instant};

use crate::engine::{Engine, Step, Steps};
use crate::error::Result;
use crate::exact::Grid;
use crate::model::Model;
use crate::outcome::StepReport;
use crate::tokens::{Precision, Tokens};
use crate::verify::Verifier;

/// Steps handed to an engine at once, at most: a GPU takes them in one submission.
const LARGEST_BATCH: u64 = 256;
/// A batch is sized to take about this long, so that progress and signals are not kept waiting.
const BATCH_TIME: Duration = Duration::from_millis(250);

/// The first state of a run: the cloud on its lattice, or on its geometry.
///
/// # Errors
/// Tokens too large or too small for their lattice, or that no geometry can hold.
pub fn first_state(model: &Model, cloud: &Tokens, precision: Precision) -> Result<(Tokens, Grid)> {
    let grid = Grid::of(cloud, precision);
    if !model.is_exact() {
        return Ok((model.start(cloud, precision)?, grid));
    }
    grid.require_range()?;
    Ok((grid.snap(cloud)?, grid))
}

/// A run in progress.
pub struct Simulation<'a> {
    engine: Box<dyn Engine>,
    steps: Steps<'a>,
    t: u64,
    batch: u64,
}

impl<'a> Simulation<'a> {
    /// A run of `model` from the engine's state at time t.
    pub fn new(model: &'a Model, grid: Grid, d: usize, engine: Box<dyn Engine>, t: u64) -> Self {
        Self { engine, steps: Steps::new(model, grid, d), t, batch: 1 }
    }

    /// Steps taken so far, counted from the run's start.
    pub fn t(&self) -> u64 {
        self.t
    }

    /// The engine and its state.
    pub fn engine(&mut self) -> &mut dyn Engine {
        self.engine.as_mut()
    }

    /// Takes some steps, at least one and none beyond `end`; the reports of the steps taken.
    ///
    /// # Errors
    /// Device failures; a schedule outside its domain.
    pub fn advance(&mut self, end: u64) -> Result<Vec<StepReport>> {
        let count = self.batch.min(end - self.t);
        let mut batch: Vec<Step> = Vec::with_capacity(count as usize);
        for t in self.t..self.t + count {
            match self.steps.at(t) {
                Ok(step) => batch.push(step),
                Err(error) if batch.is_empty() => return Err(error),
                Err(_) => break, // the steps before it are taken first
            }
        }
        let count = batch.len() as u64;
        let start = Instant::now();
        let reports = self.engine.step(&batch)?;
        self.t += count;
        let each = start.elapsed().div_f64(count.max(1) as f64).max(Duration::from_nanos(1));
        let fitting = BATCH_TIME.as_nanos() / each.as_nanos();
        self.batch = (fitting as u64).clamp(1, LARGEST_BATCH).min(self.batch * 2);
        Ok(reports)
    }

    /// Takes one step under the verifier's eyes.
    ///
    /// # Errors
    /// As [`Verifier::step`].
    pub fn advance_verified(&mut self, verifier: &mut Verifier<'_>) -> Result<StepReport> {
        let report = verifier.step(self.engine.as_mut(), self.t)?;
        self.t += 1;
        Ok(report)
    }
}
