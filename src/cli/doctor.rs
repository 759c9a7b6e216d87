//! `localmax doctor`: what this machine has, and what to mend.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::output;
use crate::choice;
use crate::cpu::{ExactCpu, InstructionSet};
use crate::error::Error;
use crate::exact;
use crate::gpu::{Adapter, Device, ExactGpu, Manifest, Memory, Needs, RealLayout, manifests};
use crate::machine;
use crate::model::MAX_DIMENSION;
use crate::tokens::Precision;

/// Show what this machine has for the engines, probe every adapter, and say what to mend
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  localmax doctor\n  localmax doctor --plan 1000000,3    the memory a run would take"
)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the memory plan for N tokens in R^D on every adapter, at precision f32 and with A = I
    #[arg(long, value_name = "N,D", value_parser = shape)]
    plan: Option<(usize, usize)>,
}

fn shape(text: &str) -> Result<(usize, usize), String> {
    let count = |part: &str, most: usize| part.trim().parse().ok().filter(|v| (1..=most).contains(v));
    text.split_once(',').and_then(|(n, d)| Some((count(n, u32::MAX as usize)?, count(d, MAX_DIMENSION)?))).ok_or_else(
        || format!("give N,D with N from 1 to {} and D from 1 to {MAX_DIMENSION}, e.g. 1000000,3", u32::MAX),
    )
}

/// What may take memory on an adapter, at precision f32: its key in JSON, what it is, and its memory.
type Plans = [(&'static str, &'static str, Result<Memory, Error>); 3];

fn plans(n: usize, d: usize, adapter: &Adapter) -> Plans {
    let exact = |plan| ExactGpu::memory(plan, (n, d), Precision::F32, false, adapter);
    let real = RealLayout::new(n, d, Needs::default(), &adapter.limits()).and_then(|plan| {
        adapter.memory().map_or(Ok(()), |available| plan.memory.check_total(available))?;
        Ok(plan.memory)
    });
    [
        ("exact", "localmax, hardmax or frank-wolfe with A = I, by brute force", exact(choice::Plan::Brute)),
        ("tree", "the same by a tree", exact(choice::Plan::Tree)),
        ("softmax", "softmax and its relatives, euler, no matrices", real),
    ]
}

/// An adapter and what probing it came to.
struct Probed {
    adapter: Adapter,
    problem: Option<String>,
    plans: Option<Plans>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let adapters: Vec<Probed> = Adapter::all()
        .into_iter()
        .map(|adapter| {
            let problem = Device::open(&adapter).err().map(|e| e.to_string());
            let plans = arguments.plan.map(|(n, d)| plans(n, d, &adapter));
            Probed { adapter, problem, plans }
        })
        .collect();
    let manifests = manifests();
    if arguments.json {
        return Ok(output::print(&format!("{:#}\n", as_json(&adapters, &manifests, arguments.plan)))?);
    }
    Ok(output::print(&as_text(&adapters, &manifests, arguments.plan))?)
}

/// The engine that `auto` takes here.
fn default_engine(adapters: &[Probed]) -> String {
    let usable = adapters.iter().find(|p| p.problem.is_none() && !p.adapter.is_software());
    usable.map_or_else(|| "cpu".into(), |p| format!("gpu ({})", p.adapter.name()))
}

/// What to do, most useful first.
fn mends(adapters: &[Probed], manifests: &[Manifest]) -> Vec<String> {
    let mut mends = Vec::new();
    let hardware = adapters.iter().any(|p| !p.adapter.is_software());
    let absent = absent_manifests();
    mends.extend(absent.iter().map(|(variable, path)| {
        format!("{variable} names {}, which is not there: correct it, or unset {variable}", path.display())
    }));
    if manifests.is_empty() {
        if absent.is_empty() {
            mends.push(
                "no Vulkan driver is installed: for a GPU install its vendor's driver (on a headless NVIDIA machine the \
                 manifest nvidia_icd.json, named in VK_DRIVER_FILES); a software driver is Mesa's lavapipe (Debian and \
                 Ubuntu: apt install libvulkan1 mesa-vulkan-drivers)"
                    .into(),
            );
        }
    } else if adapters.is_empty() {
        mends.push(
            "driver manifests are there but no adapter answers: is the Vulkan loader (Debian: libvulkan1) installed, \
             and may this user open /dev/dri or /dev/nvidia*?"
                .into(),
        );
    } else if !hardware {
        mends.push("only software drivers: --engine auto takes the CPU engine, which is faster than they are".into());
    }
    // What is not there has been named.
    let there = manifests.iter().filter(|m| absent.iter().all(|(_, path)| *path != m.path));
    let broken = there.filter_map(|m| Some(format!("{}: {}", m.path.display(), m.problem.as_ref()?)));
    mends.extend(broken);
    mends.extend(adapters.iter().filter_map(|p| Some(format!("{}: {}", p.adapter.name(), p.problem.as_ref()?))));
    mends
}

/// Paths of the variable that the Vulkan loader takes its drivers from, if it is set, that are not there.
fn absent_manifests() -> Vec<(&'static str, PathBuf)> {
    let set = |name| std::env::var_os(name).filter(|list| !list.is_empty()).map(|list| (name, list));
    let Some((name, list)) = set("VK_DRIVER_FILES").or_else(|| set("VK_ICD_FILENAMES")) else { return Vec::new() };
    std::env::split_paths(&list).filter(|path| !path.exists()).map(|path| (name, path)).collect()
}

