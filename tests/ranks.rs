//! One run on several ranks: the bits, the effort and the folder of one. Here ranks are threads of one
//! process; `tests/mpi.rs` has them started by mpirun.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use localmax::choice::{EngineChoice, Plan};
use localmax::engine::{Engine, Lead, Outline, Steps, first_state, follow, on_cpu, on_ranks};
use localmax::error::{Error, Result};
use localmax::exact::Grid;
use localmax::init::{Cloud, CloudSample};
use localmax::interrupt::Interrupt;
use localmax::io::config::{Config, Override};
use localmax::model::{Integrator, Matrix, Model, StripForm};
use localmax::outcome::{Effort, StepReport, Traffic};
use localmax::ranks::{Alone, Inside, Shared};
use localmax::run::checkpoint::Checkpoint;
use localmax::run::opening::{self, Opening};
use localmax::run::record::{self, Callbacks};
use localmax::run::resume::{self, Request};
use localmax::run::{Options, Place, RunDir, among};
use localmax::tokens::{Precision, Tokens};

/// What every rank makes, in their order.
fn on_all<T: Send>(size: usize, work: impl Fn(Shared) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let begin = |ranks: Inside| scope.spawn(|| work(Arc::new(ranks)));
        let begun: Vec<_> = Inside::of(size).into_iter().map(begin).collect();
        begun.into_iter().map(|rank| rank.join().expect("a rank")).collect()
    })
}

/// A system, with its tokens and steps.
struct System {
    name: String,
    model: Model,
    tokens: Tokens,
    grid: Grid,
    steps: u64,
}

fn cloud(cloud: Cloud, n: usize, d: usize, precision: Precision) -> Tokens {
    CloudSample::new(cloud, n, d).tokens(7, precision).expect("a cloud")
}

impl System {
    fn new(name: &str, model: Model, tokens: &Tokens, steps: u64) -> Self {
        let (first, grid) = first_state(&model, tokens, tokens.precision()).expect("tokens");
        let name = format!("{name}, n = {}, d = {}, {}", first.n(), first.d(), grid.precision.name());
        Self { name, model, tokens: first, grid, steps }
    }

    /// Hash, report, effort and strips of every step.
    fn take(&self, engine: &mut dyn Engine) -> Vec<(String, StepReport, Option<Effort>, u64)> {
        let mut steps = Steps::new(&self.model, self.grid, self.tokens.d());
        let one = |t| {
            let report = engine.step(&[steps.at(t).expect("a step")]).expect("a step")[0];
            let strips = engine.strips().expect("strips");
            let sum = strips.argmax.iter().zip(&strips.count).zip(1..).map(|((a, c), i)| i * u64::from(a ^ c)).sum();
            (engine.tokens().expect("tokens").hash().to_hex().to_string(), report, engine.effort(), sum)
        };
        (0..self.steps).map(one).collect()
    }

    fn holds(&self, plan: Plan, sizes: &[usize]) -> Option<Effort> {
        let mut alone = on_cpu(plan, &self.model, &self.tokens, self.grid).expect("an engine");
        let right = self.take(alone.as_mut());
        for &size in sizes {
            let found = on_all(size, |ranks| {
                self.take(on_ranks(&ranks, plan, &self.model, &self.tokens, self.grid).expect("an engine").as_mut())
            });
            for (rank, found) in found.iter().enumerate() {
                assert!(*found == right, "{}, plan {}: rank {rank} of {size}", self.name, plan.name());
            }
        }
        right.last().and_then(|step| step.2)
    }
}

/// Hash, strips and what every engine reports alike, of every step.
fn essence(steps: &[(String, StepReport, Option<Effort>, u64)]) -> Vec<(&str, StepReport, u64)> {
    steps.iter().map(|(hash, report, _, strips)| (&hash[..], StepReport { redone: 0, ..*report }, *strips)).collect()
}

impl System {
    /// Has the bits of one process where every rank holds a part of the tokens. Returns the traffic of each step.
    fn holds_in_parts(&self, sizes: &[usize]) -> Vec<Traffic> {
        let mut alone = on_cpu(Plan::Auto, &self.model, &self.tokens, self.grid).expect("an engine");
        let right = self.take(alone.as_mut());
        let mut traffic = Vec::new();
        for &size in sizes {
            let found = on_all(size, |ranks| {
                let engine = on_ranks(&ranks, Plan::Opened, &self.model, &self.tokens, self.grid);
                self.take(engine.expect("an engine").as_mut())
            });
            for (rank, found) in found.iter().enumerate() {
                assert_eq!(essence(found), essence(&right), "{}: rank {rank} of {size}", self.name);
            }
            traffic = found[0].iter().filter_map(|step| Some(step.2?.traffic)).collect();
        }
        traffic
    }
}

