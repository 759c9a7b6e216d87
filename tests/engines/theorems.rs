//! What is proved of the systems (arXiv 2509.15958, 2407.01602), with the slack that the lattice
//! leaves.

use localmax::engine::Engine;
use localmax::exact::Grid;
use localmax::model::{Mask, StripForm};
use localmax::tokens::{Precision, Tokens};

use crate::Body;
use crate::cases::{Case, Form, Random, Shape, System};
use crate::factories::Factory;

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("bounding_box_is_nested", bounding_box),
    ("support_function_hardly_rises", support_function),
    ("coincident_tokens_stay_coincident", coincident),
    ("a_token_alone_in_its_strip_does_not_move", alone),
    ("permuting_tokens_permutes_the_result", permutation),
    ("a_zero_token_attends_to_all", zero_token),
    ("a_strip_wider_than_the_cloud_conserves_the_mean", everything),
    ("a_quiescent_group_contracts_at_the_rate", quiescent),
    ("a_quiescent_group_falls_straight_over_13_decades", thirteen_decades),
    ("hardmax_is_localmax_at_zero_sensitivity", hardmax),
    ("a_follower_reaches_its_fixed_leader", follower),
    ("causal_rows_do_not_see_later_tokens", causal),
];

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::F64];
const DELTAS: [Option<f64>; 3] = [None, Some(0.05), Some(0.5)];

/// A cloud under a few systems with A = I, at both precisions.
fn for_each_system(steps: u64, mut body: impl FnMut(&Case)) {
    for precision in PRECISIONS {
        for (k, delta) in DELTAS.into_iter().enumerate() {
            let system = System { delta, strip: StripForm::OF_PRODUCTS[k].0, ..System::PLAIN };
            for (shape, d) in [(Shape::Random, 2), (Shape::Clustered, 5), (Shape::Tied, 3)] {
                body(&Case::new(shape, 80, d, precision, system, steps));
            }
        }
    }
}

/// The state in lattice units.
fn lattice(engine: &mut dyn Engine, grid: Grid) -> Vec<i64> {
    grid.coordinates(&engine.tokens().expect("tokens"))
}

fn rows(coordinates: &[i64], d: usize) -> std::slice::ChunksExact<'_, i64> {
    coordinates.chunks_exact(d)
}

/// If the box grew, coordinates could overflow.
fn bounding_box(factory: &Factory) {
    for_each_system(25, |case| {
        let d = case.tokens.d();
        let mut engine = factory.engine(&case.tokens, case.grid);
        let bounds = |state: &[i64]| -> Vec<(i64, i64)> {
            let of = |k| rows(state, d).map(move |r| r[k]);
            (0..d).map(|k| (of(k).min().unwrap_or(0), of(k).max().unwrap_or(0))).collect()
        };
        let mut before = bounds(&lattice(engine.as_mut(), case.grid));
        for step in &case.steps {
            engine.step(std::slice::from_ref(step)).expect("a step");
            let after = bounds(&lattice(engine.as_mut(), case.grid));
            for (b, a) in before.iter().zip(&after) {
                assert!(b.0 <= a.0 && a.1 <= b.1, "{}: {b:?} became {a:?} at step {}", case.name, step.t());
            }
            before = after;
        }
    });
}

/// Hulls are nested. The lattice lets a support function rise by the rounding of one step: y is off
/// by at most half a unit a coordinate and the step by at most one, so 1.5·|u|_1 at the very most.
fn support_function(factory: &Factory) {
    for_each_system(25, |case| {
        let d = case.tokens.d();
        let mut random = Random(3);
        let directions: Vec<Vec<f64>> = (0..64).map(|_| random.vector(d)).collect();
        let support = |state: &[i64]| -> Vec<f64> {
            let along = |u: &Vec<f64>| {
                rows(state, d).map(|r| r.iter().zip(u).map(|(&x, v)| x as f64 * v).sum()).fold(f64::MIN, f64::max)
            };
            directions.iter().map(along).collect()
        };
        let mut engine = factory.engine(&case.tokens, case.grid);
        let mut before = support(&lattice(engine.as_mut(), case.grid));
        for step in &case.steps {
            engine.step(std::slice::from_ref(step)).expect("a step");
            let after = support(&lattice(engine.as_mut(), case.grid));
            for ((b, a), u) in before.iter().zip(&after).zip(&directions) {
                let slack = 1.5 * u.iter().map(|v| v.abs()).sum::<f64>() + b.abs() * 1e-15 * d as f64;
                assert!(a - b <= slack, "{}: rose by {} at step {}", case.name, a - b, step.t());
            }
            before = after;
        }
    });
}

