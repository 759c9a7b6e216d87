//! Attention on the sphere (arXiv 2312.10794, 2410.06833, 2411.04990).

use localmax::error::Error;
use localmax::model::{Geometry, Head, Integrator, Mask, Matrix, Model, Operator, Rule, Scoring, Terms, Update};
use localmax::schedule::Schedule;

use crate::Body;
use crate::factories::{Factory, Random, assert_near, dot, spread};

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("energy_never_falls", energy_rises),
    ("equiangular_tokens_follow_their_equation", equiangular),
    ("a_hemisphere_reaches_consensus", hemisphere),
    ("under_the_causal_mask_all_reach_token_0", causal),
    ("unnormalised_weights_work_at_beta_in_the_thousands", thousands),
    ("an_overflow_is_found_in_its_step", overflow),
];

/// E_β = Σ_ij e^{β<x_i,x_j>} / (2βn²).
pub(crate) fn energy(rows: &[Vec<f64>], beta: f64) -> f64 {
    let sum: f64 = rows.iter().flat_map(|x| rows.iter().map(move |y| (beta * dot(x, y)).exp())).sum();
    sum / (2.0 * beta * (rows.len() * rows.len()) as f64)
}

fn model(rule: Rule, dt: f64, integrator: Integrator) -> Model {
    Model {
        rule,
        heads: vec![Head { scores: Operator::identity(), values: Operator::identity() }],
        mask: Mask::FULL,
        update: Update::Flow { dt, integrator, geometry: Geometry::Sphere },
        scoring: Scoring::Inner,
        omit: 0.0,
        terms: Terms::default(),
        keys: None,
        graph: None,
    }
}

fn softmax(beta: f64) -> Rule {
    Rule::Softmax { beta: Schedule::Constant(beta) }
}

fn exponential(beta: f64, origin: f64) -> Rule {
    Rule::Exponential { beta: Schedule::Constant(beta), origin }
}

/// With Q = K = V = I both flows climb the energy, up to the rounding of the energy itself; USA
/// takes the published step length, divided by sqrt(β)e^{β−1/2}.
fn energy_rises(factory: &Factory) {
    for beta in [0.5, 4.0, 9.0f64] {
        let short = 0.1 / (beta.sqrt() * (beta - 0.5).exp()).max(1.0);
        for (rule, dt) in [(softmax(beta), 0.1), (exponential(beta, 0.0), short), (exponential(beta, 1.0), 0.1)] {
            for integrator in [Integrator::Rk4, Integrator::EulerRenorm, Integrator::Euler] {
                let model = model(rule.clone(), dt, integrator);
                let mut run = factory.run(&model, &Random(3).rows(12, 3));
                let mut before = energy(&run.rows(), beta);
                let start = before;
                // Rounding a token to its width changes the logarithm of the energy by no more than
                // a few times 2β units.
                let rounding = factory.within(1e-13, 8.0 * beta * factory.unit());
                for t in 0..factory.within(200.0, 60.0) as u64 {
                    let after = energy(&run.advance(1).rows(), beta);
                    let fall = (before - after) / before;
                    assert!(fall <= rounding, "β = {beta} {rule:?} {integrator:?}: fell by {fall:e} at step {t}");
                    before = after;
                }
                assert!(before > start, "β = {beta} {rule:?}: the energy did not rise");
                assert!(before <= beta.exp() / (2.0 * beta) * (1.0 + rounding));
            }
        }
    }
}

/// Tokens with one common inner product ρ keep one, and ρ' = 2(1−ρ)((n−1)ρ+1)/(e^{β(1−ρ)}+n−1),
/// solved here on its own.
fn equiangular(factory: &Factory) {
    let (n, beta, start) = (5usize, 2.0, 0.1f64);
    let slope = |rho: f64| {
        let others = n as f64 - 1.0;
        2.0 * (1.0 - rho) * (others * rho + 1.0) / ((beta * (1.0 - rho)).exp() + others)
    };
    // a·e_i + b·1 with |x|² = 1 and <x_i, x_j> = ρ.
    let a = (1.0 - start).sqrt();
    let b = (-a + (a * a + n as f64 * start).sqrt()) / n as f64;
    let cloud: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|k| b + if i == k { a } else { 0.0 }).collect()).collect();
    let model = model(softmax(beta), 0.01, Integrator::Rk4);
    let mut run = factory.run(&model, &cloud);
    let (mut rho, h) = (start, 0.001);
    for _ in 0..8 {
        let rows = run.advance(50).rows();
        for _ in 0..500 {
            let k1 = slope(rho);
            let k2 = slope(rho + 0.5 * h * k1);
            let k3 = slope(rho + 0.5 * h * k2);
            rho += h * (k1 + 2.0 * k2 + 2.0 * k3 + slope(rho + h * k3)) / 6.0;
        }
        for i in 0..n {
            for j in 0..i {
                let got = dot(&rows[i], &rows[j]);
                // Both of order four: steps of 0.01 leave less than 1e-9.
                assert!(
                    (got - rho).abs() < factory.within(1e-9, 2e-5),
                    "t = {}: <x_{i}, x_{j}> = {got}, ρ = {rho}",
                    run.t
                );
            }
        }
    }
    assert!(rho > 0.9);
}