fn localmax(delta: f64, form: StripForm) -> Model {
    Model::localmax(delta).unwrap().strip(form).unwrap().alpha(0.5).unwrap()
}

/// A symmetric positive definite A that mixes coordinates.
fn matrix(d: usize) -> Matrix {
    let entry = |r: usize, c: usize| f64::from(u8::from(r == c)) + 1.0 / (d + r + c) as f64;
    Matrix::dense(&(0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect::<Vec<_>>()).expect("a matrix")
}

/// Were a row computed twice or by nobody, or against an old key, a run on a cluster would be another one
/// than on a desk.
#[test]
fn ranks_have_the_bits_of_one_process() {
    use Precision::{F32, F64};
    let mixed = |delta, form, d| localmax(delta, form).matrix(matrix(d)).unwrap();
    let small = [
        System::new("score", localmax(0.1, StripForm::Score), &cloud(Cloud::Gaussian, 203, 1, F32), 5),
        System::new("hardmax", Model::hardmax().alpha(1.0).unwrap(), &cloud(Cloud::Ties, 203, 2, F64), 5),
        System::new("width", mixed(0.3, StripForm::Width, 3), &cloud(Cloud::Clusters, 203, 3, F64), 5),
        System::new("a-norm", mixed(0.5, StripForm::ANorm, 8), &cloud(Cloud::Gaussian, 203, 8, F32), 5),
        System::new("frank-wolfe", Model::frank_wolfe("2/(t+2)").unwrap(), &cloud(Cloud::Gaussian, 131, 40, F32), 5),
        System::new("causal", localmax(0.3, StripForm::Score).causal(), &cloud(Cloud::Ties, 203, 3, F32), 5),
        System::new("fewer tokens than ranks", localmax(0.1, StripForm::Score), &cloud(Cloud::Gaussian, 2, 3, F32), 5),
    ];
    for system in &small {
        for plan in [Plan::Auto, Plan::Brute] {
            system.holds(plan, &[1, 2, 3, 7, 64]);
        }
    }
    small[4].holds(Plan::Filter, &[3]);
}

/// A search deals groups of a thousand keys, which must be the same ones on all ranks: sorts and merges are
/// decided by counts over all of them. Late and tied states have few keys, and then none for most ranks.
#[test]
fn searches_are_shared_and_sort_alike() {
    let score = || localmax(0.01, StripForm::Score);
    let late = {
        let mut half = on_cpu_of(&score(), &cloud(Cloud::Gaussian, 3000, 3, Precision::F32));
        half.advance(40).expect("steps");
        half.tokens().expect("tokens")
    };
    for (name, model, tokens, plan) in [
        ("tree", score(), cloud(Cloud::Gaussian, 5000, 3, Precision::F32), Plan::Tree),
        ("tied", score(), cloud(Cloud::Ties, 5000, 3, Precision::F32), Plan::Auto),
        ("late", score(), late, Plan::Tree),
        ("causal tree", score().causal(), cloud(Cloud::Gaussian, 3000, 2, Precision::F64), Plan::Tree),
        ("norms", Model::hardmax(), cloud(Cloud::Gaussian, 3000, 8, Precision::F32), Plan::Norm),
        ("directions", Model::hardmax(), cloud(Cloud::Gaussian, 20_000, 3, Precision::F32), Plan::Auto),
    ] {
        let effort = System::new(name, model, &tokens, 5).holds(plan, &[2, 3]).expect("an effort");
        if name == "directions" {
            assert_eq!(effort.plan, Plan::Direction);
        }
    }
}

/// Parts know nothing of balls: of however many tokens, all ranks hold them all.
#[test]
fn balls_have_the_bits_of_one_process() {
    for (n, d) in [(70_000, 2), (70_000, 1), (500, 3)] {
        let model = Model::hegselmann_krause(0.05).unwrap();
        System::new("balls", model, &cloud(Cloud::Gaussian, n, d, Precision::F32), 2).holds(Plan::Auto, &[1, 3]);
    }
}

/// Each rank holds a part of the tokens, and sees of the others what its rows ask for: a box that is opened too
/// late, told wrongly or counted twice would be another strip.
#[test]
fn parts_have_the_bits_of_one_process() {
    use Precision::{F32, F64};
    let mixed = |delta, form, d| localmax(delta, form).matrix(matrix(d)).unwrap();
    let score = |delta| localmax(delta, StripForm::Score);
    let late = |d, precision| {
        let mut half = on_cpu_of(&score(0.01), &cloud(Cloud::Gaussian, 3000, d, precision));
        half.advance(40).expect("steps");
        half.tokens().expect("tokens")
    };
    let late_by = |model: &Model, d| {
        let mut half = on_cpu_of(model, &cloud(Cloud::Gaussian, 3000, d, F32));
        half.advance(15).expect("steps");
        half.tokens().expect("tokens")
    };
    let twice = {
        let one = cloud(Cloud::Gaussian, 700, 3, F32).to_f64();
        Tokens::from_flat(2100, 3, one.iter().chain(&one).chain(&one).copied().collect::<Vec<f64>>()).unwrap()
    };
    for (name, model, tokens) in [
        ("score", score(0.1), cloud(Cloud::Gaussian, 2003, 1, F32)),
        ("score", score(0.01), cloud(Cloud::Gaussian, 5000, 2, F64)),
        ("score", score(0.1), cloud(Cloud::Gaussian, 5000, 3, F32)),
        ("wide score", score(3.0), cloud(Cloud::Gaussian, 5000, 3, F64)),
        ("matrix", mixed(0.2, StripForm::Score, 3), cloud(Cloud::Clusters, 2003, 3, F32)),
        ("width", mixed(0.3, StripForm::Width, 3), cloud(Cloud::Clusters, 2003, 3, F64)),
        ("a-norm", mixed(0.5, StripForm::ANorm, 8), cloud(Cloud::Gaussian, 1003, 8, F32)),
        ("hardmax", Model::hardmax().alpha(1.0).unwrap(), cloud(Cloud::Gaussian, 3000, 3, F32)),
        ("tied hardmax", Model::hardmax().alpha(1.0).unwrap(), cloud(Cloud::Ties, 2003, 2, F64)),
        // By a table of directions, as long as few tokens can be a maximum; and by boxes without sums.
        ("hardmax", Model::hardmax(), cloud(Cloud::Gaussian, 20_000, 3, F32)),
        ("mixed hardmax", Model::hardmax().matrix(matrix(2)).unwrap(), cloud(Cloud::Ball, 9000, 2, F64)),
        ("hardmax on a sphere", Model::hardmax(), cloud(Cloud::Sphere, 9000, 3, F32)),
        ("late hardmax", Model::hardmax(), late_by(&Model::hardmax(), 3)),
        ("hardmax", Model::hardmax(), cloud(Cloud::Gaussian, 3000, 4, F64)),
        ("tied hardmax", Model::hardmax(), cloud(Cloud::Ties, 2003, 4, F32)),
        ("tied hardmax", Model::hardmax(), cloud(Cloud::Ties, 2003, 1, F32)),
        ("frank-wolfe", Model::frank_wolfe("2/(t+2)").unwrap(), cloud(Cloud::Gaussian, 531, 40, F32)),
        ("frank-wolfe", Model::frank_wolfe("2/(t+2)").unwrap(), cloud(Cloud::Gaussian, 9000, 3, F32)),
        ("tied frank-wolfe", Model::frank_wolfe("2/(t+2)").unwrap(), cloud(Cloud::Ties, 2003, 3, F32)),
        ("causal", score(0.3).causal(), cloud(Cloud::Gaussian, 1003, 3, F32)),
        ("tied causal", score(0.3).causal(), cloud(Cloud::Ties, 1003, 3, F64)),
        ("causal hardmax", Model::hardmax().causal(), cloud(Cloud::Gaussian, 1003, 2, F32)),
        ("tied", score(0.01), cloud(Cloud::Ties, 5000, 3, F32)),
        ("thrice", score(0.1), twice),
        ("late", score(0.01), late(3, F32)),
        ("late", score(0.01), late(2, F64)),
        ("fewer tokens than ranks", score(0.1), cloud(Cloud::Gaussian, 2, 3, F32)),
    ] {
        System::new(name, model, &tokens, 3).holds_in_parts(&[1, 2, 3, 7, 64]);
    }
}

/// Steps of no width go on by a table of directions, from what the step before has left known, until tokens are near
/// their leaders: an anchor that moves, a token taken for covered, or ranks that know other things, is another maximum.
#[test]
fn steps_of_no_width_go_on_by_what_is_known() {
    use Precision::{F32, F64};
    let moving = Model::hardmax().matrix(Matrix::dense(&[vec![0.0, 1.0], vec![-1.0, 0.0]]).unwrap()).unwrap();
    let far = Model::hardmax().alpha("0.1+3*t").unwrap();
    for (name, model, tokens) in [
        ("hardmax", Model::hardmax(), cloud(Cloud::Gaussian, 20_000, 3, F32)),
        ("mixed hardmax", Model::hardmax().matrix(matrix(2)).unwrap(), cloud(Cloud::Ball, 9000, 2, F64)),
        ("turned hardmax", moving, cloud(Cloud::Gaussian, 9000, 2, F32)),
        ("ever faster hardmax", far, cloud(Cloud::Gaussian, 9000, 3, F64)),
        ("frank-wolfe", Model::frank_wolfe("2/(t+2)").unwrap(), cloud(Cloud::Gaussian, 9000, 3, F32)),
        ("tied hardmax", Model::hardmax(), cloud(Cloud::Ties, 9000, 3, F32)),
        ("clustered hardmax", Model::hardmax(), cloud(Cloud::Clusters, 9000, 3, F64)),
    ] {
        let traffic = System::new(name, model, &tokens, 16).holds_in_parts(&[7]);
        if name == "hardmax" {
            let calls: Vec<u64> = traffic.iter().map(|of| of.calls).collect();
            assert!(calls[1..10].iter().all(|&calls| calls == 4), "{calls:?}");
        }
    }
}

/// A row of a short query looks to sides where its rank has no keys: were its maximum sought from those that it has,
/// one such row would open most of the boxes.
#[test]
fn rows_near_the_origin_open_few_boxes() {
    let plain = cloud(Cloud::Gaussian, 20_000, 4, Precision::F32).to_f64();
    let near = |(at, x): (usize, &f64)| if (at / 4).is_multiple_of(100) { x / 4096.0 } else { *x };
    let near: Vec<f64> = plain.iter().enumerate().map(near).collect();
    let told = [plain, near].map(|x| {
        let tokens = Tokens::from_flat(20_000, 4, x).unwrap();
        System::new("hardmax", Model::hardmax(), &tokens, 1).holds_in_parts(&[16])[0].bytes
    });
    assert!(told[1] < 2 * told[0], "{told:?} bytes");
}

fn on_cpu_of(model: &Model, tokens: &Tokens) -> localmax::Simulation {
    localmax::Simulation::new(model, tokens, localmax::Engine::Cpu).expect("a run")
}

/// Where all tokens meet in a step, the next one is left in the middle: on all ranks, at the cost that one
/// process leaves it at.
#[test]
fn a_step_that_turns_out_dear_is_left_on_all_ranks() {
    let n = 17_000; // so many that costs are watched
    let mut rows: Vec<f32> = cloud(Cloud::Gaussian, n, 3, Precision::F32).to_f64().iter().map(|&x| x as f32).collect();
    rows[..6].copy_from_slice(&[30.0, 0.0, 0.0, -30.0, 0.0, 0.0]);
    let tokens = Tokens::from_flat(n, 3, rows).expect("a cloud");
    let model = Model::localmax(1e-4).unwrap().gamma(0.9999).unwrap();
    let effort = System::new("poles", model, &tokens, 3).holds(Plan::Tree, &[2, 5]).expect("an effort");
    assert!(effort.rows < n / 10, "the step was not left for a sort: {effort:?}");
}

/// A row of a rule in real numbers sums its keys in one order, whoever computes it.
#[test]
fn rules_in_real_numbers_do_not_depend_on_ranks() {
    use Precision::{F32, F64};
    let sphere = || Model::sphere(4.0, 0.1).unwrap();
    for (name, model, tokens) in [
        ("softmax", Model::softmax(2.0).unwrap(), cloud(Cloud::Gaussian, 203, 3, F32)),
        ("softmax, keys left out", Model::softmax(40.0).unwrap().omit(1e-6), cloud(Cloud::Gaussian, 3000, 3, F64)),
        ("causal softmax", Model::softmax(2.0).unwrap().causal(), cloud(Cloud::Gaussian, 150, 40, F64)),
        ("markov", Model::markov(2.0, 5).unwrap(), cloud(Cloud::Gaussian, 150, 3, F64)),
        ("sphere", sphere(), cloud(Cloud::Sphere, 300, 3, F64)),
        ("sphere, four stages", sphere().integrator(Integrator::Rk4).unwrap(), cloud(Cloud::Sphere, 300, 3, F32)),
    ] {
        System::new(name, model, &tokens, 3).holds(Plan::Auto, &[1, 2, 7, 64]);
    }
}

/// Goes on, until it is interrupted in the step after this one.
struct Until(u64, Interrupt);

impl Callbacks for Until {
    fn reopen(&mut self, lost: &Error, _: &Checkpoint) -> Result<Box<dyn Engine>> {
        Err(Error::device(lost.to_string()))
    }

    fn interrupt(&self) -> Interrupt {
        self.1.clone()
    }

    fn progress(&mut self, step: u64, _: &StepReport, _: Option<&Effort>) -> ControlFlow<()> {
        if step >= self.0 {
            self.1.raise();
        }
        ControlFlow::Continue(())
    }
}

fn config((engine, plan): How, steps: u64) -> Config {
    let changes = [
        &format!("run.engine=\"{}\"", engine.name()),
        &format!("run.plan=\"{}\"", plan.name()),
        "tokens.n=150",
        &format!("run.steps={steps}"),
        "output.checkpoint_seconds=1e-9",
        "output.frames=\"every 3\"",
        "output.measures=\"every 2\"",
    ];
    let changes: Vec<_> = changes.iter().map(|text| Override::set(text).unwrap()).collect();
    Config::preset("default", &changes).expect("a config")
}

/// Engine and plan.
type How = (EngineChoice, Plan);

fn run(size: usize, path: &Path, steps: u64, more: u64, until: u64) -> Vec<Result<()>> {
    run_by((EngineChoice::Auto, Plan::Auto), size, path, steps, more, until)
}

/// Takes a new run, or one on from its last checkpoint, on some ranks, of which rank 0 is interrupted after
/// `until`.
fn run_by(how: How, size: usize, path: &Path, steps: u64, more: u64, until: u64) -> Vec<Result<()>> {
    on_all(size, |ranks| {
        if ranks.rank() > 0 {
            return among::follow(&ranks, &Interrupt::default(), |_, _| Ok(config(how, steps)));
        }
        let _lead = Lead::of(&ranks);
        if !path.exists() {
            let mut config = config(how, steps);
            let place = Place::new(Some(path), "r")?;
            let options = Options { verify_every: 4, no_plot: true, ..Options::default() };
            let Opening { start, engine, .. } = opening::open_among(&ranks, &mut config, options, |_| {})?;
            return record::begin(&config, &place, start, engine, &mut Until(until, Interrupt::default())).map(drop);
        }
        let run = RunDir::open(path)?;
        let _lock = run.lock()?;
        let left = resume::look(&run, Request { more, ..Request::default() })?;
        let mut start = left.checkpoint.expect("a checkpoint");
        let engine = opening::reopen(&ranks, &left.config, &start, &mut |_| {})?;
        start.progress.continue_with(engine.description());
        run.cut_back(Some(&start))?;
        left.config.save(run.path())?;
        record::go_on(&left.config, &run, start, engine, &mut Until(until, Interrupt::default())).map(drop)
    })
}

/// Every file of a folder, meta.json without what may differ, and without checkpoints, which hold the same.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        let bytes = fs::read(&path).unwrap();
        if name == "meta.json" {
            let mut meta: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            for key in ["engine", "segments", "timings"] {
                assert!(meta.as_object_mut().unwrap().remove(key).is_some(), "{key} of {meta}");
            }
            found.insert(name, meta.to_string().into_bytes());
        } else if name == "effort.csv" {
            // The sixth column is a time.
            let rows = String::from_utf8(bytes).unwrap();
            let counts: Vec<String> = rows.lines().map(|row| row.split(',').take(5).collect()).collect();
            found.insert(name, counts.join("\n").into_bytes());
        } else if name != ".lock" && !name.starts_with("checkpoints") {
            found.insert(name, bytes);
        }
    }
    found
}

