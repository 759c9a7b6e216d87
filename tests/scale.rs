//! Searches against brute force on every row: the same tokens, counts and argmaxes, on clouds where
//! they take every kind of way. `LOCALMAX_FULL=1` runs every case, `LOCALMAX_SCALE_N=20000 cargo
//! test --release --test scale` runs them at full size.

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, Options};
use localmax::engine::Engine;
use localmax::exact::{Grid, Step, Steps};
use localmax::gpu::{self, Adapter, Device, ExactGpu};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::outcome::StepReport;
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};

const DELTAS: [f64; 5] = [0.0, 0.01, 0.1, 0.5, 10.0];

/// Tokens of a case.
fn n() -> usize {
    std::env::var("LOCALMAX_SCALE_N").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

/// Whether every case is run, at any size: `LOCALMAX_FULL=1`.
fn full() -> bool {
    std::env::var("LOCALMAX_FULL").is_ok_and(|value| value == "1")
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Of(Cloud),
    /// Every token of a normal cloud several times, scattered.
    Duplicated,
    /// A normal cloud after many steps: few distinct tokens, tight clusters, some still on their
    /// way.
    Late,
}

const SHAPES: [Shape; 9] = [
    Shape::Of(Cloud::Gaussian),
    Shape::Of(Cloud::Ball),
    Shape::Of(Cloud::Cube),
    Shape::Of(Cloud::Sphere),
    Shape::Of(Cloud::Line),
    Shape::Of(Cloud::Clusters),
    Shape::Of(Cloud::Ties),
    Shape::Duplicated,
    Shape::Late,
];

struct Case {
    name: String,
    tokens: Tokens,
    grid: Grid,
    step: Step,
}

fn cpu(case: &Case, plan: Plan) -> ExactCpu {
    ExactCpu::new(&case.tokens, case.grid, Options { plan, ..Options::default() }).expect("a cpu")
}

fn matrix(d: usize, generic: bool) -> Matrix {
    if !generic {
        return Matrix::Identity;
    }
    let entry = |r: usize, c: usize| ((r * 7 + c * 13 + 5) % 11) as f64 / 11.0 - 0.4 + f64::from(u8::from(r == c));
    Matrix::dense(&(0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect::<Vec<_>>()).expect("square")
}

fn case(shape: Shape, d: usize, delta: f64, generic: bool, precision: Precision, mask: Mask) -> Case {
    let n = if mask == Mask::CAUSAL { n() / 2 } else { n() };
    case_of(n, shape, d, delta, generic, precision, mask)
}

fn case_of(n: usize, shape: Shape, d: usize, delta: f64, generic: bool, precision: Precision, mask: Mask) -> Case {
    let draw = |kind, n| CloudSample::new(kind, n, d).tokens(7, precision).expect("a cloud");
    let tokens = match shape {
        Shape::Of(kind) => draw(kind, n),
        Shape::Duplicated => {
            let few = draw(Cloud::Gaussian, n / 5 + 1);
            let rows: Vec<f64> = (0..n).flat_map(|i| few.row(i * 7919 % few.n())).collect();
            Tokens::from_flat(n, d, rows).expect("a cloud")
        }
        Shape::Late => draw(Cloud::Gaussian, n),
    };
    let grid = Grid::of(&tokens, precision);
    let largest = (0..n).map(|i| tokens.row(i).iter().map(|x| x * x).sum::<f64>()).fold(0.0, f64::max);
    let model = Model::averaging(
        Rule::Localmax { delta: Schedule::Constant(delta * largest), strip: StripForm::Score },
        Operator::constant(matrix(d, generic)),
        mask,
        Gain::Alpha(Schedule::Constant(1.0)),
    );
    let step = Steps::new(&model, grid, d).at(0).expect("a step");
    let mut case = Case {
        name: format!("{shape:?}, n = {n}, d = {d}, delta = {delta}, generic A: {generic}, {precision:?}, {mask:?}"),
        tokens: grid.snap(&tokens).expect("tokens"),
        grid,
        step,
    };
    if shape == Shape::Late {
        let mut cpu = cpu(&case, Plan::Brute);
        for _ in 0..12 {
            take(&mut cpu, &case.step);
        }
        case.tokens = cpu.tokens().expect("tokens");
    }
    case
}

fn take(engine: &mut impl Engine, step: &Step) -> StepReport {
    engine.step(&[step.clone().into()]).expect("a step")[0]
}

/// Three steps under each plan, every row of each.
fn hold(case: &Case) {
    let mut brute = cpu(case, Plan::Brute);
    let mut others: Vec<(Plan, ExactCpu)> =
        [Plan::Tree, Plan::Norm, Plan::Auto].into_iter().map(|plan| (plan, cpu(case, plan))).collect();
    for t in 0..3 {
        let report = take(&mut brute, &case.step);
        let (strips, tokens) = (brute.strips().expect("strips"), brute.tokens().expect("tokens"));
        for (plan, cpu) in &mut others {
            let name = format!("{}, {} at step {t}", case.name, plan.name());
            let got = take(cpu, &case.step);
            assert_eq!(StepReport { redone: 0, ..got }, StepReport { redone: 0, ..report }, "{name}: report");
            assert!(cpu.strips().expect("strips") == strips, "{name}: argmax or counts");
            assert!(cpu.tokens().expect("tokens") == tokens, "{name}: tokens");
            let ran = cpu.effort().expect("an effort");
            assert!(*plan == Plan::Auto || ran.plan == *plan, "{name}: {ran:?}");
        }
    }
}

/// If a search ever differed from brute force, a million tokens would not follow the rule that a
/// thousand follow.
#[test]
fn searches_find_what_brute_force_finds() {
    for (k, d) in [1, 2, 3, 5, 8, 16, 64].into_iter().enumerate() {
        for (l, shape) in SHAPES.into_iter().enumerate() {
            for (m, delta) in DELTAS.into_iter().enumerate() {
                // A Latin third of the cases in everyday runs.
                if n() < 1000 && !full() && (k + l + m) % 3 != 0 {
                    continue;
                }
                let precision = if (k + l + 2 * m) % 3 == 0 { Precision::F64 } else { Precision::F32 };
                hold(&case(shape, d, delta, (k + l + m) % 4 == 1, precision, Mask::FULL));
            }
        }
    }
}

/// Whole groups of rows may have the same boxes and keys in their strips, which are then summed
/// once: in every form of the strip, with strips of a few units and tokens of a few units among
/// others, from the start until clusters have no extent.
#[test]
fn strips_that_rows_share_are_those_of_brute_force() {
    let (n, d) = (1100, 3);
    for (k, (form, _)) in StripForm::OF_PRODUCTS.into_iter().enumerate() {
        for (l, (delta, alpha)) in [(0.3, 3.0), (0.05, 1.0), (3e-7, 1.0), (1.5, 0.5)].into_iter().enumerate() {
            let precision = if (k + l) % 2 == 0 { Precision::F64 } else { Precision::F32 };
            let cloud = CloudSample::new(Cloud::Gaussian, n, d).tokens(11 + l as u64, precision).expect("a cloud");
            let small = |i: usize| if i % 10 == 9 { 1e-6 } else { 1.0 };
            let rows: Vec<f64> = (0..n).flat_map(|i| cloud.row(i).into_iter().map(move |x| x * small(i))).collect();
            let tokens = Tokens::from_flat(n, d, rows).expect("a cloud");
            let grid = Grid::of(&tokens, precision);
            let operator = match (form, l % 2) {
                (StripForm::ANorm, 1) => {
                    let entry = |r: usize, c: usize| if r == c { (r + 1) as f64 } else { 0.25 };
                    let rows: Vec<Vec<f64>> = (0..d).map(|r| (0..d).map(|c| entry(r, c)).collect()).collect();
                    Matrix::dense(&rows).expect("square")
                }
                (_, generic) => matrix(d, generic == 1 && form != StripForm::ANorm),
            };
            let rule = Rule::Localmax { delta: Schedule::Constant(delta), strip: form };
            let gain = Gain::Alpha(Schedule::Constant(alpha));
            let model = Model::averaging(rule, Operator::constant(operator), Mask::FULL, gain);
            let step = Steps::new(&model, grid, d).at(0).expect("a step");
            let name = format!("{form:?}, delta = {delta}, {precision:?}");
            let case = Case { name, tokens: grid.snap(&tokens).expect("tokens"), grid, step };
            let (mut brute, mut tree) = (cpu(&case, Plan::Brute), cpu(&case, Plan::Tree));
            for t in 0..30 {
                let (want, got) = (take(&mut brute, &case.step), take(&mut tree, &case.step));
                let at = format!("{} at step {t}", case.name);
                assert_eq!(StepReport { redone: 0, ..got }, StepReport { redone: 0, ..want }, "{at}");
                assert!(tree.strips().expect("strips") == brute.strips().expect("strips"), "{at}: argmax or counts");
                assert!(tree.tokens().expect("tokens") == brute.tokens().expect("tokens"), "{at}: tokens");
                if want.moved == 0 {
                    break;
                }
            }
        }
    }
}

/// In clouds of thousands of tokens some rows list the keys that matter to them, others find too
/// many and search boxes, and some do the one for their maxima and the other for their strips.
#[test]
fn long_and_short_lists_find_what_brute_force_finds() {
    let shapes = [Shape::Of(Cloud::Gaussian), Shape::Of(Cloud::Ball), Shape::Of(Cloud::Sphere), Shape::Duplicated];
    for (k, shape) in shapes.into_iter().enumerate() {
        for (l, delta) in [0.0, 0.01, 0.1, 0.5].into_iter().enumerate() {
            // Everyday runs take each shape and each width once.
            if !full() && l != [0, 2, 3, 1][k] {
                continue;
            }
            let precision = if (k + l) % 4 == 3 { Precision::F64 } else { Precision::F32 };
            hold(&case_of(10_000, shape, 2 + (k + l) % 3, delta, l == 1, precision, Mask::FULL));
        }
    }
}

/// The same where every row sees other keys, and nothing may be merged.
#[test]
fn causal_searches_find_what_brute_force_finds() {
    for (k, d) in [1, 2, 3, 8, 20].into_iter().enumerate() {
        for (l, shape) in SHAPES.into_iter().enumerate() {
            let precision = if (k + l) % 2 == 0 { Precision::F64 } else { Precision::F32 };
            hold(&case(shape, d, DELTAS[(k + l) % 5], (k + l) % 3 == 1, precision, Mask::CAUSAL));
        }
    }
}

/// A mask may change during a run: what was merged must come apart again, as copies of a token see
/// different keys.
#[test]
fn a_mask_may_change() {
    let case = case(Shape::Duplicated, 3, 0.1, false, Precision::F32, Mask::FULL);
    let (mut brute, mut tree) = (cpu(&case, Plan::Brute), cpu(&case, Plan::Tree));
    for t in 0..6 {
        let step = Step { mask: if t % 3 == 1 { Mask::CAUSAL } else { Mask::FULL }, ..case.step.clone() };
        let rows: Vec<usize> = (0..case.tokens.n()).step_by(7).collect();
        assert_eq!(
            brute.masks(&step.clone().into(), &rows).expect("masks"),
            tree.masks(&step.clone().into(), &rows).expect("masks"),
            "step {t}"
        );
        take(&mut brute, &step);
        take(&mut tree, &step);
        assert!(brute.strips().expect("strips") == tree.strips().expect("strips"), "step {t}");
        assert!(brute.tokens().expect("tokens") == tree.tokens().expect("tokens"), "step {t}");
    }
}

/// The adapter that is tested at this size: a card, or else the fastest software driver.
fn device() -> Device {
    let adapters = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
    let adapter =
        adapters.iter().find(|a| !a.is_software()).or(adapters.iter().find(|a| a.name().contains("llvmpipe")));
    Device::open(adapter.expect("no adapter: bash tests/run.sh installs a software driver")).expect("a device")
}

fn tree(device: &Device, case: &Case) -> ExactGpu {
    let options = gpu::Options { plan: Plan::Tree, ..gpu::Options::default() };
    pollster::block_on(ExactGpu::new(device, &case.tokens, case.grid, true, options)).expect("a search")
}

/// The same on the device, where keys are sorted, merged and searched by other code.
#[test]
fn searches_on_a_gpu_find_what_brute_force_finds() {
    let device = device();
    let shapes = [Shape::Of(Cloud::Gaussian), Shape::Of(Cloud::Ball), Shape::Of(Cloud::Line), Shape::Of(Cloud::Ties)];
    for (k, (d, precision)) in
        [(1, Precision::F64), (2, Precision::F32), (3, Precision::F32), (8, Precision::F32)].into_iter().enumerate()
    {
        for (l, shape) in shapes.into_iter().chain([Shape::Duplicated, Shape::Late]).enumerate() {
            for (m, delta) in DELTAS.into_iter().enumerate() {
                let mask = if (k + l + m) % 3 == 0 { Mask::CAUSAL } else { Mask::FULL };
                let case = case(shape, d, delta, (k + l + m) % 4 == 1, precision, mask);
                let (mut brute, mut tree) = (cpu(&case, Plan::Brute), tree(&device, &case));
                for t in 0..3 {
                    let name = format!("{} at step {t}", case.name);
                    let (want, got) = (take(&mut brute, &case.step), take(&mut tree, &case.step));
                    let (want, got) = (StepReport { redone: 0, ..want }, StepReport { redone: 0, ..got });
                    assert_eq!(got, want, "{name}: report");
                    assert!(
                        tree.strips().expect("strips") == brute.strips().expect("strips"),
                        "{name}: argmax or counts"
                    );
                    assert!(tree.tokens().expect("tokens") == brute.tokens().expect("tokens"), "{name}: tokens");
                    assert_eq!(tree.effort().expect("an effort").plan, Plan::Tree, "{name}");
                }
            }
        }
    }
}

/// Whichever plan a device finds faster, and whenever it changes its mind, no bit changes.
#[test]
fn a_gpu_may_choose() {
    let case = case_of(4500, Shape::Of(Cloud::Ball), 3, 0.2, false, Precision::F32, Mask::FULL);
    let mut brute = cpu(&case, Plan::Brute);
    let options = gpu::Options { plan: Plan::Auto, ..gpu::Options::default() };
    let mut auto =
        pollster::block_on(ExactGpu::new(&device(), &case.tokens, case.grid, true, options)).expect("an engine");
    for calls in [1, 2, 40, 17] {
        let steps = vec![case.step.clone(); calls];
        for step in &steps {
            take(&mut brute, step);
        }
        auto.step(&steps.iter().cloned().map(Into::into).collect::<Vec<_>>()).expect("steps");
        assert!(auto.strips().expect("strips") == brute.strips().expect("strips"), "after {calls} steps more");
        assert!(auto.tokens().expect("tokens") == brute.tokens().expect("tokens"), "after {calls} steps more");
    }
}

/// What a device has merged must come apart too.
#[test]
fn a_mask_may_change_on_a_gpu() {
    let case = case(Shape::Duplicated, 3, 0.1, false, Precision::F32, Mask::FULL);
    let (mut brute, mut tree) = (cpu(&case, Plan::Brute), tree(&device(), &case));
    let rows: Vec<usize> = (0..case.tokens.n()).step_by(7).collect();
    let masked = |t| Step { mask: if t % 3 == 1 { Mask::CAUSAL } else { Mask::FULL }, ..case.step.clone() };
    for t in 0..6 {
        let step = masked(t);
        take(&mut brute, &step);
        take(&mut tree, &step);
        // Of another mask than the step before, whose strips are still asked for.
        let step = masked(t + 1);
        assert_eq!(
            brute.masks(&step.clone().into(), &rows).expect("masks"),
            tree.masks(&step.clone().into(), &rows).expect("masks"),
            "step {t}"
        );
        assert!(brute.strips().expect("strips") == tree.strips().expect("strips"), "step {t}");
        assert!(brute.tokens().expect("tokens") == tree.tokens().expect("tokens"), "step {t}");
    }
}
