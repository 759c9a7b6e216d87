//! `localmax doctor`: the engines of this machine, and advice where one is missing.

#[cfg_attr(not(feature = "gpu"), path = "doctor/no_gpus.rs")]
mod gpus;
mod ranks;

use serde_json::{Value, json};

use super::output;
use crate::choice;
use crate::cpu::InstructionSet;
use crate::engine;
use crate::exact;
use crate::machine;
use crate::model::MAX_DIMENSION;
use crate::num;
use crate::threads;
use crate::tokens::Precision;
use gpus::Gpus;
use ranks::Ranks;

/// Show the engines of this machine, probe every adapter, and give advice where one is missing
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  localmax doctor\n  localmax doctor --plan 1000000,3    the memory a run would take
  localmax doctor --plan 1000000000,3 --ranks 64    the same on each of 64 ranks, and what they tell one another"
)]
pub(super) struct Arguments {
    /// Print JSON, with every limit, subgroups, and the seconds that kernels take to compile
    #[arg(long)]
    json: bool,
    /// Print the memory plan for N tokens in R^D on every adapter, at precision f32 and with A = I
    #[arg(long, value_name = "N,D", value_parser = shape)]
    plan: Option<(usize, usize)>,
    /// With --plan: what each of R ranks would hold, hear and take, with as many threads as here
    #[arg(long, value_name = "R", requires = "plan", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    ranks: Option<u32>,
}

fn shape(text: &str) -> Result<(usize, usize), String> {
    let count = |part: &str, most: usize| {
        num::whole(part.trim()).and_then(|v| v.try_into().ok()).filter(|v| (1..=most).contains(v))
    };
    text.split_once(',').and_then(|(n, d)| Some((count(n, u32::MAX as usize)?, count(d, MAX_DIMENSION)?))).ok_or_else(
        || format!("give N,D with N from 1 to {} and D from 1 to {MAX_DIMENSION}, e.g. 1000000,3", u32::MAX),
    )
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let gpus = Gpus::probe(arguments.plan, arguments.json);
    let ranks = arguments.plan.zip(arguments.ranks).map(|(shape, size)| Ranks::new(shape, size as usize));
    if arguments.json {
        let mut all = as_json(&gpus, arguments.plan);
        if let Some(ranks) = ranks {
            all["ranks"] = ranks.as_json();
        }
        return Ok(output::print(&format!("{all:#}\n"))?);
    }
    Ok(output::print(&as_text(&gpus, arguments.plan, ranks.as_ref()))?)
}

fn as_text(gpus: &Gpus, plan: Option<(usize, usize)>, ranks: Option<&Ranks>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("localmax {version}, contract {}\n\n", exact::VERSION);
    text += &format!("cpu        {} threads, {} kernels\n", threads::count(), InstructionSet::best().name());
    text += &format!("           instruction sets here: {}\n", instruction_sets().join(", "));
    if let Some((n, d)) = plan {
        let bytes = cpu_plans(n, d).map(|(plan, bytes)| format!("{bytes} bytes ({plan})")).join(", ");
        text += &format!("           n = {n}, d = {d}, f32: a run takes {bytes}; {} available\n", available());
    }
    if let Some(ranks) = ranks {
        text += &ranks.text();
    }
    text += &gpus.text();
    text += &format!("\nauto       --engine auto takes {}\n", gpus.default_engine());
    text += "test       `localmax selftest` says whether each of these computes what it must\n";
    for line in gpus.advice() {
        text += &format!("advice     {line}\n");
    }
    text
}

/// The names of those that this processor has.
fn instruction_sets() -> Vec<&'static str> {
    InstructionSet::ALL.iter().filter(|set| set.is_available()).map(|set| set.name()).collect()
}

/// Bytes that a run takes on the CPU engine, by plan.
fn cpu_plans(n: usize, d: usize) -> [(&'static str, u64); 3] {
    [choice::Plan::Auto, choice::Plan::Brute, choice::Plan::Tree]
        .map(|plan| (plan.name(), engine::cpu_memory(n, d, Precision::F32, plan)))
}

fn available() -> String {
    machine::available_memory().map_or("unknown".into(), |bytes| bytes.to_string())
}

fn as_json(gpus: &Gpus, plan: Option<(usize, usize)>) -> Value {
    let mut all = with_machine(gpus, plan);
    (all["auto"], all["mend"]) = (json!(gpus.default_engine()), json!(gpus.advice()));
    all
}

/// The program, the processor and some adapters.
fn with_machine(gpus: &Gpus, plan: Option<(usize, usize)>) -> Value {
    let mut all = json!({
        "localmax": env!("CARGO_PKG_VERSION"),
        "contract": exact::VERSION,
        "cpu": {
            "threads": threads::count(),
            "instruction_set": InstructionSet::best().name(),
            "instruction_sets": instruction_sets(),
            "available_bytes": machine::available_memory(),
            "plan": plan.map(|(n, d)| cpu_plans(n, d).into_iter().collect::<std::collections::BTreeMap<_, _>>()),
        },
    });
    gpus.add_to(&mut all);
    all
}

/// The JSON of the machine and of one adapter.
#[cfg(feature = "gpu")]
pub(super) fn facts(adapter: &crate::gpu::Adapter) -> Value {
    with_machine(&Gpus::of(vec![adapter.clone()], None, true), None)
}