/// What a run of several ranks leaves is taken for that of one, compared with it, and gone on with.
#[test]
fn the_folder_of_ranks_is_that_of_one_and_goes_on_on_any_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let all_well = |ends: Vec<Result<()>>| ends.into_iter().for_each(|end| end.expect("a run"));
    all_well(run(1, &path("whole"), 12, 0, 99));
    let whole = files(&path("whole"));
    assert!(
        whole.contains_key("frames/step_000000000003.npy") && whole.contains_key("effort.csv"),
        "{:?}",
        whole.keys()
    );
    for size in [2, 7] {
        let name = format!("on {size}");
        all_well(run(size, &path(&name), 12, 0, 99));
        let found = files(&path(&name));
        for (file, bytes) in &whole {
            assert!(found.get(file) == Some(bytes), "{size} ranks: {file}");
        }
        assert_eq!(found.len(), whole.len());
        let meta = fs::read_to_string(path(&name).join("meta.json")).unwrap();
        assert!(meta.contains(&format!("on each of {size} ranks")), "{meta}");
    }
    // Each rank with a part of the tokens. Only what names the plan, and what it counts, is its own.
    all_well(run_by((EngineChoice::Auto, Plan::Opened), 3, &path("opened"), 5, 0, 99));
    let ends = run_by((EngineChoice::Auto, Plan::Opened), 2, &path("opened"), 5, 7, 7);
    assert!(matches!(ends[0], Err(Error::Interrupted(_))) && ends[1].is_ok(), "{ends:?}");
    all_well(run_by((EngineChoice::Auto, Plan::Opened), 7, &path("opened"), 12, 0, 99));
    let (opened, own) = (files(&path("opened")), ["config.toml", "meta.json", "effort.csv"]);
    for (file, bytes) in whole.iter().filter(|(file, _)| !own.contains(&file.as_str())) {
        assert!(opened.get(file) == Some(bytes), "opened: {file}");
    }
    all_well(run(3, &path("parts"), 5, 0, 99));
    all_well(run(2, &path("parts"), 5, 4, 99));
    let ends = run(5, &path("parts"), 9, 3, 10);
    assert!(matches!(ends[0], Err(Error::Interrupted(_))) && ends[1..].iter().all(Result::is_ok), "{ends:?}");
    all_well(run(1, &path("parts"), 12, 0, 99));
    let (parts, skip) = (files(&path("parts")), ["config.toml", "meta.json", "effort.csv"]);
    for (file, bytes) in whole.iter().filter(|(file, _)| !skip.contains(&file.as_str())) {
        assert!(parts.get(file) == Some(bytes), "in parts: {file}");
    }
}

