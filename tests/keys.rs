//! Fixed keys, on every engine: exact rules have one hash, real ones keep their bounds, keys never move, and what is
//! known of retrieval and of mean shift on a fixed density holds.

use localmax::choice::Plan;
use localmax::engine::{Engine, Simulation, Steps, first_state, on_cpu, on_gpu, on_gpus, on_reference};
use localmax::exact::Grid;
use localmax::gpu::{Adapter, Device};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Model, Moment, StripForm};
use localmax::observe::{Distinct, Points, energy};
use localmax::real;
use localmax::tokens::{Precision, Tokens};
use localmax::verify::Verifier;

fn cloud(kind: Cloud, n: usize, d: usize, seed: u64) -> Tokens {
    CloudSample::new(kind, n, d).tokens(seed, Precision::F64).unwrap()
}

fn exact(d: usize) -> Vec<Model> {
    let rows: Vec<Vec<f64>> =
        (0..d).map(|r| (0..d).map(|c| if r == c { 1.0 } else { 0.3 / (r + 2 * c + 1) as f64 }).collect()).collect();
    vec![
        Model::localmax(0.3).unwrap().strip(StripForm::Width).unwrap(),
        Model::localmax("1/(t+1)").unwrap().matrix(rows).unwrap(),
        Model::localmax(0.2).unwrap().strip(StripForm::ANorm).unwrap(),
        Model::hardmax().gamma(1.0).unwrap(),
        Model::frank_wolfe("2/(t+2)").unwrap(),
    ]
}

fn real_rules() -> Vec<Model> {
    let rows =
        |d: usize| -> Vec<Vec<f64>> { (0..d).map(|r| (0..d).map(|c| ((r + c) % 3) as f64 / 3.0).collect()).collect() };
    vec![
        Model::softmax(8.0).unwrap().gamma(1.0).unwrap(),
        Model::softmax("2+t").unwrap().values(rows(3)).unwrap(),
        Model::blurring_mean_shift(0.5).unwrap(),
        Model::markov(3.0, 5).unwrap(),
        Model::hardmax().values(rows(3)).unwrap(),
        Model::softmax(3.0).unwrap().exclusive(),
    ]
}

/// The reference, the CPU engine and the GPU engine on one device and on two.
fn engines(model: &Model, first: &Tokens, grid: Grid, device: Option<&Device>) -> Vec<(String, Box<dyn Engine>)> {
    let mut all = vec![
        ("reference".to_owned(), on_reference(Plan::Auto, model, first, grid).unwrap()),
        ("cpu".to_owned(), on_cpu(Plan::Auto, model, first, grid).unwrap()),
    ];
    if let Some(device) = device {
        all.push(("gpu".to_owned(), on_gpu(device, Plan::Auto, model, first, grid).unwrap()));
        let two = [device.clone(), device.clone()];
        all.push(("two shares of a gpu".to_owned(), on_gpus(&two, Plan::Auto, model, first, grid).unwrap()));
    }
    all
}

fn device() -> Device {
    let adapters = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
    Device::open(&adapters[0]).expect("a device")
}

/// A key that moved, or a token that attended to another token, would be another system.
#[test]
fn exact_rules_have_one_hash() {
    let device = device();
    for (d, kind) in [(1, Cloud::Cube), (2, Cloud::Ties), (3, Cloud::Gaussian), (18, Cloud::Clusters)] {
        for (k, model) in exact(d).into_iter().enumerate() {
            // More tokens than keys and fewer, keys far out, near and on one another.
            let (n, m) = if k % 2 == 0 { (70, 301) } else { (301, 70) };
            let keys = cloud(kind, m, d, 9);
            let model = model.fixed_keys(keys.clone());
            let precision = if k % 3 == 0 { Precision::F64 } else { Precision::F32 };
            let (first, grid) = first_state(&model, &cloud(Cloud::Cube, n, d, 1), precision).unwrap();
            let gpu = Some(&device).filter(|_| d == 2 || (d == 18 && k == 0));
            let mut all = engines(&model, &first, grid, gpu);
            let mut steps = Steps::new(&model, grid, d);
            for t in 0..4 {
                let step = steps.at(t).unwrap();
                let mut told = Vec::new();
                for (name, engine) in &mut all {
                    let masks = engine.masks(&step, &[0, n / 2, n - 1]).unwrap();
                    assert!(masks.iter().flatten().all(|&key| (key as usize) < m), "{name}: {masks:?}");
                    let report = engine.step(std::slice::from_ref(&step)).unwrap()[0];
                    let sizes = (report.moved, report.strip_min, report.strip_max, report.strip_total);
                    let tokens = engine.tokens().unwrap();
                    assert_eq!(tokens.n(), n);
                    told.push((masks, sizes, engine.strips().unwrap(), tokens.hash()));
                }
                for (other, (name, _)) in told.iter().zip(&all) {
                    assert_eq!(other, &told[0], "{}, d = {d}, step {t}, {name}", model.title());
                }
                assert!(told[0].1.1 > 0, "a strip of no key");
            }
        }
    }
}

