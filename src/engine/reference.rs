//! [`crate::reference`] behind the trait. Its loops stay plain: an interrupt is heard between steps.

use crate::engine::interface::Engine;
use crate::engine::step::Step;
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::interrupt::Interrupt;
use crate::outcome::{Description, StepReport, Strips};
use crate::reference::{exact, real};
use crate::tokens::Tokens;

/// The reference of the rules of the contract.
#[derive(Debug)]
pub struct ExactReference {
    state: exact::State,
    interrupt: Interrupt,
    strips: Option<Strips>,
}

/// The reference of every other rule. Its tokens are in the stored width: a step is computed in f64
/// and rounded once, which is as near as that width comes.
#[derive(Debug)]
pub struct RealReference {
    tokens: Tokens,
    interrupt: Interrupt,
    strips: Option<Strips>,
}

impl ExactReference {
    /// Holds the tokens, moved to the grid.
    pub fn new(tokens: &Tokens, grid: Grid) -> Self {
        Self { state: exact::State::new(tokens, grid), interrupt: Interrupt::default(), strips: None }
    }

    fn step_once(&mut self, step: &Step) -> Result<StepReport> {
        let (next, strips) = self.state.step(step.exact()?);
        let moved = (0..next.n).filter(|&i| next.row(i) != self.state.row(i)).count();
        self.state = next;
        let argmax = strips.iter().map(|s| s.argmax as u32).collect();
        let strips = Strips { argmax, count: strips.iter().map(|s| s.members.len() as u32).collect() };
        Ok(report(&mut self.strips, step, moved, strips))
    }
}

impl RealReference {
    /// Holds the tokens as they are.
    pub fn new(tokens: &Tokens) -> Self {
        Self { tokens: tokens.clone(), interrupt: Interrupt::default(), strips: None }
    }

    fn step_once(&mut self, step: &Step) -> Result<StepReport> {
        let (next, strips) = real::State::new(&self.tokens).step(step.real()?);
        let next = Tokens::stepped(&next.x, next.d, self.tokens.precision(), step.t())?;
        let moved = (0..next.n()).filter(|&i| next.row(i) != self.tokens.row(i)).count();
        self.tokens = next;
        Ok(report(&mut self.strips, step, moved, strips))
    }
}

/// Keeps the strips of a step and reports it.
fn report(kept: &mut Option<Strips>, step: &Step, moved: usize, strips: Strips) -> StepReport {
    let report = StepReport::new(step.t(), moved as u64, &strips.count, 0);
    *kept = Some(strips);
    report
}

fn description(arithmetic: &str) -> Description {
    Description { engine: "reference".into(), device: format!("plain loops, {arithmetic}"), driver: String::new() }
}

fn no_step() -> Error {
    Error::input("no step has been taken yet")
}

impl Engine for ExactReference {
    fn description(&self) -> Description {
        description("i128")
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.interrupt = interrupt.clone();
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        self.interrupt.clone().whole_steps(steps, |step| self.step_once(step))
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.state.tokens()
    }

    fn strips(&mut self) -> Result<Strips> {
        self.strips.clone().ok_or_else(no_step)
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let step = step.exact()?;
        Ok(rows.iter().map(|&i| self.state.strip(step, i).members.iter().map(|&j| j as u32).collect()).collect())
    }
}

impl Engine for RealReference {
    fn description(&self) -> Description {
        description("f64")
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.interrupt = interrupt.clone();
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        self.interrupt.clone().whole_steps(steps, |step| self.step_once(step))
    }

    fn tokens(&mut self) -> Result<Tokens> {
        Ok(self.tokens.clone())
    }

    fn strips(&mut self) -> Result<Strips> {
        self.strips.clone().ok_or_else(no_step)
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let step = step.real()?;
        let state = real::State::new(&self.tokens).attending(step).into_owned();
        let (stage, head) = (&step.stages[0], &step.stages[0].heads[0]);
        let keys = |i: usize| state.attention(step, stage, head, i).weights.iter().map(|(j, _)| *j as u32).collect();
        Ok(rows.iter().map(|&i| keys(i)).collect())
    }
}
