//! Exclusive self attention: what lies along a row's own value is taken from its output.

use localmax::model::{Integrator, Mask, Model};

use crate::Body;
use crate::factories::{Factory, Random, dot};

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("exclusive_outputs_are_orthogonal_to_own_values", orthogonal),
    ("exclusive_attention_on_the_sphere_without_values_is_projected_attention", projected),
];

const TURNED: [[f64; 3]; 3] = [[0.9, 0.4, 0.0], [-0.3, 1.0, 0.2], [0.2, 0.0, 0.8]];

fn apply(x: &[f64]) -> Vec<f64> {
    TURNED.iter().map(|row| dot(row, x)).collect()
}

/// One step at γ = 1/2 gives z = 2x' − x, which is orthogonal to Vx, and y − z, which lies along it, y the output without.
fn orthogonal(factory: &Factory) {
    let cloud = Random(4).rows(90, 3);
    let within = factory.within(1e-13, 3e-6);
    let half = |model: Model| model.gamma(0.5).unwrap();
    for model in [
        half(Model::softmax(2.0).unwrap()).values(TURNED).unwrap(),
        half(Model::softmax(2.0).unwrap()).values(TURNED).unwrap().causal(),
        half(Model::softmax(2.0).unwrap().distances()).values(TURNED).unwrap(),
        half(Model::localmax(0.3).unwrap()).values(TURNED).unwrap(),
        half(Model::hardmax()).values(TURNED).unwrap().window(7).without_self(),
    ] {
        let outputs = |model: &Model| {
            let mut run = factory.run(model, &cloud);
            let start = run.rows();
            let end = run.advance(1).rows();
            let output = |(x, to): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
                x.iter().zip(to).map(|(x, to)| 2.0 * to - x).collect()
            };
            start.iter().zip(&end).map(output).collect::<Vec<_>>()
        };
        let (all, apart) = (outputs(&model), outputs(&model.clone().exclusive()));
        let mut taken = 0.0f64;
        for (i, (y, z)) in all.iter().zip(&apart).enumerate() {
            let v = apply(&cloud[i]);
            let along = dot(z, &v) / dot(&v, &v).sqrt();
            assert!(along.abs() <= within, "{}: token {i} keeps {along:e}", model.title());
            let share = dot(y, &v) / dot(&v, &v);
            taken = taken.max(share.abs());
            for k in 0..3 {
                let off = (y[k] - share * v[k] - z[k]).abs();
                assert!(off <= 4.0 * within, "{}: token {i} is off by {off:e}", model.title());
            }
        }
        assert!(taken > 0.1, "{}: nothing was taken", model.title());
    }
}

/// With V = I on the sphere the output loses its radial part, as the field of the sphere does: `euler-renorm` is then
/// `euler`.
fn projected(factory: &Factory) {
    let cloud = Random(5).rows(60, 3);
    for mask in [Mask::FULL, Mask::CAUSAL] {
        let model = |scheme| {
            let sphere = Model::sphere(3.0, 0.1).unwrap().integrator(scheme).unwrap();
            Model { mask, ..sphere }
        };
        let apart = factory.run(&model(Integrator::EulerRenorm).exclusive(), &cloud).advance(20).rows();
        let projected = factory.run(&model(Integrator::Euler), &cloud).advance(20).rows();
        crate::factories::assert_near("projected", &apart, &projected, factory.within(1e-13, 2e-5));
    }
}
