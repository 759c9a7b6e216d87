//! The tools of a cell: simulations, side files, progress, signals.

use std::ops::ControlFlow;

use super::folder::Folder;
use super::results::{Series, write_frames};
use super::sizes::Sizes;
use crate::choice::Plan;
use crate::engine::{self, Simulation, Until};
use crate::engine::{Clouds, Engine, Engines, Steps};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::io::config::start::Start;
use crate::io::config::{Config, RunOptions};
use crate::model::Model;
use crate::observe::Limits;
use crate::outcome::StepReport;
use crate::tokens::Tokens;

/// The progress of a study.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// Steps done, those of finished cells included.
    pub done: u64,
    /// Most steps of all cells.
    pub total: u64,
    /// The cell at work.
    pub cell: &'a str,
    /// A note for the user on what the cell begins with.
    pub note: Option<&'a str>,
}

/// A callback that is told the progress and breaks to end the study.
pub(super) type Watch<'a> = dyn FnMut(&At<'_>) -> ControlFlow<()> + 'a;

/// The state of a simulation when a look is due.
pub struct Look<'a> {
    /// Steps taken.
    pub t: u64,
    /// The tokens.
    pub tokens: &'a Tokens,
    /// Report of the last step taken; none at the start.
    pub report: Option<StepReport>,
    /// Whether this is the last look: the last step is taken, or no bit will ever move again.
    pub last: bool,
    engine: &'a mut dyn Engine,
    model: &'a Model,
    grid: Grid,
}

impl Look<'_> {
    /// Asks the engine for C_i of the given rows in this state.
    ///
    /// # Errors
    /// Device failures; a schedule outside its domain.
    pub fn masks(&mut self, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let step = Steps::new(self.model, self.grid, self.tokens.d()).at(self.t)?;
        self.engine.masks(&step, rows)
    }

    /// The places of the tokens: which are vertices, and which lie outside S.
    pub fn limits(&self) -> Limits {
        Limits::of(self.model, self.grid, self.t, self.tokens)
    }

    /// The unit of the lattice that coordinates lie on, in exact rules; rounding is measured by it.
    pub fn unit(&self) -> f64 {
        self.grid.unit()
    }
}

/// The tools of a cell.
pub struct Workbench<'a> {
    pub(super) sizes: &'a Sizes,
    pub(super) engines: &'a Engines,
    pub(super) folder: &'a Folder,
    pub(super) cell: usize,
    pub(super) at: At<'a>,
    pub(super) watch: &'a mut Watch<'a>,
    /// A note about the engine for the user.
    pub(super) note: &'a mut Option<String>,
}

