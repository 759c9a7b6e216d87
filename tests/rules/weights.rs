//! Weights other than softmax's: sparsemax, entmax, linear and rectified ones.

use localmax::model::{Mask, Model, Sparse};

use crate::Body;
use crate::factories::{Factory, Random, assert_near, dot, vertex};

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("sparse_weights_are_those_of_a_plain_sort", sorted),
    ("sparsemax_at_infinite_beta_is_hardmax", hardmax),
    ("entmax_lies_between_sparsemax_and_softmax", between),
    ("linear_weights_are_the_second_moment", linear),
];

/// The weights of sum 1 of scores z, by their definition and a sort: for every k, the τ that the k largest levels alone
/// would have; of these the one that leaves out exactly the others.
fn weights(z: &[f64], form: Sparse) -> Vec<f64> {
    let (half, power) = if form == Sparse::Sparsemax { (1.0, 1) } else { (0.5, 2) };
    let u: Vec<f64> = z.iter().map(|z| half * z).collect();
    let mut sorted = u.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let tau = (1..=u.len())
        .find_map(|k| {
            let (mean, count) = (sorted[..k].iter().sum::<f64>() / k as f64, k as f64);
            let spread: f64 = sorted[..k].iter().map(|u| (u - mean) * (u - mean)).sum();
            let tau = if power == 1 { mean - 1.0 / count } else { mean - ((1.0 - spread) / count).sqrt() };
            (sorted[k - 1] > tau && sorted.get(k).is_none_or(|&next| next <= tau)).then_some(tau)
        })
        .expect("one k leaves out the others");
    u.iter().map(|u| (u - tau).max(0.0).powi(power)).collect()
}

