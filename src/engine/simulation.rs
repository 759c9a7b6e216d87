//! The loop: a model's steps applied by an engine, in batches, up to the next step that is due or
//! to rest.

use std::ops::ControlFlow;

use crate::choice::{EngineChoice, Plan};
use crate::clock::Instant;
use crate::engine::interface::Engine;
use crate::engine::open::open;
use crate::engine::step::{Step, Steps};
use crate::engine::strip::{Strip, StripsAt, require_token};
use crate::error::{Error, Result};
use crate::exact::{Grid, Loss};
use crate::model::Model;
use crate::outcome::StepReport;
use crate::tokens::{Precision, Tokens};

/// Steps handed to an engine at once, at most: a GPU takes them in one submission.
const LARGEST_BATCH: u64 = 256;
/// Coordinates of pairs, row and key, in a batch: a fraction of a second where all are scored, so
/// that progress is not kept waiting. Counted, so that every run has the same batches.
const BATCH_PAIRS: f64 = 4e9;
/// Steps looked ahead for the next one that is due.
const HORIZON: u64 = 256;

/// The first state of a run: the cloud on its lattice, or on its geometry.
///
/// # Errors
/// Tokens too large or too small for their lattice, or that no geometry can hold.
pub fn first_state(model: &Model, cloud: &Tokens, precision: Precision) -> Result<(Tokens, Grid)> {
    let grid = Grid::of(model.widest(cloud), precision);
    if !model.is_exact() {
        return Ok((model.start(cloud, precision)?, grid));
    }
    grid.require_range(model.widest(cloud).largest_magnitude())?;
    Ok((grid.snap(cloud)?, grid))
}

/// A run in progress: a model, an engine that holds the state, and the number of steps taken.
pub struct Simulation {
    model: Model,
    engine: Box<dyn Engine>,
    steps: Steps,
    grid: Grid,
    lost: Loss,
    t: u64,
    /// Steps of the next batch, and the most that one may have.
    batch: u64,
    largest: u64,
    step_seconds: f64,
}

/// State of a run after some steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Steps taken, counted from the run's start.
    pub t: u64,
    /// The last step's report.
    pub report: Option<StepReport>,
    /// The step from which no bit moves any more, if it is among those just taken.
    pub fixed_point: Option<u64>,
    /// No step follows: the last one was taken, or the state is at rest.
    pub is_last: bool,
}

/// End of [`Simulation::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    /// Steps, counted from the run's start.
    pub end: u64,
    /// Go on after no bit moves any more.
    pub past_fixed_point: bool,
}

impl Simulation {
    /// A run of `model` from `tokens`, at the precision that they are stored in.
    ///
    /// # Errors
    /// A model or tokens outside their domain; a first step too small for the lattice; no such
    /// engine on this machine, or not enough memory.
    pub fn new(model: &Model, tokens: &Tokens, engine: EngineChoice) -> Result<Self> {
        model.validate(tokens.d(), 1)?;
        model.validate_count(tokens.n())?;
        model.validate_clouds(None)?;
        let (first, grid) = first_state(model, tokens, tokens.precision())?;
        if model.is_exact() {
            grid.require_steps(model, 0..1, tokens.radius_beside(model.keys.as_deref()))?;
        }
        let lost = if model.is_exact() { Loss::of(tokens, &first) } else { Loss::default() };
        let opened = open(engine, Plan::Auto, model, &first, grid)?;
        Ok(Self { lost, ..Self::from_state(model, grid, (first.n(), first.d()), opened.engine, 0) })
    }

    /// A run of `model` from the n tokens in R^d that an engine holds, after t steps.
    pub fn from_state(model: &Model, grid: Grid, (n, d): (usize, usize), engine: Box<dyn Engine>, t: u64) -> Self {
        let steps = Steps::new(model, grid, d);
        let largest = (BATCH_PAIRS / (engine.pairs(n) * d as f64)) as u64;
        let (model, largest) = (model.clone(), largest.clamp(1, LARGEST_BATCH));
        Self { model, engine, steps, grid, lost: Loss::default(), t, batch: 1, largest, step_seconds: 0.0 }
    }

    /// Steps taken so far, counted from the run's start.
    pub fn t(&self) -> u64 {
        self.t
    }

    /// The system.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The lattice of rules under the integer contract.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// What the lattice lost of the tokens that [`Simulation::new`] was given; tokens stored in f64
    /// lose less.
    pub fn lost(&self) -> Loss {
        self.lost
    }

    /// The engine, with the state.
    pub fn engine(&mut self) -> &mut dyn Engine {
        self.engine.as_mut()
    }

    /// Seconds spent in steps.
    pub fn step_seconds(&self) -> f64 {
        self.step_seconds
    }

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// Device failures.
    pub fn tokens(&mut self) -> Result<Tokens> {
        self.engine.tokens()
    }

