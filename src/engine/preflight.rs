//! Checks before there are tokens: an adapter, a plan or a rule that is missing, more memory than
//! there is.

use crate::choice::{EngineChoice, Plan};
use crate::cpu::ExactCpu;
use crate::engine::gpu::{self, Adapter, Wanted};
use crate::engine::plans::{cpu_plan, reference_plan};
use crate::error::{Error, Result};
use crate::machine;
use crate::model::Model;
use crate::threads;
use crate::tokens::Precision;

/// Tokens that do not exist yet.
#[derive(Clone, Copy, Debug)]
struct Shape {
    n: usize,
    d: usize,
    precision: Precision,
}

/// Checks that opening will find the engine, and memory for n tokens in R^d, in the
/// order in which it looks. The memory on an adapter, where one is taken.
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
) -> Result<Option<String>> {
    let shape = Shape { n, d, precision };
    match choice {
        EngineChoice::Reference => {
            reference_plan(plan)?;
            shape.require(shape.tokens().saturating_mul(2))?;
            Ok(None)
        }
        EngineChoice::Cpu => shape.on_cpu(plan, model),
        EngineChoice::Gpu => shape.on_gpu(&Adapter::choose(Wanted::Any)?, plan, model).map(Some),
        EngineChoice::Auto => match Adapter::choose(Wanted::Hardware).and_then(|a| shape.on_gpu(&a, plan, model)) {
            Ok(memory) => Ok(Some(memory)),
            Err(_) => shape.on_cpu(plan, model),
        },
    }
}

impl Shape {
    /// Bytes of the coordinates at 8 bytes each.
    fn tokens(self) -> u64 {
        (self.n as u64).saturating_mul(self.d as u64).saturating_mul(8)
    }

    fn on_cpu(self, plan: Plan, model: &Model) -> Result<Option<String>> {
        cpu_plan(plan, model)?;
        self.require(ExactCpu::memory(self.n, self.d, self.precision, plan, threads::count()))?;
        Ok(None)
    }

    fn on_gpu(self, adapter: &Adapter, plan: Plan, model: &Model) -> Result<String> {
        let need = gpu::need(adapter, plan, model, (self.n, self.d), self.precision)?;
        self.require(0)?;
        Ok(need)
    }

    /// Checks that this machine has `engine` bytes beside the tokens as read and on their lattice.
    fn require(self, engine: u64) -> Result<()> {
        let held = self.tokens() / 8 * self.precision.bytes() as u64;
        let needed = held.saturating_mul(2).saturating_add(engine);
        match machine::available_memory() {
            Some(available) if needed > available => Err(Error::Memory {
                what: format!("a run of {} tokens in R^{}", self.n, self.d),
                needed,
                available,
                mend: "take fewer tokens or precision f32".into(),
            }),
            _ => Ok(()),
        }
    }
}
