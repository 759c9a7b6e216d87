//! Scores by distance, on every engine and plan: bounded confidence has one hash, and what is known of it
//! holds; mean shift is what a plain loop makes of it.

use std::sync::OnceLock;

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, InstructionSet, Options};
use localmax::engine::{Engine, ExactReference, RealReference, Steps, on_cpu, on_gpu};
use localmax::exact::Grid;
use localmax::gpu::{Adapter, Device};
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Gain, Model, StripForm};
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

/// Every exact engine but the reference, and every plan of it, on some of the devices.
fn engines(model: &Model, tokens: &Tokens, grid: Grid, gpus: usize) -> Vec<Named> {
    let sets: Vec<InstructionSet> = InstructionSet::ALL.into_iter().filter(|set| set.is_available()).collect();
    let mut all: Vec<Named> = Vec::new();
    for (at, &set) in sets.iter().enumerate() {
        for (p, plan) in [Plan::Brute, Plan::Tree, Plan::Auto].into_iter().enumerate() {
            let (threads, near) = (Some((at + p) % 2 + 1), (at + p) % 3 > 0);
            let options = Options { set: Some(set), threads, plan, near, ..Options::default() };
            let engine = ExactCpu::new(tokens, grid, options).unwrap();
            all.push((format!("cpu, {} on {}", plan.name(), set.name()), Box::new(engine)));
        }
    }
    for device in devices().iter().take(gpus) {
        all.push((
            format!("gpu, {}", device.adapter().name()),
            on_gpu(device, Plan::Auto, model, tokens, grid).unwrap(),
        ));
    }
    all
}

/// Tokens that are drawn, tied, duplicated and mirrored, or one of them far away.
fn clouds(n: usize, d: usize) -> Vec<(&'static str, Tokens)> {
    let draw = |kind| CloudSample::new(kind, n, d).tokens(5, Precision::F64).unwrap();
    let cube = draw(Cloud::Cube);
    let some = |far: f64| {
        let rows = (0..n).flat_map(|i| {
            let row = cube.row(i * 7919 % (n / 4 + 1)).clone();
            let sign = if i % 3 == 0 { -1.0 } else { 1.0 };
            row.into_iter().map(move |x| if i == 1 { far } else { sign * x })
        });
        Tokens::from_flat(n, d, rows.collect::<Vec<_>>()).unwrap()
    };
    vec![
        ("uniform", cube.clone()),
        ("tied", draw(Cloud::Ties)),
        ("clustered", draw(Cloud::Clusters)),
        ("mirrored", some(0.25)),
        ("outlier", some(4096.0)),
    ]
}

/// An engine that puts one token on the other side of a ball's edge is another model.
#[test]
fn bounded_confidence_has_one_hash() {
    let of = |epsilon: f64| Model::hegselmann_krause(epsilon).unwrap();
    let score = |delta: f64| {
        let slow = Model::localmax(delta).unwrap().distances();
        slow.alpha("1 + t/8").unwrap()
    };
    for (c, d) in [1, 2, 3, 18].into_iter().enumerate() {
        for (k, (name, tokens)) in clouds(if d < 3 { 260 } else { 140 }, d).into_iter().enumerate() {
            let wide = (d as f64).sqrt();
            let models = [of(0.4 * wide), of(1.0), score(0.02 * wide), of(0.0).causal(), of(0.5 * wide).causal()];
            for (m, model) in models.into_iter().enumerate().filter(|(m, _)| (m + k + c) % 2 == 0) {
                let grid = Grid::of(&tokens, if (k + m) % 3 == 0 { Precision::F64 } else { Precision::F32 });
                let mut steps = Steps::new(&model, grid, d);
                let mut reference = ExactReference::new(&tokens, grid);
                // A software driver compiles for every d.
                let gpus = usize::from((d == 2 || d == 18) && (name == "tied" || name == "outlier"));
                let mut all = engines(&model, &tokens, grid, gpus);
                for t in 0..5 {
                    let step = steps.at(t).unwrap();
                    let (want_masks, rows) = (reference.masks(&step, &[0, 3, 139]).unwrap(), [0, 3, 139]);
                    for (engine, other) in &mut all {
                        assert_eq!(other.masks(&step, &rows).unwrap(), want_masks, "{name}, d = {d}, {engine}, {t}");
                    }
                    let report = reference.step(std::slice::from_ref(&step)).unwrap()[0];
                    let (want, strips) = (reference.tokens().unwrap().hash(), reference.strips().unwrap());
                    for (engine, other) in &mut all {
                        let got = other.step(std::slice::from_ref(&step)).unwrap()[0];
                        let whose = format!("{name}, d = {d}, model {m}, {engine}, step {t}");
                        assert_eq!(other.tokens().unwrap().hash(), want, "{whose}");
                        assert_eq!(other.strips().unwrap(), strips, "{whose}");
                        assert_eq!((got.moved, got.strip_total), (report.moved, report.strip_total), "{whose}");
                    }
                }
            }
        }
    }
}