    /// The hash of the current tokens, as a run records it in metrics.csv: blake3 over their f32 or
    /// f64 bytes.
    ///
    /// # Errors
    /// Device failures.
    pub fn hash(&mut self) -> Result<String> {
        Ok(self.engine.tokens()?.hash().to_hex().to_string())
    }

    /// The strip that a token averages over in the next step. The engine decides its members.
    ///
    /// # Errors
    /// A token beyond the last; a schedule outside its domain; device failures.
    pub fn strip(&mut self, token: usize) -> Result<Strip> {
        let tokens = self.engine.tokens()?;
        require_token(token, tokens.n())?;
        let step = self.steps.at(self.t)?;
        let members = self.engine.masks(&step, &[token])?.remove(0);
        let strip = StripsAt::new(&self.model, &tokens, self.t)?.of(token)?;
        Ok(Strip { members: members.into_iter().map(|j| j as usize).collect(), ..strip })
    }

    /// The members of the strips of some tokens in the next step, as the engine decides them: indices,
    /// ascending.
    ///
    /// # Errors
    /// As [`Simulation::strip`].
    pub fn masks(&mut self, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let step = self.steps.at(self.t)?;
        self.engine.masks(&step, rows)
    }

    /// Takes up to `count` steps, at least one; fewer where the state comes to rest. The last
    /// step's report.
    ///
    /// # Errors
    /// 0 steps; a schedule outside its domain; a token that stops being finite; device failures.
    pub fn advance(&mut self, count: u64) -> Result<StepReport> {
        let until = Until { end: self.t.saturating_add(count), past_fixed_point: false };
        let mut last = None;
        self.run(
            until,
            |_| false,
            Self::take,
            |_, look| {
                last = look.report;
                Ok(ControlFlow::Continue(()))
            },
        )?;
        last.ok_or_else(|| Error::input("0 steps to take; at least 1"))
    }

    /// Takes the steps up to `until`, in stretches that end at every step that is `due`. `take`
    /// takes some steps, none beyond the step that it is given ([`Simulation::take`]); `look` is
    /// called after each of its calls, and breaks to end the run there. A model that is the same at
    /// every step and moved nothing will never move anything: there the run ends, however far a
    /// batch went beyond.
    ///
    /// # Errors
    /// The errors of `take` and `look`.
    pub fn run(
        &mut self,
        until: Until,
        due: impl Fn(u64) -> bool,
        mut take: impl FnMut(&mut Self, u64) -> Result<Vec<StepReport>>,
        mut look: impl FnMut(&mut Self, &Standing) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let (end, is_autonomous) = (until.end, self.model.is_autonomous());
        while self.t < end {
            let horizon = end.min(self.t.saturating_add(HORIZON));
            let next = (self.t + 1..horizon).find(|&step| due(step)).unwrap_or(horizon);
            let start = Instant::now();
            let reports = take(self, next)?;
            self.step_seconds += start.elapsed().as_secs_f64();
            let fixed = reports.iter().find(|report| report.moved == 0).filter(|_| is_autonomous);
            let at_rest = fixed.filter(|_| !until.past_fixed_point);
            // At rest every later state is this one, so the steps beyond it need not count.
            self.t = at_rest.map_or(self.t, |report| report.t + 1);
            let standing = Standing {
                t: self.t,
                report: at_rest.or(reports.last()).copied(),
                fixed_point: fixed.map(|report| report.t),
                is_last: at_rest.is_some() || self.t == end,
            };
            if look(self, &standing)?.is_break() || standing.is_last {
                break;
            }
        }
        Ok(())
    }

    /// Takes some steps, at least one and none beyond `end`; the reports of the steps taken.
    ///
    /// # Errors
    /// [`Error::Interrupted`] before the first of them was taken whole; device failures; a schedule
    /// outside its domain.
    pub fn take(&mut self, end: u64) -> Result<Vec<StepReport>> {
        let count = self.batch.min(end - self.t);
        let mut batch: Vec<Step> = Vec::with_capacity(count as usize);
        for t in self.t..self.t + count {
            match self.steps.at(t) {
                Ok(step) => batch.push(step),
                Err(error) if batch.is_empty() => return Err(error),
                Err(_) => break, // the steps before it are taken first
            }
        }
        let reports = self.engine.step(&batch)?;
        self.t += reports.len() as u64;
        self.batch = self.largest.min(self.batch * 2);
        Ok(reports)
    }

    /// Has `step` take one step of the engine's, given the time.
    ///
    /// # Errors
    /// The errors of `step`.
    pub fn take_by(&mut self, step: impl FnOnce(&mut dyn Engine, u64) -> Result<StepReport>) -> Result<StepReport> {
        let report = step(self.engine.as_mut(), self.t)?;
        self.t += 1;
        Ok(report)
    }
}
