//! The GPU engine behind the trait.

use super::{Engine, Step};
use crate::choice::Plan;
use crate::contract::Grid;
use crate::error::Result;
use crate::gpu::{Device, Planned};
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::tokens::Tokens;

/// [`crate::gpu::Planned`] as an [`Engine`].
#[derive(Debug)]
pub struct GpuEngine {
    state: Planned,
}

impl GpuEngine {
    /// Moves the tokens to the device; `matrix` is whether A will be anything but the identity.
    ///
    /// # Errors
    /// [`crate::error::Error::Memory`] before anything is allocated; the plan `norm`; device failures.
    pub fn new(device: &Device, tokens: &Tokens, grid: Grid, matrix: bool, plan: Plan) -> Result<Self> {
        Ok(Self { state: Planned::new(device, tokens, grid, matrix, plan)? })
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

    fn effort(&self) -> Option<Effort> {
        Some(self.state.effort())
    }

    fn strips(&mut self) -> Result<Strips> {
        self.state.strips()
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.state.masks(step.lattice()?, rows)
    }
}
