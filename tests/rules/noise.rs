//! Noise along the sphere (arXiv 2512.01868).

use localmax::model::{Integrator, Model};

use crate::Body;
use crate::factories::{Factory, Random, assert_near, dot, spread};

pub(crate) const BODIES: &[(&str, Body)] =
    &[("noise_has_its_strength_and_stays_on_the_sphere", strength), ("common_noise_is_one_field_for_all", common)];

/// Long runs, for an engine that takes a million small steps in seconds.
pub(crate) const LAWS: &[(&str, Body)] = &[("noise_gives_the_order_parameter_of_its_law", law)];

/// Attention to the mean of the tokens, and noise: β = 0 with the divisor n.
fn model(kappa: f64, dt: f64, seed: u64) -> Model {
    let model = Model::sphere(0.0, dt).unwrap().unnormalized(0.0).unwrap();
    model.integrator(Integrator::Euler).unwrap().noise(kappa, seed, false).unwrap()
}

/// At V = 0 a step is noise alone: x' = (x + s·P_x ξ)/|·|, s = √(2dt/κ), so that the tangent of the angle of a step is
/// s·|P_x ξ|, and the mean of its square s²(d − 1): within five standard errors of a chi-square's.
fn strength(factory: &Factory) {
    for (d, kappa, dt) in [(2usize, 3.0, 0.1), (3, 0.5, 0.01), (7, 20.0, 0.02)] {
        let n = 400;
        let mut model = model(kappa, dt, 5).values(0.0).unwrap();
        if d == 3 {
            model = model.integrator(Integrator::EulerRenorm).unwrap();
        }
        let mut run = factory.run(&model, &Random(d as u64).rows(n, d));
        let (mut square, mut count) = (0.0, 0.0);
        for _ in 0..5 {
            let before = run.rows();
            let after = run.advance(1).rows();
            for (x, y) in before.iter().zip(&after) {
                assert!((dot(y, y) - 1.0).abs() < 4.0 * factory.unit());
                let cosine = dot(x, y);
                square += (1.0 - cosine * cosine) / (cosine * cosine) / (2.0 * dt / kappa);
                count += 1.0;
            }
        }
        let free = (d - 1) as f64;
        let error = (2.0 * free / count).sqrt();
        assert!(
            (square / count - free).abs() < 5.0 * error + factory.within(1e-9, 1e-2),
            "d = {d}: {}",
            square / count
        );
        let again = factory.run(&model, &Random(d as u64).rows(n, d)).advance(5).rows();
        assert_eq!(again, run.rows(), "a seed gives one run");
    }
}

/// Tokens that coincide feel one field together and never part; each with a field of its own they do. Under a common
/// field and no attention, tokens on a circle meet all the same (arXiv 2603.06187).
fn common(factory: &Factory) {
    let cloud = vec![vec![1.0, 0.5], vec![1.0, 0.5], vec![-0.2, 1.0], vec![0.3, -1.0]];
    let of = |common: bool| {
        let model = Model::sphere(1.0, 0.05).unwrap().noise(2.0, 3, common).unwrap();
        factory.run(&model, &cloud).advance(20).rows()
    };
    let (together, alone) = (of(true), of(false));
    assert_eq!(together[0], together[1]);
    assert!(alone[0] != alone[1]);
    let model = Model::sphere(1.0, 0.02).unwrap().values(0.0).unwrap().noise(1.0, 4, true).unwrap();
    let start = factory.run(&model, &cloud).rows();
    let end = factory.run(&model, &cloud).advance(900).rows();
    assert!(spread(&start) > 1.5 && spread(&end) < 1e-2, "spread {:e}", spread(&end));
    // Other engines draw the same: the reference's numbers, within what rounding grows to.
    let few = factory.run(&model, &cloud).advance(3).rows();
    let reference = crate::factories::all().into_iter().next().expect("the reference");
    assert_near("draws", &few, &reference.run(&model, &cloud).advance(3).rows(), factory.within(1e-14, 1e-5));
}

/// I_{d/2}(x)/I_{d/2−1}(x) by its continued fraction.
fn ratio(d: usize, x: f64) -> f64 {
    (0..80).rev().fold(0.0, |below, k| 1.0 / ((d + 2 * k) as f64 / x + below))
}

