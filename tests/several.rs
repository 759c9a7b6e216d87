//! Rows shared out over several adapters: the bits of one. Two software drivers stand for cards of two
//! makers, one driver twice for two cards alike.

use std::sync::OnceLock;

use localmax::choice::Plan;
use localmax::engine::{Engine, ExactReference, Step, Steps, first_state, on_cpu, on_gpu, on_gpus};
use localmax::error::Error;
use localmax::exact::Grid;
use localmax::gpu::{Adapter, Device};
use localmax::init::{Cloud, CloudSample};
use localmax::interrupt::Interrupt;
use localmax::model::{Integrator, Matrix, Model, StripForm};
use localmax::outcome::StepReport;
use localmax::tokens::{Precision, Tokens};

/// Every adapter, opened once.
fn devices() -> &'static [Device] {
    static DEVICES: OnceLock<Vec<Device>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let adapters = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
        assert!(!adapters.is_empty(), "no adapter: bash tests/run.sh installs a software driver");
        adapters.iter().map(|adapter| Device::open(adapter).expect("a device")).collect()
    })
}

/// The first adapter, some times.
fn alike(count: usize) -> Vec<Device> {
    vec![devices()[0].clone(); count]
}

/// A symmetric positive definite A that mixes coordinates.
fn matrix(d: usize) -> Matrix {
    let entry = |r: usize, c: usize| f64::from(u8::from(r == c)) + 1.0 / (d + r + c) as f64;
    Matrix::dense(&(0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect::<Vec<_>>()).expect("a matrix")
}

/// A system in integers.
struct System {
    name: &'static str,
    tokens: Tokens,
    grid: Grid,
    steps: Vec<Step>,
}

impl System {
    fn new(name: &'static str, (n, d): (usize, usize), cloud: Cloud, precision: Precision, models: &[Model]) -> Self {
        let cloud = CloudSample::new(cloud, n, d).tokens(7, precision).expect("a cloud");
        let (tokens, grid) = first_state(&models[0], &cloud, precision).expect("tokens");
        let at = |t: u64| {
            let model = &models[t as usize * models.len() / 6];
            Steps::new(model, grid, d).at(t).expect("a step")
        };
        Self { name, tokens, grid, steps: (0..6).map(at).collect() }
    }

    fn open(&self, devices: &[Device], plan: Plan) -> Box<dyn Engine> {
        // No model's kernels are asked for but those of its steps.
        on_gpus(devices, plan, &Model::hardmax(), &self.tokens, self.grid).expect("an engine")
    }
}

/// Reports without what differs between engines.
fn plain(reports: Vec<StepReport>) -> Vec<StepReport> {
    reports.into_iter().map(|report| StepReport { redone: 0, ..report }).collect()
}

/// Steps by one, two and three at a time: states, reports, strips and masks are the reference's.
fn holds(system: &System, devices: &[Device], plan: Plan) {
    let mut right = ExactReference::new(&system.tokens, system.grid);
    let mut engine = system.open(devices, plan);
    let n = system.tokens.n();
    let mut rows = vec![0, n / 2, n - 1];
    rows.dedup();
    let mut at = 0;
    for count in [1, 2, 3] {
        let steps = &system.steps[at..at + count];
        let what = format!("{}, {} adapters, {}, step {at}", system.name, devices.len(), plan.name());
        assert_eq!(engine.masks(&steps[0], &rows).unwrap(), right.masks(&steps[0], &rows).unwrap(), "{what}: masks");
        let [got, want] = [engine.step(steps), right.step(steps)].map(|reports| plain(reports.expect("steps")));
        assert_eq!(got, want, "{what}: reports");
        assert!(engine.tokens().unwrap().hash() == right.tokens().unwrap().hash(), "{what}: other tokens");
        // Strips outlive masks.
        engine.masks(&steps[0], &rows[..1]).unwrap();
        assert!(engine.strips().unwrap() == right.strips().unwrap(), "{what}: other strips");
        at += count;
    }
}

fn localmax(delta: f64, form: StripForm) -> Model {
    Model::localmax(delta).unwrap().strip(form).unwrap().alpha(0.5).unwrap()
}

/// Every rule of the contract, in one dimension and in many.
fn systems() -> Vec<System> {
    use Precision::{F32, F64};
    let mixed = |delta, form, d| localmax(delta, form).matrix(matrix(d)).unwrap();
    let frank_wolfe = || Model::frank_wolfe("2/(t+2)").unwrap();
    let causal = || localmax(0.3, StripForm::Score).causal();
    let score = || localmax(0.1, StripForm::Score);
    vec![
        System::new("score, d = 1", (203, 1), Cloud::Gaussian, F32, &[score()]),
        System::new("width, d = 3", (203, 3), Cloud::Clusters, F64, &[mixed(0.3, StripForm::Width, 3)]),
        System::new("a-norm, d = 8", (203, 8), Cloud::Gaussian, F32, &[mixed(0.5, StripForm::ANorm, 8)]),
        System::new("hardmax, d = 3", (203, 3), Cloud::Ties, F32, &[Model::hardmax().alpha(1.0).unwrap()]),
        System::new("frank-wolfe, d = 40", (131, 40), Cloud::Gaussian, F32, &[frank_wolfe()]),
        System::new("causal, d = 3", (203, 3), Cloud::Ties, F32, &[causal()]),
        // Tokens that have met, and come apart as the mask asks for it.
        System::new("a mask that comes, d = 3", (203, 3), Cloud::Ties, F32, &[score(), causal()]),
        System::new("two tokens, d = 3", (2, 3), Cloud::Gaussian, F32, &[score()]),
        System::new("one token, d = 3", (1, 3), Cloud::Gaussian, F32, &[score()]),
    ]
}

/// Were a row computed twice or by nobody, or against an old key, a user with two cards would have
/// another trajectory than with one.
#[test]
fn shares_on_one_adapter_have_the_bits_of_the_whole() {
    for system in systems() {
        for plan in [Plan::Brute, Plan::Tree] {
            for count in [2, 3] {
                holds(&system, &alike(count), plan);
            }
        }
    }
}

/// Floats differ between makes, which no bit may show.
#[test]
fn adapters_of_two_makes_share_a_run() {
    let all: Vec<Device> = devices().iter().rev().cloned().collect();
    assert!(all.len() > 1, "one adapter alone: bash tests/run.sh installs two software drivers");
    let systems = systems();
    // A second driver compiles one kernel for seconds: those of d = 3 and f32.
    let few = systems.iter().filter(|system| system.name.starts_with("hardmax") || system.name.starts_with("a mask"));
    for system in few {
        for plan in [Plan::Brute, Plan::Tree] {
            holds(system, &all, plan);
        }
    }
}

/// A normal cloud; or one between two tokens so far out that each draws half of the others.
fn cloud(n: usize, pole: Option<f32>) -> Tokens {
    let cloud = CloudSample::new(Cloud::Gaussian, n, 3).tokens(7, Precision::F32).expect("a cloud");
    let mut rows: Vec<f32> = (0..n).flat_map(|i| cloud.row(i)).map(|x| x as f32).collect();
    if let Some(pole) = pole {
        rows[..6].copy_from_slice(&[pole, 0.0, 0.0, -pole, 0.0, 0.0]);
    }
    Tokens::from_flat(n, 3, rows).expect("a cloud")
}

/// What decides over plans and sorts is counted over all rows: were it not, devices would hold their
/// keys in different orders, and rows would go to other tokens.
#[test]
fn large_clouds_go_the_same_way_on_all_devices() {
    let model = localmax(0.01, StripForm::Score);
    let (tokens, grid) = first_state(&model, &cloud(4200, None), Precision::F32).expect("tokens");
    let mut steps = Steps::new(&model, grid, 3);
    let mut alone = on_gpu(&devices()[0], Plan::Auto, &model, &tokens, grid).expect("an engine");
    let mut shared = on_gpus(&alike(3), Plan::Auto, &model, &tokens, grid).expect("an engine");
    for t in 0..24 {
        let step = [steps.at(t).expect("a step")];
        assert_eq!(shared.step(&step).expect("a step"), alone.step(&step).expect("a step"), "step {t}");
        let [got, want] = [&shared, &alone].map(|engine| engine.effort());
        assert_eq!(got, want, "step {t}");
    }
    assert!(shared.tokens().unwrap().hash() == alone.tokens().unwrap().hash(), "other tokens");
    assert!(shared.strips().unwrap() == alone.strips().unwrap(), "other strips");
}

/// Where all tokens meet in a step, the next one is left in the middle, on all devices or on none.
#[test]
fn a_step_that_turns_out_dear_is_left_on_all_devices() {
    let n = 17_000; // so many that costs are watched
    let model = Model::localmax(1e-4).unwrap().gamma(0.9999).unwrap();
    let (tokens, grid) = first_state(&model, &cloud(n, Some(30.0)), Precision::F32).expect("tokens");
    let mut steps = Steps::new(&model, grid, 3);
    let mut right = on_cpu(Plan::Tree, &model, &tokens, grid).expect("an engine");
    let mut shared = on_gpus(&alike(2), Plan::Tree, &model, &tokens, grid).expect("an engine");
    for t in 0..3 {
        let step = [steps.at(t).expect("a step")];
        let [got, want] = [&mut shared, &mut right].map(|engine| plain(engine.step(&step).expect("a step")));
        assert_eq!(got, want, "step {t}");
        assert!(shared.tokens().unwrap().hash() == right.tokens().unwrap().hash(), "step {t}: other tokens");
    }
    let effort = shared.effort().expect("an effort");
    assert!(effort.rows < n / 10, "the step was not left for a sort: {effort:?}");
}

/// A row of a rule in real numbers sums its keys in one order, whoever computes it: on adapters alike a
/// shared run has the bits of one.
#[test]
fn rules_in_real_numbers_are_shared_too() {
    let models = [
        ("softmax", Model::softmax(2.0).unwrap().gamma(0.5).unwrap()),
        ("causal softmax", Model::softmax(2.0).unwrap().gamma(0.5).unwrap().causal()),
        ("markov", Model::markov(2.0, 5).unwrap().gamma(0.5).unwrap()),
        ("sphere", Model::sphere(2.0, 0.1).unwrap().integrator(Integrator::Rk4).unwrap()),
        ("rescaled", Model::rescaled(matrix(3), 0.1).unwrap()),
    ];
    for (name, model) in models {
        let n = 301;
        let cloud = CloudSample::new(Cloud::Gaussian, n, 3).tokens(7, Precision::F32).expect("a cloud");
        let (tokens, grid) = first_state(&model, &cloud, Precision::F32).expect("tokens");
        let mut steps = Steps::new(&model, grid, 3);
        let mut step = |t| steps.at(t).expect("a step");
        let steps: Vec<Step> = (0..4).map(&mut step).collect();
        let mut alone = on_gpu(&devices()[0], Plan::Auto, &model, &tokens, grid).expect("an engine");
        let mut shared = on_gpus(&alike(3), Plan::Auto, &model, &tokens, grid).expect("an engine");
        for half in steps.chunks(2) {
            assert_eq!(shared.step(half).expect("steps"), alone.step(half).expect("steps"), "{name}");
            assert!(shared.tokens().unwrap().hash() == alone.tokens().unwrap().hash(), "{name}: tokens");
            assert!(shared.strips().unwrap() == alone.strips().unwrap(), "{name}: strips");
        }
        let rows = [0, 150, 300];
        assert_eq!(shared.masks(&steps[0], &rows).unwrap(), alone.masks(&steps[0], &rows).unwrap(), "{name}");
    }
}

/// What a shared run leaves behind is a state like any other; a card that is lost, a signal or a row
/// that is not there ends a step without harm to it.
#[test]
fn what_ends_a_shared_step_is_said_and_leaves_the_state_whole() {
    let model = localmax(0.1, StripForm::Score);
    let cloud = CloudSample::new(Cloud::Gaussian, 500, 3).tokens(7, Precision::F32).expect("a cloud");
    let (tokens, grid) = first_state(&model, &cloud, Precision::F32).expect("tokens");
    let step = Steps::new(&model, grid, 3).at(0).expect("a step");
    let lost = Device::open(devices()[0].adapter()).expect("a device");
    let both = [devices()[0].clone(), lost.clone()];
    for plan in [Plan::Brute, Plan::Tree] {
        let (mut engine, interrupt) =
            (on_gpus(&both, plan, &model, &tokens, grid).expect("an engine"), Interrupt::default());
        assert!(matches!(engine.strips(), Err(Error::Input { .. })));
        engine.heed(&interrupt);
        interrupt.raise();
        assert!(matches!(engine.step(std::slice::from_ref(&step)), Err(Error::Interrupted(_))));
        assert!(engine.tokens().unwrap() == tokens, "an abandoned step moved tokens");
        engine.heed(&Interrupt::default());
        assert!(engine.masks(&step, &[500]).unwrap_err().to_string().contains("token 500"));
        engine.step(std::slice::from_ref(&step)).expect("a step");
        let mut other = on_gpu(&devices()[0], plan, &model, &engine.tokens().unwrap(), grid).expect("an engine");
        let steps = [step.clone(), step.clone()];
        assert_eq!(plain(engine.step(&steps).unwrap()), plain(other.step(&steps).unwrap()));
        assert!(engine.tokens().unwrap() == other.tokens().unwrap(), "one adapter goes on otherwise");
        let told = engine.description();
        assert!(told.device.starts_with("2 x ") && told.engine == "gpu", "{told:?}");
    }
    let mut engine = on_gpus(&both, Plan::Brute, &model, &tokens, grid).expect("an engine");
    lost.destroy();
    assert!(matches!(engine.step(std::slice::from_ref(&step)), Err(Error::Device(_))));
    assert!(matches!(on_gpus(&[], Plan::Auto, &model, &tokens, grid), Err(Error::Device(_))));
}
