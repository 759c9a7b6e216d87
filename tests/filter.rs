//! Scores in 8 bits on the CPU, and of limbs on the GPU, against scores of floats: the same tokens, argmaxes and counts
//! on every row, in many dimensions and on clouds that are made to be rounded badly.

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, InstructionSet, Options};
use localmax::engine::Engine;
use localmax::exact::{Grid, Step, Steps};
use localmax::gpu::{self, Adapter, Device, ExactGpu};
use localmax::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::rng::Stream;
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};

const CLOUDS: [&str; 13] = [
    "normal",
    "sphere",
    "steep",
    "low rank",
    "clusters",
    "ties",
    "mirrors",
    "outlier",
    "one large",
    "equal",
    "all but one",
    "denormal",
    "zero",
];

/// n tokens in R^d.
fn cloud(kind: &str, n: usize, d: usize) -> Vec<f64> {
    let mut draw = Stream::new(7, kind, 0);
    let mut rows: Vec<Vec<f64>> = (0..n).map(|_| (0..d).map(|_| draw.normal()).collect()).collect();
    let basis: Vec<Vec<f64>> = (0..4).map(|_| (0..d).map(|_| draw.normal()).collect()).collect();
    for i in 0..n {
        let (sample, before) = (rows[i].clone(), rows[i.max(1) - 1].clone());
        let row = &mut rows[i];
        match kind {
            "sphere" => {
                let norm = sample.iter().map(|x| x * x).sum::<f64>().sqrt();
                *row = sample.iter().map(|x| x / norm).collect();
            }
            "steep" => row.iter_mut().enumerate().for_each(|(k, x)| *x /= (k + 1) as f64),
            "low rank" => (0..d).for_each(|k| row[k] = (0..4).map(|b| sample[b] * basis[b][k]).sum()),
            "clusters" => row.iter_mut().zip(&basis[i % 4]).for_each(|(x, centre)| *x = centre + 0.05 * *x),
            "ties" => row.iter_mut().for_each(|x| *x = x.round().clamp(-1.0, 1.0)),
            "mirrors" if i % 2 == 1 => *row = before.iter().map(|x| -x).collect(),
            "outlier" if i == n / 2 => row.iter_mut().for_each(|x| *x *= 1e30),
            "one large" => row[d / 3] *= 1e4,
            "equal" => row.clone_from(&basis[0]),
            "all but one" if i != 5 => row.clone_from(&basis[0]),
            "denormal" if i > 0 => row.iter_mut().for_each(|x| *x *= 1e-310),
            "zero" => row.fill(0.0),
            _ => {}
        }
    }
    rows.concat()
}

fn model(rule: Rule, matrix: Matrix, mask: Mask) -> Model {
    Model::averaging(rule, Operator::constant(matrix), mask, Gain::Gamma(Schedule::Constant(0.5)))
}

/// What filters: an instruction set of the CPU, the best where it is none, or a device.
enum Filter<'a> {
    Cpu(Option<InstructionSet>),
    Gpu(&'a Device),
}

/// Two steps by all pairs in floats and in few bits.
fn agree(at: &str, tokens: &Tokens, grid: Grid, step: &Step, filter: &Filter) {
    let open = |plan, set| {
        let cpu = ExactCpu::new(tokens, grid, Options { plan, set, ..Options::default() }).expect("a cpu");
        Box::new(cpu) as Box<dyn Engine>
    };
    let mut brute = open(Plan::Brute, None);
    let mut filter = match filter {
        Filter::Cpu(set) => open(Plan::Filter, *set),
        Filter::Gpu(device) => {
            let options = gpu::Options { plan: Plan::Filter, ..gpu::Options::default() };
            let gpu = pollster::block_on(ExactGpu::new(device, tokens, grid, true, options)).expect("a gpu");
            Box::new(gpu)
        }
    };
    let step: localmax::engine::Step = step.clone().into();
    let rows = [0, tokens.n() / 2, tokens.n() - 1];
    for t in 0..2 {
        let masks = [&mut brute, &mut filter].map(|engine| engine.masks(&step, &rows).expect("masks"));
        assert!(masks[0] == masks[1], "{at}, step {t}: masks");
        let [mut want, got] =
            [&mut brute, &mut filter].map(|e| e.step(std::slice::from_ref(&step)).expect("a step")[0]);
        want.redone = got.redone;
        assert_eq!(got, want, "{at}, step {t}");
        assert!(brute.strips().expect("strips") == filter.strips().expect("strips"), "{at}, step {t}: strips");
        assert!(brute.tokens().expect("tokens") == filter.tokens().expect("tokens"), "{at}, step {t}: tokens");
    }
    assert_eq!(filter.effort().expect("an effort").plan, Plan::Filter);
}