/// If coincident tokens could part, merged runs would differ from unmerged ones.
fn coincident(factory: &Factory) {
    for (form, delta) in [(Form::Identity, None), (Form::General, Some(0.1)), (Form::Symmetric, Some(0.5))] {
        for precision in PRECISIONS {
            let system = System { delta, form, ..System::PLAIN };
            let case = Case::new(Shape::Duplicated, 70, 3, precision, system, 20);
            let mut engine = factory.engine(&case.tokens, case.grid);
            let start = lattice(engine.as_mut(), case.grid);
            engine.step(&case.steps).expect("steps");
            let end = lattice(engine.as_mut(), case.grid);
            for i in 0..70 {
                for j in 0..i {
                    if start[3 * i..][..3] == start[3 * j..][..3] {
                        assert_eq!(end[3 * i..][..3], end[3 * j..][..3], "{}: tokens {i} and {j}", case.name);
                    }
                }
            }
        }
    }
}

/// Leaders are stationary.
fn alone(factory: &Factory) {
    let mut seen = 0;
    for_each_system(10, |case| {
        let d = case.tokens.d();
        let mut engine = factory.engine(&case.tokens, case.grid);
        for step in &case.steps {
            let before = lattice(engine.as_mut(), case.grid);
            let masks = engine.masks(step, &(0..case.tokens.n()).collect::<Vec<_>>()).expect("masks");
            engine.step(std::slice::from_ref(step)).expect("a step");
            let after = lattice(engine.as_mut(), case.grid);
            for (i, mask) in masks.iter().enumerate() {
                if *mask == [i as u32] {
                    seen += 1;
                    assert_eq!(before[i * d..][..d], after[i * d..][..d], "{}: token {i}", case.name);
                }
            }
        }
    });
    assert!(seen > 100, "only {seen} lone tokens seen");
}

/// If the order of tokens mattered, a result would depend on how a file was written.
fn permutation(factory: &Factory) {
    for_each_system(12, |case| {
        let (n, d) = (case.tokens.n(), case.tokens.d());
        let order: Vec<usize> = (0..n).map(|i| (i * 37 + 11) % n).collect();
        let shuffled: Vec<f64> = order.iter().flat_map(|&i| case.tokens.row(i)).collect();
        let shuffled = Tokens::from_flat(n, d, shuffled).expect("the same shape");
        let (mut a, mut b) = (factory.engine(&case.tokens, case.grid), factory.engine(&shuffled, case.grid));
        let (ra, rb) = (a.step(&case.steps).expect("steps"), b.step(&case.steps).expect("steps"));
        let (a, b) = (lattice(a.as_mut(), case.grid), lattice(b.as_mut(), case.grid));
        for (k, &i) in order.iter().enumerate() {
            assert_eq!(a[i * d..][..d], b[k * d..][..d], "{}: token {i}", case.name);
        }
        assert!(ra.iter().zip(&rb).all(|(x, y)| x.strip_total == y.strip_total && x.moved == y.moved));
    });
}

/// Every score of x = 0 is 0, so its strip is everything, in every form and in hardmax.
fn zero_token(factory: &Factory) {
    for precision in PRECISIONS {
        for (form, _) in StripForm::OF_PRODUCTS {
            for delta in DELTAS {
                let mut rows = Shape::Random.cloud(70, 3, 5).to_f64();
                rows[3 * 66..3 * 67].fill(0.0);
                let tokens = Tokens::from_flat(70, 3, rows).expect("finite");
                let grid = Grid::of(&tokens, precision);
                let step = &System { delta, strip: form, ..System::PLAIN }.steps(grid, 3, 1)[0];
                let masks = factory.engine(&tokens, grid).masks(step, &[66]).expect("masks");
                assert_eq!(masks[0], (0..70).collect::<Vec<u32>>(), "{form:?} {delta:?} {precision:?}");
            }
        }
    }
}