/// One step against the sort, weights of sum 1, and the keys that are attended to. A wrong τ would show in every mean.
fn sorted(factory: &Factory) {
    for (form, d, beta, mask) in [
        (Sparse::Sparsemax, 3, 2.0, Mask::FULL),
        (Sparse::Sparsemax, 20, 0.01, Mask::CAUSAL),
        (Sparse::Entmax15, 3, 4.0, Mask::CAUSAL),
        (Sparse::Entmax15, 2, 0.01, Mask::FULL),
        (Sparse::Entmax15, 3, 300.0, Mask::FULL),
    ] {
        let n = 150;
        let cloud = Random(d as u64).rows(n, d);
        let mut model = Model::softmax(beta).unwrap().sparse(form).unwrap().gamma(0.5).unwrap();
        model.mask = mask;
        let mut run = factory.run(&model, &cloud);
        let (start, masks) = (run.rows(), run.masks());
        let end = run.advance(1).rows();
        let mut wanted = Vec::new();
        for i in 0..n {
            let scores: Vec<f64> = start[mask.range(i, n)].iter().map(|x| beta * dot(&start[i], x)).collect();
            let w = weights(&scores, form);
            assert!((w.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let mean = |k: usize| w.iter().zip(&start).map(|(w, x)| w * x[k]).sum::<f64>();
            wanted.push((0..d).map(|k| 0.5 * (start[i][k] + mean(k))).collect::<Vec<f64>>());
            let rounding = factory.within(1e-12, 2e-4 * beta.max(1.0));
            for (j, &w) in w.iter().enumerate() {
                // Weights next to 0 may go either way.
                assert!(w < rounding || masks[i].contains(&(j as u32)), "{form:?}: token {i} leaves out {j}, {w:e}");
            }
            let seen: f64 = masks[i].iter().map(|&j| w[j as usize]).sum();
            assert!((seen - 1.0).abs() < rounding * n as f64);
            assert!(masks[i].len() < w.len() || beta < 0.1 || w.len() < 3, "{form:?}: token {i} leaves out nobody");
        }
        assert_near(&format!("{form:?} d = {d}"), &end, &wanted, factory.within(1e-13, 1e-5 * beta.max(1.0)));
    }
}

/// At a β at which any difference of scores is more than 1, weights are those of hardmax, ties shared: a square's
/// centre-line token sees two corners, everybody else one key.
fn hardmax(factory: &Factory) {
    let mut cloud = vec![vec![1.0, 1.0], vec![1.0, -1.0], vec![-1.0, 1.0], vec![-1.0, -1.0], vec![0.5, 0.0]];
    cloud.extend(Random(2).rows(60, 2).into_iter().map(|x| x.iter().map(|c| 0.5 * c).collect::<Vec<f64>>()));
    let hard = Model::hardmax().alpha(0.5).unwrap();
    let keys = |model: &Model| factory.run(model, &cloud).masks();
    for form in [Sparse::Sparsemax, Sparse::Entmax15] {
        let model = Model::softmax(1e30).unwrap().sparse(form).unwrap().alpha(0.5).unwrap();
        assert_eq!(keys(&model), keys(&hard), "{form:?}");
        assert_eq!(keys(&model)[4], [0, 1]);
        let (near, far) = (factory.run(&model, &cloud).advance(1).rows(), factory.run(&hard, &cloud).advance(1).rows());
        assert_near(&format!("{form:?}"), &near, &far, factory.within(1e-6, 1e-6));
    }
}

/// With a from 1 to 2 the same scores spread over fewer keys: entmax leaves out no key that sparsemax attends to, and
/// softmax none at all; the mean of the scores rises.
fn between(factory: &Factory) {
    let (n, beta) = (200, 3.0);
    let cloud = Random(7).rows(n, 3);
    let model = |form| Model::softmax(beta).unwrap().sparse(form).unwrap().gamma(0.5).unwrap();
    let soft = Model::softmax(beta).unwrap().gamma(0.5).unwrap();
    let all = [soft, model(Sparse::Entmax15), model(Sparse::Sparsemax)];
    let runs: Vec<_> = all
        .iter()
        .map(|model| (factory.run(model, &cloud).masks(), factory.run(model, &cloud).advance(1).rows()))
        .collect();
    let mut fewer = 0;
    for (i, x) in cloud.iter().enumerate() {
        let (entmax, sparsemax) = (&runs[1].0[i], &runs[2].0[i]);
        assert!(sparsemax.iter().all(|j| entmax.contains(j)) && entmax.len() < n);
        fewer += usize::from(sparsemax.len() < entmax.len());
        // <x, mean> = 2<x, x'> − |x|² is the mean score.
        let score = |of: usize| dot(x, &runs[of].1[i]);
        assert!(score(0) < score(1) && score(1) < score(2) + factory.within(1e-12, 1e-5), "token {i}");
    }
    assert!(fewer > n / 2);
}

/// Σ_j <x_i, x_j>x_j/m = M x_i with M the second moment of the keys; max(0, ·) is no other thing where no score is
/// negative, and another where some are.
fn linear(factory: &Factory) {
    for (d, rk4) in [(3, false), (20, true)] {
        for positive in [true, false] {
            let n = 90;
            let cloud: Vec<Vec<f64>> = Random(4)
                .rows(n, d)
                .into_iter()
                .map(|x| x.into_iter().map(|c| if positive { c.abs() + 0.01 } else { c }).collect())
                .collect();
            let dt = 0.1;
            let run = |rectified: bool| {
                let mut model = Model::sphere(1.5, dt).unwrap().linear(rectified).unwrap();
                if rk4 {
                    model = model.integrator(localmax::model::Integrator::Rk4).unwrap();
                }
                let mut run = factory.run(&model, &cloud);
                (run.rows(), run.advance(1).rows())
            };
            let (start, end) = run(false);
            let (_, rectified) = run(true);
            let apart = end.iter().zip(&rectified).flat_map(|(a, b)| a.iter().zip(b)).map(|(a, b)| (a - b).abs());
            let most = apart.fold(0.0, f64::max);
            assert_eq!(most <= factory.within(1e-14, 1e-6), positive, "d = {d}: apart by {most:e}");
            if rk4 {
                continue;
            }
            let moment = |r: usize, c: usize| start.iter().map(|x| x[r] * x[c]).sum::<f64>() / n as f64;
            let wanted: Vec<Vec<f64>> = start
                .iter()
                .map(|x| {
                    let y = (0..d).map(|r| x[r] + dt * 1.5 * (0..d).map(|c| moment(r, c) * x[c]).sum::<f64>());
                    let y: Vec<f64> = y.collect();
                    let norm = dot(&y, &y).sqrt();
                    y.iter().map(|v| v / norm).collect()
                })
                .collect();
            assert_near("linear", &end, &wanted, factory.within(1e-14, 1e-6));
        }
    }
    let polygon: Vec<Vec<f64>> = (0..6).map(|k| vertex(k, 6)).collect();
    // A regular polygon's second moment is half the identity: nobody moves.
    let model = Model::sphere(2.0, 0.1).unwrap().linear(false).unwrap();
    assert_near("polygon", &factory.run(&model, &polygon).advance(5).rows(), &polygon, factory.within(1e-14, 1e-6));
}