/// A cluster has cards: with one on each rank the bytes must be those of a desk without any, also where the run goes on
/// on fewer ranks, or on none.
#[test]
#[cfg(feature = "gpu")]
fn cards_on_ranks_leave_the_folder_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let all_well = |ends: Vec<Result<()>>| ends.into_iter().for_each(|end| end.expect("a run"));
    all_well(run(1, &path("whole"), 12, 0, 99));
    for plan in [Plan::Auto, Plan::Brute, Plan::Tree, Plan::Opened] {
        let name = path(plan.name());
        all_well(run_by((EngineChoice::Gpu, plan), 3, &name, 5, 0, 99));
        let ends = run_by((EngineChoice::Gpu, plan), 2, &name, 5, 7, 7);
        assert!(matches!(ends[0], Err(Error::Interrupted(_))) && ends[1].is_ok(), "{ends:?}");
        all_well(run(1, &name, 12, 0, 99));
        let (found, own) = (files(&name), ["config.toml", "meta.json", "effort.csv"]);
        for (file, bytes) in files(&path("whole")).iter().filter(|(file, _)| !own.contains(&file.as_str())) {
            assert!(found.get(file) == Some(bytes), "plan {}: {file}", plan.name());
        }
    }
}

/// A row in real numbers is what one card makes of it, whichever rank that belongs to.
#[test]
#[cfg(feature = "gpu")]
fn real_rows_of_cards_do_not_depend_on_ranks() {
    let config = || {
        let set = ["run.engine=gpu", "run.precision=f32", "run.steps=6", "tokens.n=150"];
        let set: Vec<_> = set.iter().map(|text| Override::set(text).unwrap()).collect();
        Config::preset("sphere-clusters", &set).expect("a config")
    };
    let hashes = |size: usize| {
        on_all(size, |ranks| {
            if ranks.rank() > 0 {
                among::follow(&ranks, &Interrupt::default(), |_, _| Ok(config())).expect("rank 0 ends it");
                return Vec::new();
            }
            let (_lead, mut config) = (Lead::of(&ranks), config());
            let Opening { start, mut engine, .. } =
                opening::open_among(&ranks, &mut config, Options::default(), |_| {}).expect("an engine");
            let grid = Grid { exponent: start.progress.grid_exponent, precision: Precision::F32 };
            let mut steps = Steps::new(&config.model, grid, config.d());
            let mut take = |t| {
                engine.step(&[steps.at(t).unwrap()]).expect("a step");
                let strips = engine.strips().expect("strips");
                (engine.tokens().unwrap().hash(), strips.argmax, strips.count)
            };
            (0..6).map(&mut take).collect()
        })
        .swap_remove(0)
    };
    let alone = hashes(1);
    assert!(hashes(2) == alone && hashes(5) == alone);
}