/// Delta at least the diameter makes every strip everything; all tokens meet at the mean, which is
/// conserved up to rounding. Nothing draws it back, so roundings add up: while tokens move, a step
/// rounds the mean (γ/2 of a unit reaches the tokens) and each move. At γ = 1/2 a move is rounded to
/// nearest even where it is raised to one unit (|T| = 1), which is half a unit, and the gain is off
/// by 2^-(K+1) for up to 2^(b+1) units, less than 2^-6.
fn everything(factory: &Factory) {
    for precision in PRECISIONS {
        let system = System { delta: Some(1e6), strip: StripForm::Score, alpha: 1.0, ..System::PLAIN };
        let case = Case::new(Shape::Random, 97, 3, precision, system, 80);
        let mut engine = factory.engine(&case.tokens, case.grid);
        let mean = |state: &[i64], k: usize| rows(state, 3).map(|r| i128::from(r[k])).sum::<i128>() as f64 / 97.0;
        let start = lattice(engine.as_mut(), case.grid);
        let reports = engine.step(&case.steps).expect("steps");
        let end = lattice(engine.as_mut(), case.grid);
        assert!(reports.iter().all(|r| r.strip_min == 97 && r.strip_max == 97), "{precision:?}");
        for k in 0..3 {
            assert!(rows(&end, 3).all(|r| r[k] == end[k]), "{precision:?}: not merged");
            let drift = (mean(&start, k) - end[k] as f64).abs();
            let moving = reports.iter().filter(|r| r.moved > 0).count() as f64;
            let bound = moving * (0.25 + 0.5 + 1.0 / 64.0);
            assert!(moving < 80.0 && drift <= bound, "{precision:?}: the mean drifted {drift} units in {moving} steps");
        }
    }
}

/// Tokens with identical masks contract to their mean at the rate 1/(1+alpha) exactly, up to one
/// unit of rounding a step and the drift of the rounded mean.
fn quiescent(factory: &Factory) {
    let mut pairs = 0;
    for precision in PRECISIONS {
        for alpha in [0.5, 1.0, 3.0] {
            let system = System { delta: Some(0.3), alpha, ..System::PLAIN };
            let case = Case::new(Shape::Random, 60, 2, precision, system, 12);
            let mut engine = factory.engine(&case.tokens, case.grid);
            for step in &case.steps {
                let before = lattice(engine.as_mut(), case.grid);
                let masks = engine.masks(step, &(0..60).collect::<Vec<_>>()).expect("masks");
                engine.step(std::slice::from_ref(step)).expect("a step");
                let after = lattice(engine.as_mut(), case.grid);
                for i in 0..60 {
                    for j in (0..i).filter(|&j| masks[i] == masks[j]) {
                        pairs += 1;
                        for k in 0..2 {
                            let old = (before[2 * i + k] - before[2 * j + k]) as f64;
                            let new = (after[2 * i + k] - after[2 * j + k]) as f64;
                            // Two roundings of a step: to nearest, or up to one unit at the end of
                            // the way.
                            let slack = 2.0 + old.abs() * 1e-9;
                            let error = (new - old / (1.0 + alpha)).abs();
                            assert!(error <= slack, "{}: pair {i}, {j} off by {error} at step {}", case.name, step.t());
                        }
                    }
                }
            }
        }
    }
    assert!(pairs > 100, "only {pairs} pairs with a common strip seen");
}

