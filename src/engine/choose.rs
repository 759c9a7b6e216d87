//! The choice of an engine.

use super::{CpuEngine, Engine, GpuEngine, ReferenceEngine};
use crate::choice::EngineChoice;
use crate::contract::Grid;
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Adapter, Attention, Device, Wanted};
use crate::model::Model;
use crate::tokens::Tokens;

/// An engine, and what a person should know about how it was chosen.
pub struct Opened {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// A software driver where a GPU was asked for; a GPU that could not be used where one was found.
    pub note: Option<String>,
}

/// Opens an engine on tokens that lie on `grid`: `auto` takes a hardware GPU if there is one, else the CPU engine, and
/// never a software driver.
///
/// # Errors
/// No such engine on this machine, or not enough memory for it.
pub fn open(choice: EngineChoice, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Opened> {
    let quiet = |engine| Ok(Opened { engine, note: None });
    match choice {
        EngineChoice::Reference if !model.is_exact() => quiet(Box::new(ReferenceEngine::real(tokens))),
        EngineChoice::Reference => quiet(Box::new(ReferenceEngine::new(tokens, grid))),
        EngineChoice::Cpu => quiet(cpu(model, tokens, grid)?),
        EngineChoice::Gpu => {
            let adapter = Adapter::choose(Wanted::Any)?;
            let note = adapter
                .is_software()
                .then(|| format!("{} is a software driver: right, but slower than --engine cpu", adapter.name()));
            Ok(Opened { engine: gpu(&adapter, model, tokens, grid)?, note })
        }
        EngineChoice::Auto => {
            let Ok(adapter) = Adapter::choose(Wanted::Hardware) else { return quiet(cpu(model, tokens, grid)?) };
            gpu(&adapter, model, tokens, grid).map_or_else(
                |error| {
                    Ok(Opened { engine: cpu(model, tokens, grid)?, note: Some(format!("on the CPU engine: {error}")) })
                },
                quiet,
            )
        }
    }
}

fn cpu(model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    let options = cpu::Options::default();
    let exact = model.is_exact();
    Ok(Box::new(if exact { CpuEngine::new(tokens, grid, options)? } else { CpuEngine::real(tokens, options)? }))
}

fn gpu(adapter: &Adapter, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    if !model.is_exact() {
        Attention::require_single(tokens, model)?;
        return Ok(Box::new(GpuEngine::real(&Device::open(adapter)?, tokens, model)?));
    }
    let plain = model.heads.iter().all(|head| head.scores.is_identity());
    Ok(Box::new(GpuEngine::new(&Device::open(adapter)?, tokens, grid, !plain)?))
}
