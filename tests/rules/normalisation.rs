//! Normalisation schemes on directions (arXiv 2510.22026).

use localmax::model::{Integrator, Model, Scheme};
use localmax::schedule::Schedule;

use crate::Body;
use crate::factories::{Factory, Random, assert_near, distance, dot};

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("equiangular_directions_follow_the_equation_of_their_scheme", equiangular),
    ("post_norm_meets_exponentially_and_pre_norm_by_a_power", rates),
    ("mix_is_post_and_then_pre", mix),
    ("lengths_do_not_turn_directions", lengths),
];

/// n unit vectors in R^n with the inner product ρ each: a·e_i + b·(1, ..., 1).
fn equal_angles(n: usize, rho: f64) -> Vec<Vec<f64>> {
    let a = (1.0 - rho).sqrt();
    let b = (-a + (a * a + n as f64 * rho).sqrt()) / n as f64;
    (0..n).map(|i| (0..n).map(|k| b + if i == k { a } else { 0.0 }).collect()).collect()
}

fn schemes() -> Vec<Scheme> {
    let speed = Schedule::parse("1/(1+t)").expect("a speed");
    vec![Scheme::Pre, Scheme::Peri, Scheme::Ngpt { speed }, Scheme::Cod, Scheme::Mix { switch: 0.5 }]
}

/// 1 − ρ of the directions of two tokens, without cancellation.
fn apart(x: &[f64], y: &[f64]) -> f64 {
    let unit = |x: &[f64]| -> Vec<f64> { x.iter().map(|v| v / dot(x, x).sqrt()).collect() };
    distance(&unit(x), &unit(y)).powi(2) / 2.0
}

/// Slopes of ρ and r: ρ' = (2/s)·e^{βρ}(1−ρ)((n−1)ρ+1)/(e^β+(n−1)e^{βρ}), and r' of the scheme. A token weighs itself by
/// a and each other by b, so that ⟨θ, A⟩ = a + (n−1)bρ and |A|² = a² + 2a(n−1)bρ + b²(n−1)(1 + (n−2)ρ).
fn slopes(scheme: Option<&Scheme>, n: usize, beta: f64, t: f64, [rho, r]: [f64; 2]) -> [f64; 2] {
    let others = n as f64 - 1.0;
    let (own, other) = (beta.exp(), (beta * rho).exp());
    let total = own + others * other;
    let (a, b) = (own / total, other / total);
    let along = a + others * b * rho;
    let size = (a * a + 2.0 * a * others * b * rho + b * b * others * (1.0 + (others - 1.0) * rho)).sqrt();
    let (s, growth) = match scheme {
        Some(Scheme::Pre) => (r, along),
        Some(Scheme::Peri) => (r * size, along / size),
        Some(Scheme::Ngpt { .. }) => (size * (1.0 + t), 0.0),
        Some(Scheme::Cod) => ((t + 1.0).sqrt(), 0.0),
        Some(Scheme::Mix { switch }) if t >= *switch => (r, along),
        _ => (1.0, 0.0),
    };
    [2.0 / s * other * (1.0 - rho) * (others * rho + 1.0) / total, growth]
}

/// Tokens with one common angle keep one, and their ρ and r obey two equations, solved here on their own.
fn equiangular(factory: &Factory) {
    let (n, beta, start, dt) = (5, 2.0, 0.1, 0.01);
    for scheme in schemes() {
        let model = Model::sphere(beta, dt).unwrap().normalisation(scheme.clone()).unwrap();
        let mut run = factory.run(&model.integrator(Integrator::Rk4).unwrap(), &equal_angles(n, start));
        let (mut state, h, mut t) = ([start, 1.0], dt / 10.0, 0.0);
        for _ in 0..4 {
            let rows = run.advance(50).rows();
            for _ in 0..500 {
                // A step that starts before the switch is one of post-norm to its end.
                let held = match scheme {
                    Scheme::Mix { switch } if t + h / 2.0 < switch => t.min(switch - 1e-9),
                    _ => t + 1e-9,
                };
                let at = |ahead: f64, by: [f64; 2], k: f64| {
                    let time = if matches!(scheme, Scheme::Mix { .. }) { held } else { t + ahead };
                    slopes(Some(&scheme), n, beta, time, [state[0] + k * by[0], state[1] + k * by[1]])
                };
                let k1 = at(0.0, [0.0; 2], 0.0);
                let k2 = at(h / 2.0, k1, h / 2.0);
                let k3 = at(h / 2.0, k2, h / 2.0);
                let k4 = at(h, k3, h);
                state = [0, 1].map(|c| state[c] + h * (k1[c] + 2.0 * k2[c] + 2.0 * k3[c] + k4[c]) / 6.0);
                t += h;
            }
            for i in 0..n {
                let r = dot(&rows[i], &rows[i]).sqrt();
                assert!(
                    (r - state[1]).abs() < factory.within(1e-9, 2e-5),
                    "{scheme:?} t = {t}: r = {r}, not {}",
                    state[1]
                );
                for j in 0..i {
                    let rho = 1.0 - apart(&rows[i], &rows[j]);
                    let within = factory.within(1e-9, 2e-5);
                    assert!((rho - state[0]).abs() < within, "{scheme:?} t = {t}: ρ = {rho}, not {}", state[0]);
                }
            }
        }
        assert!(state[0] > 0.4, "{scheme:?}: ρ stayed at {}", state[0]);
    }
}

