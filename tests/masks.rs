//! Rows that see ranges of keys, and rows that do not see themselves, on every engine: exact rules have one hash,
//! real ones keep their bounds, nothing from beyond the window reaches a token, and a row without keys stays.

use std::sync::OnceLock;

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, InstructionSet, Options};
use localmax::engine::{Engine, ExactReference, RealReference, Steps, on_cpu, on_gpu, on_gpus};
use localmax::exact::Grid;
use localmax::gpu::{Adapter, Device};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Activation, Integrator, Mask, Model, Noise, Perceptron, Rule, Scoring, Sparse, StripForm};
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};
use localmax::verify::Verifier;

type Named = (String, Box<dyn Engine>);

/// The devices of this machine, opened once.
fn devices() -> &'static [Device] {
    static DEVICES: OnceLock<Vec<Device>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let adapters = Adapter::all_named().expect("LOCALMAX_ADAPTER names one that is there");
        adapters.iter().map(|adapter| Device::open(adapter).expect("a device")).collect()
    })
}

fn masks() -> [Mask; 7] {
    let mask = |causal, window, own| Mask { causal, window, own, ..Mask::FULL };
    [
        mask(false, Some(1), true),
        mask(true, Some(3), true),
        mask(false, Some(40), false),
        mask(true, Some(70), false),
        mask(false, None, false),
        mask(true, None, false),
        mask(false, Some(u32::MAX), true),
    ]
}

fn with(mask: Mask, model: Model) -> Model {
    Model { mask, ..model }
}

fn cloud(kind: Cloud, n: usize, d: usize) -> Tokens {
    CloudSample::new(kind, n, d).tokens(5, Precision::F64).unwrap()
}

/// Every exact engine but the reference, opened under plans that other masks have and under the one of these.
fn engines(model: &Model, tokens: &Tokens, grid: Grid, gpus: usize) -> Vec<Named> {
    let mut all: Vec<Named> = Vec::new();
    let near = model.scoring != Scoring::Inner;
    for (at, set) in InstructionSet::ALL.into_iter().filter(|set| set.is_available()).enumerate() {
        // A state that begins in another order is turned to pairs.
        for plan in [Plan::Brute, [Plan::Tree, Plan::Filter, Plan::Direction, Plan::Auto][at % 4]] {
            let plan = if plan == Plan::Direction && !(2..=3).contains(&tokens.d()) { Plan::Norm } else { plan };
            let options = Options { set: Some(set), threads: Some(at % 2 + 1), plan, near, ..Options::default() };
            let engine = ExactCpu::new(tokens, grid, options).unwrap();
            all.push((format!("cpu, {} on {}", plan.name(), set.name()), Box::new(engine)));
        }
    }
    let devices = &devices()[..gpus.min(devices().len())];
    for device in devices {
        let engine = on_gpu(device, Plan::Auto, model, tokens, grid).unwrap();
        all.push((format!("gpu, {}", device.adapter().name()), engine));
    }
    if let [device, ..] = devices {
        let two = [device.clone(), device.clone()];
        all.push(("two shares of a gpu".into(), on_gpus(&two, Plan::Auto, model, tokens, grid).unwrap()));
    }
    all
}

