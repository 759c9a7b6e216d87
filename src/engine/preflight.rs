//! Checks before there are tokens: an adapter, a plan or a rule that is missing, more memory than
//! there is.

use crate::choice::{EngineChoice, Plan};
use crate::cpu::{ExactCpu, RealCpu};
use crate::engine::gpu::{self, Adapter, Wanted};
use crate::engine::plans::{cpu_plan, reference_plan, taken};
use crate::error::{Error, Result};
use crate::machine;
use crate::model::Model;
use crate::threads;
use crate::tokens::{Precision, Tokens};

/// When bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before there are tokens.
    Begin,
    /// Where this process, rank 0 or every rank has the tokens.
    Open,
}

/// Tokens by their number and dimension.
#[derive(Clone, Copy, Debug)]
struct Shape {
    n: usize,
    d: usize,
    precision: Precision,
}

/// Checks that opening will find the engine, and memory for n tokens in R^d beside those that there are, in the
/// order in which it looks. Which adapters they are, why, and the memory on each, where some are taken.
///
/// # Errors
/// No such engine on this machine, or one without this plan or rule; [`Error::Memory`] with both
/// numbers.
pub fn preflight(
    choice: EngineChoice,
    plan: Plan,
    model: &Model,
    n: usize,
    d: usize,
    precision: Precision,
    when: When,
) -> Result<Option<String>> {
    // An engine holds fixed keys like tokens.
    let shape = Shape { n: n.saturating_add(model.mask.fixed as usize), d, precision };
    let read = if when == When::Begin { shape.read() } else { 0 };
    let on_gpus = |adapters: &[Adapter]| shape.on_gpus(adapters, plan, model, read).map(Some);
    match choice {
        EngineChoice::Reference => {
            reference_plan(plan)?;
            shape.require(shape.tokens(16).saturating_add(read))?;
            Ok(None)
        }
        EngineChoice::Cpu => shape.on_cpu(plan, model, read),
        EngineChoice::Gpu => on_gpus(&Adapter::choose_together(Wanted::Any)?),
        EngineChoice::Auto => match Adapter::choose_together(Wanted::Hardware) {
            Ok(adapters) => on_gpus(&adapters).or_else(|_| shape.on_cpu(plan, model, read)),
            Err(error) if Adapter::is_named() => Err(error),
            Err(_) => shape.on_cpu(plan, model, read),
        },
    }
}

/// Bytes of memory that a run of n tokens in R^d takes on the CPU engine: the tokens as read and on
/// their lattice, and what the engine holds.
pub fn cpu_memory(n: usize, d: usize, precision: Precision, plan: Plan) -> u64 {
    let engine = ExactCpu::memory(n, d, precision, plan, threads::count());
    Shape { n, d, precision }.read().saturating_add(engine)
}

/// Checks that this machine has memory for the CPU engine on tokens that exist.
///
/// # Errors
/// [`Error::Memory`] with both numbers.
pub(super) fn require_cpu(tokens: &Tokens, plan: Plan, model: &Model) -> Result<()> {
    let shape = Shape { n: tokens.n(), d: tokens.d(), precision: tokens.precision() };
    shape.require(shape.engine(plan, model))
}

/// The most bytes that the CPU engine takes for n tokens in R^d, of the arithmetic that a rule has.
pub(super) fn cpu_engine(
    is_exact: bool,
    plan: Plan,
    (n, d): (usize, usize),
    precision: Precision,
    threads: usize,
) -> u64 {
    if is_exact { ExactCpu::memory(n, d, precision, plan, threads) } else { RealCpu::memory(n, d, precision, threads) }
}

impl Shape {
    /// Bytes of the coordinates at this many bytes each.
    fn tokens(self, bytes: usize) -> u64 {
        (self.n as u64).saturating_mul(self.d as u64).saturating_mul(bytes as u64)
    }

    /// Bytes of the tokens as read and on their lattice.
    fn read(self) -> u64 {
        self.tokens(2 * self.precision.bytes())
    }

    fn engine(self, plan: Plan, model: &Model) -> u64 {
        let plan = taken(plan, model);
        cpu_engine(model.is_exact(), plan, (self.n, self.d), self.precision, threads::count())
    }

    fn on_cpu(self, plan: Plan, model: &Model, read: u64) -> Result<Option<String>> {
        cpu_plan(plan, model, self.d)?;
        self.require(self.engine(plan, model).saturating_add(read))?;
        Ok(None)
    }

    fn on_gpus(self, adapters: &[Adapter], plan: Plan, model: &Model, read: u64) -> Result<String> {
        let need = gpu::need(adapters, plan, model, (self.n, self.d), self.precision)?;
        self.require(read)?;
        Ok(need)
    }

    /// Checks that this machine has this many bytes.
    fn require(self, needed: u64) -> Result<()> {
        match machine::lacking(needed) {
            Some(available) => Err(Error::Memory {
                what: format!("a run of {} tokens in R^{}", self.n, self.d),
                needed,
                available,
                mend: match self.precision {
                    Precision::F32 => "take fewer tokens".into(),
                    Precision::F64 => "take fewer tokens or precision f32".into(),
                },
            }),
            None => Ok(()),
        }
    }
}