fn holds(kinds: &[&str], n: usize, d: usize, device: Option<&Device>) {
    for (at, kind) in kinds.iter().enumerate() {
        let precision = if at % 3 == 2 { Precision::F64 } else { Precision::F32 };
        let tokens = Tokens::from_flat(n, d, cloud(kind, n, d)).expect("a cloud");
        let grid = Grid::of(&tokens, precision);
        let tokens = grid.snap(&tokens).expect("tokens");
        let norm = |i: usize| tokens.row(i).iter().map(|x| x * x).sum::<f64>().sqrt();
        let longest = (0..n).map(norm).fold(0.0, f64::max);
        let mut draw = Stream::new(3, "matrix", d as u64);
        let rows: Vec<Vec<f64>> = (0..d).map(|_| (0..d).map(|_| draw.normal()).collect()).collect();
        let random = Matrix::dense(&rows).expect("square");
        let strip = |delta: f64, strip| Rule::Localmax { delta: Schedule::Constant(delta), strip };
        let systems = [
            (Rule::Hardmax, Matrix::Identity, Mask::FULL),
            (Rule::Hardmax, random.clone(), Mask::FULL),
            (strip(0.1 * longest * longest, StripForm::Score), Matrix::Identity, Mask::FULL),
            (strip(0.2 * longest, StripForm::Width), random, Mask::CAUSAL),
            (strip(0.1 * longest, StripForm::ANorm), Matrix::multiple(2.5).expect("a factor"), Mask::FULL),
            (Rule::FrankWolfe, Matrix::Identity, Mask::CAUSAL),
        ];
        for (which, (rule, matrix, mask)) in systems.into_iter().enumerate() {
            let step = Steps::new(&model(rule, matrix, mask), grid, d).at(0).expect("a step");
            let sets = InstructionSet::ALL.map(|set| set.is_available().then_some(set));
            let set = sets[(at + which) % 4];
            let filter = device.map_or(Filter::Cpu(set), Filter::Gpu);
            agree(&format!("{kind}, d = {d}, system {which}, {set:?}"), &tokens, grid, &step, &filter);
        }
    }
}

/// A key that 8 bits rule out and that was in the strip is another mean, and another run.
#[test]
fn eight_bits_rule_out_nothing_that_counts() {
    holds(&CLOUDS, 200, 16, None);
    holds(&CLOUDS, 120, 64, None);
    holds(&CLOUDS, 60, 256, None);
    holds(&["normal", "one large"], 70, 768, None);
}

/// The same of limbs, on every device, as it is and with scores that are as wrong as their bounds allow.
#[test]
fn limbs_rule_out_nothing_that_counts() {
    let adapters = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
    for (index, adapter) in adapters.iter().enumerate() {
        let device = Device::open(adapter).expect("a device");
        // Drivers behind the first compile and run for longer.
        let (most, few): (&[&str], _) = (&CLOUDS, ["normal", "ties", "one large"]);
        holds(if index == 0 { most } else { &few }, 100, 16, Some(&device));
        if index == 0 {
            holds(&few, 120, 65, Some(&device));
            holds(&few[2..], 70, 768, Some(&device));
        }
        holds(if index == 0 { most } else { &few }, 100, 16, Some(&device.with_hostile_filter(0.99)));
    }
}

/// Limbs that rule out nothing would leave the same bits.
#[test]
fn limbs_rule_out_most_of_a_normal_cloud() {
    let (n, d) = (4096, 64);
    let tokens = Tokens::from_flat(n, d, cloud("normal", n, d)).expect("a cloud");
    let grid = Grid::of(&tokens, Precision::F32);
    let step: localmax::engine::Step =
        Steps::new(&model(Rule::Hardmax, Matrix::Identity, Mask::FULL), grid, d).at(0).expect("a step").into();
    for adapter in Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there") {
        let options = gpu::Options { plan: Plan::Filter, ..gpu::Options::default() };
        let device = Device::open(&adapter).expect("a device");
        let mut gpu = pollster::block_on(ExactGpu::new(&device, &tokens, grid, false, options)).expect("a gpu");
        Engine::step(&mut gpu, std::slice::from_ref(&step)).expect("a step");
        let keys = Engine::effort(&gpu).expect("an effort").keys_a_row;
        // Twice the one supertile of 64 keys that has the largest score, for the maximum and for the strip.
        assert!((128.0..160.0).contains(&keys), "{keys} keys a row of {n} on {}", adapter.name());
    }
}