/// An engine that counts one key too many, or none where there is one, is another model.
#[test]
fn exact_rules_have_one_hash() {
    let dense = |d: usize| -> Vec<Vec<f64>> {
        (0..d).map(|r| (0..d).map(|c| if r == c { 1.0 } else { 0.3 / (r + 2 * c + 1) as f64 }).collect()).collect()
    };
    let mut compared = 0;
    for (c, d) in [1, 2, 3, 18].into_iter().enumerate() {
        for (k, kind) in [Cloud::Cube, Cloud::Ties, Cloud::Clusters].into_iter().enumerate() {
            let n = if d == 2 { 333 } else { 150 };
            let tokens = cloud(kind, n, d);
            let wide = (d as f64).sqrt();
            let models = [
                Model::localmax(0.3 * wide).unwrap().strip(StripForm::Width).unwrap(),
                Model::localmax("1/(t+1)").unwrap().matrix(dense(d)).unwrap(),
                Model::localmax(0.2).unwrap().strip(StripForm::ANorm).unwrap(),
                Model::hardmax().alpha("1+t/8").unwrap(),
                Model::frank_wolfe("2/(t+2)").unwrap(),
                Model::hegselmann_krause(0.4 * wide).unwrap(),
            ];
            for (m, mask) in masks().into_iter().enumerate() {
                let model = &models[(m + k + c) % models.len()];
                let is_near = (m + k + c) % models.len() == 5;
                // A ball is counted from the token itself.
                let model = with(Mask { own: mask.own || is_near, ..mask }, model.clone());
                let grid = Grid::of(&tokens, if (k + m) % 3 == 0 { Precision::F64 } else { Precision::F32 });
                let mut steps = Steps::new(&model, grid, d);
                let mut reference = ExactReference::new(&tokens, grid);
                // A software driver compiles for every d.
                let gpus = usize::from(k == 1 && (d == 2 || (d == 18 && m % 3 == 2)));
                let mut all = engines(&model, &tokens, grid, gpus);
                for t in 0..4 {
                    let step = steps.at(t).unwrap();
                    let rows = [0, 3, 139];
                    let want_masks = reference.masks(&step, &rows).unwrap();
                    for (engine, other) in &mut all {
                        let whose = format!("{kind:?}, d = {d}, {}, {engine}, step {t}", model.title());
                        assert_eq!(other.masks(&step, &rows).unwrap(), want_masks, "{whose}");
                    }
                    let report = reference.step(std::slice::from_ref(&step)).unwrap()[0];
                    let (want, strips) = (reference.tokens().unwrap().hash(), reference.strips().unwrap());
                    for (engine, other) in &mut all {
                        let got = other.step(std::slice::from_ref(&step)).unwrap()[0];
                        let whose = format!("{kind:?}, d = {d}, {}, {engine}, step {t}", model.title());
                        assert_eq!(other.strips().unwrap(), strips, "{whose}");
                        assert_eq!(other.tokens().unwrap().hash(), want, "{whose}");
                        let of = |r: localmax::outcome::StepReport| (r.moved, r.strip_min, r.strip_max, r.strip_total);
                        assert_eq!(of(got), of(report), "{whose}");
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 1000);
}

/// Windows of many supertiles, tiles and slices, of which most rows see few.
#[test]
fn long_rows_of_keys_have_one_hash() {
    let tokens = cloud(Cloud::Clusters, 9000, 2);
    let mask = |window, causal| Mask { window: Some(window), causal, own: causal, ..Mask::FULL };
    for (m, mask) in [mask(5, false), mask(700, true)].into_iter().enumerate() {
        let model = with(mask, Model::localmax(0.2).unwrap());
        let grid = Grid::of(&tokens, [Precision::F32, Precision::F64][m]);
        let mut steps = Steps::new(&model, grid, 2);
        let mut reference = ExactReference::new(&tokens, grid);
        let mut all = engines(&model, &tokens, grid, 1);
        for t in 0..2 {
            let step = steps.at(t).unwrap();
            reference.step(std::slice::from_ref(&step)).unwrap();
            for (engine, other) in &mut all {
                other.step(std::slice::from_ref(&step)).unwrap();
                assert_eq!(other.tokens().unwrap().hash(), reference.tokens().unwrap().hash(), "{engine}, step {t}");
            }
        }
    }
}

/// The GPU's bound on a float score is worth what it says with masks too.
#[test]
fn a_filter_as_wrong_as_its_bounds_keeps_the_bits() {
    let Some(device) = devices().first() else { return };
    let hostile = device.clone().with_hostile_filter(0.99);
    for (d, mask) in [(2, masks()[3]), (18, masks()[2])] {
        let tokens = cloud(Cloud::Ties, 200, d);
        let (model, grid) = (with(mask, Model::localmax(0.5).unwrap()), Grid::of(&tokens, Precision::F32));
        let step = Steps::new(&model, grid, d).at(0).unwrap();
        let after = |mut engine: Box<dyn Engine>| {
            engine.step(std::slice::from_ref(&step)).unwrap();
            (engine.tokens().unwrap().hash(), engine.strips().unwrap())
        };
        let gpu = after(on_gpu(&hostile, Plan::Brute, &model, &tokens, grid).unwrap());
        assert_eq!(gpu, after(Box::new(ExactReference::new(&tokens, grid))), "d = {d}");
    }
}

/// After T steps a token has felt those within T windows, and no other: to the bit, in exact and in real rules.
#[test]
fn nothing_comes_from_beyond_the_window() {
    let (n, d, w, far) = (200, 3, 4, 100);
    let models = [
        Model::localmax(1.0).unwrap().window(w),
        Model::softmax(2.0).unwrap().window(w),
        Model::sphere(2.0, 0.2).unwrap().window(w).without_self(),
        Model::hegselmann_krause(2.0).unwrap().window(w),
    ];
    let base = cloud(Cloud::Cube, n, d);
    let moved = {
        let row = |i: usize| (0..d).map(move |k| (i, k));
        let x = (0..n).flat_map(row).map(|(i, k)| if i == far { -base.get(i, k) } else { base.get(i, k) });
        Tokens::from_flat(n, d, x.collect::<Vec<_>>()).unwrap()
    };
    for model in models {
        for causal in [false, true] {
            let model = with(Mask { causal, ..model.mask }, model.clone());
            let is_near = model.scoring != Scoring::Inner;
            let run = |tokens: &Tokens| {
                let start = model.start(tokens, Precision::F32).unwrap();
                let grid = Grid::of(&base, Precision::F32);
                let mut engines: Vec<Named> = vec![("cpu".into(), on_cpu(Plan::Auto, &model, &start, grid).unwrap())];
                // A software driver compiles for every kind.
                for device in devices().iter().take(usize::from(!causal && model.is_exact() == is_near)) {
                    engines.push(("gpu".into(), on_gpu(device, Plan::Auto, &model, &start, grid).unwrap()));
                }
                let mut steps = Steps::new(&model, grid, d);
                let all: Vec<_> = (0..5).map(|t| steps.at(t).unwrap()).collect();
                engines.into_iter().map(move |(name, mut engine)| {
                    engine.step(&all).unwrap();
                    (name, engine.tokens().unwrap())
                })
            };
            for ((name, a), (_, b)) in run(&base).collect::<Vec<_>>().iter().zip(run(&moved)) {
                let differs = |i: usize| (0..d).any(|k| a.get(i, k).to_bits() != b.get(i, k).to_bits());
                let reach = 5 * w as usize;
                let (from, to) = (if causal { far } else { far - reach }, far + reach);
                let felt: Vec<usize> = (0..n).filter(|&i| differs(i)).collect();
                let whose = format!("{}, {name}: {felt:?}", model.title());
                assert!(felt.iter().all(|i| (from..=to).contains(i)), "{whose}");
                assert!(felt.len() > reach / 2, "{whose}");
            }
        }
    }
}

/// Models of every real rule, of which rows may see no key.
fn real_models() -> Vec<Model> {
    let turned = [[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.2, 0.0, 0.8]];
    let softmax = |beta: f64| Model::softmax(beta).unwrap();
    let sphere = || Model::sphere(3.0, 0.1).unwrap();
    let beta = || Schedule::Constant(3.0);
    let perceptron =
        Perceptron::new(vec![0.5, -1.0], &[vec![1.0, 0.2, 0.0], vec![0.0, 0.5, 1.0]], Activation::Tanh).unwrap();
    let mut perceived = sphere().integrator(Integrator::Euler).unwrap();
    perceived.terms.perceptron = Some(perceptron);
    let mut shaken = sphere();
    let kappa = Schedule::Constant(5.0);
    shaken.terms.noise = Some(Noise { kappa, common: false, seed: 3 });
    vec![
        softmax(2.0),
        softmax(30.0).values(turned).unwrap(),
        softmax(1.0).distances().gamma(1.0).unwrap(),
        Model { rule: Rule::Sparse { beta: beta(), form: Sparse::Sparsemax }, ..softmax(1.0) },
        Model { rule: Rule::Sparse { beta: beta(), form: Sparse::Entmax15 }, ..sphere() },
        Model { rule: Rule::Linear { beta: beta(), rectified: true }, ..sphere() },
        Model::markov(2.0, 5).unwrap(),
        Model::localmax(0.2).unwrap().values(turned).unwrap(),
        Model::frank_wolfe(0.5).unwrap().preconditioner(turned).unwrap(),
        sphere().unnormalized(0.5).unwrap(),
        sphere().integrator(Integrator::Rk4).unwrap(),
        Model::rescaled(0.4, 0.1).unwrap(),
        perceived,
        shaken,
    ]
}

/// Every step within the bounds that are derived for it, on every engine.
#[test]
fn real_rules_keep_their_bounds() {
    let d = 3;
    for (m, model) in real_models().into_iter().enumerate() {
        for (k, mask) in masks().into_iter().enumerate() {
            let model = with(mask, model.clone());
            // More keys than a chunk of the GPU's, now and then.
            let n = if (m + k) % 5 == 0 { 1100 } else { 170 };
            for precision in [Precision::F32, Precision::F64] {
                let tokens = cloud([Cloud::Cube, Cloud::Clusters][k % 2], n, d);
                let grid = Grid::of(&tokens, precision);
                let start = model.start(&tokens, precision).unwrap();
                let mut all: Vec<Named> = vec![("cpu".into(), on_cpu(Plan::Auto, &model, &start, grid).unwrap())];
                let gpus = usize::from(precision == Precision::F32 && (m + k) % 2 == 0);
                for device in devices().iter().take(gpus) {
                    all.push(("gpu".into(), on_gpu(device, Plan::Auto, &model, &start, grid).unwrap()));
                }
                for (whose, mut engine) in all {
                    let mut verifier = Verifier::new(&model, grid, n, d, Some(24));
                    for t in 0..2 {
                        verifier.step(&mut *engine, t).unwrap();
                    }
                    let findings = &verifier.findings;
                    assert!(findings.passed(), "{}, n = {n}, {whose}: {findings:?}", model.title());
                    let strips = engine.strips().unwrap();
                    let rows = [0, 1, 5, n - 1];
                    let seen = engine.masks(&Steps::new(&model, grid, d).at(2).unwrap(), &rows).unwrap();
                    for (i, keys) in rows.into_iter().zip(seen) {
                        let may = |&j: &u32| mask.keys(i, n).any(|key| key == j as usize);
                        assert!(keys.iter().all(may), "{}, {whose}, row {i}: {keys:?}", model.title());
                        assert_eq!(strips.count[i] == 0, mask.is_empty(i, n), "{}, {whose}, row {i}", model.title());
                        assert_eq!(keys.is_empty(), mask.is_empty(i, n), "{}, {whose}, row {i}", model.title());
                    }
                }
            }
        }
    }
}

/// The first token of a causal run without itself has no key: it stays, to the bit where it is no flow on a sphere.
#[test]
fn a_row_without_keys_stays() {
    let tokens = cloud(Cloud::Cube, 60, 3);
    let exact = [Model::localmax(0.3).unwrap(), Model::hardmax(), Model::frank_wolfe(0.5).unwrap()];
    for model in exact.into_iter().chain(real_models()) {
        let has_terms = model.terms.noise.is_some() || model.terms.perceptron.is_some();
        let model = model.causal().without_self();
        let start = model.start(&tokens, Precision::F32).unwrap();
        let grid = Grid::of(&tokens, Precision::F32);
        let start = if model.is_exact() { grid.snap(&start).unwrap() } else { start };
        let mut engines: Vec<Named> = vec![("cpu".into(), on_cpu(Plan::Auto, &model, &start, grid).unwrap())];
        engines.push(if model.is_exact() {
            ("reference".into(), Box::new(ExactReference::new(&start, grid)) as Box<dyn Engine>)
        } else {
            ("reference".into(), Box::new(RealReference::new(&start)))
        });
        for device in devices().iter().take(1) {
            engines.push(("gpu".into(), on_gpu(device, Plan::Auto, &model, &start, grid).unwrap()));
        }
        for (name, mut engine) in engines {
            let report = engine.step(&[Steps::new(&model, grid, 3).at(0).unwrap()]).unwrap()[0];
            let whose = format!("{}, {name}", model.title());
            assert_eq!(report.strip_min, 0, "{whose}");
            let strips = engine.strips().unwrap();
            assert_eq!((strips.argmax[0], strips.count[0]), (0, 0), "{whose}");
            let after = engine.tokens().unwrap();
            let off = (0..3).map(|k| (after.get(0, k) - start.get(0, k)).abs()).fold(0.0, f64::max);
            let is_flow = matches!(model.update, localmax::model::Update::Flow { .. });
            assert!(has_terms || off <= if is_flow { 4e-7 } else { 0.0 }, "{whose}: {off}");
            let moved = |i: usize| (0..3).any(|k| after.get(i, k) != start.get(i, k));
            assert!((1..60).any(moved), "{whose}");
        }
    }
}

/// The pairing phase: without itself, a token on a sphere at a high β follows its nearest one, and all end beside
/// another.
#[test]
fn tokens_without_themselves_pair_up() {
    let (n, d) = (40, 2);
    let tokens = cloud(Cloud::Circle, n, d);
    let model = Model::sphere(2000.0, 0.2).unwrap().without_self();
    let start = model.start(&tokens, Precision::F64).unwrap();
    let grid = Grid::of(&tokens, Precision::F64);
    let mut engine = on_cpu(Plan::Auto, &model, &start, grid).unwrap();
    let mut steps = Steps::new(&model, grid, d);
    let all: Vec<_> = (0..400).map(|t| steps.at(t).unwrap()).collect();
    engine.step(&all).unwrap();
    let end = engine.tokens().unwrap();
    let cos = |i: usize, j: usize| (0..d).map(|k| end.get(i, k) * end.get(j, k)).sum::<f64>();
    let nearest = |i: usize| (0..n).filter(|&j| j != i).map(|j| cos(i, j)).fold(-1.0, f64::max);
    assert!((0..n).all(|i| nearest(i) > 1.0 - 1e-9));
    let apart = (0..n).filter(|&i| cos(0, i) < 0.999).count();
    assert!(apart > n / 2, "one cluster is no pairing");
}

/// A combination that means nothing is named with its key, before the first step.
#[test]
fn what_does_not_go_with_a_mask_is_named() {
    let refused = |model: Model, n: usize, wanted: &str| {
        let error = model.validate(2, 1).and_then(|()| model.validate_count(n)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error:?} lacks {wanted:?}");
    };
    let rules = || {
        let flows = [Model::sphere(1.0, 0.1).unwrap(), Model::rescaled(1.0, 0.1).unwrap()];
        let averages = [Model::localmax(0.1).unwrap(), Model::hardmax(), Model::frank_wolfe(0.5).unwrap()];
        let drawn = [Model::softmax(1.0).unwrap(), Model::markov(1.0, 1).unwrap()];
        flows.into_iter().chain(averages).chain(drawn)
    };
    for model in rules() {
        refused(model.clone().window(0), 5, "model.mask.window is 0, where a token sees itself at most");
        refused(model.clone().without_self(), 1, "model.self is false and there is one token");
        assert!(model.clone().window(1).without_self().validate(2, 1).is_ok());
    }
    let near = || Model::hegselmann_krause(0.1).unwrap();
    refused(near().without_self(), 5, "model.self is false beside scores = \"distance\", where localmax counts from");
    refused(Model::hardmax().distances().without_self(), 5, "model.self is false beside scores");
    assert!(Model::softmax(1.0).unwrap().distances().without_self().validate(2, 1).is_ok());
    assert!(near().window(3).causal().validate(2, 1).is_ok());
    let plan = |plan, model: &Model| {
        let tokens = cloud(Cloud::Cube, 20, 2);
        let grid = Grid::of(&tokens, Precision::F32);
        let cpu = on_cpu(plan, model, &tokens, grid).map(drop);
        let gpu = devices().first().map(|device| on_gpu(device, plan, model, &tokens, grid).map(drop));
        [Some(cpu), gpu].into_iter().flatten()
    };
    for refused in [Plan::Tree, Plan::Direction, Plan::Norm, Plan::Filter, Plan::Opened] {
        for (model, given) in [(Model::hardmax().window(2), "mask is { window = 2 }"), (near().window(2), "mask is")] {
            for opened in plan(refused, &model) {
                let error = opened.unwrap_err().to_string();
                assert!(error.contains(given) && error.contains("take auto or brute"), "{error}");
            }
        }
        for opened in plan(refused, &Model::hardmax().without_self()) {
            assert!(opened.unwrap_err().to_string().contains("model.self is false"));
        }
    }
    let title = Model::localmax(0.1).unwrap().window(3).causal().without_self().title();
    assert!(title.ends_with(", causal, window 3, without self"), "{title}");
}
