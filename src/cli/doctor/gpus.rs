//! The adapters of this machine and the drivers that the Vulkan loader sees, as `doctor` shows
//! them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::choice;
use crate::clock::Instant;
use crate::error::Error;
use crate::gpu::{
    Adapter, CooperativeMatrix, Device, ExactGpu, Manifest, Memory, Needs, RealLayout, compile, manifests, or_largest,
};
use crate::tokens::Precision;

/// Memory that a run may take on an adapter, at precision f32: its key in JSON, what it is, and its
/// bytes.
type Plans = [(&'static str, &'static str, Result<Memory, Error>); 3];

/// The d that kernels are compiled for.
const COMPILED_D: usize = 3;

/// An adapter, with the result of probing it.
struct Probed {
    adapter: Adapter,
    problem: Option<String>,
    /// Seconds that it took to open and to probe.
    open_seconds: f64,
    /// Whether it has units for matrices that the probe found right; unknown where it cannot be opened.
    units: Option<bool>,
    compiled: Option<Compiled>,
    plans: Option<Plans>,
}

/// The kernels of every rule at f32 and [`COMPILED_D`], and the seconds that they took.
struct Compiled {
    kernels: usize,
    seconds: f64,
}

/// Every adapter, probed, and every driver manifest.
pub(super) struct Gpus {
    adapters: Vec<Probed>,
    manifests: Vec<Manifest>,
}

impl Gpus {
    /// Opens every adapter once, and compiles its kernels if that is wanted; plans memory for n tokens
    /// in R^d where a shape is given.
    pub(super) fn probe(shape: Option<(usize, usize)>, compiles: bool) -> Self {
        Self::of(Adapter::all(), shape, compiles)
    }

    /// As [`Gpus::probe`], of some adapters.
    pub(super) fn of(adapters: Vec<Adapter>, shape: Option<(usize, usize)>, compiles: bool) -> Self {
        let probed = |adapter| Probed::new(adapter, shape, compiles);
        Self { adapters: adapters.into_iter().map(probed).collect(), manifests: manifests() }
    }

    /// The engine that `auto` takes here.
    pub(super) fn default_engine(&self) -> String {
        let usable = self.adapters.iter().find(|p| p.problem.is_none() && !p.adapter.is_software());
        usable.map_or_else(|| "cpu".into(), |p| format!("gpu ({})", p.adapter.name()))
    }

    /// Advice, most useful first.
    pub(super) fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        let hardware = self.adapters.iter().any(|p| !p.adapter.is_software());
        let absent = absent_manifests();
        advice.extend(absent.iter().map(|(variable, path)| {
            format!("{variable} names {}, which is not there: correct it, or unset {variable}", path.display())
        }));
        if self.manifests.is_empty() {
            if absent.is_empty() {
                advice.push(
                    "no Vulkan driver is installed: for a GPU install its vendor's driver (on a headless NVIDIA machine \
                     the manifest nvidia_icd.json, named in VK_DRIVER_FILES); a software driver is Mesa's lavapipe \
                     (Debian and Ubuntu: apt install libvulkan1 mesa-vulkan-drivers)"
                        .into(),
                );
            }
        } else if self.adapters.is_empty() {
            advice.push(
                "driver manifests are there but no adapter answers: is the Vulkan loader (Debian: libvulkan1) installed, \
                 and may this user open /dev/dri or /dev/nvidia*?"
                    .into(),
            );
        } else if !hardware {
            advice.push(
                "only software drivers: --engine auto takes the CPU engine, which is faster than they are".into(),
            );
        }
        // An absent manifest has been named.
        let there = self.manifests.iter().filter(|m| absent.iter().all(|(_, path)| *path != m.path));
        advice.extend(there.filter_map(|m| Some(format!("{}: {}", m.path.display(), m.problem.as_ref()?))));
        let adapters = self.adapters.iter();
        advice.extend(adapters.filter_map(|p| Some(format!("{}: {}", p.adapter.name(), p.problem.as_ref()?))));
        advice
    }

    /// A paragraph an adapter, and a line a driver.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for probed in &self.adapters {
            let a = &probed.adapter;
            let limits = a.limits();
            let pci = if a.pci().is_empty() { String::new() } else { format!(", PCI {}", a.pci()) };
            let (number, name, kind, backend) = (a.number(), a.name(), a.kind(), a.backend());
            text += &format!("\nadapter {number:2} {name} ({kind}, {backend}{pci}; {})\n", a.driver());
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
        if self.adapters.is_empty() {
            text += "\nadapter    none\n";
        }
        text += "\n";
        for manifest in &self.manifests {
            let broken = if manifest.problem.is_some() { " (broken)" } else { "" };
            text += &format!("driver     {}{broken}\n", manifest.path.display());
        }
        text
    }

    /// Adds `adapters` and `drivers`.
    pub(super) fn add_to(&self, all: &mut Value) {
        all["adapters"] = self.adapters.iter().map(Probed::as_json).collect();
        all["drivers"] = self.manifests.iter().map(|m| json!({ "path": m.path, "problem": m.problem })).collect();
    }
}