/// Larger states go through boxes that are inside balls whole, and through late states of few places.
#[test]
fn large_states_have_one_hash_up_to_rest() {
    for (d, epsilon) in [(1, 0.05), (2, 0.3), (3, 0.6)] {
        let tokens = CloudSample::new(Cloud::Cube, 1500, d).tokens(3, Precision::F32).unwrap();
        let (model, grid) = (Model::hegselmann_krause(epsilon).unwrap(), Grid::of(&tokens, Precision::F32));
        let mut steps = Steps::new(&model, grid, d);
        let mut all = engines(&model, &tokens, grid, usize::from(d == 2));
        for t in 0..60 {
            let step = steps.at(t).unwrap();
            let mut hashes = Vec::new();
            for (name, engine) in &mut all {
                let report = engine.step(std::slice::from_ref(&step)).unwrap()[0];
                hashes.push((engine.tokens().unwrap().hash(), report.strip_total, report.moved, name.clone()));
            }
            for other in &hashes[1..] {
                assert_eq!((other.0, other.1, other.2), (hashes[0].0, hashes[0].1, hashes[0].2), "{}", other.3);
            }
            if hashes[0].2 == 0 {
                assert!(t > 3);
                break;
            }
        }
    }
}

/// Runs to rest on every engine; the step at which nothing moves any more, and the sizes of the clusters.
fn rest(model: &Model, tokens: &Tokens, precision: Precision) -> (u64, Vec<usize>) {
    let grid = Grid::of(tokens, precision);
    let reference: Named = ("reference".into(), Box::new(ExactReference::new(tokens, grid)));
    let gpus = if tokens.n() == 60 { devices().len() } else { 0 };
    rest_on(engines(model, tokens, grid, gpus).into_iter().chain([reference]).collect(), model, tokens, grid)
}

fn rest_on(engines: Vec<Named>, model: &Model, tokens: &Tokens, grid: Grid) -> (u64, Vec<usize>) {
    let mut found: Option<(u64, Vec<usize>)> = None;
    for (name, mut engine) in engines {
        let mut steps = Steps::new(model, grid, tokens.d());
        let step = |t| steps.at(t).unwrap();
        let t = (0..500).map(step).position(|step| engine.step(&[step]).unwrap()[0].moved == 0).expect("rest");
        let end = engine.tokens().unwrap();
        let mut places: Vec<Vec<u64>> =
            (0..end.n()).map(|i| (0..end.d()).map(|k| end.get(i, k).to_bits()).collect()).collect();
        places.sort();
        let mut sizes: Vec<usize> = places.chunk_by(|a, b| a == b).map(<[_]>::len).collect();
        sizes.sort_unstable();
        let here = (t as u64, sizes);
        assert_eq!(*found.get_or_insert_with(|| here.clone()), here, "{name}");
    }
    found.unwrap()
}

/// The GPU's bound on a float square is worth what it says: with floats off by 0.99 of it no bit changes, and
/// with three times as much some do.
#[test]
fn a_filter_as_wrong_as_its_bounds_keeps_the_bits() {
    let Some(device) = devices().first() else { return };
    let model = Model::hegselmann_krause(1.0).unwrap();
    let differs = |share: f32, d: usize, precision: Precision| {
        let tokens = CloudSample::new(Cloud::Ties, 150, d).tokens(8, precision).unwrap();
        let grid = Grid::of(&tokens, precision);
        let step = Steps::new(&model, grid, d).at(0).unwrap();
        let after = |mut engine: Box<dyn Engine>| {
            engine.step(std::slice::from_ref(&step)).unwrap();
            (engine.tokens().unwrap().hash(), engine.strips().unwrap())
        };
        let hostile = device.clone().with_hostile_filter(share);
        let gpu = after(on_gpu(&hostile, Plan::Brute, &model, &tokens, grid).unwrap());
        gpu != after(Box::new(ExactReference::new(&tokens, grid)))
    };
    for (d, precision) in [(2, Precision::F32), (2, Precision::F64), (18, Precision::F32)] {
        assert!(!differs(0.99, d, precision), "d = {d}, {precision:?}");
    }
    assert!(differs(3.0, 2, Precision::F32));
}