/// Tokens, the exponent of their lattice, its precision and why that is f64, and what else is said.
type First = (Tokens, i32, Precision, Option<String>, Vec<String>);

/// The first state of a run on some ranks.
fn first(size: usize, config: &Config) -> Result<First> {
    let mut ends = on_all(size, |ranks| {
        let mut config = config.clone();
        if ranks.rank() > 0 {
            among::follow(&ranks, &Interrupt::default(), |_, _| Ok(config.clone()))?;
            return Ok(None);
        }
        let (_lead, mut notes) = (Lead::of(&ranks), Vec::new());
        let note = |text: &str| notes.push(text.to_owned());
        let Opening { start, mut engine, why } = opening::open_among(&ranks, &mut config, Options::default(), note)?;
        let (exponent, tokens) = (start.progress.grid_exponent, engine.tokens()?);
        assert_eq!(start.progress.radius, tokens.largest_magnitude());
        Ok(Some((tokens, exponent, config.run.precision, why, notes)))
    });
    ends.swap_remove(0).map(|first| first.expect("rank 0 has it"))
}

/// Ranks that each read or draw a stretch of the tokens must come to the lattice, the precision and the words of one
/// process: a run that takes f64 on a cluster and f32 on a desk is another run.
#[test]
fn a_first_state_in_stretches_is_that_of_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, tokens: &Tokens, is_columns: bool| {
        let path = folder.path().join(name);
        let (n, d) = (tokens.n(), tokens.d());
        let head = format!(
            "{{'descr': '>f8', 'fortran_order': {}, 'shape': ({n}, {d}), }}",
            ["False", "True"][usize::from(is_columns)]
        );
        let head = format!("{head:117}\n");
        let at = |at: usize| if is_columns { tokens.get(at % n, at / n) } else { tokens.get(at / d, at % d) };
        let body = (0..n * d).flat_map(|place| at(place).to_be_bytes());
        let start = b"\x93NUMPY\x01\x00".iter().copied().chain((head.len() as u16).to_le_bytes()).chain(head.bytes());
        fs::write(&path, start.chain(body).collect::<Vec<u8>>()).unwrap();
        format!("tokens={{file={:?}}}", path.display().to_string())
    };
    let wide = cloud(Cloud::Gaussian, 2003, 3, Precision::F64);
    let mut far: Vec<f64> =
        cloud(Cloud::Ties, 3000, 2, Precision::F64).to_f64().iter().map(|x| 1.0 + x * 1e-9).collect();
    far[7] = 1e6;
    let far = |scale: f64| {
        let mut far = far.clone();
        far[7] *= scale;
        Tokens::from_flat(3000, 2, far).unwrap()
    };
    let kind = |kind: &str, n: usize, more: &str| format!("tokens={{kind={kind:?}, n={n}, d=3{more}}}");
    let (mut wider, mut said) = (0, 0);
    for tokens in [
        kind("normal", 70_000, ""),
        kind("ties", 5000, ""),
        kind("clusters", 5000, ", spread=1e-8"),
        kind("clusters", 5000, ", spread=0.0"),
        kind("grid", 5000, ""),
        file("rows.npy", &wide, false),
        file("columns.npy", &wide, true),
        file("merged.npy", &far(1.0), true),
        file("lost.npy", &far(1e9), false),
        "tokens={rows=[[1.0, 2.0], [3.0, 4.0], [1e-9, 0.0]]}".to_owned(),
    ] {
        let changes = [tokens.as_str(), "run.plan=opened", "run.engine=cpu"].map(|text| Override::set(text).unwrap());
        let config = Config::preset("default", &changes).expect("a config");
        let one = first(1, &config);
        for size in [2, 3, 7] {
            match (&one, first(size, &config)) {
                (Ok(one), Ok(found)) => assert_eq!(&found, one, "{tokens} on {size} ranks"),
                (Err(one), Err(found)) => assert_eq!(found.to_string(), one.to_string(), "{tokens} on {size} ranks"),
                (one, found) => panic!("{tokens} on {size} ranks: {one:?}, {found:?}"),
            }
        }
        if let Ok((_, _, _, why, notes)) = one {
            (wider, said) = (wider + usize::from(why.is_some()), said + notes.len());
        }
    }
    assert!(wider >= 2 && said >= 1, "{wider} in f64, {said} with a note");
}

