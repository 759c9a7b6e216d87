//! SA_inf of arXiv 2508.09628: its theorems and what is refuted.

use localmax::model::{Gain, Mask, Matrix, Model, Operator, Rule, Update};
use localmax::schedule::Schedule;

use crate::Body;
use crate::factories::{Factory, Random, assert_near, distance, dot, spread, vertex};

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("hulls_are_nested", hulls),
    ("owned_cells_give_straight_lines", straight_lines),
    ("cells_are_convex_and_voronoi", cells),
    ("the_quadratic_bound_holds_on_symmetric_clouds", symmetric),
    ("the_quadratic_bound_as_printed_is_false", refuted),
    ("a_preconditioner_leaves_the_hull", preconditioner),
    ("equal_maximisers_go_to_the_lowest_index", ties),
];

fn model(matrix: Matrix, gamma: &str) -> Model {
    let gain = Gain::Gamma(Schedule::parse(gamma).expect("gamma"));
    Model::averaging(Rule::FrankWolfe, Operator::constant(matrix), Mask::FULL, gain)
}

const GAMMAS: [&str; 3] = ["0.3", "2/(t+2)", "1-exp(-0.25*(t+1))"];

/// For positive, negative and indefinite B: hulls are nested, but for the lattice's 1.5 units a
/// coordinate and step.
fn hulls(factory: &Factory) {
    let mut random = Random(5);
    let indefinite = Matrix::dense(&[vec![1.0, 0.4], vec![-0.7, -2.0]]).expect("a matrix");
    for matrix in [Matrix::Identity, Matrix::multiple(-1.0).expect("finite"), indefinite] {
        for gamma in GAMMAS {
            let (model, cloud) = (model(matrix.clone(), gamma), random.rows(40, 2));
            let directions: Vec<Vec<f64>> = (0..64).map(|k| vertex(k, 64)).collect();
            let support = |rows: &[Vec<f64>]| -> Vec<f64> {
                directions.iter().map(|u| rows.iter().map(|x| dot(u, x)).fold(f64::MIN, f64::max)).collect()
            };
            let mut run = factory.run(&model, &cloud);
            let mut before = support(&run.rows());
            for t in 0..20 {
                let after = support(&run.advance(1).rows());
                for (b, a) in before.iter().zip(&after) {
                    assert!(a - b <= 8.0 * factory.unit(), "γ = {gamma}: support rose by {:e} at step {t}", a - b);
                }
                before = after;
            }
        }
    }
}

/// Vertices stay, every other token keeps its label and runs on a straight line to its vertex, by a
/// closed form whose rate is constant for constant γ and super-exponential, e^{−a t(t+1)/2}, for γ
/// = 1 − e^{−a(t+1)}.
fn straight_lines(factory: &Factory) {
    let mut random = Random(8);
    let mut cloud: Vec<Vec<f64>> = (0..5).map(|k| vertex(k, 5)).collect();
    cloud.extend(random.rows(30, 2).iter().map(|x| vec![0.5 * x[0], 0.5 * x[1]]));
    for gamma in GAMMAS {
        let model = model(Matrix::Identity, gamma);
        let mut run = factory.run(&model, &cloud);
        let (start, labels) = (run.rows(), run.masks());
        for (k, label) in labels.iter().enumerate().take(5) {
            assert_eq!(*label, [k as u32], "a vertex owns its cell");
        }
        let mut kept = 1.0;
        for t in 0..12u64 {
            assert_eq!(run.masks(), labels, "γ = {gamma}: a label changed at step {t}");
            kept *= 1.0 - Schedule::parse(gamma).expect("gamma").at(t, t as f64);
            let want: Vec<Vec<f64>> = start
                .iter()
                .zip(&labels)
                .map(|(x, label)| {
                    let v = &start[label[0] as usize];
                    x.iter().zip(v).map(|(x, v)| kept * x + (1.0 - kept) * v).collect()
                })
                .collect();
            // Each step rounds by at most 1.5 units of 2^-53 (2^-24), and nothing amplifies it.
            assert_near(&format!("γ = {gamma} step {t}"), &run.advance(1).rows(), &want, 32.0 * factory.unit());
        }
        if gamma.starts_with("1-exp") {
            let law = (-0.25f64 * 12.0 * 13.0 / 2.0).exp();
            assert!((kept / law - 1.0).abs() < 1e-6, "the closed form is e^(-a t(t+1)/2)");
        }
    }
}

/// A token between two tokens of one cell is in that cell; with B = I and vertices of equal norm
/// the cell is that of the nearest vertex.
fn cells(factory: &Factory) {
    let skew = Matrix::dense(&[vec![2.0, 0.5], vec![0.5, 1.0]]).expect("a matrix");
    for matrix in [Matrix::Identity, skew] {
        let mut random = Random(21);
        let mut cloud: Vec<Vec<f64>> = (0..7).map(|k| vertex(k, 7)).collect();
        let points: Vec<Vec<f64>> = random.rows(60, 2).iter().map(|x| vec![0.6 * x[0], 0.6 * x[1]]).collect();
        for pair in points.chunks_exact(2) {
            let middle: Vec<f64> = pair[0].iter().zip(&pair[1]).map(|(a, b)| f64::midpoint(*a, *b)).collect();
            cloud.extend([pair[0].clone(), pair[1].clone(), middle]);
        }
        let voronoi = matrix == Matrix::Identity;
        let model = model(matrix, "0.5");
        let labels = factory.run(&model, &cloud).masks();
        let mut shared = 0;
        for at in (7..cloud.len()).step_by(3) {
            if labels[at] == labels[at + 1] {
                shared += 1;
                assert_eq!(labels[at], labels[at + 2], "the middle of {:?} and {:?}", cloud[at], cloud[at + 1]);
            }
        }
        assert!(shared > 2, "only {shared} pairs share a cell");
        for (x, label) in cloud.iter().zip(&labels).filter(|_| voronoi) {
            let own = distance(x, &cloud[label[0] as usize]);
            assert!((0..7).all(|k| own <= distance(x, &cloud[k]) + 1e-12), "{x:?} is nearer to another vertex");
        }
    }
}

