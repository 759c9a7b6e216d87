//! Many clouds as one engine: an engine for each, side by side on the threads of the program.
//!
//! A cloud is the run that it would be alone: its steps are made from its own model on its own
//! lattice, so that its bits are those of that run. A cloud at rest is not stepped again.

use rayon::prelude::*;

use crate::choice::{EngineChoice, Plan};
use crate::engine::interface::{Engine, Rounding};
use crate::engine::open::Engines;
use crate::engine::step::{Step, Steps};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::outcome::{Description, StepReport, Strips};
use crate::threads::Pool;
use crate::tokens::Tokens;

/// A pair of a small cloud costs so many times one of a large one, for which batches are measured.
const DEARER: f64 = 16.0;

/// The engines of many clouds of one shape.
pub struct Clouds {
    each: Vec<Cloud>,
    pool: Pool,
    interrupt: Interrupt,
    /// Side by side; engines that have a device together go one after another.
    is_parallel: bool,
    /// True if one step is that of every cloud: one system, on no lattice.
    is_uniform: bool,
}

/// One of many clouds.
struct Cloud {
    steps: Steps,
    engine: Box<dyn Engine>,
    is_autonomous: bool,
    /// The step from which on no bit changes.
    rest: Option<u64>,
    /// The report of the last step taken here.
    last: Option<StepReport>,
}

/// The engine that is taken where this one is asked for, of a run of many clouds: a card has nothing to share out in a
/// small one.
pub fn of_clouds(choice: EngineChoice, clouds: Option<usize>) -> EngineChoice {
    if clouds.is_some() && choice == EngineChoice::Auto { EngineChoice::Cpu } else { choice }
}

impl Clouds {
    /// Opens an engine for each cloud of `tokens`, which are those of all clouds, on its lattice in
    /// `grids`. `rests` has the step from which on each does not change, of a run that goes on.
    ///
    /// # Errors
    /// As [`Engines::open`], with the cloud's number.
    pub fn open(
        choice: EngineChoice,
        plan: Plan,
        model: &Model,
        tokens: &Tokens,
        grids: &[Grid],
        rests: &[Option<u64>],
    ) -> Result<Self> {
        if model.keys.is_some() {
            return Err(Error::at_key("tokens.keys", "is given beside many clouds, which have no fixed keys yet"));
        }
        let choice = of_clouds(choice, Some(grids.len()));
        let engines = Engines::find(choice)?;
        let open = |(c, grid): (usize, &Grid)| {
            let (model, tokens) = (model.of_cloud(c), tokens.cloud(c, grids.len()));
            let opened = engines.open(plan, &model, &tokens, *grid).map_err(|error| error.of_cloud(c))?;
            Ok(Cloud {
                steps: Steps::new(&model, *grid, tokens.d()),
                engine: opened.engine,
                is_autonomous: model.is_autonomous(),
                rest: rests.get(c).copied().flatten(),
                last: None,
            })
        };
        let clouds = grids.iter().enumerate().map(open).collect::<Result<Vec<_>>>()?;
        let is_parallel = choice != EngineChoice::Gpu;
        let is_uniform = !model.is_exact() && !model.is_by_cloud();
        Ok(Self { each: clouds, pool: Pool::start(None)?, interrupt: Interrupt::default(), is_parallel, is_uniform })
    }

    /// The cloud of a row, and its row there.
    fn place(&mut self, row: usize) -> Result<(&mut Cloud, usize, usize)> {
        let n = self.each[0].engine.tokens()?.n();
        let all = self.each.len() * n;
        let cloud = self.each.get_mut(row / n);
        cloud.map(|cloud| (cloud, row / n * n, row % n)).ok_or_else(|| Error::input(format!("row {row} of {all}")))
    }
}

impl Cloud {
    /// Its own steps at the times of these.
    fn own(&mut self, given: &[Step]) -> Result<Vec<Step>> {
        given.iter().map(|step| self.steps.at(step.t())).collect()
    }

