//! One hash a step, whatever computes it: `cargo test --test one_hash`.
//!
//! The reference's trajectory, step by step, against every instruction set, plan, number of
//! threads, size of windows and dispatches, interval between sorts, merged and not, on the CPU and
//! on every Vulkan driver found; one run of a GPU again and again; and a GPU whose floats are as
//! wrong as their bounds allow. At full size, every system
//! on every path, with n = 3001, 300 steps and 100 repeats: `LOCALMAX_ONE_HASH=3001,300,100 cargo
//! test --release --test one_hash [PART OF A NAME]`.

use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};
use localmax::choice::Plan;
use localmax::cpu::ExactCpu;
use localmax::cpu::{self, InstructionSet};
use localmax::engine::{Engine, ExactReference, Step, Steps};
use localmax::error::Result;
use localmax::exact::Grid;
use localmax::gpu::ExactGpu;
use localmax::gpu::{self, Adapter, Device};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::outcome::Strips;
use localmax::schedule::Schedule;
use localmax::space::Upkeep;
use localmax::tokens::{Precision, Tokens};

const DIMENSIONS: [usize; 5] = [1, 2, 3, 8, 33];
const STARTS: [&str; 3] = ["clustered", "tied", "duplicated"];
/// Steps from one sort to the next.
const INTERVALS: [u32; 3] = [1, 5, 32];

/// How much is run.
#[derive(Clone, Copy, PartialEq)]
struct Size {
    n: usize,
    steps: usize,
    repeats: usize,
    /// Whether every system takes every path.
    full: bool,
}

const EVERYDAY: Size = Size { n: 201, steps: 8, repeats: 5, full: false };

/// One system, with the hashes of its trajectory, the argmaxes and the counts.
struct System {
    name: String,
    d: usize,
    tokens: Tokens,
    grid: Grid,
    step: Step,
    expected: OnceLock<Vec<(String, Strips)>>,
}

type Verdict = std::result::Result<(), Failed>;

/// Makes an engine that holds a system's tokens.
type Open = Box<dyn Fn(&System) -> Result<Box<dyn Engine>> + Send + Sync>;

/// A way to compute, by name.
struct Path {
    name: String,
    open: Open,
}

