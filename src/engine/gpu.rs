//! The GPU engine behind the trait.

use super::{Engine, Step};
use crate::contract::Grid;
use crate::error::Result;
use crate::gpu::{Device, State};
use crate::outcome::{Description, StepReport, Strips};
use crate::tokens::Tokens;

/// [`crate::gpu::State`] as an [`Engine`].
#[derive(Debug)]
pub struct GpuEngine {
    state: State,
}

impl GpuEngine {
    /// Moves the tokens to the device; `matrix` is whether A will be anything but the identity.
    ///
    /// # Errors
    /// [`crate::error::Error::Memory`] before anything is allocated; device failures.
    pub fn new(device: &Device, tokens: &Tokens, grid: Grid, matrix: bool) -> Result<Self> {
        Ok(Self { state: State::new(device, tokens, grid, matrix)? })
    }

    /// The tokens on their device: its plan and timings.
    pub fn state(&self) -> &State {
        &self.state
    }
}

impl Engine for GpuEngine {
    fn description(&self) -> Description {
        let adapter = self.state.device().adapter();
        Description {
            engine: "gpu".into(),
            device: format!("{} ({}, {})", adapter.name(), adapter.kind(), adapter.backend()),
            driver: adapter.driver(),
        }
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let steps = steps.iter().map(|step| step.lattice().cloned()).collect::<Result<Vec<_>>>()?;
        self.state.step(&steps)
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.state.tokens()
    }

    fn strips(&mut self) -> Result<Strips> {
        self.state.strips()
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.state.masks(step.lattice()?, rows)
    }
}
