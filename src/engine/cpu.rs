//! The CPU behind the trait.

use super::Engine;
use crate::contract::{Grid, Step};
use crate::cpu::{Cpu, Options};
use crate::error::Result;
use crate::outcome::{Description, StepReport, Strips};
use crate::tokens::Tokens;

/// [`crate::cpu`] as an [`Engine`].
#[derive(Debug)]
pub struct CpuEngine {
    cpu: Cpu,
}

impl CpuEngine {
    /// Holds the tokens, moved to the grid.
    ///
    /// # Errors
    /// As [`Cpu::new`].
    pub fn new(tokens: &Tokens, grid: Grid, options: Options) -> Result<Self> {
        Ok(Self { cpu: Cpu::new(tokens, grid, options)? })
    }

    /// The machinery itself, for measurements.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }
}

impl Engine for CpuEngine {
    fn description(&self) -> Description {
        let (set, threads) = (self.cpu.set().name(), self.cpu.threads());
        let plural = if threads == 1 { "" } else { "s" };
        Description { engine: "cpu".into(), device: format!("{set}, {threads} thread{plural}"), driver: String::new() }
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        Ok(steps.iter().map(|step| self.cpu.step(step)).collect())
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.cpu.tokens()
    }

    fn strips(&mut self) -> Result<Strips> {
        self.cpu.strips()
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.cpu.masks(step, rows)
    }
}
