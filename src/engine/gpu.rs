//! The GPU's engines behind the trait.

use crate::engine::interface::{Engine, Rounding};
use crate::engine::step::Step;
use crate::error::Result;
use crate::gpu::{Adapter, ExactGpu, RealGpu};
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::tokens::Tokens;

fn description(adapter: &Adapter) -> Description {
    Description {
        engine: "gpu".into(),
        device: format!("{} ({}, {})", adapter.name(), adapter.kind(), adapter.backend()),
        driver: adapter.driver(),
    }
}

impl Engine for ExactGpu {
    fn description(&self) -> Description {
        description(self.device().adapter())
    }

    fn rounding(&self) -> Rounding {
        Rounding::Single
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        self.step(&steps.iter().map(|step| step.exact().cloned()).collect::<Result<Vec<_>>>()?)
    }

    fn tokens(&mut self) -> Result<Tokens> {
        (*self).tokens()
    }

    fn effort(&self) -> Option<Effort> {
        Some(self.effort())
    }

    fn strips(&mut self) -> Result<Strips> {
        (*self).strips()
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.masks(step.exact()?, rows)
    }
}

impl Engine for RealGpu {
    fn description(&self) -> Description {
        description(self.device().adapter())
    }

    fn rounding(&self) -> Rounding {
        Rounding::Single
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        self.step(&steps.iter().map(|step| step.real().cloned()).collect::<Result<Vec<_>>>()?)
    }

    fn tokens(&mut self) -> Result<Tokens> {
        (*self).tokens()
    }

    fn strips(&mut self) -> Result<Strips> {
        (*self).strips()
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.masks(step.real()?, rows)
    }
}
