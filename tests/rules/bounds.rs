//! Every rule within its a-priori bound, over shapes, temperatures, masks and clouds.

use localmax::contract::Grid;
use localmax::model::Mask;

use crate::Body;
use crate::factories::Factory;
use crate::zoo::{RULES, cloud, model, verify};

pub(crate) const BODIES: &[(&str, Body)] =
    &[("no_rule_exceeds_its_bound", bounds), ("long_sums_stay_within_their_bounds", long_sums)];

/// One kind of rule on one shape; the largest share of its bound.
fn share(factory: &Factory, rule: usize, case: usize, n: usize, d: usize, steps: u64) -> f64 {
    let pick = |at: usize, of: usize| (case / at + case) % of;
    let beta = [0.0, 1.0, 100.0, 1e4][pick(3, 4)];
    let mask = if pick(7, 3) == 0 { Mask::Causal } else { Mask::Full };
    let model = model(rule, beta, d, mask);
    model.validate(d, 3).expect("a valid model");
    let tokens = model.start(&cloud(pick(11, 4), n, d), factory.precision).expect("a start");
    let make = factory.make.as_ref().expect("ignored trials do not run");
    let grid = Grid::of(&tokens, factory.precision);
    let mut engine = make(&model, &tokens, grid).expect("an engine");
    let findings = verify(engine.as_mut(), &model, &tokens, steps);
    assert!(findings.passed(), "n={n} d={d} {mask:?} {model:?}: {findings}");
    findings.max_share
}

/// The bounds are what a paper would quote for the error of a step: never exceeded, by any rule, at any β.
fn bounds(factory: &Factory) {
    let (mut shares, mut case) = ([0.0f64; RULES], 0);
    for n in [1, 2, 63, 64, 65] {
        for d in [1, 2, 3, 5, 16, 20, 37, 64, 130] {
            for (rule, most) in shares.iter_mut().enumerate() {
                case += 1;
                // A reference step of dense heads in d = 130 takes longer than all others: one rule in three.
                if d < 64 || case % 3 == 0 {
                    *most = most.max(share(factory, rule, case, n, d, 2));
                }
            }
        }
    }
    println!("{}: shares of the bounds by rule {shares:?}", factory.name);
}

/// Sums over several chunks of keys, full and causal.
fn long_sums(factory: &Factory) {
    let mut shares = [0.0f64; RULES];
    for (case, (rule, most)) in shares.iter_mut().enumerate().enumerate() {
        let d = [2, 3, 20][case % 3];
        *most = most.max(share(factory, rule, case + 5, 3001, d, 1));
    }
    println!("{}: shares of the bounds by rule {shares:?}", factory.name);
}
