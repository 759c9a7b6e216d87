//! The engines behind one trait, and the choice of one. The only place, with [`crate::verify`], that sees two engines.

mod choose;
mod cpu;
mod gpu;
mod reference;

pub use choose::{Opened, open};
pub use cpu::CpuEngine;
pub use gpu::GpuEngine;
pub use reference::ReferenceEngine;

use crate::contract::Step;
use crate::error::Result;
use crate::outcome::{Description, StepReport, Strips};
use crate::tokens::Tokens;

/// An engine that holds a state on its device and steps it.
///
/// Engines are made from tokens that already lie on their [`crate::contract::Grid`]; all of them give the same bits.
pub trait Engine {
    /// Who computes.
    fn description(&self) -> Description;

    /// Applies the steps in order; a GPU may take several in one submission.
    ///
    /// # Errors
    /// Device failures. The state is then undefined.
    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>>;

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// Device failures.
    fn tokens(&mut self) -> Result<Tokens>;

    /// Argmax and strip size of every row in the last step taken.
    ///
    /// # Errors
    /// Device failures; no step taken yet.
    fn strips(&mut self) -> Result<Strips>;

    /// C_i of the given rows in the current state, as the engine itself decides it, without moving anything.
    ///
    /// # Errors
    /// Device failures.
    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>>;
}
