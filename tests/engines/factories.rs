//! Every engine of this build, by name.

use std::sync::{Arc, OnceLock};

use localmax::choice::Plan;
use localmax::cpu::ExactCpu;
use localmax::cpu::{InstructionSet, Options};
use localmax::engine::{Engine, ExactReference};
use localmax::error::Result;
use localmax::exact::Grid;
use localmax::gpu::ExactGpu;
use localmax::gpu::{self, Adapter, Device};
use localmax::tokens::Tokens;
use pollster::block_on;

/// Makes an engine that holds the given tokens.
type Make = dyn Fn(&Tokens, Grid) -> Result<Box<dyn Engine>> + Send + Sync;

/// The last takes a second driver half of its time: it runs with `LOCALMAX_FULL=1`.
const SECOND_DRIVER: [&str; 4] = [
    "worked_cases",
    "a_zero_token_attends_to_all",
    "causal_rows_do_not_see_later_tokens",
    "permuting_tokens_permutes_the_result",
];
/// Sorts of many small systems take a software driver minutes; `scale` adds larger ones.
const SOFTWARE_TREE: [&str; 8] = [
    "worked_cases",
    "late_states_have_the_bits_of_the_contract",
    "steps_in_one_call_are_the_steps_one_by_one",
    "permuting_tokens_permutes_the_result",
    "coincident_tokens_stay_coincident",
    "a_quiescent_group_falls_straight_over_13_decades",
    "a_zero_token_attends_to_all",
    "causal_rows_do_not_see_later_tokens",
];
const LEAST_LIMITS: [&str; 1] = ["worked_cases"];
const SMALL_LIMITS: [&str; 1] = ["sampled_rows_of_large_systems_have_the_bits_of_the_contract"];

/// Whether all systems are run: `LOCALMAX_FULL=1`.
fn full() -> bool {
    std::env::var("LOCALMAX_FULL").is_ok_and(|value| value == "1")
}

/// A named engine; `make` is `None` where this machine lacks it.
#[derive(Clone)]
pub(crate) struct Factory {
    pub(crate) name: String,
    pub(crate) make: Option<Arc<Make>>,
    /// The bodies that it runs; none named, all. A second software driver can differ in the driver
    /// and not the kernels, a device of small limits in its slices and windows alone.
    pub(crate) bodies: &'static [&'static str],
    /// Of many systems it takes this third, 0, 1 or 2; otherwise all: a software driver takes
    /// minutes, and an instruction set that runs do not take, or another plan, is the same code
    /// around other lanes.
    pub(crate) third: Option<usize>,
}

impl Factory {
    fn new(
        name: impl Into<String>,
        make: impl Fn(&Tokens, Grid) -> Result<Box<dyn Engine>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), make: Some(Arc::new(make)), bodies: &[], third: None }
    }

    fn missing(name: impl Into<String>) -> Self {
        Self { name: name.into(), make: None, bodies: &[], third: None }
    }

    /// Whether a body says anything of this engine: the reference compared with itself is always
    /// right.
    pub(crate) fn runs(&self, body: &str) -> bool {
        let itself = self.name == "reference" && body.ends_with("_have_the_bits_of_the_contract");
        !itself && (self.bodies.is_empty() || self.bodies.contains(&body))
    }

    /// Whether it takes the k-th of many systems, which differ by the remainders of k: every second
    /// one of its own in everyday runs.
    pub(crate) fn takes(&self, k: usize) -> bool {
        let everyday = (k + k / 2 + k / 4 + k / 8).is_multiple_of(2);
        (everyday || full()) && self.third.is_none_or(|third| (k + k / 3 + k / 9 + k / 27) % 3 == third)
    }

    /// The engine, holding `tokens`.
    pub(crate) fn engine(&self, tokens: &Tokens, grid: Grid) -> Box<dyn Engine> {
        let make = self.make.as_ref().expect("ignored trials do not run");
        make(tokens, grid).unwrap_or_else(|e| panic!("{} cannot be made: {e}", self.name))
    }
}

