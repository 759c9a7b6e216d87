//! The choice of an engine.

use super::{CpuEngine, Engine, ReferenceEngine};
use crate::choice::EngineChoice;
use crate::contract::Grid;
use crate::cpu;
use crate::error::Result;
use crate::tokens::Tokens;

/// Opens an engine on tokens that lie on `grid`: `auto` takes a hardware GPU if there is one, else the CPU engine, and
/// never a software driver.
///
/// # Errors
/// No such engine on this machine, or not enough memory for it.
pub fn open(choice: EngineChoice, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    match choice {
        EngineChoice::Reference => Ok(Box::new(ReferenceEngine::new(tokens, grid))),
        EngineChoice::Cpu | EngineChoice::Auto | EngineChoice::Gpu => {
            Ok(Box::new(CpuEngine::new(tokens, grid, cpu::Options::default())?))
        }
    }
}
