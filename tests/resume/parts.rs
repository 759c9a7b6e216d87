//! All rules, split anywhere, by every way to end, on every engine.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use localmax::choice::Plan;
use localmax::cpu::ExactCpu;
use localmax::cpu::{InstructionSet, Options as CpuOptions};
use localmax::engine::{self, Engine, Rounding, Step};
use localmax::error::{Error, Result};
use localmax::exact::Grid;
use localmax::gpu::{Adapter, Device, Wanted};
use localmax::io::config::Config;
use localmax::outcome::{Description, Effort, StepReport, Strips};
use localmax::run::Progress;
use localmax::run::checkpoint::{self, Checkpoint, Start};
use localmax::run::record::{self, Callbacks, Outcome, RunResult};
use localmax::run::resume::{self, Request};
use localmax::run::{Meta, Options, Place, RunDir};
use localmax::tokens::Tokens;

use crate::{assert_equal_files, copy, folder, preset};

const STEPS: u64 = 11;

/// Who computes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Reference,
    Cpu,
    /// Another plan, another instruction set and one thread.
    OtherCpu,
    Gpu,
}

fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let adapter = Adapter::choose(Wanted::Any).expect("`bash tests/run.sh drivers` installs a software driver");
        Device::open(&adapter).unwrap()
    })
}

fn open(who: Who, config: &Config, tokens: &Tokens, grid: Grid) -> Box<dyn Engine> {
    let model = &config.model;
    match who {
        Who::Reference => engine::on_reference(Plan::Auto, model, tokens, grid).unwrap(),
        Who::Cpu => engine::on_cpu(Plan::Auto, model, tokens, grid).unwrap(),
        Who::OtherCpu => {
            let options = CpuOptions {
                set: Some(InstructionSet::Portable),
                threads: Some(1),
                plan: Plan::Tree,
                ..CpuOptions::default()
            };
            Box::new(ExactCpu::new(tokens, grid, options).unwrap())
        }
        Who::Gpu => engine::on_gpu(device(), Plan::Auto, model, tokens, grid).unwrap(),
    }
}

/// How a part ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    /// At its own last step; the rest is asked for as more steps.
    Checkpoint,
    /// By a signal that it obeys.
    Asked,
    /// By one that it cannot: what is in the directory at that moment is all there is.
    Killed,
}

/// Ends a run after some step.
struct Ends {
    at: u64,
    /// Where the directory is copied to as it is then.
    copy: Option<(PathBuf, PathBuf)>,
}

impl Callbacks for Ends {
    fn reopen(&mut self, lost: &Error, _: &Checkpoint) -> Result<Box<dyn Engine>> {
        panic!("{lost}");
    }

    fn progress(&mut self, step: u64, _: &StepReport, _: Option<&Effort>) -> ControlFlow<()> {
        if step < self.at {
            return ControlFlow::Continue(());
        }
        if let Some((from, to)) = self.copy.take() {
            copy(&from, &to);
        }
        ControlFlow::Break(())
    }
}

const NEVER: u64 = u64::MAX;

fn first(config: &Config) -> (Tokens, Grid) {
    engine::first_state(&config.model, &config.load_tokens().unwrap(), config.run.precision).unwrap()
}

/// A new run.
fn begin(config: &Config, path: &Path, who: Who, callbacks: &mut dyn Callbacks) -> RunResult {
    let (tokens, grid) = first(config);
    let engine = open(who, config, &tokens, grid);
    let progress = Progress::start(config, Options::default(), grid, 1.0, engine.description());
    let run = Place::new(Some(path), "r").unwrap().create(config, &Meta::new(config, &progress)).unwrap();
    record::run(config, &run, Start { progress, frames: vec![] }, engine, callbacks).unwrap()
}

