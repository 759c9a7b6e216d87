//! The CPU behind the trait.

use super::{Engine, Step};
use crate::contract::Grid;
use crate::cpu::{Attention, Cpu, Options};
use crate::error::Result;
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::tokens::Tokens;

/// [`crate::cpu`] as an [`Engine`].
#[derive(Debug)]
pub struct CpuEngine {
    state: State,
}

#[derive(Debug)]
enum State {
    Lattice(Cpu),
    Real(Attention),
}

impl CpuEngine {
    /// Holds the tokens, moved to the grid, for the rules of the contract.
    ///
    /// # Errors
    /// As [`Cpu::new`].
    pub fn new(tokens: &Tokens, grid: Grid, options: Options) -> Result<Self> {
        Ok(Self { state: State::Lattice(Cpu::new(tokens, grid, options)?) })
    }

    /// Holds the tokens as they are, for every other rule.
    ///
    /// # Errors
    /// As [`Attention::new`].
    pub fn real(tokens: &Tokens, options: Options) -> Result<Self> {
        Ok(Self { state: State::Real(Attention::new(tokens, options)?) })
    }

    fn step_once(&mut self, step: &Step) -> Result<StepReport> {
        match &mut self.state {
            State::Lattice(cpu) => Ok(cpu.step(step.lattice()?)),
            State::Real(attention) => attention.step(step.real()?),
        }
    }
}

impl Engine for CpuEngine {
    fn description(&self) -> Description {
        let (set, threads) = match &self.state {
            State::Lattice(cpu) => (cpu.set(), cpu.threads()),
            State::Real(attention) => (attention.set(), attention.threads()),
        };
        let plural = if threads == 1 { "" } else { "s" };
        let device = format!("{}, {threads} thread{plural}", set.name());
        Description { engine: "cpu".into(), device, driver: String::new() }
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        steps.iter().map(|step| self.step_once(step)).collect()
    }

    fn tokens(&mut self) -> Result<Tokens> {
        match &self.state {
            State::Lattice(cpu) => cpu.tokens(),
            State::Real(attention) => Ok(attention.tokens().clone()),
        }
    }

    fn effort(&self) -> Option<Effort> {
        match &self.state {
            State::Lattice(cpu) => Some(cpu.effort()),
            State::Real(attention) => attention.effort(),
        }
    }

    fn strips(&mut self) -> Result<Strips> {
        match &self.state {
            State::Lattice(cpu) => cpu.strips(),
            State::Real(attention) => attention.strips(),
        }
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        match &self.state {
            State::Lattice(cpu) => cpu.masks(step.lattice()?, rows),
            State::Real(attention) => attention.masks(step.real()?, rows),
        }
    }
}