fn as_text(adapters: &[Probed], manifests: &[Manifest], plan: Option<(usize, usize)>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("localmax {version}, contract {}\n\n", exact::VERSION);
    text += &format!("cpu        {} threads, {} kernels\n", machine::threads(), InstructionSet::best().name());
    let have = InstructionSet::ALL.iter().filter(|set| set.is_available()).map(|set| set.name());
    text += &format!("           instruction sets here: {}\n", have.collect::<Vec<_>>().join(", "));
    if let Some((n, d)) = plan {
        let bytes = cpu_plans(n, d).map(|(plan, bytes)| format!("{bytes} bytes ({plan})")).join(", ");
        text += &format!("           n = {n}, d = {d}, f32: {bytes}; {} free\n", free());
    }
    for probed in adapters {
        let a = &probed.adapter;
        let limits = a.limits();
        text += &format!("\nadapter    {} ({}, {}; {})\n", a.name(), a.kind(), a.backend(), a.driver());
        let features: Vec<&str> = a.features().iter().filter(|f| f.1).map(|f| f.0).collect();
        text += &format!(
            "           features: {}\n",
            if features.is_empty() { "none".into() } else { features.join(", ") }
        );
        text += &format!(
            "           memory {} bytes, bindings to {} bytes, buffers to {} bytes\n           {}\n",
            a.memory().map_or_else(|| "unknown".into(), |bytes| bytes.to_string()),
            limits.max_storage_buffer_binding_size,
            limits.max_buffer_size,
            probed.problem.as_deref().unwrap_or("probe: right (long loops run to their end)")
        );
        for (_, what, memory) in probed.plans.iter().flatten() {
            text += &format!("           plan at f32, {what}:\n");
            text += &match memory {
                Ok(memory) => indented(&memory.to_string()),
                Err(error) => indented(&error.to_string()),
            };
        }
    }
    if adapters.is_empty() {
        text += "\nadapter    none\n";
    }
    text += "\n";
    for manifest in manifests {
        text += &format!(
            "driver     {}{}\n",
            manifest.path.display(),
            if manifest.problem.is_some() { " (broken)" } else { "" }
        );
    }
    text += &format!("\nauto       --engine auto takes {}\n", default_engine(adapters));
    for line in mends(adapters, manifests) {
        text += &format!("mend       {line}\n");
    }
    text
}

fn indented(text: &str) -> String {
    format!("           {}\n", text.replace('\n', "\n           "))
}

fn plan_json(memory: &Memory) -> Value {
    let buffers = memory.lines.iter().map(|line| json!({ "what": line.what, "bytes": line.bytes }));
    json!({
        "buffers": buffers.collect::<Vec<_>>(),
        "total_bytes": memory.total(),
        "slice_rows": memory.slice_rows,
    })
}

/// Bytes that the CPU engine takes by plan.
fn cpu_plans(n: usize, d: usize) -> [(&'static str, u64); 3] {
    [choice::Plan::Auto, choice::Plan::Brute, choice::Plan::Tree]
        .map(|plan| (plan.name(), ExactCpu::memory(n, d, Precision::F32, plan, machine::threads())))
}

fn free() -> String {
    machine::available_memory().map_or("unknown".into(), |bytes| bytes.to_string())
}

fn as_json(adapters: &[Probed], manifests: &[Manifest], plan: Option<(usize, usize)>) -> Value {
    json!({
        "localmax": env!("CARGO_PKG_VERSION"),
        "contract": exact::VERSION,
        "cpu": {
            "threads": machine::threads(), "instruction_set": InstructionSet::best().name(),
            "plan": plan.map(|(n, d)| cpu_plans(n, d).into_iter().collect::<std::collections::BTreeMap<_, _>>()),
        },
        "adapters": adapters.iter().map(|p| {
            let features: serde_json::Map<String, Value> =
                p.adapter.features().iter().map(|(name, has)| ((*name).to_owned(), json!(has))).collect();
            json!({
                "name": p.adapter.name(),
                "kind": p.adapter.kind(),
                "backend": p.adapter.backend(),
                "driver": p.adapter.driver(),
                "software": p.adapter.is_software(),
                "features": features,
                "memory_bytes": p.adapter.memory(),
                "max_binding_bytes": p.adapter.limits().max_storage_buffer_binding_size,
                "max_buffer_bytes": p.adapter.limits().max_buffer_size,
                "problem": p.problem,
                "plan": p.plans.as_ref().map(|plans| {
                    let mut all = json!({ "precision": "f32", "a": "identity" });
                    for (key, _, memory) in plans {
                        all[key] = memory.as_ref().map_or_else(|e| json!({ "refused": e.to_string() }), plan_json);
                    }
                    all
                }),
            })
        }).collect::<Vec<_>>(),
        "drivers": manifests.iter().map(|m| json!({ "path": m.path, "problem": m.problem })).collect::<Vec<_>>(),
        "auto": default_engine(adapters),
        "mend": mends(adapters, manifests),
    })
}
