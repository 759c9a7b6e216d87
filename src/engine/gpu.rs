//! The GPU engine behind the trait.

use super::{Engine, Rounding, Step};
use crate::contract::Grid;
use crate::error::Result;
use crate::gpu::{Attention, Device, Options, Planned};
use crate::model::Model;
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::tokens::Tokens;

/// [`crate::gpu`] as an [`Engine`].
#[derive(Debug)]
pub struct GpuEngine {
    state: State,
}

#[derive(Debug)]
enum State {
    Lattice(Box<Planned>),
    Real(Box<Attention>),
}

impl GpuEngine {
    /// Moves the tokens to the device, for the rules of the contract; `matrix` is whether A will be anything but the identity.
    ///
    /// # Errors
    /// As [`Planned::new`].
    pub fn new(device: &Device, tokens: &Tokens, grid: Grid, matrix: bool, options: Options) -> Result<Self> {
        Ok(Self { state: State::Lattice(Box::new(Planned::new(device, tokens, grid, matrix, options)?)) })
    }

    /// Moves the tokens to the device as they are, for every other rule.
    ///
    /// # Errors
    /// As [`Attention::new`].
    pub fn real(device: &Device, tokens: &Tokens, model: &Model) -> Result<Self> {
        Ok(Self { state: State::Real(Box::new(Attention::new(device, tokens, model)?)) })
    }
}

impl Engine for GpuEngine {
    fn description(&self) -> Description {
        let device = match &self.state {
            State::Lattice(state) => state.device(),
            State::Real(attention) => attention.device(),
        };
        let adapter = device.adapter();
        Description {
            engine: "gpu".into(),
            device: format!("{} ({}, {})", adapter.name(), adapter.kind(), adapter.backend()),
            driver: adapter.driver(),
        }
    }

    fn rounding(&self) -> Rounding {
        Rounding::Single
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        match &mut self.state {
            State::Lattice(state) => {
                state.step(&steps.iter().map(|step| step.lattice().cloned()).collect::<Result<Vec<_>>>()?)
            }
            State::Real(attention) => {
                attention.step(&steps.iter().map(|step| step.real().cloned()).collect::<Result<Vec<_>>>()?)
            }
        }
    }

    fn tokens(&mut self) -> Result<Tokens> {
        match &mut self.state {
            State::Lattice(state) => state.tokens(),
            State::Real(attention) => attention.tokens(),
        }
    }

    fn effort(&self) -> Option<Effort> {
        match &self.state {
            State::Lattice(state) => Some(state.effort()),
            State::Real(_) => None,
        }
    }

    fn strips(&mut self) -> Result<Strips> {
        match &mut self.state {
            State::Lattice(state) => state.strips(),
            State::Real(attention) => attention.strips(),
        }
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        match &mut self.state {
            State::Lattice(state) => state.masks(step.lattice()?, rows),
            State::Real(attention) => attention.masks(step.real()?, rows),
        }
    }
}
