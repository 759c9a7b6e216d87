//! The choice of an engine.

use crate::choice::{EngineChoice, Plan};
use crate::cpu;
use crate::cpu::{ExactCpu, RealCpu};
use crate::engine::gpu::{Adapter, Device, Wanted, on_gpus};
use crate::engine::interface::Engine;
use crate::engine::keys::with_keys;
use crate::engine::plans::{cpu_plan, has_thin_strips, reference_plan, taken};
use crate::engine::preflight::require_cpu;
use crate::engine::reference::{ExactReference, RealReference};
use crate::error::Result;
use crate::exact::Grid;
use crate::model::{Model, Scoring};
use crate::tokens::Tokens;

/// An engine, with a note for the user on how it was chosen.
pub struct Opened {
    /// The engine.
    pub engine: Box<dyn Engine>,
    /// A software driver where a GPU was asked for; a GPU that could not be used where one was
    /// found.
    pub note: Option<String>,
}

/// Opens an engine on tokens that lie on `grid`: `auto` takes a hardware GPU if there is one, else
/// the CPU engine, and never a software driver. Only the CPU and GPU engines under the contract
/// have plans; every other compares all pairs.
///
/// # Errors
/// No such engine on this machine, or one without this plan, or not enough memory for it.
pub fn open(choice: EngineChoice, plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Opened> {
    Engines::find(choice)?.open(plan, model, tokens, grid)
}

/// The engines of one choice: many may be opened, one after another, on devices that are opened
/// once.
pub struct Engines {
    choice: EngineChoice,
    /// The devices that share the rows; none where another engine computes.
    devices: Vec<Device>,
    /// Why a GPU that was found could not be opened.
    failed: Option<String>,
}

impl Engines {
    /// Looks for what `choice` needs.
    ///
    /// # Errors
    /// A GPU was asked for and none can be opened; an adapter is named that is not there.
    pub fn find(choice: EngineChoice) -> Result<Self> {
        let (mut devices, mut failed) = (Vec::new(), None);
        match choice {
            EngineChoice::Reference | EngineChoice::Cpu => {}
            EngineChoice::Gpu => devices = Device::open_all(&Adapter::choose_together(Wanted::Any)?)?,
            EngineChoice::Auto => match Adapter::choose_together(Wanted::Hardware).map(|all| Device::open_all(&all)) {
                Ok(Ok(opened)) => devices = opened,
                Ok(Err(error)) => failed = Some(format!("on the CPU engine: {error}")),
                Err(error) if Adapter::is_named() => return Err(error),
                Err(_) => {} // no hardware GPU
            },
        }
        Ok(Self { choice, devices, failed })
    }

    /// As [`open()`].
    ///
    /// # Errors
    /// No engine with this plan or for this model; not enough memory.
    pub fn open(&self, plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Opened> {
        let on_cpu = |note| Ok(Opened { engine: on_cpu(plan, model, tokens, grid)?, note });
        if self.devices.is_empty() {
            return match self.choice {
                EngineChoice::Reference => Ok(Opened { engine: on_reference(plan, model, tokens, grid)?, note: None }),
                _ => on_cpu(self.failed.clone()),
            };
        }
        let software = self.devices.iter().map(Device::adapter).find(|adapter| adapter.is_software());
        let note = software
            .map(|adapter| format!("{} is a software driver: right, but slower than --engine cpu", adapter.name()));
        match on_gpus(&self.devices, plan, model, tokens, grid) {
            Ok(engine) => Ok(Opened { engine, note }),
            Err(error) if self.choice == EngineChoice::Auto => on_cpu(Some(format!("on the CPU engine: {error}"))),
            Err(error) => Err(error),
        }
    }
}

/// The reference, in the arithmetic of the model.
///
/// # Errors
/// A plan other than brute force.
pub fn on_reference(plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    reference_plan(plan)?;
    with_keys(model, tokens, grid, |tokens| {
        if model.is_exact() {
            return Ok(Box::new(ExactReference::new(tokens, grid)));
        }
        Ok(Box::new(RealReference::new(tokens)))
    })
}

/// The CPU engine, in the arithmetic of the model.
///
/// # Errors
/// Not enough memory; a plan that the model's arithmetic lacks.
pub fn on_cpu(plan: Plan, model: &Model, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    cpu_plan(plan, model, tokens.d())?;
    let near = model.scoring == Scoring::Distance;
    let plan = taken(plan, model);
    let options = cpu::Options { plan, thin: has_thin_strips(model), near, ..cpu::Options::default() };
    with_keys(model, tokens, grid, |tokens| {
        require_cpu(tokens, plan, model)?;
        if model.is_exact() {
            return Ok(Box::new(ExactCpu::new(tokens, grid, options)?));
        }
        Ok(Box::new(RealCpu::new(tokens, options)?))
    })
}
