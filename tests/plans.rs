//! What a run costs, in counts: plans, sorts and steps that are left are decided by them, so they are
//! the same in every run of a system, and no late state stalls one. `LOCALMAX_FULL=1` adds the
//! million tokens of the guide.

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, Options, RealCpu};
use localmax::engine::{Engine, Step};
use localmax::error::Error;
use localmax::exact::{Grid, Steps};
use localmax::gpu::{self, Adapter, Device, ExactGpu, Wanted};
use localmax::init::{Cloud, CloudSample};
use localmax::interrupt::Interrupt;
use localmax::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use localmax::outcome::{Effort, StepReport};
use localmax::real;
use localmax::schedule::Schedule;
use localmax::space::Upkeep;
use localmax::tokens::{Precision, Tokens};

/// Exact decisions a row that a step may take: some tokens are decided against a few others, and
/// floats leave open what lies around the edge of a strip. Tokens that have met and are not merged
/// take hundreds to hundreds of thousands.
const EXACT_A_ROW: u64 = 64;

fn model(rule: Rule, gain: f64) -> Model {
    Model::averaging(rule, Operator::identity(), Mask::FULL, Gain::Gamma(Schedule::Constant(gain)))
}

fn localmax(delta: f64, gain: f64) -> Model {
    model(Rule::Localmax { delta: Schedule::Constant(delta), strip: StripForm::Score }, gain)
}

fn normal(n: usize, d: usize) -> (Tokens, Grid) {
    let cloud = CloudSample::new(Cloud::Gaussian, n, d).tokens(7, Precision::F32).expect("a cloud");
    let grid = Grid::of(&cloud, Precision::F32);
    (grid.snap(&cloud).expect("tokens"), grid)
}

/// A normal cloud between two tokens so far out that each draws half of the others.
fn poles(n: usize, d: usize) -> (Tokens, Grid) {
    let cloud = normal(n, d).0;
    let mut rows: Vec<f64> = (0..n).flat_map(|i| cloud.row(i)).collect();
    rows[..2 * d].fill(0.0);
    (rows[0], rows[d]) = (1e3, -1e3);
    let cloud = Tokens::from_flat(n, d, rows.into_iter().map(|x| x as f32).collect::<Vec<f32>>()).expect("a cloud");
    let grid = Grid::of(&cloud, Precision::F32);
    (grid.snap(&cloud).expect("tokens"), grid)
}

fn cpu((tokens, grid): &(Tokens, Grid), options: Options) -> ExactCpu {
    ExactCpu::new(tokens, *grid, options).expect("a cpu")
}

fn take(engine: &mut impl Engine, step: &Step) -> StepReport {
    engine.step(std::slice::from_ref(step)).expect("a step")[0]
}

/// The effort and the exact decisions of every step up to rest, and the last tokens' hash.
fn ways(cloud: &(Tokens, Grid), delta: f64, options: Options) -> (Vec<(Effort, u64)>, String) {
    let (mut engine, mut taken) = (cpu(cloud, options), Vec::new());
    let mut steps = Steps::new(&localmax(delta, 0.5), cloud.1, cloud.0.d());
    for t in 0..80 {
        let report = take(&mut engine, &steps.at(t).expect("a step").into());
        taken.push((engine.effort().expect("an effort"), report.redone));
        if report.moved == 0 {
            break;
        }
    }
    (taken, engine.tokens().expect("tokens").hash().to_hex().to_string())
}

/// From a normal cloud to rest, on one thread and on two, with counts that are the same and small,
/// and no step under brute force.
fn holds_to_rest(n: usize, delta: f64) {
    let cloud = normal(n, 3);
    let on = |threads| ways(&cloud, delta, Options { threads: Some(threads), ..Options::default() });
    let (one, two) = (on(1), on(2));
    assert_eq!(one, two, "n = {n}, delta = {delta}: the number of threads decides");
    for (t, (effort, redone)) in one.0.iter().enumerate() {
        let at = format!("n = {n}, delta = {delta}, step {t}: {effort:?}, {redone} decided exactly");
        assert!(*redone <= EXACT_A_ROW * effort.rows as u64, "{at}");
        assert!(matches!(effort.plan, Plan::Tree | Plan::Direction), "{at}");
    }
    assert!(one.0.last().is_some_and(|(effort, _)| effort.rows < n / 10), "tokens that met were never merged");
}

/// Clusters become a few units wide, and tokens meet, long before a run comes to rest. A plan that
/// is dear there, or a decision by the clock, stalls a run that takes seconds for minutes.
#[test]
fn late_states_stay_cheap_and_every_run_takes_the_same_way() {
    for delta in [0.0, 0.01] {
        holds_to_rest(20_000, delta);
    }
    if std::env::var("LOCALMAX_FULL").is_ok_and(|value| value == "1") {
        for (n, delta) in [(50_000, 0.01), (200_000, 0.01), (400_000, 0.01), (1_000_000, 0.01), (1_000_000, 0.0)] {
            holds_to_rest(n, delta);
        }
    }
}