/// The rest of a run, as `localmax resume` takes it.
fn go_on(path: &Path, more: u64, who: Who) -> RunResult {
    let run = RunDir::open(path).unwrap();
    let left = resume::look(&run, Request { more, ..Request::default() }).unwrap();
    assert!(left.done.is_none(), "{:?}", left.done);
    let mut start = left.checkpoint.expect("a run has a checkpoint from its first state on");
    let grid = Grid { exponent: start.progress.grid_exponent, precision: left.config.run.precision };
    let engine = open(who, &left.config, &start.tokens.read().unwrap(), grid);
    start.progress.continue_with(engine.description());
    run.cut_back(Some(&start)).unwrap();
    left.config.save(path).unwrap();
    let result = record::run(&left.config, &run, start, engine, &mut Ends { at: NEVER, copy: None }).unwrap();
    assert!(matches!(result.outcome, Outcome::Completed), "{:?}", result.outcome);
    result
}

/// A run in two parts must be the run in one, whatever the rule, the step, and the way it ended.
fn all_splits(name: &str, changes: &[&str], parts: &[(Who, Who)]) {
    let often = ["output.record=every 3", "output.frames=every 4", "output.checkpoint_seconds=1e-9"];
    let steps = format!("run.steps={STEPS}");
    let config = preset(name, &[changes, &often, &[&steps]].concat());
    let folder = folder();
    let mut count = 0;
    for &(who, then) in parts {
        count += 1;
        let whole = folder.path().join(format!("whole-{count}"));
        begin(&config, &whole, then, &mut Ends { at: NEVER, copy: None });
        for at in [1, 4, 5, 8, 9] {
            for manner in [Manner::Checkpoint, Manner::Asked, Manner::Killed] {
                let what = format!("{name} on {who:?} and {then:?}, step {at}, {manner:?}");
                count += 1;
                let path = folder.path().join(format!("parts-{count}"));
                let begun = folder.path().join(format!("begun-{count}"));
                let result = match manner {
                    Manner::Checkpoint => {
                        let mut shorter = config.clone();
                        shorter.run.steps = at;
                        begin(&shorter, &path, who, &mut Ends { at: NEVER, copy: None });
                        go_on(&path, STEPS - at, then)
                    }
                    Manner::Asked => {
                        begin(&config, &path, who, &mut Ends { at, copy: None });
                        go_on(&path, 0, then)
                    }
                    Manner::Killed => {
                        begin(&config, &begun, who, &mut Ends { at, copy: Some((begun.clone(), path.clone())) });
                        go_on(&path, 0, then)
                    }
                };
                assert_equal_files(&whole, &path, &what);
                let (step, more) = (result.progress.segments.last().unwrap().from_step, result.progress.segments.len());
                let [most, fewest] = if who == then || step == 0 { [1, 1] } else { [2, 2] };
                assert!((fewest..=most).contains(&more), "{what}: {:?}", result.progress.segments);
            }
        }
    }
}

/// The rules of the contract: the second part on another engine, other threads, another plan.
const EXACT: [(Who, Who); 5] = [
    (Who::Reference, Who::Reference),
    (Who::Reference, Who::Cpu),
    (Who::Cpu, Who::OtherCpu),
    (Who::OtherCpu, Who::Gpu),
    (Who::Gpu, Who::Reference),
];
/// The other rules: every part on the same engine.
const REAL: [(Who, Who); 3] = [(Who::Reference, Who::Reference), (Who::Cpu, Who::Cpu), (Who::Gpu, Who::Gpu)];

#[test]
fn localmax() {
    all_splits("vanishing-delta", &["tokens.n=40"], &EXACT);
    all_splits("default", &["tokens.n=30", "run.precision=f64"], &EXACT[1..3]);
}

#[test]
fn hardmax_and_frank_wolfe() {
    all_splits("hardmax-triangle", &[], &EXACT);
    all_splits("frank-wolfe-super-exponential", &[], &EXACT);
}

#[test]
fn softmax_and_markov() {
    all_splits("softmax-collection", &["run.precision=f32"], &REAL);
    all_splits("markov-escape", &["run.precision=f32"], &REAL);
}

#[test]
fn flows_on_spheres() {
    all_splits("sphere-clusters", &["run.precision=f32"], &REAL);
    all_splits("sphere-causal", &["run.precision=f32"], &REAL);
}

