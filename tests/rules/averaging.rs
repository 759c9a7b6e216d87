//! The averaging rules where they run on real numbers: softmax averaging, values, and what the mask
//! does to every rule.

use localmax::model::{Gain, Head, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::schedule::Schedule;

use crate::Body;
use crate::factories::{Factory, Random, assert_near, distance, spread, vertex};

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("softmax_has_its_closed_form", closed_form),
    ("softmax_at_a_high_beta_is_hardmax", high_beta),
    ("softmax_collects_tokens_in_the_published_times", collection_times),
    ("softmax_with_a_small_gain_reaches_consensus", consensus),
    ("softmax_leaves_out_no_more_than_it_may", omission),
    ("the_two_arithmetics_agree", two_arithmetics),
    ("values_are_averaged_in_place_of_tokens", values),
    ("no_rule_sees_a_later_token_under_the_causal_mask", causal),
];

fn softmax(beta: f64, gamma: f64) -> Model {
    let rule = Rule::Softmax { beta: Schedule::Constant(beta) };
    Model::averaging(rule, Operator::identity(), Mask::FULL, Gain::Gamma(Schedule::Constant(gamma)))
}

/// Two tokens on a line by hand: x = 1, y = −1, so x sees e^β and e^{−β}.
fn closed_form(factory: &Factory) {
    let (beta, gamma) = (0.7f64, 0.4);
    let x = 1.0 + gamma * ((beta.exp() - (-beta).exp()) / (beta.exp() + (-beta).exp()) - 1.0);
    let model = softmax(beta, gamma);
    assert_near(
        "one step",
        &factory.run(&model, &[vec![1.0], vec![-1.0]]).advance(1).rows(),
        &[vec![x], vec![-x]],
        8.0 * factory.unit(),
    );
}

/// Hardmax is the limit. With gaps g of the scores the rest weighs less than n·e^{−βg}, below
/// 1e-300 here; scores of 10^4·10^4 must not overflow.
fn high_beta(factory: &Factory) {
    for scale in [1.0, 100.0] {
        let cloud: Vec<Vec<f64>> =
            Random(4).rows(30, 3).iter().map(|x| x.iter().map(|v| scale * v).collect()).collect();
        let gain = Gain::Gamma(Schedule::Constant(0.25));
        let soft = softmax(1e7, 0.25);
        let hard = Model::averaging(Rule::Hardmax, Operator::identity(), Mask::FULL, gain);
        let (soft, hard) = (factory.run(&soft, &cloud).advance(3).rows(), factory.run(&hard, &cloud).advance(3).rows());
        assert_near("three steps", &soft, &hard, 64.0 * factory.unit() * scale);
    }
}

/// With a share ω of the mass left out a mean moves by no more than 2ωR: a larger error would be
/// one that nobody stated. At a high β an engine that has boxes must leave something out, or the
/// option does nothing.
fn omission(factory: &Factory) {
    for (seed, d) in [(1, 1), (2, 2), (3, 3), (4, 7)] {
        let mut cloud = Random(seed).rows(900, d);
        cloud.extend_from_within(..150); // coincident tokens
        cloud.extend(
            Random(seed + 9).rows(150, d).iter().map(|x| x.iter().map(|v| 3.0 + 1e-3 * v).collect::<Vec<f64>>()),
        );
        let radius = cloud.iter().map(|x| 2.0 * distance(x, &vec![0.0; d])).fold(0.0, f64::max);
        for beta in [0.0, 1.0, 40.0] {
            let whole = softmax(beta, 0.5);
            let all = factory.run(&whole, &cloud).advance(1).rows();
            for omit in [1e-2, 1e-6] {
                let model = Model { omit, ..whole.clone() };
                let mut run = factory.run(&model, &cloud);
                let rows = run.advance(1).rows();
                let tolerance = 0.5 * 2.0 * omit * radius + 256.0 * factory.unit() * radius * (1.0 + beta * radius);
                assert_near(&format!("d = {d}, beta = {beta}, omit = {omit}"), &rows, &all, tolerance);
                if let Some(effort) = run.engine.effort() {
                    let scored = effort.keys_a_row / cloud.len() as f64;
                    assert!(if beta == 0.0 { scored == 1.0 } else { scored <= 1.0 }, "{scored} of the keys");
                    assert!(beta < 40.0 || d > 3 || scored < 0.9, "d = {d}: {scored} of the keys at beta = {beta}");
                }
            }
        }
    }
}

/// F7: T1 = 31, 20, 19, 19 steps for a token 0.35 inside a vertex of the regular kappa-gon to come
/// within 0.05 of it, and never at β = 8 (published; γ = 0.1, κ = 3 to 5). That each vertex has one
/// such token is our reading.
fn collection_times(factory: &Factory) {
    for kappa in 3..=5 {
        let vertices: Vec<Vec<f64>> = (0..kappa).map(|k| vertex(k, kappa)).collect();
        let mut cloud = vertices.clone();
        cloud.extend(vertices.iter().map(|v| v.iter().map(|x| 0.65 * x).collect::<Vec<f64>>()));
        let time = |beta: f64, limit: u64| {
            let model = softmax(beta, 0.1);
            let mut run = factory.run(&model, &cloud);
            (1..=limit).find(|_| distance(&run.advance(1).rows()[kappa], &vertices[0]) <= 0.05)
        };
        let times = [8.0, 16.0, 32.0, 64.0, 128.0].map(|beta| time(beta, 2000));
        assert_eq!(times, [None, Some(31), Some(20), Some(19), Some(19)], "kappa = {kappa}");
    }
}

