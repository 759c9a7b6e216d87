//! The choice of an engine.

use super::{CpuEngine, Engine, GpuEngine, ReferenceEngine};
use crate::choice::{EngineChoice, Plan};
use crate::contract::Grid;
use crate::cpu;
use crate::error::{Error, Result};
use crate::gpu::{self, Adapter, Attention, Device, Planned, Wanted};
use crate::model::Model;
use crate::tokens::{Precision, Tokens};

/// An engine, and what a person should know about how it was chosen.
pub struct Opened {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// A software driver where a GPU was asked for; a GPU that could not be used where one was found.
    pub note: Option<String>,
}

/// Opens an engine on tokens that lie on `grid`: `auto` takes a hardware GPU if there is one, else the CPU engine, and
/// never a software driver. Only the CPU and GPU engines under the contract have plans; every other compares all pairs.
///
/// # Errors
/// No such engine on this machine, or one without this plan, or not enough memory for it.
pub fn open(choice: EngineChoice, plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Opened> {
    let quiet = |engine| Ok(Opened { engine, note: None });
    match choice {
        EngineChoice::Reference => quiet(on_reference(plan, model, tokens, grid)?),
        EngineChoice::Cpu => quiet(on_cpu(plan, model, tokens, grid)?),
        EngineChoice::Gpu => {
            let adapter = Adapter::choose(Wanted::Any)?;
            let note = adapter
                .is_software()
                .then(|| format!("{} is a software driver: right, but slower than --engine cpu", adapter.name()));
            Ok(Opened { engine: on_gpu(&Device::open(&adapter)?, plan, model, tokens, grid)?, note })
        }
        EngineChoice::Auto => {
            let Ok(adapter) = Adapter::choose(Wanted::Hardware) else {
                return quiet(on_cpu(plan, model, tokens, grid)?);
            };
            Device::open(&adapter).and_then(|device| on_gpu(&device, plan, model, tokens, grid)).map_or_else(
                |error| {
                    let note = Some(format!("on the CPU engine: {error}"));
                    Ok(Opened { engine: on_cpu(plan, model, tokens, grid)?, note })
                },
                quiet,
            )
        }
    }
}

/// The reference, in the arithmetic of the model.
///
/// # Errors
/// A plan other than brute force.
pub fn on_reference(plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    reference_plan(plan)?;
    let exact = model.is_exact();
    Ok(Box::new(if exact { ReferenceEngine::new(tokens, grid) } else { ReferenceEngine::real(tokens) }))
}

/// The CPU engine, in the arithmetic of the model.
///
/// # Errors
/// Not enough memory; a plan that the model's arithmetic lacks.
pub fn on_cpu(plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    cpu_plan(plan, model)?;
    let options = cpu::Options { plan, ..cpu::Options::default() };
    if model.is_exact() {
        return Ok(Box::new(CpuEngine::new(tokens, grid, options)?));
    }
    Ok(Box::new(CpuEngine::real(tokens, options)?))
}

/// The GPU engine on an opened device.
///
/// # Errors
/// Not enough memory; a model without kernels; a plan that the engine lacks; device failures.
pub fn on_gpu(device: &Device, plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    gpu_plan(plan, model, tokens.d(), tokens.precision())?;
    if !model.is_exact() {
        return Ok(Box::new(GpuEngine::real(device, tokens, model)?));
    }
    let plain = model.heads.iter().all(|head| head.scores.is_identity());
    Ok(Box::new(GpuEngine::new(device, tokens, grid, !plain, gpu::Options { plan, ..gpu::Options::default() })?))
}

/// Whether the reference has this plan.
pub(super) fn reference_plan(plan: Plan) -> Result<()> {
    only_brute(plan, "the reference")
}

/// Whether the CPU engine has this plan for this model.
pub(super) fn cpu_plan(plan: Plan, model: &Model) -> Result<()> {
    if model.is_exact() { Ok(()) } else { only_brute(plan, &format!("the cpu engine's {}", model.name())) }
}

/// Whether the GPU engine has this model at this precision, and this plan for it.
pub(super) fn gpu_plan(plan: Plan, model: &Model, d: usize, precision: Precision) -> Result<()> {
    if model.is_exact() {
        return Planned::require(plan, d);
    }
    only_brute(plan, &format!("the gpu engine's {}", model.name()))?;
    Attention::require_single(precision, model)
}

/// Refuses the plans that an engine or a rule lacks.
fn only_brute(plan: Plan, who: &str) -> Result<()> {
    match plan {
        Plan::Auto | Plan::Brute => Ok(()),
        Plan::Norm | Plan::Tree => Err(Error::input(format!(
            "{who} has no plan {:?}: it compares every pair; take auto or brute",
            plan.name()
        ))),
    }
}