/// Where all tokens meet in one step, the next one decides each against all that it has met, unless
/// it is left in the middle, the tokens are merged and the step is taken again.
#[test]
fn a_step_that_turns_out_dear_is_left_for_another_way() {
    let tree =
        |sort_every| Options { plan: Plan::Tree, upkeep: Upkeep { sort_every, merge: true }, ..Options::default() };
    // (tokens, dimension, options, the plans of three steps)
    let cases =
        [(3000, 2, tree(None), [Plan::Tree; 3]), (700, 24, Options::default(), [Plan::Brute, Plan::Tree, Plan::Tree])];
    for (n, d, options, plans) in cases {
        let cloud = poles(n, d);
        // All the way at once.
        let mut steps = Steps::new(&model(Rule::Hardmax, 1.0 - 1e-12), cloud.1, d);
        let (mut brute, mut engine) =
            (cpu(&cloud, Options { plan: Plan::Brute, ..Options::default() }), cpu(&cloud, options));
        let mut never = cpu(&cloud, tree(Some(100)));
        let few = 5 * n as u64;
        for (t, plan) in plans.into_iter().enumerate() {
            let step = steps.at(t as u64).expect("a step").into();
            let at = format!("n = {n}, d = {d}, step {t}");
            let (want, got, unmerged) = (take(&mut brute, &step), take(&mut engine, &step), take(&mut never, &step));
            assert_eq!(StepReport { redone: 0, ..got }, StepReport { redone: 0, ..want }, "{at}");
            assert!(engine.tokens().expect("tokens") == brute.tokens().expect("tokens"), "{at}: tokens");
            assert!(engine.strips().expect("strips") == brute.strips().expect("strips"), "{at}: strips");
            let effort = engine.effort().expect("an effort");
            assert_eq!(effort.plan, plan, "{at}");
            assert!(got.redone < few, "{at}: {} decided exactly", got.redone);
            if t > 0 {
                assert!(effort.rows < n, "{at}: tokens that met were not merged");
                assert!(unmerged.redone > few, "{at}: the step would not have been dear");
            }
        }
    }
}

/// An engine that is interrupted in the middle of a step has the tokens from before the step, or all
/// from after it; and it goes on as if nothing had been.
fn survives(mut fresh: impl FnMut() -> Box<dyn Engine>, step: &Step) {
    let mut engine = fresh();
    let before = engine.tokens().expect("tokens");
    engine.step(std::slice::from_ref(step)).expect("a step");
    let after = engine.tokens().expect("tokens");
    for micros in [0, 100, 1000, 10_000] {
        let (mut engine, interrupt) = (fresh(), Interrupt::default());
        engine.heed(&interrupt);
        let found = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_micros(micros));
                interrupt.raise();
            });
            engine.step(&vec![step.clone(); 2])
        });
        let taken = match found {
            Ok(reports) => reports.len(),
            Err(Error::Interrupted(_)) => 0,
            Err(error) => panic!("{error}"),
        };
        let tokens = engine.tokens().expect("tokens");
        assert!(taken != 0 || tokens == before, "{micros}: an abandoned step moved tokens");
        assert!(taken != 1 || tokens == after, "{micros}: not the tokens of the step reported");
        if micros == 0 {
            interrupt.raise();
            assert!(matches!(engine.step(std::slice::from_ref(step)), Err(Error::Interrupted(_))));
        }
        engine.heed(&Interrupt::default());
        if taken == 0 {
            engine.step(std::slice::from_ref(step)).expect("a step");
            assert!(engine.tokens().expect("tokens") == after, "{micros}: a step taken again is another one");
        }
    }
}

/// Ctrl-C in the middle of a step must cost that step and nothing else, on every engine and plan.
#[test]
fn an_interrupted_step_leaves_the_state_whole() {
    let cloud = normal(6000, 3);
    let step: Step = Steps::new(&localmax(0.3, 0.5), cloud.1, 3).at(0).expect("a step").into();
    for plan in [Plan::Auto, Plan::Brute, Plan::Filter, Plan::Norm, Plan::Tree] {
        survives(|| Box::new(cpu(&cloud, Options { plan, ..Options::default() })), &step);
    }
    let device = Device::open(&Adapter::choose(Wanted::Any).expect("an adapter")).expect("a device");
    for plan in [Plan::Brute, Plan::Tree] {
        let options = gpu::Options { plan, ..gpu::Options::default() };
        let open = || ExactGpu::new(&device, &cloud.0, cloud.1, false, options);
        survives(|| Box::new(pollster::block_on(open()).expect("an engine")), &step);
    }
    let soft = model(Rule::Softmax { beta: Schedule::Constant(1.0) }, 0.5);
    let step: Step = real::Steps::new(&soft, 3).at(0).expect("a step").into();
    survives(|| Box::new(RealCpu::new(&cloud.0, Options::default()).expect("a cpu")), &step);
}

/// A GPU must not decide by the clock either: its driver's load would choose the plan.
#[test]
fn a_gpu_takes_the_same_way_every_time() {
    let cloud = normal(4200, 3);
    let device = Device::open(&Adapter::choose(Wanted::Any).expect("an adapter")).expect("a device");
    let run = || {
        let mut engine = pollster::block_on(ExactGpu::new(&device, &cloud.0, cloud.1, false, gpu::Options::default()))
            .expect("an engine");
        let mut steps = Steps::new(&localmax(0.01, 0.5), cloud.1, 3);
        let mut taken = Vec::new();
        for t in 0..12 {
            take(&mut engine, &steps.at(t).expect("a step").into());
            taken.push(Engine::effort(&engine).expect("an effort"));
        }
        taken
    };
    assert_eq!(run(), run());
}