impl Probed {
    fn new(adapter: Adapter, shape: Option<(usize, usize)>, compiles: bool) -> Self {
        let start = Instant::now();
        let opened = Device::open(&adapter);
        let open_seconds = start.elapsed().as_secs_f64();
        let units = opened.as_ref().ok().map(Device::multiplies_matrices);
        let compiled = |device: &Device| {
            let start = Instant::now();
            compile(device, COMPILED_D).map(|kernels| Compiled { kernels, seconds: start.elapsed().as_secs_f64() })
        };
        let result = opened.and_then(|device| compiles.then(|| compiled(&device)).transpose());
        let plans = shape.map(|(n, d)| plans(n, d, &adapter));
        let (compiled, problem) = match result {
            Ok(compiled) => (compiled, None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { adapter, problem, open_seconds, units, compiled, plans }
    }

    fn as_json(&self) -> Value {
        let features: serde_json::Map<String, Value> =
            self.adapter.features().iter().map(|(name, has)| ((*name).to_owned(), json!(has))).collect();
        let [least, most] = self.adapter.subgroup_sizes();
        let matrices = self.adapter.cooperative_matrices();
        json!({
            "number": self.adapter.number(),
            "name": self.adapter.name(),
            "pci": self.adapter.pci(),
            "kind": self.adapter.kind(),
            "backend": self.adapter.backend(),
            "driver": self.adapter.driver(),
            "software": self.adapter.is_software(),
            "features": features,
            "subgroup_sizes": { "least": least, "most": most },
            "cooperative_matrices": matrices.map(|all| all.iter().map(matrix_json).collect::<Vec<_>>()),
            "limits": self.adapter.all_limits().into_iter().collect::<BTreeMap<_, _>>(),
            "memory_bytes": self.adapter.memory(),
            "own_memory_bytes": self.adapter.card_memory(),
            "max_binding_bytes": self.adapter.limits().max_storage_buffer_binding_size,
            "max_buffer_bytes": self.adapter.limits().max_buffer_size,
            "open_seconds": self.open_seconds,
            "multiplies_matrices": self.units,
            "compiled": self.compiled.as_ref().map(|Compiled { kernels, seconds }| {
                json!({ "precision": "f32", "d": COMPILED_D, "kernels": kernels, "seconds": seconds })
            }),
            "probe": self.problem.as_deref().unwrap_or("right"),
            "problem": self.problem,
            "plan": self.plans.as_ref().map(|plans| {
                let mut all = json!({ "precision": "f32", "a": "identity" });
                for (key, _, memory) in plans {
                    all[key] = memory.as_ref().map_or_else(|e| json!({ "refused": e.to_string() }), plan_json);
                }
                all
            }),
        })
    }
}

fn plans(n: usize, d: usize, adapter: &Adapter) -> Plans {
    let exact = |plan| or_largest(n, |n| ExactGpu::memory(plan, (n, d), Precision::F32, false, adapter));
    let real = or_largest(n, |n| {
        let plan = RealLayout::new(n, d, Needs::default(), &adapter.limits(), adapter.card_memory())?;
        adapter.memory().map_or(Ok(()), |available| plan.memory.check_total(available))?;
        Ok(plan.memory)
    });
    [
        ("exact", "localmax, hardmax or frank-wolfe with A = I, by brute force", exact(choice::Plan::Brute)),
        ("tree", "the same by a tree", exact(choice::Plan::Tree)),
        ("softmax", "softmax and its relatives, euler, no matrices", real),
    ]
}

fn plan_json(memory: &Memory) -> Value {
    let buffers = memory.lines.iter().map(|line| json!({ "what": line.what, "bytes": line.bytes }));
    json!({
        "buffers": buffers.collect::<Vec<_>>(),
        "total_bytes": memory.total(),
        "slice_rows": memory.slice_rows,
    })
}

fn matrix_json(matrix: &CooperativeMatrix) -> Value {
    let [m, n, k] = matrix.size;
    json!({ "m": m, "n": n, "k": k, "factors": matrix.factors, "sum": matrix.sum, "saturates": matrix.saturates })
}

fn indented(text: &str) -> String {
    format!("           {}\n", text.replace('\n', "\n           "))
}

/// Paths that are not there, of the variable that the Vulkan loader takes its drivers from, if it
/// is set.
fn absent_manifests() -> Vec<(&'static str, PathBuf)> {
    let set = |name| std::env::var_os(name).filter(|list| !list.is_empty()).map(|list| (name, list));
    let Some((name, list)) = set("VK_DRIVER_FILES").or_else(|| set("VK_ICD_FILENAMES")) else { return Vec::new() };
    std::env::split_paths(&list).filter(|path| !path.exists()).map(|path| (name, path)).collect()
}