impl System {
    fn new(size: Size, d: usize, form: (StripForm, &str), start: &str, precision: Precision) -> Self {
        let draw = |kind, n| CloudSample::new(kind, n, d).tokens(7, precision).expect("a cloud");
        let tokens = match start {
            "clustered" => draw(Cloud::Clusters, size.n),
            "tied" => draw(Cloud::Ties, size.n),
            _ => {
                let few = draw(Cloud::Gaussian, size.n / 5 + 1);
                let rows: Vec<f64> = (0..size.n).flat_map(|i| few.row(i * 7919 % few.n())).collect();
                Tokens::from_flat(size.n, d, rows).expect("a cloud")
            }
        };
        let grid = Grid::of(&tokens, precision);
        let tokens = grid.snap(&tokens).expect("tokens");
        let longest = (0..size.n).map(|i| tokens.row(i).iter().map(|x| x * x).sum::<f64>()).fold(0.0, f64::max).sqrt();
        // Symmetric and positive for the norm of A, anything for the width.
        let entry = |r: usize, c: usize| match form.0 {
            StripForm::Width => ((r * 7 + c * 13 + 5) % 11) as f64 / 11.0 - 0.4 + f64::from(u8::from(r == c)),
            _ => f64::from(u8::from(r == c)) + 1.0 / (d + r + c) as f64,
        };
        let rows: Vec<Vec<f64>> = (0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect();
        let (matrix, delta, alpha) = match form.0 {
            StripForm::Score => (Matrix::Identity, 0.05 * longest * longest, 0.5),
            StripForm::Width => (Matrix::dense(&rows).expect("square"), 0.1 * longest, 1.0),
            StripForm::ANorm => (Matrix::dense(&rows).expect("square"), 0.2 * longest, 0.1),
            other => unimplemented!("no case of {other:?}"),
        };
        let rule = Rule::Localmax { delta: Schedule::Constant(delta), strip: form.0 };
        let gain = Gain::Alpha(Schedule::Constant(alpha));
        let model = Model::averaging(rule, Operator::constant(matrix), Mask::FULL, gain);
        let step = Steps::new(&model, grid, d).at(0).expect("a step");
        let name = format!("d{d}_{}_{start}_{}", form.1, precision.name());
        Self { name, d, tokens, grid, step, expected: OnceLock::new() }
    }

    /// What every step makes, up to the first that moves nothing: all later ones are the same.
    fn expected(&self, size: Size) -> &[(String, Strips)] {
        self.expected.get_or_init(|| {
            let mut engine = ExactReference::new(&self.tokens, self.grid);
            let mut hashes = Vec::new();
            for _ in 0..size.steps {
                let moved = engine.step(std::slice::from_ref(&self.step)).expect("a step")[0].moved;
                let hash = engine.tokens().expect("tokens").hash().to_hex().to_string();
                hashes.push((hash, engine.strips().expect("strips")));
                if moved == 0 {
                    break;
                }
            }
            hashes
        })
    }
}

fn systems(size: Size) -> Vec<Arc<System>> {
    let mut all = Vec::new();
    for (k, d) in DIMENSIONS.into_iter().enumerate() {
        for (l, (form, name)) in StripForm::OF_PRODUCTS.into_iter().enumerate() {
            for (m, start) in STARTS.into_iter().enumerate() {
                // A Latin third of them in everyday runs.
                if size.full || (k + l + m) % 3 == 0 {
                    let precision = if (k + m) % 3 == 0 { Precision::F64 } else { Precision::F32 };
                    all.push(Arc::new(System::new(size, d, (form, name), start, precision)));
                }
            }
        }
    }
    all
}

/// The intervals between sorts, merged and not.
fn upkeeps() -> Vec<(String, Upkeep)> {
    let name = |every: u32, merge| format!("sorted every {every}, {}", if merge { "merged" } else { "unmerged" });
    let of = |every| [true, false].map(|merge| (name(every, merge), Upkeep { sort_every: Some(every), merge }));
    INTERVALS.into_iter().flat_map(of).collect()
}

/// Every instruction set, whose lanes are the rows of a packet, by all pairs; searches on them in
/// turn, on one thread and two.
fn on_cpu() -> Vec<Path> {
    let sets: Vec<InstructionSet> = InstructionSet::ALL.into_iter().filter(|set| set.is_available()).collect();
    let mut all = Vec::new();
    let mut add = |name: &str, plan: Plan, upkeep| {
        let set = sets[all.len() / 2 % sets.len()];
        let threads = all.len() % 2 + 1;
        let options = cpu::Options { set: Some(set), threads: Some(threads), plan, upkeep, thin: false, near: false };
        let name = format!("cpu, {} on {}, {threads} threads, {name}", plan.name(), set.name());
        let open: Open = Box::new(move |s| Ok(Box::new(ExactCpu::new(&s.tokens, s.grid, options)?)));
        all.push(Path { name, open });
    };
    for plan in [Plan::Brute, Plan::Filter] {
        for _ in 0..2 * sets.len() {
            add("", plan, Upkeep::default());
        }
    }
    for (name, upkeep) in upkeeps() {
        add(&name, Plan::Tree, upkeep);
    }
    for plan in [Plan::Norm, Plan::Direction, Plan::Auto] {
        add("merged", plan, Upkeep::default());
        add("unmerged", plan, Upkeep { merge: false, ..Upkeep::default() });
    }
    all
}

/// A device, opened by the first that needs it, as if it had these limits.
struct Limited {
    name: &'static str,
    adapter: Adapter,
    limits: wgpu::Limits,
    /// The share of their bounds that floats are off by; 0 where they are what the driver makes them.
    hostile: f32,
    /// Whether threads walk alone, as on a device without subgroups.
    alone: bool,
    device: OnceLock<Device>,
}

impl Limited {
    fn device(&self) -> Device {
        let open = || {
            let device = Device::open_within(&self.adapter, self.limits.clone()).expect("a device");
            let device = if self.alone { device.without_subgroups() } else { device };
            if self.hostile == 0.0 { device } else { device.with_hostile_filter(self.hostile) }
        };
        self.device.get_or_init(open).clone()
    }
}

/// A path on a device.
fn path(device: &Arc<Limited>, name: &str, options: gpu::Options) -> Path {
    let device = Arc::clone(device);
    let name = format!("{}{}, {} {name}", device.adapter.name(), device.name, options.plan.name());
    let open: Open = Box::new(move |system| {
        Ok(Box::new(pollster::block_on(ExactGpu::new(&device.device(), &system.tokens, system.grid, true, options))?))
    });
    Path { name, open }
}

fn limited(adapter: &Adapter, name: &'static str, limits: wgpu::Limits, alone: bool) -> Arc<Limited> {
    Arc::new(Limited { name, adapter: adapter.clone(), limits, hostile: 0.0, alone, device: OnceLock::new() })
}

/// Brute force, limbs and searches with numbers that are off by a share of their bounds.
fn hostile(adapter: &Adapter, share: f32) -> Vec<Path> {
    let (name, limits) = (" with a hostile filter", adapter.limits());
    let adapter = adapter.clone();
    let device = Limited { name, adapter, limits, hostile: share, alone: false, device: OnceLock::new() };
    as_they_run(&Arc::new(device))
}

/// Brute force, by floats and by limbs, and searches, as they run.
fn as_they_run(device: &Arc<Limited>) -> Vec<Path> {
    let of = |plan| path(device, "", gpu::Options { plan, ..gpu::Options::default() });
    [Plan::Brute, Plan::Filter, Plan::Tree].map(of).into()
}

/// The same, and searches sorted at every interval, merged and not.
fn sorted(device: &Arc<Limited>) -> Vec<Path> {
    let of = |(name, upkeep): (String, _)| {
        path(device, &name, gpu::Options { plan: Plan::Tree, upkeep, ..gpu::Options::default() })
    };
    as_they_run(device).into_iter().chain(upkeeps().into_iter().map(of)).collect()
}

/// Brute force in windows of two more sizes, searches in dispatches of two more shapes, whose threads walk
/// alone; in full, also in parts.
fn tiled(adapter: &Adapter, full: bool) -> Vec<Path> {
    let of = |name, bytes, buffer, groups, plan| {
        let whole = adapter.limits();
        let max_buffer_size = whole.max_buffer_size.min(buffer);
        let max_storage_buffer_binding_size = whole.max_storage_buffer_binding_size.min(bytes);
        let max_compute_workgroups_per_dimension = whole.max_compute_workgroups_per_dimension.min(groups);
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size,
            max_buffer_size,
            max_compute_workgroups_per_dimension,
            ..whole
        };
        path(&limited(adapter, name, limits, true), "", gpu::Options { plan, ..gpu::Options::default() })
    };
    let mut all = vec![
        of(" in windows", 68 << 10, u64::MAX, 65, Plan::Brute),
        // At n = 3001 all states are in parts, as on a card those beyond the largest buffer are.
        of(" in small windows and parts", 36 << 10, 40 << 10, 65, Plan::Brute),
        of(" in windows", 68 << 10, u64::MAX, 65, Plan::Filter),
        of(" in dispatches", u64::MAX, u64::MAX, 65, Plan::Tree),
        of(" in small dispatches", u64::MAX, u64::MAX, 41, Plan::Tree),
    ];
    if full {
        // At n = 3001 all states are several trees.
        all.push(of(" in parts", 35 << 10, 40 << 10, 65, Plan::Tree));
    }
    all
}