/// F7: for a small gain all tokens meet in one point of the initial hull.
fn consensus(factory: &Factory) {
    let model = softmax(1.0, 0.05);
    let cloud = Random(6).rows(12, 2);
    let rows = factory.run(&model, &cloud).advance(2000).rows();
    assert!(spread(&rows) < factory.within(1e-9, 2e-6), "spread {:e}", spread(&rows));
    for k in 0..2 {
        let (low, high) =
            (cloud.iter().map(|x| x[k]).fold(f64::MAX, f64::min), cloud.iter().map(|x| x[k]).fold(f64::MIN, f64::max));
        assert!(rows.iter().all(|x| low <= x[k] && x[k] <= high));
    }
}

/// A rule of the contract with its tokens named as values runs on real numbers: both must be the
/// same system. A generic cloud with margins far above rounding, an asymmetric A = KᵀQ, three
/// strips, both masks.
fn two_arithmetics(factory: &Factory) {
    let matrix = Matrix::from_query_key(&Random(1).rows(2, 3), &Random(2).rows(2, 3)).expect("a matrix");
    let strips = StripForm::OF_PRODUCTS.map(|(strip, _)| Rule::Localmax { delta: Schedule::Constant(0.1), strip });
    for rule in strips.into_iter().chain([Rule::Hardmax, Rule::FrankWolfe]) {
        for mask in [Mask::FULL, Mask::CAUSAL] {
            let gain = Gain::Alpha(Schedule::Constant(0.5));
            let exact = Model::averaging(rule.clone(), Operator::constant(matrix.clone()), mask, gain);
            let mut real = exact.clone();
            real.heads[0].values = Operator::constant(Matrix::Multiple(1.0));
            assert!(exact.is_exact() && !real.is_exact());
            let cloud = Random(3).rows(25, 3);
            let (mut exact, mut real) = (factory.run(&exact, &cloud), factory.run(&real, &cloud));
            for t in 0..5 {
                assert_eq!(exact.masks(), real.masks(), "{} step {t}", rule.name());
                assert_near(rule.name(), &exact.advance(1).rows(), &real.advance(1).rows(), 64.0 * factory.unit());
            }
        }
    }
}

/// Values by hand, in one head and in two; with V = 2I the tokens leave their hull, which the
/// lattice could not hold.
fn values(factory: &Factory) {
    let gain = Gain::Gamma(Schedule::Constant(0.25));
    let mut model = Model::averaging(Rule::Hardmax, Operator::identity(), Mask::FULL, gain);
    let turn = Matrix::dense(&[vec![0.0, -1.0], vec![1.0, 0.0]]).expect("a matrix");
    model.heads[0].values = Operator::constant(Matrix::Multiple(2.0));
    let cloud = [vec![2.0, 0.0], vec![1.0, 0.0]];
    let one = factory.run(&model, &cloud).advance(1).rows();
    assert_near("V = 2I", &one, &[vec![2.5, 0.0], vec![1.75, 0.0]], 8.0 * factory.unit());
    model.heads.push(Head { scores: Operator::constant(Matrix::Multiple(-1.0)), values: Operator::constant(turn) });
    let two = factory.run(&model, &cloud).advance(1).rows();
    // The second head looks for the least score, which is token 1, and turns it to (0, 1).
    assert_near("two heads", &two, &[vec![2.5, 0.25], vec![1.75, 0.25]], 8.0 * factory.unit());
}

/// If a later token could be felt, the mask would leak: a prefix of the cloud runs as if it were
/// alone, bit for bit.
fn causal(factory: &Factory) {
    let beta = || Schedule::Constant(3.0);
    let rules = [
        Rule::Localmax { delta: Schedule::Constant(0.3), strip: StripForm::Width },
        Rule::Hardmax,
        Rule::FrankWolfe,
        Rule::Softmax { beta: beta() },
        Rule::Markov { beta: beta(), seed: 4 },
    ];
    for rule in rules {
        let gain = Gain::Alpha(Schedule::Constant(1.0));
        let model = Model::averaging(rule, Operator::identity(), Mask::CAUSAL, gain);
        let mut cloud = Random(7).rows(20, 3);
        cloud[0][0] = 1.0; // the same lattice for the prefix
        let all = factory.run(&model, &cloud).advance(8).rows();
        let first = factory.run(&model, &cloud[..9]).advance(8).rows();
        assert_eq!(all[..9], first[..], "{}", model.name());
        assert_eq!(all[0], factory.run(&model, &cloud).rows()[0], "{}: token 0 sees itself alone", model.name());
    }
}