/// Theorem 4.1 of arXiv 2509.15958, as far as 53 bits reach: the distance of two tokens of one
/// quiescent group falls by 1/(1+α) a step, to a few units of the lattice at every step, over 13
/// decades; and the rate fitted to that, each sample weighted by what rounding does to it, is
/// 1/(1+α) to 1e-9.
fn thirteen_decades(factory: &Factory) {
    let around = [[0.07, 0.0], [-0.03, 0.04], [0.0, -0.06], [0.02, 0.02]];
    let group = around.iter().flat_map(|[x, y]| [1.0 + x, 0.1 + y]);
    let tokens = Tokens::from_flat(5, 2, group.chain([-1.0, -0.4]).collect::<Vec<f64>>()).expect("finite");
    let grid = Grid::of(&tokens, Precision::F64);
    for alpha in [0.1, 0.5, 1.0, 3.0] {
        let steps = System { delta: Some(0.3), alpha, ..System::PLAIN }.steps(grid, 2, 330);
        let mut engine = factory.engine(&tokens, grid);
        let distance = |engine: &mut dyn Engine| {
            let x = lattice(engine, grid);
            ((x[0] - x[2]) as f64).hypot((x[1] - x[3]) as f64)
        };
        let (start, rate) = (distance(engine.as_mut()), 1.0 / (1.0 + alpha));
        // A step rounds each of four coordinates, to the nearest or, at the end of the way, by one
        // unit; what earlier steps rounded fades with the rate.
        let noise = 2.0 * 2f64.sqrt() / (1.0 - rate);
        let (mut total, mut steepness) = (0.0, 0.0);
        let mut y = start;
        for (t, step) in (1i32..).zip(&steps) {
            engine.step(std::slice::from_ref(step)).expect("a step");
            y = distance(engine.as_mut());
            assert!((y - start * rate.powi(t)).abs() <= noise, "alpha {alpha}: {y} units at step {t}");
            if y < start * 1e-13 {
                break;
            }
            let weight = (f64::from(t) * y).powi(2);
            total += weight;
            steepness += weight * (y / start).ln() / f64::from(t);
        }
        assert!(y < start * 1e-13, "alpha {alpha}: {y} of {start} units are left");
        let fitted = (steepness / total).exp();
        assert!((fitted - rate).abs() <= 1e-9, "alpha {alpha}: rate {fitted}");
    }
}

/// Delta = 0 is hardmax, ties and all.
fn hardmax(factory: &Factory) {
    for precision in PRECISIONS {
        for shape in Shape::ALL {
            let of = |delta| Case::new(shape, 66, 3, precision, System { delta, ..System::PLAIN }, 15);
            let end = |case: &Case| {
                let mut engine = factory.engine(&case.tokens, case.grid);
                engine.step(&case.steps).expect("steps");
                engine.tokens().expect("tokens").hash()
            };
            assert_eq!(end(&of(None)), end(&of(Some(0.0))), "{shape:?} {precision:?}");
        }
    }
}

/// ArXiv 2407.01602, (ii): a leader keeps its place and a follower of it arrives, here in finite
/// time and exactly.
fn follower(factory: &Factory) {
    for precision in PRECISIONS {
        let tokens = Tokens::from_flat(3, 2, vec![1.0, 0.1, 0.3, 0.2, -1.0, -0.4]).expect("finite");
        let grid = Grid::of(&tokens, precision);
        let steps = System { delta: None, ..System::PLAIN }.steps(grid, 2, 140);
        let mut engine = factory.engine(&tokens, grid);
        let start = lattice(engine.as_mut(), grid);
        let reports = engine.step(&steps).expect("steps");
        let end = lattice(engine.as_mut(), grid);
        assert_eq!((&end[0..2], &end[2..4], &end[4..6]), (&start[0..2], &start[0..2], &start[4..6]), "{precision:?}");
        assert_eq!(reports.last().map(|r| r.moved), Some(0), "{precision:?}");
    }
}

/// If a later token could be felt, the causal mask would leak.
fn causal(factory: &Factory) {
    for precision in PRECISIONS {
        let system = System { mask: Mask::CAUSAL, delta: Some(0.4), ..System::PLAIN };
        let case = Case::new(Shape::Random, 150, 3, precision, system, 10);
        let prefix = Tokens::from_flat(70, 3, case.tokens.to_f64()[..210].to_vec()).expect("a prefix");
        let (mut all, mut first) = (factory.engine(&case.tokens, case.grid), factory.engine(&prefix, case.grid));
        all.step(&case.steps).expect("steps");
        first.step(&case.steps).expect("steps");
        let (all, first) = (lattice(all.as_mut(), case.grid), lattice(first.as_mut(), case.grid));
        assert_eq!(all[..210], first[..], "{precision:?}");
        assert_eq!(all[..3], case.grid.coordinates(&case.tokens)[..3], "{precision:?}: token 0 sees itself alone");
    }
}
