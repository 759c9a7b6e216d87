//! Gains, widths and a truth by token: exact rules keep one hash on every engine that serves them, real rules their
//! bounds, and what is known of a truth holds.

use localmax::choice::Plan;
use localmax::cpu::{ExactCpu, InstructionSet, Options};
use localmax::engine::{Engine, ExactReference, Steps, on_cpu, on_ranks, on_reference};
use localmax::exact::Grid;
use localmax::init::{Cloud, CloudSample};
use localmax::model::{Graph, Model, StripForm};
use localmax::ranks::{Inside, Shared};
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};
use localmax::verify::Verifier;
use std::sync::Arc;
use std::thread;

/// Values spread over a range, neighbours far apart.
fn values(n: usize, least: f64, most: f64) -> Schedule {
    let value = |i: usize| least + (most - least) * (i * 7919 % n) as f64 / n as f64;
    Schedule::tokens((0..n).map(value).collect::<Vec<_>>()).unwrap()
}

/// Tokens that are drawn, tied, or coincide with others but for what they have of their own.
fn clouds(n: usize, d: usize) -> Vec<(&'static str, Tokens)> {
    let draw = |kind| CloudSample::new(kind, n, d).tokens(5, Precision::F64).unwrap();
    let cube = draw(Cloud::Cube);
    let twice: Vec<f64> = (0..n).flat_map(|i| cube.row(i / 3)).collect();
    vec![("drawn", cube), ("tied", draw(Cloud::Ties)), ("coincident", Tokens::from_flat(n, d, twice).unwrap())]
}

/// Localmax, by products and by distance, with every part by token or not.
fn models(n: usize, d: usize) -> Vec<Model> {
    let point = vec![0.3; d];
    let far = vec![2.5; d];
    let krause = |epsilon: Schedule| Model::hegselmann_krause(epsilon).unwrap();
    let edges: Vec<[u32; 2]> = (0..n as u32).flat_map(|i| [1, 5].map(|by| [i, (i + by) % n as u32])).collect();
    vec![
        krause(values(n, 0.0, 1.0)),
        krause(values(n, 0.05, 0.6)).gamma(values(n, 0.2, 1.0)).unwrap().truth(&point, values(n, 0.0, 1.0)).unwrap(),
        krause(0.4.into()).truth(&far, 0.1).unwrap(),
        krause(values(n, 0.0, 1.0)).causal(),
        krause(values(n, 0.2, 1.0)).truth(&point, "0.2/(t+1)").unwrap().window(9),
        krause(values(n, 0.2, 2.0)).truth(&point, 0.5).unwrap().graph(Graph::new(n, &edges).unwrap()),
        Model::localmax(values(n, 0.0, 0.4)).unwrap().alpha(values(n, 0.1, 4.0)).unwrap(),
        Model::localmax(values(n, 0.0, 0.4)).unwrap().strip(StripForm::Width).unwrap().matrix(0.7).unwrap().causal(),
        Model::localmax(0.1).unwrap().truth(&far, values(n, 0.0, 0.5)).unwrap(),
        Model::hardmax().gamma(values(n, 0.1, 0.9)).unwrap(),
    ]
}

/// The lattice of a run from these tokens.
fn grid(model: &Model, tokens: &Tokens, precision: Precision) -> Grid {
    let truth = model.terms.truth.as_ref().map(|truth| Grid::of(&truth.point, precision));
    truth.into_iter().chain([Grid::of(tokens, precision)]).max_by_key(|grid| grid.exponent).unwrap()
}

