//! The choice of an engine.

use super::{CpuEngine, Engine, GpuEngine, ReferenceEngine};
use crate::choice::EngineChoice;
use crate::contract::Grid;
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::{Adapter, Device, Wanted};
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
        EngineChoice::Reference => quiet(on_reference(model, tokens, grid)),
        EngineChoice::Cpu => quiet(on_cpu(model, tokens, grid)?),
        EngineChoice::Gpu => {
            let adapter = Adapter::choose(Wanted::Any)?;
            let note = adapter
                .is_software()
                .then(|| format!("{} is a software driver: right, but slower than --engine cpu", adapter.name()));
            Ok(Opened { engine: on_gpu(&Device::open(&adapter)?, model, tokens, grid)?, note })
        }
        EngineChoice::Auto => {
            let Ok(adapter) = Adapter::choose(Wanted::Hardware) else { return quiet(on_cpu(model, tokens, grid)?) };
            Device::open(&adapter).and_then(|device| on_gpu(&device, model, tokens, grid)).map_or_else(
                |error| {
                    let note = Some(format!("on the CPU engine: {error}"));
                    Ok(Opened { engine: on_cpu(model, tokens, grid)?, note })
                },
                quiet,
            )
        }
    }
}

/// The reference, in the arithmetic of the model.
pub fn on_reference(model: &Model, tokens: &Tokens, grid: Grid) -> Box<dyn Engine> {
    Box::new(if model.is_exact() { ReferenceEngine::new(tokens, grid) } else { ReferenceEngine::real(tokens) })
}

/// The CPU engine, in the arithmetic of the model.
///
/// # Errors
/// Not enough memory.
pub fn on_cpu(model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    let options = cpu::Options::default();
    let exact = model.is_exact();
    Ok(Box::new(if exact { CpuEngine::new(tokens, grid, options)? } else { CpuEngine::real(tokens, options)? }))
}

/// The GPU engine on an opened device.
///
/// # Errors
/// Not enough memory; a model without kernels; device failures.
pub fn on_gpu(device: &Device, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    if !model.is_exact() {
        let name = model.name();
        return Err(Error::input(format!("the gpu engine has no kernels for {name} yet; take --engine cpu")));
    }
    let plain = model.heads.iter().all(|head| head.scores.is_identity());
    Ok(Box::new(GpuEngine::new(device, tokens, grid, !plain)?))
}
