//! A perceptron beside attention (arXiv 2601.21366).

use localmax::model::{Activation, Integrator, Model, Perceptron};

use crate::Body;
use crate::factories::{Factory, Random, assert_near, dot};
use crate::sphere::energy;

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("a_perceptron_without_weights_changes_no_bit", nothing),
    ("the_energy_with_a_perceptron_never_falls", energy_rises),
    ("without_attention_tokens_climb_to_a_unit", climbs),
];

fn usa(beta: f64, dt: f64, integrator: Integrator) -> Model {
    let model = Model::sphere(beta, dt).unwrap().unnormalized(0.0).unwrap();
    model.integrator(integrator).unwrap()
}

fn units(omega: &[f64], activation: Activation) -> Perceptron {
    Perceptron::new(omega.to_vec(), &Random(31).rows(omega.len(), 3), activation).unwrap()
}

/// ω = 0 is USA to the bit, under every scheme, with coordinates that are −0 too.
fn nothing(factory: &Factory) {
    let mut cloud = Random(5).rows(20, 3);
    cloud.push(vec![-0.0, 1.0, 0.0]);
    for integrator in [Integrator::Euler, Integrator::EulerRenorm, Integrator::Rk4] {
        let plain = usa(1.0, 0.1, integrator);
        let with = plain.clone().perceptron(units(&[0.0, 0.0], Activation::Relu)).unwrap();
        let bits = |model: &Model| -> Vec<u64> {
            factory.run(model, &cloud).advance(10).rows().concat().into_iter().map(f64::to_bits).collect()
        };
        assert_eq!(bits(&plain), bits(&with));
        let other = plain.perceptron(units(&[0.0, 0.1], Activation::Relu)).unwrap();
        assert_ne!(bits(&with), bits(&other));
    }
}

/// E_β + ½·mean Σ_k ω_k φ(<a_k, x>), φ' = 2σ: USA with a perceptron is its gradient flow, whatever the signs of ω.
fn energy_rises(factory: &Factory) {
    for activation in [Activation::Relu, Activation::Tanh] {
        let omega = [1.5, -2.0, 0.7, 1.0];
        let perceptron = units(&omega, activation);
        let a = Random(31).rows(omega.len(), 3);
        let phi = |s: f64| if activation == Activation::Relu { s.max(0.0).powi(2) } else { 2.0 * s.cosh().ln() };
        let total = |rows: &[Vec<f64>]| {
            let each = |x: &Vec<f64>| omega.iter().zip(&a).map(|(w, a)| w * phi(dot(a, x))).sum::<f64>();
            energy(rows, 1.0) + rows.iter().map(each).sum::<f64>() / (2.0 * rows.len() as f64)
        };
        let model = usa(1.0, 0.02, Integrator::Rk4).perceptron(perceptron).unwrap();
        let mut run = factory.run(&model, &Random(3).rows(12, 3));
        let start = total(&run.rows());
        let mut before = start;
        let rounding = factory.within(1e-13, 2e-5);
        for t in 0..factory.within(300.0, 60.0) as u64 {
            let after = total(&run.advance(1).rows());
            assert!(before - after <= rounding, "{activation:?}: fell by {:e} at step {t}", before - after);
            before = after;
        }
        assert!(before > start + 0.1, "{activation:?}: rose from {start} to {before} only");
    }
}

/// With V = 0 and one unit, the angle φ to a obeys φ' = −ω|a|²·sin φ cos φ where ⟨a, x⟩ > 0, so that tan φ falls as
/// e^{−ω|a|²t}; below the equator nobody moves.
fn climbs(factory: &Factory) {
    let (omega, a) = (0.5, vec![0.0, 2.0]);
    let perceptron = Perceptron::new(vec![omega], std::slice::from_ref(&a), Activation::Relu).unwrap();
    let model = usa(1.0, 0.01, Integrator::Rk4).values(0.0).unwrap().perceptron(perceptron).unwrap();
    let at = |angle: f64| vec![angle.sin(), angle.cos()];
    let cloud = [at(1.2), at(-0.4), at(2.5)];
    let end = factory.run(&model, &cloud).advance(50).rows();
    let falls = (-omega * 4.0 * 0.5f64).exp();
    let wanted = [at((falls * 1.2f64.tan()).atan()), at(-(falls * 0.4f64.tan()).atan()), at(2.5)];
    assert_near("one unit", &end, &wanted, factory.within(1e-9, 2e-6));
}
