//! The CPU behind the trait.

use super::{Engine, Step};
use crate::contract::{self, Grid, StripWidth};
use crate::cpu::{Cpu, Options};
use crate::error::{Error, Result};
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

/// The integers of a step that this engine has a kernel for.
fn known(step: &Step) -> Result<&contract::Step> {
    match step {
        Step::Lattice(step) if step.width != StripWidth::Argmax => Ok(step),
        _ => Err(Error::input("the cpu engine runs localmax and hardmax; take engine = \"reference\" for this rule")),
    }
}

impl Engine for CpuEngine {
    fn description(&self) -> Description {
        let (set, threads) = (self.cpu.set().name(), self.cpu.threads());
        let plural = if threads == 1 { "" } else { "s" };
        Description { engine: "cpu".into(), device: format!("{set}, {threads} thread{plural}"), driver: String::new() }
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        steps.iter().map(|step| Ok(self.cpu.step(known(step)?))).collect()
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.cpu.tokens()
    }

    fn strips(&mut self) -> Result<Strips> {
        self.cpu.strips()
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.cpu.masks(known(step)?, rows)
    }
}
