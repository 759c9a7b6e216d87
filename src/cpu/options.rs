//! How the CPU engine computes, and what it refuses before it does.

use crate::choice;
use crate::cpu::lanes::InstructionSet;
use crate::error::{Error, Result};
use crate::outcome::Description;
use crate::space::Upkeep;
use crate::threads::Pool;

/// How to compute; no option changes a bit of the result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The instruction set; the fastest if none is named.
    pub set: Option<InstructionSet>,
    /// Threads; one a core if none is named.
    pub threads: Option<usize>,
    /// How keys are searched.
    pub plan: choice::Plan,
    /// How a search keeps its keys.
    pub upkeep: Upkeep,
}

/// Tokens are counted in 32 bits.
pub(crate) fn require_countable(n: usize) -> Result<()> {
    if u32::try_from(n).is_ok() {
        return Ok(());
    }
    Err(Error::input(format!("n = {n} tokens; the CPU engine counts them in 32 bits, so at most {}", u32::MAX)))
}

pub(crate) fn require_rows(rows: &[usize], n: usize) -> Result<()> {
    match rows.iter().find(|&&row| row >= n) {
        Some(row) => Err(Error::input(format!("row {row} of {n} tokens; rows count from 0"))),
        None => Ok(()),
    }
}

/// Who computes, as [`crate::engine::Engine::description`] says it.
pub(crate) fn description(set: InstructionSet, pool: &Pool) -> Description {
    let threads = pool.count();
    let plural = if threads == 1 { "" } else { "s" };
    let device = format!("{}, {threads} thread{plural}", set.name());
    Description { engine: "cpu".into(), device, driver: String::new() }
}