/// Keys that are the cloud itself must give the cloud's own first step, to the bit; a second one does not.
#[test]
fn a_cloud_of_its_own_keys_takes_its_own_first_step() {
    let mut differ = 0;
    for (d, kind) in [(2, Cloud::Gaussian), (3, Cloud::Ties), (20, Cloud::Ball)] {
        for model in exact(d) {
            let tokens = cloud(kind, 200, d, 3);
            let model = if model.rule == Model::hardmax().rule { model.gamma(0.5).unwrap() } else { model };
            let run = |model: &Model| {
                let mut simulation = Simulation::new(model, &tokens, localmax::choice::EngineChoice::Cpu).unwrap();
                [1, 1].map(|count| {
                    simulation.advance(count).unwrap();
                    simulation.hash().unwrap()
                })
            };
            let [own, fixed] = [run(&model), run(&model.clone().fixed_keys(tokens.clone()))];
            assert_eq!(own[0], fixed[0], "{}, d = {d}", model.title());
            differ += usize::from(own[1] != fixed[1]);
        }
    }
    // Vertices that rest are the same keys.
    assert!(differ > 5, "{differ}");
}

/// What a paper says of a real rule rests on these bounds; an engine that forgot a key is off by more.
#[test]
fn real_rules_keep_their_bounds() {
    let device = device();
    for model in real_rules() {
        let model = model.fixed_keys(cloud(Cloud::Gaussian, 150, 3, 2));
        for precision in [Precision::F32, Precision::F64] {
            let (first, grid) = first_state(&model, &cloud(Cloud::Ball, 40, 3, 4), precision).unwrap();
            let gpu = Some(&device).filter(|_| precision == Precision::F32);
            for (name, mut engine) in engines(&model, &first, grid, gpu) {
                let mut verifier = Verifier::new(&model, grid, first.n(), 3, None);
                for t in 0..3 {
                    verifier.step(engine.as_mut(), t).unwrap();
                }
                assert!(verifier.findings.passed(), "{}, {name}: {}", model.title(), verifier.findings);
                // The same engine, judged by keys of which one lies elsewhere.
                let mut moved = cloud(Cloud::Gaussian, 150, 3, 2).to_f64();
                moved[0] += 3.0;
                let other = model.clone().fixed_keys(Tokens::from_flat(150, 3, moved).unwrap());
                let mut verifier = Verifier::new(&other, grid, first.n(), 3, None);
                let mut engine = on_cpu(Plan::Auto, &model, &first, grid).unwrap();
                verifier.step(engine.as_mut(), 0).unwrap();
                assert!(!verifier.findings.passed(), "{}: a moved key was not found", model.title());
            }
        }
    }
}

/// Retrieval from a modern Hopfield network (arXiv 2008.02217): from a disturbed pattern one step comes to the pattern
/// where patterns are apart, and no step raises the energy, at any gain; nor does mean shift on a fixed density.
#[test]
fn retrieval_comes_to_its_pattern_and_energy_never_rises() {
    let (d, m) = (16, 200);
    let patterns = cloud(Cloud::Sphere, m, d, 7);
    let disturbed: Vec<f64> =
        patterns.to_f64().iter().zip(cloud(Cloud::Gaussian, m, d, 8).to_f64()).map(|(x, e)| x + 0.05 * e).collect();
    let start = Tokens::from_flat(m, d, disturbed).unwrap();
    let engine = localmax::choice::EngineChoice::Cpu;
    let hopfield = Model::softmax(200.0).unwrap().gamma(1.0).unwrap().fixed_keys(patterns.clone());
    let mut simulation = Simulation::new(&hopfield, &start, engine).unwrap();
    simulation.advance(2).unwrap();
    let found = simulation.tokens().unwrap();
    for i in 0..m {
        let off = found.row(i).iter().zip(patterns.row(i)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-6, "token {i} ends {off:e} from its pattern");
    }
    for gain in [1.0, 0.3] {
        for model in [Model::softmax(4.0).unwrap(), Model::blurring_mean_shift(0.4).unwrap()] {
            let model = model.gamma(gain).unwrap().fixed_keys(cloud(Cloud::Clusters, 90, 3, 2));
            let mut simulation = Simulation::new(&model, &cloud(Cloud::Gaussian, 60, 3, 5), engine).unwrap();
            let mut last = f64::INFINITY;
            for t in 0..60 {
                let points = Points::of(&simulation.tokens().unwrap());
                let scores = real::Steps::new(&model, 3).at(t).unwrap().stages[0].heads[0].scores.clone();
                let now = energy(&Distinct::of(&points), &model, &scores, Moment::of_step(t)).expect("an energy");
                assert!(now <= last + 1e-12, "{}, γ = {gain}, step {t}: {last} -> {now}", model.title());
                last = now;
                simulation.advance(1).unwrap();
            }
        }
    }
}

/// A run that would mean nothing is refused before its first step.
#[test]
fn what_goes_with_no_fixed_keys_is_refused() {
    let keys = || cloud(Cloud::Cube, 4, 2, 1);
    for (model, wanted) in [
        (Model::sphere(1.0, 0.1).unwrap(), "tokens.keys is given but rule sphere moves in time"),
        (Model::hardmax().causal(), "tokens.keys is given beside model.causal, mask or self"),
        (Model::hardmax().without_self(), "tokens.keys is given beside model.causal, mask or self"),
        (Model::hegselmann_krause(0.3).unwrap(), "tokens.keys is given beside scores = \"distance\" in localmax"),
        (Model::softmax(1.0).unwrap(), "tokens.keys has keys in R^2 but the tokens have d = 3"),
    ] {
        let d = if wanted.contains("R^2") { 3 } else { 2 };
        let refused = model.fixed_keys(keys()).validate(d, 1).unwrap_err().to_string();
        assert!(refused.contains(wanted), "{refused}");
    }
}