/// Opinions 1, 2, ..., n with ε = 1 rest in clusters of 3, and freeze when exact fractions do: of the ties
/// at exactly ε, none is lost to the lattice.
#[test]
fn opinions_in_a_row_rest_in_threes() {
    let model = Model::hegselmann_krause(1.0).unwrap();
    for precision in [Precision::F32, Precision::F64] {
        for (n, frozen) in [(6, 6), (12, 11), (18, 16), (24, 21), (36, 31), (60, 51), (7, 6), (10, 10), (11, 11)] {
            let tokens = Tokens::from_flat(n, 1, (1..=n).map(|i| i as f64).collect::<Vec<_>>()).unwrap();
            let (t, sizes) = rest(&model, &tokens, precision);
            let mut threes = vec![3; 2 * (n / 6)];
            threes.extend((n % 6 > 0).then_some(n % 6));
            threes.sort_unstable();
            assert_eq!((t, sizes), (frozen, threes), "n = {n}");
        }
    }
    // A spacing that floats only come near to: ε is rounded up to whole units of the lattice.
    let model = Model::hegselmann_krause(0.1).unwrap();
    let tokens = Tokens::from_flat(60, 1, (1..=60).map(|i| f64::from(i) / 10.0).collect::<Vec<_>>()).unwrap();
    assert_eq!(rest(&model, &tokens, Precision::F32), (51, vec![3; 20]));
}

/// Opinions spread over [0, 1] end in about 1/(2ε) clusters.
#[test]
fn uniform_opinions_end_in_half_as_many_clusters_as_radii() {
    let n = 2000;
    for (epsilon, least, most) in [(0.02, 18, 25), (0.05, 7, 10), (0.1, 3, 5), (0.3, 1, 1)] {
        let tokens = CloudSample::new(Cloud::Cube, n, 1).tokens(11, Precision::F32).unwrap();
        let rows: Vec<f64> = (0..n).map(|i| 0.5 * (tokens.get(i, 0) + 1.0)).collect();
        let tokens = Tokens::from_flat(n, 1, rows).unwrap();
        let model = Model::hegselmann_krause(epsilon).unwrap();
        let grid = Grid::of(&tokens, Precision::F32);
        let line: Named = ("line".into(), on_cpu(Plan::Auto, &model, &tokens, grid).unwrap());
        let (_, sizes) = rest_on(vec![line], &model, &tokens, grid);
        assert!((least..=most).contains(&sizes.len()), "{} clusters at {epsilon}", sizes.len());
    }
}

/// Blurring mean shift against the textbook's loop; the reference does no more than that.
#[test]
fn mean_shift_is_that_of_a_plain_loop() {
    let tokens = CloudSample::new(Cloud::Clusters, 150, 3).tokens(2, Precision::F64).unwrap();
    let h = 0.7;
    let model = Model::blurring_mean_shift(h).unwrap();
    let grid = Grid::of(&tokens, Precision::F64);
    let mut x: Vec<Vec<f64>> = (0..tokens.n()).map(|i| (0..3).map(|k| tokens.get(i, k)).collect()).collect();
    let reference: Named = ("reference".into(), Box::new(RealReference::new(&tokens)));
    let cpu: Named = ("cpu".into(), on_cpu(Plan::Auto, &model, &tokens, grid).unwrap());
    let mut all = [reference, cpu];
    let mut steps = Steps::new(&model, grid, 3);
    for t in 0..8 {
        let square = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let next = x.iter().map(|a| {
            let w: Vec<f64> = x.iter().map(|b| (-square(a, b) / (2.0 * h * h)).exp()).collect();
            let total: f64 = w.iter().sum();
            (0..3).map(|k| x.iter().zip(&w).map(|(b, w)| w * b[k]).sum::<f64>() / total).collect()
        });
        x = next.collect();
        let step = steps.at(t).unwrap();
        for (name, engine) in &mut all {
            engine.step(std::slice::from_ref(&step)).unwrap();
            let got = engine.tokens().unwrap();
            for (i, row) in x.iter().enumerate() {
                let off = (0..3).map(|k| (got.get(i, k) - row[k]).abs()).fold(0.0, f64::max);
                assert!(off < 1e-13, "{name}: token {i} is off by {off} after step {t}");
            }
        }
    }
}

