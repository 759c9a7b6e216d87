//! Every engine of this build, by name.

use std::sync::{Arc, OnceLock};

use localmax::choice::Plan;
use localmax::contract::Grid;
use localmax::cpu::{InstructionSet, Options};
use localmax::engine::{CpuEngine, Engine, GpuEngine, ReferenceEngine};
use localmax::error::Result;
use localmax::gpu::{Adapter, Device};
use localmax::tokens::Tokens;

use crate::{SECOND_DRIVER, SOFTWARE_TREE};

/// Makes an engine that holds the given tokens.
type Make = dyn Fn(&Tokens, Grid) -> Result<Box<dyn Engine>> + Send + Sync;

/// A named engine; `make` is `None` where this machine lacks it.
#[derive(Clone)]
pub(crate) struct Factory {
    pub(crate) name: String,
    pub(crate) make: Option<Arc<Make>>,
    /// The bodies that it runs, if not all.
    pub(crate) only: Option<&'static [&'static str]>,
}

impl Factory {
    fn new(
        name: impl Into<String>,
        make: impl Fn(&Tokens, Grid) -> Result<Box<dyn Engine>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), make: Some(Arc::new(make)), only: None }
    }

    fn missing(name: impl Into<String>) -> Self {
        Self { name: name.into(), make: None, only: None }
    }

    /// The engine, holding `tokens`.
    pub(crate) fn engine(&self, tokens: &Tokens, grid: Grid) -> Box<dyn Engine> {
        let make = self.make.as_ref().expect("ignored trials do not run");
        make(tokens, grid).unwrap_or_else(|e| panic!("{} cannot be made: {e}", self.name))
    }
}

/// Reference first, then every engine that is held to it.
pub(crate) fn all() -> Vec<Factory> {
    let mut all = vec![Factory::new("reference", |tokens, grid| Ok(Box::new(ReferenceEngine::new(tokens, grid))))];
    let mut cpu = |name: String, options: Options| {
        all.push(if options.set.is_none_or(InstructionSet::is_available) {
            Factory::new(name, move |tokens, grid| Ok(Box::new(CpuEngine::new(tokens, grid, options)?)))
        } else {
            Factory::missing(name)
        });
    };
    // Sets of other processor families are no engines of this build.
    let family =
        |set| (set == InstructionSet::Neon) == cfg!(target_arch = "aarch64") || set == InstructionSet::Portable;
    for set in InstructionSet::ALL.into_iter().filter(|&set| family(set)) {
        // One thread beside two on the set that runs take; the others differ from it in their lanes alone.
        for threads in if set == InstructionSet::best() { 1..=2 } else { 2..=2 } {
            let options = Options { set: Some(set), threads: Some(threads), plan: Plan::Brute };
            cpu(format!("cpu_{}_{threads}", set.name()), options);
        }
        cpu(format!("cpu_{}_tree", set.name()), Options { set: Some(set), threads: Some(2), plan: Plan::Tree });
    }
    for plan in [Plan::Norm, Plan::Auto] {
        cpu(format!("cpu_{}", plan.name()), Options { plan, ..Options::default() });
    }
    // Every adapter, software ones too: a driver is part of what is tested. One device each, opened by the first trial.
    let mut adapters = Adapter::all();
    // The loader lists drivers in any order; of the software ones lavapipe compiles our kernels fastest, so it takes all bodies.
    adapters.sort_by_key(|adapter| (adapter.is_software(), !adapter.name().contains("llvmpipe")));
    if adapters.is_empty() {
        all.push(Factory::missing("gpu"));
    }
    let mut software = 0;
    for adapter in adapters {
        software += u32::from(adapter.is_software());
        let adapter_is_software = adapter.is_software();
        let device: Arc<OnceLock<Device>> = Arc::default();
        let name = adapter.name().split(" (").next().unwrap_or_default().replace(' ', "-").to_lowercase();
        for (name, plan) in [(format!("gpu_{name}"), Plan::Brute), (format!("gpu_{name}_tree"), Plan::Tree)] {
            let (device, adapter) = (Arc::clone(&device), adapter.clone());
            let factory = Factory::new(name, move |tokens, grid| {
                let device = device.get_or_init(|| Device::open(&adapter).unwrap_or_else(|e| panic!("{e}")));
                Ok(Box::new(GpuEngine::new(device, tokens, grid, true, plan)?))
            });
            // What another software driver can differ in is the driver and not the kernels.
            let only = match (adapter_is_software, plan) {
                (true, _) if software > 1 => Some(&SECOND_DRIVER[..]),
                (true, Plan::Tree) => Some(&SOFTWARE_TREE[..]),
                _ => None,
            };
            all.push(Factory { only, ..factory });
        }
    }
    all
}