#[test]
fn ellipsoid_and_rescaled() {
    all_splits("ellipsoid-consensus", &["run.precision=f32"], &REAL);
    all_splits("clustering-hyperplane", &["run.precision=f32"], &REAL);
}

/// Draws go by the step, not by how many were drawn before; and lengths are in the state.
#[test]
fn noise_and_lengths() {
    all_splits("sphere-noise", &["run.precision=f32", "tokens.n=40"], &REAL);
    all_splits("pre-norm", &["run.precision=f32", "tokens.n=30"], &REAL);
}

/// Matrices go by the step, and keys by the folder.
#[test]
fn random_matrices_and_fixed_keys() {
    all_splits("random-layers", &["run.precision=f32", "tokens.n=30"], &REAL);
    all_splits("retrieval", &["run.precision=f32", "tokens.n=30"], &REAL);
    let fixed =
        ["tokens.n=40", "tokens.keys=[[1, 0], [0.5, 0.8], [-1, 0.2]]", "model.a={ random = \"goe\", every = 2 }"];
    // The other CPU engine is opened on tokens alone.
    all_splits("default", &fixed, &[(Who::Cpu, Who::Gpu), (Who::Gpu, Who::Reference), (Who::Reference, Who::Cpu)]);
}

/// Edges go by the folder.
#[test]
fn graphs() {
    all_splits("graph", &["run.precision=f32"], &REAL[..2]);
    let edges = ["tokens.n=40", "model.mask={ graph = [[0, 1], [1, 2], [5, 3], [3, 39], [39, 0]] }"];
    let parts = [(Who::Reference, Who::Cpu), (Who::Cpu, Who::OtherCpu), (Who::OtherCpu, Who::Reference)];
    all_splits("default", &edges, &parts);
}

/// An engine whose device is lost in mid-run.
struct Doomed {
    inner: Box<dyn Engine>,
    device: Device,
    /// Steps until then.
    left: usize,
}

impl Engine for Doomed {
    fn description(&self) -> Description {
        self.inner.description()
    }

    fn rounding(&self) -> Rounding {
        self.inner.rounding()
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        if self.left < steps.len() {
            self.device.destroy();
        }
        self.left = self.left.saturating_sub(steps.len());
        self.inner.step(steps)
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.inner.tokens()
    }

    fn strips(&mut self) -> Result<Strips> {
        self.inner.strips()
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.inner.masks(step, rows)
    }
}

/// Opens a device again, which may be doomed too, or none.
struct Reopens<'a> {
    config: &'a Config,
    next: Option<Who>,
    again: Option<usize>,
    losses: Vec<String>,
}

fn doomed(config: &Config, tokens: &Tokens, grid: Grid, left: usize) -> Box<dyn Engine> {
    let device = Device::open(device().adapter()).unwrap();
    let inner = engine::on_gpu(&device, Plan::Auto, &config.model, tokens, grid).unwrap();
    Box::new(Doomed { inner, device, left })
}