/// Tokens in an open hemisphere meet, exponentially fast.
fn hemisphere(factory: &Factory) {
    for d in [2, 3, 8] {
        let cloud: Vec<Vec<f64>> = Random(5)
            .rows(10, d)
            .into_iter()
            .map(|mut x| {
                x[0] = 0.3 + x[0].abs();
                x
            })
            .collect();
        let model = model(softmax(1.0), 0.1, Integrator::EulerRenorm);
        let mut run = factory.run(&model, &cloud);
        let middle = spread(&run.advance(150).rows());
        let end = spread(&run.advance(150).rows());
        let (small, rounding) = (factory.within(1e-8, 1e-6), factory.within(1e-15, 1e-6));
        assert!(end < small && (end < 0.01 * middle || end < rounding), "d = {d}: spread {middle:e}, then {end:e}");
    }
}

/// ArXiv 2411.04990: with V = I and any Q, K token 0 stays and everybody comes to it.
fn causal(factory: &Factory) {
    for seed in 0..3 {
        let mut random = Random(seed);
        let scores = Matrix::from_query_key(&random.rows(3, 3), &random.rows(3, 3)).expect("a matrix");
        let mut model = model(softmax(2.0), 0.1, Integrator::Rk4);
        model.heads[0].scores = Operator::constant(scores);
        model.mask = Mask::CAUSAL;
        let mut run = factory.run(&model, &random.rows(6, 3));
        let start = run.rows();
        let end = run.advance(800).rows();
        // Retracting every step may move the last bit.
        assert_near("token 0", &end[..1], &start[..1], factory.within(1e-14, 4e-6));
        assert!(spread(&end) < factory.within(1e-6, 4e-6), "seed {seed}: spread {:e}", spread(&end));
    }
}

/// ArXiv 2410.06833: two tokens at the angle φ with β = 4000 obey φ' = −sin φ·e^{β(cos φ − 1)} in
/// the time of origin 1.
fn thousands(factory: &Factory) {
    let (beta, start, dt) = (4000.0, 0.03f64, 0.01);
    let model = model(exponential(beta, 1.0), dt, Integrator::Rk4);
    let mut run = factory.run(&model, &[vec![1.0, 0.0], vec![start.cos(), start.sin()]]);
    // cos φ − 1 without cancellation.
    let slope = |phi: f64| -phi.sin() * (-2.0 * beta * (0.5 * phi).sin().powi(2)).exp();
    let (mut phi, h) = (start, dt / 10.0);
    for _ in 0..5 {
        let rows = run.advance(100).rows();
        for _ in 0..1000 {
            let k1 = slope(phi);
            let k2 = slope(phi + 0.5 * h * k1);
            let k3 = slope(phi + 0.5 * h * k2);
            phi += h * (k1 + 2.0 * k2 + 2.0 * k3 + slope(phi + h * k3)) / 6.0;
        }
        let got = (rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]).atan2(dot(&rows[0], &rows[1]));
        // In f32 β turns the rounding of a score, 2^-24, into 2^-12 of a weight.
        assert!((got - phi).abs() < factory.within(1e-11, 2e-5), "φ = {got}, not {phi}");
    }
    assert!(phi < 0.02);
}

/// The same system from origin 0 needs e^4000: it must stop in the step that makes it, not go on
/// with infinities.
fn overflow(factory: &Factory) {
    let model = model(exponential(4000.0, 0.0), 0.01, Integrator::EulerRenorm);
    let mut run = factory.run(&model, &[vec![1.0, 0.0], vec![0.0, 1.0]]);
    assert!(matches!(run.try_advance(2), Err(Error::NonFinite { step: 0, token: 0, .. })));
}