/// An error on one rank must be told by rank 0 and end all: a job that hangs costs a night.
#[test]
fn what_fails_on_one_rank_ends_all() {
    let tokens = cloud(Cloud::Gaussian, 300, 3, Precision::F32);
    let system = System::new("score", localmax(0.1, StripForm::Score), &tokens, 4);
    let outline = Outline::of("s".into(), (EngineChoice::Cpu, Plan::Brute), system.grid, &system.tokens);
    // A config that one rank cannot read.
    let ends = on_all(4, |ranks| {
        if ranks.rank() == 0 {
            let _lead = Lead::of(&ranks);
            return Lead::open(&ranks, &outline, &system.tokens, &system.model)
                .map(drop)
                .map_err(|error| error.to_string());
        }
        let fails = ranks.rank() == 2;
        let model =
            |_: &Outline| if fails { Err(Error::input("there is no such file")) } else { Ok(system.model.clone()) };
        follow(&ranks, &Interrupt::default(), &model).map_err(|error| error.to_string())
    });
    assert_eq!(ends, [Err("rank 2: there is no such file".into()), Ok(()), Ok(()), Ok(())]);
    // Other tokens than rank 0's.
    let ends = on_all(3, |ranks| {
        let mut tokens = system.tokens.clone();
        if ranks.rank() == 1 {
            let (first, _) =
                first_state(&system.model, &cloud(Cloud::Ties, 300, 3, Precision::F32), Precision::F32).unwrap();
            tokens = first;
        }
        on_ranks(&ranks, Plan::Auto, &system.model, &tokens, system.grid).err().map(|error| error.to_string())
    });
    assert!(
        ends.iter().all(|end| end.as_ref().is_some_and(|text| text.starts_with("rank 1 has other tokens"))),
        "{ends:?}"
    );
    // A rank that is interrupted: all leave the step, and none has taken it.
    for plan in [Plan::Brute, Plan::Tree, Plan::Opened] {
        let ends = on_all(3, |ranks| {
            let mut engine = on_ranks(&ranks, plan, &system.model, &system.tokens, system.grid).unwrap();
            let (interrupt, mut steps) = (Interrupt::default(), Steps::new(&system.model, system.grid, 3));
            engine.heed(&interrupt);
            engine.step(&[steps.at(0).unwrap()]).unwrap();
            let before = engine.tokens().unwrap().hash();
            if ranks.rank() == 1 {
                interrupt.raise();
            }
            let left = engine.step(&[steps.at(1).unwrap()]);
            (matches!(left, Err(Error::Interrupted(_))), engine.tokens().unwrap().hash() == before)
        });
        assert_eq!(ends, [(true, true); 3], "{}", plan.name());
    }
    // A rank that is gone.
    for plan in [Plan::Brute, Plan::Opened] {
        let ends = on_all(3, |ranks| {
            let mut engine = on_ranks(&ranks, plan, &system.model, &system.tokens, system.grid).unwrap();
            let mut steps = Steps::new(&system.model, system.grid, 3);
            engine.step(&[steps.at(0).unwrap()]).unwrap();
            ranks.rank() == 1 || matches!(engine.step(&[steps.at(1).unwrap()]), Err(Error::Device(_)))
        });
        assert_eq!(ends, [true; 3], "{}", plan.name());
    }
}