impl Callbacks for Reopens<'_> {
    fn reopen(&mut self, lost: &Error, at: &Checkpoint) -> Result<Box<dyn Engine>> {
        self.losses.push(lost.to_string());
        let grid = Grid { exponent: at.progress.grid_exponent, precision: self.config.run.precision };
        match (self.again, self.next) {
            (Some(left), _) => Ok(doomed(self.config, &at.tokens.read()?, grid, left)),
            (None, Some(who)) => Ok(open(who, self.config, &at.tokens.read()?, grid)),
            (None, None) => Err(Error::device("there is none")),
        }
    }

    fn progress(&mut self, _: u64, _: &StepReport, _: Option<&Effort>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A driver that is reset must cost nothing but time; one that stays away must not cost the run.
#[test]
fn a_lost_device_is_taken_up_once() {
    let folder = folder();
    for (name, changes) in [("default", &["tokens.n=30"][..]), ("sphere-clusters", &["run.precision=f32"])] {
        let config = preset(name, &[changes, &["run.steps=9", "output.checkpoint_seconds=1e-9"]].concat());
        let whole = folder.path().join(format!("{name}-whole"));
        begin(&config, &whole, Who::Gpu, &mut Ends { at: NEVER, copy: None });
        let cases = [
            ("again", Some(Who::Gpu), None),
            ("other", Some(Who::Cpu), None),
            ("gone", None, None),
            ("twice", None, Some(2)),
        ];
        for (what, next, again) in cases {
            let path = folder.path().join(format!("{name}-{what}"));
            let (tokens, grid) = first(&config);
            let engine = doomed(&config, &tokens, grid, 4);
            let progress = Progress::start(&config, Options::default(), grid, 1.0, engine.description());
            let run = Place::new(Some(&path), "r").unwrap().create(&config, &Meta::new(&config, &progress)).unwrap();
            let mut callbacks = Reopens { config: &config, next, again, losses: Vec::new() };
            let start = Start { progress, frames: vec![] };
            let result = record::run(&config, &run, start, engine, &mut callbacks).unwrap();
            assert_eq!(callbacks.losses.len(), 1, "{name} {what}: {:?}", callbacks.losses);
            match (what, &result.outcome) {
                ("again", Outcome::Completed) => {}
                ("again", how) => panic!("{name}: {how:?} after {:?}", callbacks.losses),
                (_, Outcome::Failed(Error::Device(_))) => {
                    let saved = result.saved.unwrap();
                    assert!(saved >= 4, "{name} {what}: the checkpoint of step {saved}");
                    go_on(&path, 0, Who::Gpu);
                }
                (_, how) => panic!("{name} {what}: {how:?}"),
            }
            assert_equal_files(&whole, &path, &format!("{name} {what}"));
        }
    }
}

/// Half a run by another arithmetic than the other half is no run; one whose arithmetic did not
/// change must go on.
#[test]
fn runs_of_an_earlier_contract_go_on_where_it_is_the_same() {
    let folder = folder();
    let a_norm = ["model.strip=a-norm", "model.a=[[2, 0.5], [0.5, 1]]"];
    let cases: [(&str, &[&str], &str); 5] = [
        ("default", &[], ""),
        ("default", &["model.strip=a-norm"], ""),
        ("default", &["model.a=[[2, 0.5], [0.5, 1]]"], ""),
        ("default", &a_norm, "begin again"),
        ("sphere-clusters", &[], ""),
    ];
    for (k, (name, changes, wanted)) in cases.into_iter().enumerate() {
        let config = preset(name, &[changes, &["run.steps=9", "output.checkpoint_seconds=1e-9"]].concat());
        let path = folder.path().join(k.to_string());
        begin(&config, &path, Who::Cpu, &mut Ends { at: 4, copy: None });
        let run = RunDir::open(&path).unwrap();
        for (step, file) in run.checkpoints().unwrap() {
            let mut old = checkpoint::read(&file).unwrap();
            old.progress.segments[0].contract = 1;
            checkpoint::write(&run.checkpoint_path(step), &old.tokens, &old.frames, &old.progress).unwrap();
        }
        let said = resume::look(&run, Request::default()).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(said.contains(wanted) && said.is_empty() == wanted.is_empty(), "{name} {changes:?}: {said}");
    }
}

/// Steps that are added may be too small for the lattice, which those before them were not.
#[test]
fn added_steps_are_held_to_the_lattice_too() {
    let folder = folder();
    let changes = ["model.alpha=1/(t+1)^2", "run.steps=60", "run.precision=f32"];
    let config = preset("hardmax-triangle", &changes);
    let path = folder.path().join("r");
    begin(&config, &path, Who::Cpu, &mut Ends { at: 20, copy: None });
    let run = RunDir::open(&path).unwrap();
    let look = |more| resume::look(&run, Request { more, ..Request::default() });
    assert!(look(0).is_ok() && look(30).is_ok());
    let said = look(300).unwrap_err().to_string();
    assert!(said.contains("at step 359") && said.contains("localmax run"), "{said}");
}
