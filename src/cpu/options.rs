//! Options of the CPU engine, and the input that it refuses.

use crate::choice;
use crate::cpu::lanes::InstructionSet;
use crate::cpu::share::Share;
use crate::error::{Error, Result};
use crate::outcome::Description;
use crate::space::Upkeep;
use crate::threads::Pool;

/// Options of the CPU engine. In the exact rules none changes a bit of the result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Instruction set; the fastest if none is named.
    pub set: Option<InstructionSet>,
    /// Threads; one a core if none is named.
    pub threads: Option<usize>,
    /// Plan by which keys are searched.
    pub plan: choice::Plan,
    /// Whether strips are expected to have width 0: plan `auto` then begins with a table of
    /// directions, where there is one for the tokens, and sorts none of them.
    pub thin: bool,
    /// Whether scores are expected to be distances: the state is then made for them.
    pub near: bool,
    /// Rules by which a search keeps its keys.
    pub upkeep: Upkeep,
}

/// Refuses more tokens than 32 bits count.
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

/// The engine's description ([`crate::engine::Engine::description`]).
pub(crate) fn description(set: InstructionSet, pool: &Pool, share: &Share) -> Description {
    let threads = pool.count();
    let plural = if threads == 1 { "" } else { "s" };
    let mut device = format!("{}, {threads} thread{plural}", set.name());
    if !share.is_alone() {
        device += &format!(" on each of {} ranks", share.size());
    }
    Description { engine: "cpu".into(), device, driver: String::new() }
}