/// Steps on a path, to the last hash that there is.
fn hold(system: &System, size: Size, path: &Path) -> Verdict {
    let expected = system.expected(size);
    let mut engine = (path.open)(system)?;
    for (t, (want, strips)) in (1..).zip(expected) {
        let report = engine.step(std::slice::from_ref(&system.step))?[0];
        let got = engine.tokens()?.hash().to_hex().to_string();
        if got != *want || (report.moved == 0 && t < expected.len()) {
            return Err(format!("{}, {}: {got} after {t} steps, not {want}", system.name, path.name).into());
        }
        // States alone would not tell which of two equal scores came first.
        if engine.strips()? != *strips {
            return Err(format!("{}, {}: other argmaxes or counts at step {t}", system.name, path.name).into());
        }
    }
    Ok(())
}

/// A filter that goes past its bounds must be found: were it not, the one that keeps to them would
/// prove nothing.
fn must_fail(system: &System, size: Size, path: &Path) -> Verdict {
    match hold(system, size, path) {
        Ok(()) => {
            Err(format!("{}, {}: no hash tells that its floats are out of bounds", system.name, path.name).into())
        }
        Err(_) => Ok(()),
    }
}

/// All steps in one call, from the start, again and again.
fn repeat(system: &System, size: Size, path: &Path) -> Verdict {
    let steps = vec![system.step.clone(); size.steps];
    let want = system.expected(size).last().map(|(hash, _)| hash);
    let mut wrong = 0;
    for _ in 0..size.repeats {
        let mut engine = (path.open)(system)?;
        engine.step(&steps)?;
        wrong += u32::from(Some(&engine.tokens()?.hash().to_hex().to_string()) != want);
    }
    match wrong {
        0 => Ok(()),
        _ => Err(format!("{}, {}: {wrong} of {} runs went elsewhere", system.name, path.name, size.repeats).into()),
    }
}