impl Workbench<'_> {
    /// Takes `model` through at most `steps` steps from `cloud`, in the precision and on the engine
    /// that were asked for; ends early where no bit will ever move again. `look` is called on the
    /// start, after every step that is `due`, and on the last state; it breaks to end there.
    /// Returns the steps taken.
    ///
    /// # Errors
    /// A model that does not fit; device failures; what `look` returns; a signal, as
    /// [`Error::Interrupted`].
    pub fn simulate(
        &mut self,
        model: &Model,
        cloud: &Tokens,
        steps: u64,
        due: impl Fn(u64) -> bool,
        look: impl FnMut(&mut Look<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<u64> {
        model.validate(cloud.d(), steps.min(1_000_000))?;
        let Sizes { engine, precision, .. } = *self.sizes;
        let run = RunOptions { steps, engine, plan: Plan::Auto, precision, auto: false, tolerance: None };
        let first = engine::first_state(model, cloud, precision)?;
        if model.is_exact() {
            first.1.require_steps(model, 0..steps, cloud.radius())?;
        }
        self.take(self.engines, &run, model, first, due, look)
    }

    /// Takes many clouds of one shape through `model`, side by side, as [`Workbench::simulate`] takes one. The
    /// tokens that `look` sees are those of all, cloud after cloud.
    ///
    /// # Errors
    /// As [`Workbench::simulate`].
    pub fn simulate_clouds(
        &mut self,
        model: &Model,
        clouds: Vec<Tokens>,
        steps: u64,
        due: impl Fn(u64) -> bool,
        mut look: impl FnMut(&mut Look<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<u64> {
        let Sizes { engine, precision, .. } = *self.sizes;
        let (mut firsts, mut grids) = (Vec::new(), Vec::new());
        for (c, cloud) in clouds.into_iter().enumerate() {
            let model = model.of_cloud(c);
            model.validate(cloud.d(), steps.min(1_000_000))?;
            let (first, grid) = engine::first_state(&model, &cloud, precision)?;
            if model.is_exact() {
                grid.require_steps(&model, 0..steps, cloud.radius())?;
            }
            firsts.push(first);
            grids.push(grid);
        }
        let first = Tokens::stacked(firsts)?;
        let opened = Clouds::open(engine, Plan::Auto, model, &first, &grids, &[])?;
        self.go(Box::new(opened), steps, model, (first, grids[0]), due, &mut look)
    }

    /// Simulates the system of a config as [`Workbench::simulate`] does, with the config's tokens,
    /// steps, engine, plan and precision.
    ///
    /// # Errors
    /// As [`Workbench::simulate`]; tokens that cannot be read; no such engine.
    pub fn simulate_config(
        &mut self,
        config: &Config,
        due: impl Fn(u64) -> bool,
        look: impl FnMut(&mut Look<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<u64> {
        let mut config = config.clone();
        let Start { tokens, grid, note, .. } = config.start()?;
        if let Some(lost) = note {
            let cell = self.at.cell;
            self.tell(Some(&format!("{cell}: {lost}")))?;
        }
        let (run, first) = (&config.run, (tokens, grid));
        if run.engine == self.sizes.engine {
            return self.take(self.engines, run, &config.model, first, due, look);
        }
        self.take(&Engines::find(run.engine)?, run, &config.model, first, due, look)
    }

    fn take(
        &mut self,
        engines: &Engines,
        run: &RunOptions,
        model: &Model,
        (first, grid): (Tokens, Grid),
        due: impl Fn(u64) -> bool,
        mut look: impl FnMut(&mut Look<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<u64> {
        let opened = engines.open(run.plan, model, &first, grid)?;
        if opened.note.is_some() {
            *self.note = opened.note;
        }
        self.go(opened.engine, run.steps, model, (first, grid), due, &mut look)
    }

    fn go(
        &mut self,
        engine: Box<dyn Engine>,
        steps: u64,
        model: &Model,
        (first, grid): (Tokens, Grid),
        due: impl Fn(u64) -> bool,
        look: &mut dyn FnMut(&mut Look<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<u64> {
        let mut simulation = Simulation::from_state(model, grid, (first.n(), first.d()), engine, 0);
        let start = self.at.done;
        let begun =
            Look { t: 0, tokens: &first, report: None, last: steps == 0, engine: simulation.engine(), model, grid };
        if look(&mut { begun })?.is_break() {
            return Ok(0);
        }
        drop(first);
        let mut taken = 0;
        let until = Until { end: steps, past_fixed_point: false };
        simulation.run(until, &due, Simulation::take, |simulation, at| {
            (self.at.done, taken) = (start + at.t, at.t);
            self.check()?;
            if !at.is_last && !due(at.t) {
                return Ok(ControlFlow::Continue(()));
            }
            let tokens = simulation.tokens()?;
            let (t, report, last) = (at.t, at.report, at.is_last);
            look(&mut Look { t, tokens: &tokens, report, last, engine: simulation.engine(), model, grid })
        })?;
        Ok(taken)
    }

    /// Reports the progress and looks for a signal; for work outside of [`Workbench::simulate`].
    ///
    /// # Errors
    /// A signal, as [`Error::Interrupted`].
    pub fn check(&mut self) -> Result<()> {
        self.tell(None)
    }

    fn tell(&mut self, note: Option<&str>) -> Result<()> {
        match (self.watch)(&At { note, ..self.at }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted(self.at.cell.to_owned())),
        }
    }

    /// Keeps columns of numbers, `cells/<cell>-<name>.csv`.
    ///
    /// # Errors
    /// A row of another length; what cannot be written.
    pub fn series(&mut self, name: &str, columns: &[&str], rows: Vec<Vec<f64>>) -> Result<()> {
        if let Some(row) = rows.iter().find(|row| row.len() != columns.len()) {
            return Err(Error::input(format!(
                "series {name}: a row of {} values in {} columns",
                row.len(),
                columns.len()
            )));
        }
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Series { columns, rows }.write(self.folder, self.cell, name)
    }

    /// Keeps tokens at some steps, for pictures and the player; all of one shape, at most one set a
    /// cell.
    ///
    /// # Errors
    /// No frames, frames of different shapes; what cannot be written.
    pub fn frames(&mut self, frames: &[(u64, Tokens)]) -> Result<()> {
        write_frames(self.folder, self.cell, frames)
    }
}