/// Every step within the bounds that are derived for it, where weights are soft, drawn, and of a strip.
#[test]
fn real_rules_by_distance_keep_their_bounds() {
    let gain = |model: Model| model.distances().gamma(1.0).unwrap();
    let turned = [[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.2, 0.0, 0.8]];
    let (n, d) = (300, 3);
    let models = [
        gain(Model::softmax("3+t").unwrap()),
        gain(Model::softmax(40.0).unwrap()).causal(),
        gain(Model::softmax(9.0).unwrap().omit(1e-3)),
        gain(Model::markov(2.0, 5).unwrap()),
        Model::hegselmann_krause(0.8).unwrap().values(turned).unwrap(),
        gain(Model::localmax(0.2).unwrap()).values(0.5).unwrap().causal(),
    ];
    for model in models {
        for precision in [Precision::F32, Precision::F64] {
            for (name, tokens) in clouds(n, d) {
                let grid = Grid::of(&tokens, precision);
                let start = model.start(&tokens, precision).unwrap();
                let mut all: Vec<Named> = vec![("cpu".into(), on_cpu(Plan::Auto, &model, &start, grid).unwrap())];
                let gpus = usize::from(precision == Precision::F32 && (name == "mirrored" || name == "outlier"));
                for device in devices().iter().take(gpus) {
                    all.push(("gpu".into(), on_gpu(device, Plan::Auto, &model, &start, grid).unwrap()));
                }
                for (whose, mut engine) in all {
                    let mut verifier = Verifier::new(&model, grid, n, d, Some(40));
                    for t in 0..4 {
                        verifier.step(&mut *engine, t).unwrap();
                    }
                    let findings = &verifier.findings;
                    assert!(findings.passed(), "{}, {name}, {whose}: {findings:?}", model.title());
                }
            }
        }
    }
}

/// The exact rules are as near to the mathematics as their bounds say.
#[test]
fn bounded_confidence_keeps_its_bounds() {
    for d in [1, 3] {
        let of_score = Model::localmax(0.045).unwrap().distances().gamma(0.75).unwrap();
        for model in [Model::hegselmann_krause(0.3).unwrap(), of_score] {
            for precision in [Precision::F32, Precision::F64] {
                for (name, tokens) in clouds(200, d) {
                    let grid = Grid::of(&tokens, precision);
                    let snapped = grid.snap(&tokens).unwrap();
                    let mut engine = on_cpu(Plan::Auto, &model, &snapped, grid).unwrap();
                    let mut verifier = Verifier::new(&model, grid, 200, d, None);
                    for t in 0..3 {
                        verifier.step(&mut *engine, t).unwrap();
                    }
                    let findings = &verifier.findings;
                    assert!(findings.passed(), "{}, {name}: {findings:?}", model.title());
                }
            }
        }
    }
}

/// A combination that means nothing is named with its key, before the first step.
#[test]
fn what_does_not_go_with_distances_is_named() {
    let refused = |model: Model, d: usize, wanted: &str| {
        let error = model.validate(d, 1).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error:?} lacks {wanted:?}");
    };
    let near = || Model::localmax(0.1).unwrap().distances();
    refused(
        Model::hardmax().distances(),
        2,
        "model.scores is distance but under hardmax a token would follow only itself",
    );
    refused(Model::frank_wolfe(1.0).unwrap().distances(), 2, "model.scores is distance but under frank-wolfe");
    refused(Model::sphere(1.0, 0.1).unwrap().distances(), 2, "on a sphere inner products give the same weights");
    refused(Model::rescaled(1.0, 0.1).unwrap().distances(), 2, "model.scores is distance but rule rescaled");
    refused(near().matrix(2.0).unwrap(), 2, "model.a is given beside scores");
    refused(near().strip(StripForm::Width).unwrap(), 2, "model.strip is width");
    refused(near(), 5000, "model.scores is distance and d = 5000; distances have at most d = 4096");
    refused(Model::localmax(0.1).unwrap().strip(StripForm::Radius).unwrap(), 2, "model.epsilon is a distance");
    let one = |model: Model| model.gamma(1.0).unwrap();
    refused(one(Model::localmax(0.1).unwrap()), 2, "model.gamma is 1 at step 0; it must be above 0 and below 1");
    assert!(
        one(near()).validate(2, 1).is_ok() && one(Model::markov(1.0, 1).unwrap().distances()).validate(2, 1).is_ok()
    );
    let negative = Model::hegselmann_krause("1-t").unwrap().validate(2, 3).unwrap_err().to_string();
    assert!(negative.contains("model.epsilon is -1 at step 2"), "{negative}");
    let falling = Model::hegselmann_krause(1.0).unwrap();
    assert_eq!(falling.title(), "Localmax by distance, ε = 1.0, γ = 1.0");
    assert!(matches!(near().update, localmax::model::Update::Average { gain: Gain::Alpha(Schedule::Constant(_)), .. }));
}