/// Late in time 1 − ρ falls as e^{−2t} on the sphere and as t^{−2} under pre-norm, where r grows as t: the published
/// difference between the two.
fn rates(factory: &Factory) {
    let run = |scheme: Option<Scheme>, t: [u64; 2]| {
        let model = Model::sphere(1.0, 0.1).unwrap().integrator(Integrator::Rk4).unwrap();
        let model = match scheme {
            Some(scheme) => model.normalisation(scheme).unwrap().integrator(Integrator::Rk4).unwrap(),
            None => model,
        };
        let mut run = factory.run(&model, &equal_angles(4, 0.2));
        t.map(|t| {
            let rows = run.advance(t * 10 - run.t).rows();
            apart(&rows[0], &rows[1])
        })
    };
    let [early, late] = run(None, [3, 5]);
    let rate = (early / late).ln() / 2.0;
    assert!((rate - 2.0).abs() < 0.02, "post: e^(-{rate}t)");
    // (t + c)^{−2} with c of order 1: the slope nears −2 as 1/t.
    let [early, late] = run(Some(Scheme::Pre), [20, 40]);
    let power = (early / late).ln() / 2f64.ln();
    assert!((power - 2.0).abs() < 0.1, "pre: t^(-{power})");
}

/// Before the switch mix is post-norm to the bit, and after it pre-norm from there.
fn mix(factory: &Factory) {
    let cloud = Random(6).rows(12, 3);
    let flow = || Model::sphere(2.0, 0.1).unwrap().integrator(Integrator::Euler).unwrap();
    let at = |scheme: Option<Scheme>, rows: &[Vec<f64>], steps: u64| {
        let model = scheme.map_or_else(flow, |scheme| flow().normalisation(scheme).unwrap());
        factory.run(&model, rows).advance(steps).rows()
    };
    let mixed = |steps| at(Some(Scheme::Mix { switch: 0.45 }), &cloud, steps);
    let middle = at(None, &cloud, 5);
    assert_eq!(mixed(5), middle);
    assert_near("after", &mixed(9), &at(Some(Scheme::Pre), &middle, 4), factory.within(1e-14, 1e-6));
    assert!(mixed(9).iter().any(|x| dot(x, x).sqrt() > 1.2));
}

/// Rows attend with directions: a cloud of other lengths has the same outputs, and what a token moves by does not
/// depend on its own length.
fn lengths(factory: &Factory) {
    let cloud: Vec<Vec<f64>> = Random(8).rows(20, 3);
    let longer: Vec<Vec<f64>> =
        cloud.iter().enumerate().map(|(i, x)| x.iter().map(|v| v * 2f64.powi(i as i32 % 5)).collect()).collect();
    for scheme in [Scheme::Pre, Scheme::Peri] {
        let model = Model::sphere(3.0, 0.25).unwrap().normalisation(scheme.clone()).unwrap();
        let moved = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> {
            let mut run = factory.run(&model, rows);
            let before = run.rows();
            let after = run.advance(1).rows();
            after.iter().zip(&before).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect()
        };
        let (short, long) = (moved(&cloud), moved(&longer));
        assert_near(&format!("{scheme:?}"), &long, &short, factory.within(1e-14, 4e-6));
        if scheme == Scheme::Peri {
            assert!(short.iter().all(|k| (dot(k, k).sqrt() - 0.25).abs() < factory.within(1e-14, 1e-6)));
        }
    }
}