/// A run that its machines cannot hold must end before hours go into it, and say which of them it is. What a rank
/// holds depends on the plan.
#[test]
fn ranks_without_memory_are_refused_before_there_are_tokens() {
    for (plan, who, mend) in [
        (
            Plan::Auto,
            "rank 0: its part of a run of 4000000000 tokens in R^3 needs ",
            "take more machines, or fewer tokens",
        ),
        (Plan::Tree, "rank 0: its part of a run of 4000000000 tokens in R^3 needs ", "take plan opened, "),
    ] {
        let ends = on_all(3, |ranks| {
            let changes = ["tokens.n=4000000000", "tokens.d=3"].map(|text| Override::set(text).unwrap());
            let mut config = Config::preset("default", &changes).expect("a config");
            config.run.plan = plan;
            if ranks.rank() > 0 {
                return among::follow(&ranks, &Interrupt::default(), |_, _| Ok(config.clone()))
                    .map_err(|e| e.to_string());
            }
            let _lead = Lead::of(&ranks);
            opening::open_among(&ranks, &mut config, Options::default(), |_| {}).map(drop).map_err(|e| e.to_string())
        });
        let error = ends[0].as_ref().unwrap_err();
        assert!(error.starts_with(who) && error.contains(" are available; ") && error.contains(mend), "{error}");
        assert!(ends[1..].iter().all(Result::is_ok), "{ends:?}");
    }
}