/// R > 0 of R = I_{d/2}(κR)/I_{d/2−1}(κR); it starts from R = 1, below κ = d it ends at 0.
fn order(d: usize, kappa: f64) -> f64 {
    (0..5000).fold(1.0, |r, _| ratio(d, kappa * r))
}

/// Mean and standard error of means of 40 batches.
fn batches(values: &[f64]) -> (f64, f64) {
    let means: Vec<f64> =
        values.chunks_exact(values.len() / 40).map(|v| v.iter().sum::<f64>() / v.len() as f64).collect();
    let count = means.len() as f64;
    let mean = means.iter().sum::<f64>() / count;
    let square: f64 = means.iter().map(|m| (m - mean) * (m - mean)).sum();
    (mean, (square / (count - 1.0) / count).sqrt())
}

/// Tokens at rest under noise are each von Mises–Fisher around the mean of the others: <x_i, u_i> averages to
/// I_{d/2}/I_{d/2−1} at κ|m_i|, m_i = |m_i|u_i the sum of the others over n, at every n. As n grows |m| is R of the
/// mean-field law, and m/|m| forgets its direction at d = κ. A step of dt shifts both by O(dt), so two lengths give
/// the values at 0. Four standard errors of the runs, and 2/n for R.
fn law(factory: &Factory) {
    for (d, kappa, time, wanted) in [
        (2, 3.0, 400.0, 0.724_159),
        (2, 4.0, 120.0, 0.831_462),
        (3, 4.0, 250.0, 0.599_839),
        (5, 9.0, 60.0, 0.0),
        (2, 1.0, 40.0, 0.0),
    ] {
        let n = 96usize;
        let law = order(d, kappa);
        assert!(wanted == 0.0 || (law - wanted).abs() < 1e-6, "the published value {wanted} is not {law}");
        let cloud: Vec<Vec<f64>> = Random(9)
            .rows(n, d)
            .into_iter()
            .map(|mut x| {
                x[0] += 1.0;
                x
            })
            .collect();
        let at = |dt: f64| {
            let mut run = factory.run(&model(kappa, dt, 2), &cloud);
            run.advance((10.0 / dt) as u64);
            let (mut sizes, mut apart) = (Vec::new(), Vec::new());
            // Looks a few steps apart: a tenth of the time in which m forgets.
            for _ in 0..(time / 0.1) as usize {
                let rows = run.advance((0.1 / dt).round() as u64).rows();
                let sum =
                    rows.iter().fold(vec![0.0; d], |m, x| m.iter().zip(x).map(|(m, x)| m + x / n as f64).collect());
                sizes.push(dot(&sum, &sum).sqrt());
                let each = |x: &Vec<f64>| {
                    let others: Vec<f64> = sum.iter().zip(x).map(|(m, x)| m - x / n as f64).collect();
                    let size = dot(&others, &others).sqrt();
                    dot(&others, x) / size - ratio(d, kappa * size)
                };
                apart.push(rows.iter().map(each).sum::<f64>() / n as f64);
            }
            [batches(&sizes), batches(&apart)]
        };
        let (coarse, fine) = (at(0.05), at(0.025));
        let limit =
            |of: usize| (2.0 * fine[of].0 - coarse[of].0, (4.0 * fine[of].1.powi(2) + coarse[of].1.powi(2)).sqrt());
        let ((size, error), (apart, wide)) = (limit(0), limit(1));
        println!("d = {d} κ = {kappa}: R = {size:.4} ± {error:.4}, law {law:.4}; off vMF by {apart:.4} ± {wide:.4}");
        assert!(apart.abs() < 4.0 * wide, "d = {d} κ = {kappa}: off by {apart} ± {wide}");
        let ordered = kappa > d as f64;
        assert!(
            !ordered || (wide < 0.015 && error < 0.025),
            "d = {d} κ = {kappa}: intervals {wide}, {error} say nothing"
        );
        if ordered {
            let n = n as f64;
            assert!((size - law).abs() < 4.0 * error + 2.0 / n, "d = {d} κ = {kappa}: R = {size} ± {error}, not {law}");
        } else {
            assert!(law < 1e-6 && size < 3.0 / (n as f64).sqrt(), "κ = {kappa} is below critical, R = {size}");
        }
    }
}