/// The largest energy ½<B x, x> over the bound 2/t·λ_max(B)·diam², after every step.
fn worst_ratio(factory: &Factory, cloud: &[Vec<f64>], largest: f64, diagonal: &[f64], steps: u64) -> f64 {
    let entries: Vec<Vec<f64>> = (0..diagonal.len())
        .map(|r| (0..diagonal.len()).map(|c| if r == c { -diagonal[r] } else { 0.0 }).collect())
        .collect();
    let model = model(Matrix::dense(&entries).expect("a matrix"), "2/(t+2)");
    let diameter = spread(cloud);
    let mut run = factory.run(&model, cloud);
    let mut worst = 0.0f64;
    for t in 1..=steps {
        for x in run.advance(1).rows() {
            let energy: f64 = x.iter().zip(diagonal).map(|(x, b)| 0.5 * b * x * x).sum();
            worst = worst.max(energy * t as f64 / (2.0 * largest * diameter * diameter));
        }
    }
    worst
}

/// The bound for negative matrices where it is safe: clouds with −X = X, whose hull keeps 0.
fn symmetric(factory: &Factory) {
    let mut random = Random(2);
    for _ in 0..10 {
        let half = random.rows(8, 3);
        let cloud: Vec<Vec<f64>> = half.iter().flat_map(|x| [x.clone(), x.iter().map(|v| -v).collect()]).collect();
        let worst = worst_ratio(factory, &cloud, 2.0, &[2.0, 1.0, 0.25], 60);
        assert!(worst <= 1.0, "energy is {worst} of its bound");
    }
}

/// The bound for negative matrices as printed: n = 2, d = 1, B = −1, X = (3, −1). Token 1 stops at
/// 1/3, token 0 is 1/3 + 8/(t(t+1)), and the energy 1/18 passes the bound 32/t at t = 577. If this
/// failed, we would agree with a theorem that is false.
fn refuted(factory: &Factory) {
    let model = model(Matrix::multiple(-1.0).expect("finite"), "2/(t+2)");
    let cloud = [vec![3.0], vec![-1.0]];
    let mut run = factory.run(&model, &cloud);
    assert_near("step 1", &run.advance(1).rows(), &[vec![-1.0], vec![3.0]], 4.0 * factory.unit());
    for t in 2..=600u64 {
        let want = [vec![1.0 / 3.0 + 8.0 / (t * (t + 1)) as f64], vec![1.0 / 3.0]];
        // Two units of 4·2^-53 (2^-24) a step, less what the contraction takes away.
        assert_near(
            &format!("step {t}"),
            &run.advance(1).rows(),
            &want,
            factory.within(1e-12, 600.0 * 2.0 * 4.0 * 2f64.powi(-24)),
        );
    }
    assert!(worst_ratio(factory, &cloud, 1.0, &[1.0], 570) <= 1.0);
    assert!(worst_ratio(factory, &cloud, 1.0, &[1.0], 600) > 1.0);
}

/// With P no multiple of the identity the hull grows: the published P = diag(0.6, 0.7).
fn preconditioner(factory: &Factory) {
    let mut model = model(Matrix::Identity, "1");
    let Update::Average { preconditioner, .. } = &mut model.update else { unreachable!("an average") };
    *preconditioner = Some(Operator::constant(Matrix::dense(&[vec![0.6, 0.0], vec![0.0, 0.7]]).expect("a matrix")));
    assert!(!model.is_exact());
    let mut run = factory.run(&model, &[vec![0.1, 0.1], vec![1.0, 1.0]]);
    assert_near("one step", &run.advance(1).rows(), &[vec![0.64, 0.73], vec![1.0, 1.0]], 8.0 * factory.unit());
}

/// Exact ties, duplicates and a zero token: the paper leaves the choice open, ours is the lowest
/// index.
fn ties(factory: &Factory) {
    let model = model(Matrix::Identity, "0.5");
    let cloud = [vec![-1.0, 0.0], vec![0.0, 0.0], vec![1.0, 1.0], vec![1.0, -1.0], vec![1.0, 1.0], vec![0.5, 0.0]];
    let mut run = factory.run(&model, &cloud);
    assert_eq!(run.masks(), [vec![0], vec![0], vec![2], vec![3], vec![2], vec![2]]);
    run.advance(1);
    assert_eq!(run.rows()[1], [-0.5, 0.0]);
    assert_eq!(run.rows()[5], [0.75, 0.5]);
}