/// Two counts mark rows of a part: a strip of so many tokens would be taken for a row that is not decided.
#[test]
fn more_tokens_than_parts_can_count_are_refused() {
    let too_many = "n = 4294967294 tokens; plan opened takes at most 4294967293, so take plan tree, or fewer";
    for (plan, n, text) in [
        (Plan::Opened, "4294967293", "rank 0: its part of a run of 4294967293 tokens in R^3 needs "),
        (Plan::Opened, "4294967294", too_many),
        (Plan::Auto, "4294967294", "rank 0: its part of a run of 4294967294 tokens in R^3 needs "),
    ] {
        let ends = on_all(2, |ranks| {
            let changes = [&format!("tokens.n={n}"), "tokens.d=3"].map(|text| Override::set(text).unwrap());
            let mut config = Config::preset("default", &changes).expect("a config");
            config.run.plan = plan;
            if ranks.rank() > 0 {
                return among::follow(&ranks, &Interrupt::default(), |_, _| Ok(config.clone()))
                    .map_err(|e| e.to_string());
            }
            let _lead = Lead::of(&ranks);
            opening::open_among(&ranks, &mut config, Options::default(), |_| {}).map(drop).map_err(|e| e.to_string())
        });
        let error = ends[0].as_ref().unwrap_err();
        assert!(error.starts_with(text), "{n} tokens under plan {}: {error}", plan.name());
        assert_eq!(ends[1], Ok(()));
    }
    let text = Config::preset("default", &[Override::set("tokens.n=4294967296").unwrap()]).unwrap_err().to_string();
    assert!(text.contains("4294967296") && text.contains("4294967295"), "{text}");
}

/// The reference has no ranks, and is refused in one line.
#[test]
fn the_reference_has_no_ranks() {
    let mut config = config((EngineChoice::Auto, Plan::Auto), 3);
    config.run.engine = EngineChoice::Reference;
    let two: Shared = Arc::new(Inside::of(2).remove(0));
    let error = among::config(&two, &config).unwrap_err().to_string();
    assert_eq!(error, "run.engine is \"reference\", whose rows 2 ranks do not share; take cpu, gpu or auto");
    let alone: Shared = Arc::new(Alone);
    assert!(among::config(&alone, &config).is_ok());
}