/// Reference first, then every engine that is held to it.
pub(crate) fn all() -> Vec<Factory> {
    let mut all = vec![Factory::new("reference", |tokens, grid| Ok(Box::new(ExactReference::new(tokens, grid))))];
    let mut cpu = |name: String, options: Options| {
        all.push(if options.set.is_none_or(InstructionSet::is_available) {
            Factory::new(name, move |tokens, grid| Ok(Box::new(ExactCpu::new(tokens, grid, options)?)))
        } else {
            Factory::missing(name)
        });
    };
    // Sets of other processor families are no engines of this build.
    let family =
        |set| (set == InstructionSet::Neon) == cfg!(target_arch = "aarch64") || set == InstructionSet::Portable;
    for set in InstructionSet::ALL.into_iter().filter(|&set| family(set)) {
        // One thread beside two on the set that runs take; the others differ from it in their lanes
        // alone.
        for threads in if set == InstructionSet::best() { 1..=2 } else { 2..=2 } {
            let options = Options { set: Some(set), threads: Some(threads), plan: Plan::Brute, ..Options::default() };
            cpu(format!("cpu_{}_{threads}", set.name()), options);
        }
        cpu(
            format!("cpu_{}_tree", set.name()),
            Options { set: Some(set), threads: Some(2), plan: Plan::Tree, ..Options::default() },
        );
    }
    for plan in [Plan::Norm, Plan::Auto] {
        cpu(format!("cpu_{}", plan.name()), Options { plan, ..Options::default() });
    }
    // All systems on the set that runs take, by brute force and by search; the others share them.
    let [whole, searched] = ["2", "tree"].map(|how| format!("cpu_{}_{how}", InstructionSet::best().name()));
    let others = all.iter_mut().filter(|f| f.name != "reference" && f.name != whole && f.name != searched);
    others.enumerate().for_each(|(at, factory)| factory.third = Some(at % 3));
    // A search is the same code on every set: on those that runs do not take, the bodies that a
    // software driver runs.
    for factory in all.iter_mut().filter(|factory| factory.name.ends_with("_tree") && factory.name != searched) {
        factory.bodies = &SOFTWARE_TREE;
    }
    // Every adapter, software ones too: a driver is part of what is tested. One device each, opened
    // by the first trial.
    let adapters = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
    if adapters.is_empty() {
        all.push(Factory::missing("gpu"));
    }
    let second_driver = if full() { &SECOND_DRIVER[..] } else { &SECOND_DRIVER[..3] };
    let mut software = 0;
    for adapter in adapters {
        software += u32::from(adapter.is_software());
        let name = adapter.name().split(" (").next().unwrap_or_default().replace(' ', "-").to_lowercase();
        let whole = adapter.limits();
        let small = wgpu::Limits {
            max_storage_buffer_binding_size: 48 << 10,
            max_compute_workgroups_per_dimension: 65,
            ..whole.clone()
        };
        let second = software > 1;
        let tree: &[&str] = if second {
            second_driver
        } else if software == 1 {
            &SOFTWARE_TREE
        } else {
            &[]
        };
        let brute: &[&str] = if second { second_driver } else { &[] };
        // What every browser grants, and no feature: 8 storage buffers in a kernel, 16 KiB of workgroup
        // memory, 256 threads, bindings of 128 MiB.
        let least = wgpu::Limits::default();
        let limited = [
            ("_windows", Plan::Brute, small, &SMALL_LIMITS[..]),
            ("_least", Plan::Brute, least.clone(), &LEAST_LIMITS[..]),
            ("_least_tree", Plan::Tree, least, &LEAST_LIMITS[..]),
        ];
        let limited = limited.into_iter().filter(|_| !second);
        for (suffix, plan, limits, bodies) in
            [("", Plan::Brute, whole.clone(), brute), ("_tree", Plan::Tree, whole, tree)].into_iter().chain(limited)
        {
            all.push(Factory {
                bodies,
                third: adapter.is_software().then_some(0),
                ..gpu(format!("gpu_{name}{suffix}"), &adapter, limits, plan)
            });
        }
    }
    all
}

/// The GPU engine on one device, opened by the first trial.
fn gpu(name: String, adapter: &Adapter, limits: wgpu::Limits, plan: Plan) -> Factory {
    let (adapter, device) = (adapter.clone(), OnceLock::new());
    Factory::new(name, move |tokens, grid| {
        let open = || Device::open_within(&adapter, limits.clone()).unwrap_or_else(|e| panic!("{e}"));
        let options = gpu::Options { plan, ..gpu::Options::default() };
        Ok(Box::new(block_on(ExactGpu::new(device.get_or_init(open), tokens, grid, true, options))?))
    })
}
