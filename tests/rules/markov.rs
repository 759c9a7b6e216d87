//! SA_P of arXiv 2508.09628: one key drawn by softmax.

use localmax::model::{Gain, Mask, Model, Operator, Rule};
use localmax::schedule::Schedule;

use crate::Body;
use crate::factories::{Factory, vertex};

pub(crate) const BODIES: &[(&str, Body)] =
    &[("escapes_from_a_polygon_are_geometric", escapes), ("a_token_moves_towards_the_key_it_drew", moves)];

fn model(beta: f64, gamma: f64, seed: u64) -> Model {
    let rule = Rule::Markov { beta: Schedule::Constant(beta), seed };
    Model::averaging(rule, Operator::identity(), Mask::FULL, Gain::Gamma(Schedule::Constant(gamma)))
}

/// F8's exact case: tokens on the vertices of a triangle leave with p = q/(1+q), q = 2e^{−3β/2}, a
/// step, and the medians are the published 2, 8, 32, 141. A gain of 1e-12 (1e-6 in f32) keeps the
/// polygon while it is being left. All counts are binomial: five standard deviations.
fn escapes(factory: &Factory) {
    for (beta, median) in [(1.0, 2u64), (2.0, 8), (3.0, 32), (4.0, 141)] {
        let triangle: Vec<Vec<f64>> = (0..3).map(|k| vertex(k, 3)).collect();
        let mut times = Vec::new();
        // A step of a few tokens takes a GPU a thousand times as long.
        for seed in 0..factory.within(150.0, 6.0) as u64 {
            let model = model(beta, factory.within(1e-12, 1e-6), seed);
            let mut run = factory.run(&model, &triangle);
            let mut escaped = [None; 3];
            while escaped.iter().any(Option::is_none) {
                let before = run.rows();
                let after = run.advance(1).rows();
                for i in 0..3 {
                    if escaped[i].is_none() && before[i] != after[i] {
                        escaped[i] = Some(run.t);
                    }
                }
            }
            times.extend(escaped.into_iter().flatten());
        }
        let count = times.len() as f64;
        let q = 2.0 * (-1.5f64 * beta).exp();
        let p = q / (1.0 + q);
        // Escapes in as many trials as were made: the mean time is 1/p within
        // 5·sqrt(1−p)/p/sqrt(count).
        let mean = times.iter().sum::<u64>() as f64 / count;
        assert!(
            (mean * p - 1.0).abs() <= 5.0 * ((1.0 - p) / count).sqrt(),
            "β = {beta}: mean {mean}, 1/p = {}",
            1.0 / p
        );
        // A median m: at least half of the probability at or below it, at most half strictly below.
        let below = times.iter().filter(|&&t| t < median).count() as f64;
        let through = times.iter().filter(|&&t| t <= median).count() as f64;
        let error = 2.5 * count.sqrt();
        assert!(below <= count / 2.0 + error && through >= count / 2.0 - error, "β = {beta}: {below}, {through}");
    }
}

/// Every token lands on the segment to the key that the mask names, and a resumed draw is the same
/// draw.
fn moves(factory: &Factory) {
    let model = model(1.0, 0.25, 9);
    let cloud: Vec<Vec<f64>> = (0..6).map(|k| vertex(k, 6)).collect();
    let mut run = factory.run(&model, &cloud);
    let mut others = 0;
    for _ in 0..5 {
        let (before, masks) = (run.rows(), run.masks());
        let after = run.advance(1).rows();
        for i in 0..6 {
            let [key] = masks[i][..] else { panic!("token {i} drew {:?}", masks[i]) };
            others += usize::from(key != i as u32);
            for k in 0..2 {
                let want = before[i][k] + 0.25 * (before[key as usize][k] - before[i][k]);
                assert!((after[i][k] - want).abs() <= 4.0 * factory.unit(), "token {i}");
            }
        }
    }
    assert!(others > 5, "only {others} draws of another key");
}
