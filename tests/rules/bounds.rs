//! Every rule within its a-priori bound, over shapes, temperatures, masks and clouds.

use localmax::engine::Engine;
use localmax::exact::Grid;
use localmax::gpu::{Adapter, Device, Needs, RealGpu, RealLayout, Wanted};
use localmax::model::Mask;
use localmax::tokens::Precision;

use crate::Body;
use crate::factories::Factory;
use crate::zoo::{Other, RULES, cloud, model, verify};

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("no_rule_exceeds_its_bound", bounds),
    ("long_sums_stay_within_their_bounds", long_sums),
    ("a_small_fault_is_a_breach", faults),
    ("slices_change_no_bit", slices),
];

/// One kind of rule on one shape; the largest share of its bound.
fn share(factory: &Factory, rule: usize, case: usize, n: usize, d: usize, rows: Option<usize>) -> f64 {
    let pick = |at: usize, of: usize| (case / at + case) % of;
    let beta = [0.0, 1.0, 100.0, 1e4][pick(3, 4)];
    let mask = if pick(7, 3) == 0 { Mask::CAUSAL } else { Mask::FULL };
    let model = model(rule, beta, d, mask);
    model.validate(d, 3).expect("a valid model");
    let tokens = model.start(&cloud(pick(11, 4), n, d), factory.precision).expect("a start");
    let make = factory.make.as_ref().expect("ignored trials do not run");
    let grid = Grid::of(&tokens, factory.precision);
    let mut engine = make(&model, &tokens, grid).expect("an engine");
    let findings = verify(engine.as_mut(), &model, &tokens, 2, rows);
    assert!(findings.passed(), "n={n} d={d} {mask:?} {model:?}: {findings}");
    findings.max_share
}

/// The bounds are what a paper would quote for the error of a step: never exceeded, by any rule, at
/// any β.
fn bounds(factory: &Factory) {
    let (mut shares, mut case) = ([0.0f64; RULES], 0);
    for n in [1, 2, 63, 64, 65] {
        for d in [1, 2, 3, 5, 16, 20, 37, 64, 130] {
            for (rule, most) in shares.iter_mut().enumerate() {
                case += 1;
                // A reference step of dense heads in d = 130 takes longer than all others: one rule
                // in three. Those after the first ten meet every third shape.
                if (d < 64 && rule < 10) || case % 3 == 0 {
                    *most = most.max(share(factory, rule, case, n, d, None));
                }
            }
        }
    }
    for rule in [0, 1, 2] {
        share(factory, rule, case + rule, 65, 1024, Some(8));
    }
    println!("{}: shares of the bounds by rule {shares:?}", factory.name);
}

/// Sums over several chunks of keys, on rows spread over the cloud; the rules with more than one
/// stage sum no other way.
fn long_sums(factory: &Factory) {
    for (case, (rule, d)) in
        [(0, 2), (0, 20), (1, 3), (2, 20), (3, 3), (7, 2), (10, 3), (11, 2), (12, 3), (13, 3)].into_iter().enumerate()
    {
        share(factory, rule, rule + 7 * case, 3001, d, Some(40));
    }
}

/// A bound so wide that it let β be off by 1 in 1000 would say nothing.
fn faults(factory: &Factory) {
    let right = model(0, 1.0, 3, Mask::FULL);
    let wrong = [model(0, 1.0, 3, Mask::FULL), model(0, 1.001, 3, Mask::FULL), model(0, 1.0, 3, Mask::CAUSAL)];
    let tokens = right.start(&cloud(0, 64, 3), factory.precision).expect("a start");
    let make = factory.make.as_ref().expect("ignored trials do not run");
    for (k, model) in wrong.iter().enumerate() {
        let inner = make(model, &tokens, Grid::of(&tokens, factory.precision)).expect("an engine");
        let findings = verify(&mut Other { inner, model }, &right, &tokens, 1, None);
        assert_eq!(findings.passed(), k == 0, "fault {k}: {findings}");
    }
}

/// Rows that see neither themselves nor most keys.
const WINDOW: Mask = Mask { causal: false, window: Some(300), own: false, fixed: 0, graph: false };

/// If this failed, a result would depend on the memory of the card and on how busy it was.
fn slices(_: &Factory) {
    let device = Device::open(&Adapter::choose(Wanted::Any).expect("an adapter")).expect("a device");
    for (rule, d, mask) in [
        (0, 3, Mask::FULL),
        (0, 20, Mask::CAUSAL),
        (1, 3, Mask::CAUSAL),
        (2, 3, Mask::FULL),
        (3, 2, Mask::CAUSAL),
        (5, 3, Mask::FULL),
        (8, 3, Mask::CAUSAL),
        (10, 3, Mask::CAUSAL),
        (12, 3, Mask::FULL),
        (13, 5, Mask::FULL),
        (15, 3, Mask::CAUSAL),
        (0, 3, WINDOW),
        (0, 20, WINDOW),
        (2, 3, WINDOW),
        (3, 2, WINDOW),
        (10, 3, WINDOW),
        (20, 3, WINDOW),
        (21, 20, Mask::FULL),
        (22, 3, Mask::CAUSAL),
        (23, 20, Mask::CAUSAL),
    ] {
        let model = model(rule, 1.0, d, mask);
        let tokens = model.start(&cloud(0, 2500, d), Precision::F32).expect("a start");
        let steps = localmax::real::Steps::new(&model, d);
        let steps: Vec<_> = (0..2).map(|t| steps.at(t).expect("a step").into()).collect();
        let whole = RealLayout::new(2500, d, Needs::of(&model), &device.adapter().limits(), None).expect("a layout");
        let small = whole.clone().in_small_slices();
        let run = |layout| {
            let mut state =
                pollster::block_on(RealGpu::with_layout(&device, &tokens, &model, layout)).expect("a state");
            let masks = state.masks(&steps[0], &[0, 1, 1023, 1024, 2499]).expect("masks");
            for step in &steps {
                state.step(std::slice::from_ref(step)).expect("a step");
            }
            (state.tokens().expect("tokens"), state.strips().expect("strips"), masks)
        };
        assert_eq!(run(whole), run(small), "rule {rule} d = {d}");
    }
}