/// An engine that gave a token its neighbour's width, or merged two that coincide and then part, is another model.
#[test]
fn values_by_token_have_one_hash() {
    let sets: Vec<InstructionSet> = InstructionSet::ALL.into_iter().filter(|set| set.is_available()).collect();
    for d in [1, 2, 3] {
        let n = if d == 1 { 300 } else { 190 };
        for (c, (name, tokens)) in clouds(n, d).into_iter().enumerate() {
            for (m, model) in models(n, d).into_iter().enumerate() {
                let precision = [Precision::F32, Precision::F64][(c + m + d) % 2];
                let grid = grid(&model, &tokens, precision);
                let mut steps = Steps::new(&model, grid, d);
                let mut reference = ExactReference::new(&tokens, grid);
                let mut all: Vec<(String, Box<dyn Engine>)> = Vec::new();
                for (at, &set) in sets.iter().enumerate() {
                    for (p, plan) in [Plan::Brute, Plan::Tree, Plan::Auto].into_iter().enumerate() {
                        let threads = Some((at + p) % 2 + 1);
                        let near = model.scoring == localmax::model::Scoring::Distance;
                        let options = Options { set: Some(set), threads, plan, near, ..Options::default() };
                        let engine = ExactCpu::new(&tokens, grid, options).unwrap();
                        all.push((format!("{} on {}", plan.name(), set.name()), Box::new(engine)));
                    }
                }
                for t in 0..6 {
                    let step = steps.at(t).unwrap();
                    let rows = [0, 3, n - 1];
                    let masks = reference.masks(&step, &rows).unwrap();
                    for (whose, engine) in &mut all {
                        let got = engine.masks(&step, &rows).unwrap();
                        assert_eq!(got, masks, "{}, {name}, d = {d}, {whose}, step {t}", model.title());
                    }
                    let report = reference.step(std::slice::from_ref(&step)).unwrap()[0];
                    let (want, strips) = (reference.tokens().unwrap().hash(), reference.strips().unwrap());
                    for (engine, other) in &mut all {
                        let got = other.step(std::slice::from_ref(&step)).unwrap()[0];
                        let whose = format!("{}, {name}, d = {d}, {engine}, step {t}", model.title());
                        assert_eq!(other.tokens().unwrap().hash(), want, "{whose}");
                        assert_eq!(other.strips().unwrap(), strips, "{whose}");
                        assert_eq!((got.moved, got.strip_total), (report.moved, report.strip_total), "{whose}");
                    }
                }
            }
        }
    }
}

/// Every step within the bounds that are derived for it, in integers and in real numbers.
#[test]
fn steps_keep_their_bounds() {
    let (n, d) = (150, 2);
    let soft = |beta: f64| Model::softmax(beta).unwrap().gamma(values(n, 0.1, 0.9)).unwrap();
    let mut all = models(n, d);
    all.extend([
        soft(3.0).truth(&[0.4, -3.0], values(n, 0.0, 1.0)).unwrap(),
        Model::blurring_mean_shift(0.5).unwrap().truth(&[0.1, 0.1], 0.2).unwrap().omit(1e-3),
        Model::hegselmann_krause(values(n, 0.0, 1.0)).unwrap().values([[0.9, 0.1], [0.0, 1.0]]).unwrap(),
        Model::localmax(values(n, 0.0, 0.4)).unwrap().alpha(values(n, 0.1, 4.0)).unwrap().exclusive(),
    ]);
    for model in all {
        for precision in [Precision::F32, Precision::F64] {
            for (name, tokens) in clouds(n, d) {
                let grid = grid(&model, &tokens, precision);
                let start = if model.is_exact() {
                    grid.snap(&tokens).unwrap()
                } else {
                    model.start(&tokens, precision).unwrap()
                };
                let engines = [
                    on_cpu(Plan::Auto, &model, &start, grid).unwrap(),
                    on_reference(Plan::Auto, &model, &start, grid).unwrap(),
                ];
                for mut engine in engines {
                    let mut verifier = Verifier::new(&model, grid, n, d, Some(40));
                    for t in 0..3 {
                        verifier.step(&mut *engine, t).unwrap();
                    }
                    assert!(verifier.findings.passed(), "{}, {name}: {:?}", model.title(), verifier.findings);
                }
            }
        }
    }
}

/// Ranks that computed a row with another rank's values would part from one process.
#[test]
fn ranks_have_the_bits_of_one() {
    for (d, plan) in [(1, Plan::Auto), (2, Plan::Tree), (2, Plan::Brute)] {
        let n = 300;
        let tokens = CloudSample::new(Cloud::Cube, n, d).tokens(5, Precision::F32).unwrap();
        let mut all = models(n, d);
        all.retain(|model| model.graph.is_none() && (plan != Plan::Tree || model.mask.is_prefix()));
        all.retain(|model| plan != Plan::Tree || model.scoring == localmax::model::Scoring::Distance);
        all.push(Model::softmax(3.0).unwrap().gamma(values(n, 0.1, 0.9)).unwrap().truth(&vec![0.4; d], 0.1).unwrap());
        for model in all {
            let plan = if model.is_exact() { plan } else { Plan::Auto };
            let grid = grid(&model, &tokens, Precision::F32);
            let start = if model.is_exact() { grid.snap(&tokens).unwrap() } else { tokens.clone() };
            let take = |mut engine: Box<dyn Engine>| {
                let mut steps = Steps::new(&model, grid, d);
                let step = |t| engine.step(&[steps.at(t).unwrap()]).unwrap()[0];
                let reports: Vec<_> = (0..4).map(step).map(|report| (report.moved, report.strip_total)).collect();
                (reports, engine.tokens().unwrap().hash())
            };
            let want = take(on_cpu(plan, &model, &start, grid).unwrap());
            let of = &|ranks: Shared| take(on_ranks(&ranks, plan, &model, &start, grid).unwrap());
            let found = thread::scope(|scope| {
                let begun: Vec<_> =
                    Inside::of(3).into_iter().map(|ranks| scope.spawn(move || of(Arc::new(ranks)))).collect();
                begun.into_iter().map(|rank| rank.join().unwrap()).collect::<Vec<_>>()
            });
            assert!(found.iter().all(|found| *found == want), "{}, plan {}", model.title(), plan.name());
        }
    }
}