    /// Takes steps, all of them: these, if they are its own, or else its own at their times.
    fn take(&mut self, given: &[Step], are_own: bool) -> Result<Vec<StepReport>> {
        if let (Some(_), Some(last)) = (self.rest, self.last) {
            return Ok(given.iter().map(|step| StepReport { t: step.t(), ..last }).collect());
        }
        let own = if are_own { Vec::new() } else { self.own(given)? };
        let steps = if are_own { given } else { &own[..] };
        let mut reports = Vec::with_capacity(steps.len());
        while reports.len() < steps.len() {
            // Fewer than were asked for where the next one fails.
            reports.extend(self.engine.step(&steps[reports.len()..])?);
        }
        let rest = reports.iter().find(|report| report.moved == 0).filter(|_| self.is_autonomous);
        self.rest = self.rest.or(rest.map(|report| report.t));
        self.last = reports.last().copied();
        Ok(reports)
    }
}

/// The reports of some clouds' steps, and the first cloud that failed.
type Taken = (Vec<StepReport>, Option<(usize, Error)>);

/// Joins the reports of two clouds, or of two groups of them.
fn joined((mut reports, failed): Taken, (others, also): Taken) -> Taken {
    if reports.is_empty() {
        reports = others;
    } else {
        for (report, other) in reports.iter_mut().zip(others) {
            report.moved += other.moved;
            report.strip_min = report.strip_min.min(other.strip_min);
            report.strip_max = report.strip_max.max(other.strip_max);
            report.strip_total += other.strip_total;
            report.redone += other.redone;
        }
    }
    let failed = match (failed, also) {
        (Some(one), Some(other)) => Some(if one.0 < other.0 { one } else { other }),
        (one, other) => one.or(other),
    };
    (reports, failed)
}

impl Engine for Clouds {
    fn description(&self) -> Description {
        self.each[0].engine.description()
    }

    fn rounding(&self) -> Rounding {
        self.each[0].engine.rounding()
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.interrupt = interrupt.clone();
    }

    /// All clouds take all steps or none: an interrupt is heeded between calls alone.
    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        if self.interrupt.is_raised() {
            return Err(Error::Interrupted("before a step of all clouds".into()));
        }
        let are_own = self.is_uniform;
        let take = |(c, cloud): (usize, &mut Cloud)| match cloud.take(steps, are_own) {
            Ok(reports) => (reports, None),
            Err(error) => (Vec::new(), Some((c, error.of_cloud(c)))),
        };
        let none = || (Vec::new(), None);
        let (reports, failed) = if self.is_parallel {
            let each = &mut self.each;
            self.pool.install(|| each.par_iter_mut().enumerate().map(take).reduce(none, joined))
        } else {
            self.each.iter_mut().enumerate().map(take).fold(none(), joined)
        };
        failed.map_or(Ok(reports), |(_, error)| Err(error))
    }

    fn tokens(&mut self) -> Result<Tokens> {
        Tokens::stacked(self.each.iter_mut().map(|cloud| cloud.engine.tokens()).collect::<Result<_>>()?)
    }

    fn strips(&mut self) -> Result<Strips> {
        let mut all = Strips::default();
        for cloud in &mut self.each {
            let before = all.count.len() as u32;
            let Strips { argmax, count } = cloud.engine.strips()?;
            all.argmax.extend(argmax.into_iter().map(|j| before + j));
            all.count.extend(count);
        }
        Ok(all)
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let of = |&row: &usize| {
            let (cloud, before, row) = self.place(row)?;
            let step = cloud.steps.at(step.t())?;
            let keys = cloud.engine.masks(&step, &[row])?.remove(0);
            Ok(keys.into_iter().map(|j| before as u32 + j).collect())
        };
        rows.iter().map(of).collect()
    }

    fn pairs(&self, n: usize) -> f64 {
        DEARER * (n as f64).powi(2) / self.each.len() as f64
    }

    fn rests(&self) -> Vec<Option<u64>> {
        self.each.iter().map(|cloud| cloud.rest).collect()
    }
}