fn main() {
    let size = std::env::var("LOCALMAX_ONE_HASH").map_or(EVERYDAY, |text| {
        let numbers: Vec<usize> =
            text.split(',').map(|part| part.parse().expect("LOCALMAX_ONE_HASH=N,STEPS,REPEATS")).collect();
        let [n, steps, repeats] = numbers[..] else { panic!("LOCALMAX_ONE_HASH=N,STEPS,REPEATS") };
        Size { n, steps, repeats, full: true }
    });
    let full = size.full;
    let systems = systems(size);
    let one = systems.iter().find(|system| system.d == 3).cloned().into_iter().collect::<Vec<_>>();
    let mut trials = Vec::new();
    let mut add =
        |group: &str, system: &Arc<System>, paths: &Arc<Vec<Path>>, run: fn(&System, Size, &Path) -> Verdict| {
            let (name, system, paths) = (format!("{}::{group}", system.name), Arc::clone(system), Arc::clone(paths));
            trials.push(Trial::test(name, move || paths.iter().try_for_each(|path| run(&system, size, path))));
        };
    let cpu = Arc::new(on_cpu());
    for system in &systems {
        add("cpu", system, &cpu, hold);
    }
    let adapters = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
    let missing = adapters.is_empty();
    for (index, adapter) in adapters.iter().enumerate() {
        let name = adapter.name().split(" (").next().unwrap_or_default().replace(' ', "-").to_lowercase();
        // A device takes seconds to compile for one system, drivers behind the first longer.
        let first = index == 0;
        let some = if full || first { &systems } else { &one };
        let tiles = if full { &systems } else { &one };
        // One of each d: everything is compiled once more.
        let wrong = systems.iter().enumerate().filter(|(at, _)| full || (at % 3 + at / 3) % 3 == 2);
        let some_of_each = wrong.map(|(_, system)| Arc::clone(system)).collect();
        let wronged = if full || first { &some_of_each } else { &one };
        let device = limited(adapter, "", adapter.limits(), false);
        let groups = [
            ("", sorted(&device), some, hold as fn(&System, Size, &Path) -> Verdict),
            ("_again_and_again", as_they_run(&device), &one, repeat),
            ("_tiled", if full || first { tiled(adapter, full) } else { Vec::new() }, tiles, hold),
            // On every device that rounds to nearest: the proof for all that round otherwise.
            ("_hostile", hostile(adapter, 0.99), wronged, hold),
            ("_past_its_bounds", hostile(adapter, 3.0), &one, must_fail),
        ];
        for (group, paths, systems, run) in groups {
            let paths = Arc::new(paths);
            for system in systems {
                add(&format!("gpu_{name}{group}"), system, &paths, run);
            }
        }
    }
    if missing {
        trials.push(Trial::test("gpu", || Ok(())).with_ignored_flag(true));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