/// One token under a truth has a closed form, x(t) = τ + (1 − w)^t (x(0) − τ), which the lattice keeps to a unit a
/// step; all who seek the truth, and hear one another, come to it (Hegselmann and Krause 2006), and those who do not
/// seek it come along.
#[test]
fn a_truth_draws_all_who_hear_of_it() {
    let one = Tokens::from_flat(1, 2, vec![1.0, -0.5]).unwrap();
    let model = Model::hegselmann_krause(0.1).unwrap().truth(&[0.25, 0.75], 0.2).unwrap();
    let grid = grid(&model, &one, Precision::F64);
    let mut engine = on_cpu(Plan::Auto, &model, &grid.snap(&one).unwrap(), grid).unwrap();
    let mut steps = Steps::new(&model, grid, 2);
    for t in 0..40 {
        engine.step(&[steps.at(t).unwrap()]).unwrap();
        let left = 0.8f64.powi(t as i32 + 1);
        let now = engine.tokens().unwrap();
        for (k, (from, to)) in [(1.0, 0.25), (-0.5, 0.75)].into_iter().enumerate() {
            let apart = (now.get(0, k) - (to + left * (from - to))).abs();
            assert!(apart < 10.0 * grid.unit(), "step {t}: {apart:e}");
        }
    }
    // Half of 60 opinions seek the truth; the others hear them.
    let (n, tau) = (60, 0.1);
    let tokens = Tokens::from_flat(n, 1, (0..n).map(|i| i as f64 / 59.0).collect::<Vec<_>>()).unwrap();
    let weights: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 0.1 } else { 0.0 }).collect();
    let model = Model::hegselmann_krause(0.2).unwrap().truth(&[tau], Schedule::tokens(weights).unwrap()).unwrap();
    let grid = grid_of(&tokens);
    let mut engine = on_cpu(Plan::Auto, &model, &grid.snap(&tokens).unwrap(), grid).unwrap();
    let mut steps = Steps::new(&model, grid, 1);
    for t in 0..2000 {
        engine.step(&[steps.at(t).unwrap()]).unwrap();
    }
    let end = engine.tokens().unwrap();
    let farthest = (0..n).map(|i| (end.get(i, 0) - tau).abs()).fold(0.0, f64::max);
    assert!(farthest < 1e-5, "{farthest:e}");
}

fn grid_of(tokens: &Tokens) -> Grid {
    Grid::of(tokens, Precision::F32)
}

/// Two closed minds between two open ones: a token with ε = 0 stays, one that hears all takes the mean of all.
#[test]
fn a_token_has_its_own_radius() {
    let tokens = Tokens::from_flat(4, 1, vec![0.0, 1.0, 2.0, 3.0]).unwrap();
    let radii = Schedule::tokens(vec![0.0, 1.0, 5.0, 0.5]).unwrap();
    let model = Model::hegselmann_krause(radii).unwrap();
    let grid = grid_of(&tokens);
    for mut engine in [
        on_cpu(Plan::Auto, &model, &tokens, grid).unwrap(),
        on_cpu(Plan::Tree, &model, &tokens, grid).unwrap(),
        on_reference(Plan::Auto, &model, &tokens, grid).unwrap(),
    ] {
        engine.step(&[Steps::new(&model, grid, 1).at(0).unwrap()]).unwrap();
        let end = engine.tokens().unwrap();
        assert_eq!((0..4).map(|i| end.get(i, 0)).collect::<Vec<_>>(), [0.0, 1.0, 1.5, 3.0]);
        assert_eq!(engine.strips().unwrap().count, [1, 3, 4, 1]);
    }
}
