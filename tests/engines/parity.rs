//! The same bits as the reference contract: tokens, argmax, counts, masks and reports.

use std::sync::{LazyLock, OnceLock};

use localmax::engine::{Engine, ExactReference};
use localmax::model::Mask;
use localmax::outcome::{StepReport, Strips};
use localmax::reference::exact::State;
use localmax::tokens::{Precision, Tokens};

use crate::Body;
use crate::cases::{Case, DELTAS, Form, Random, Shape, System, combination};
use crate::factories::Factory;

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("small_systems_have_the_bits_of_the_contract", small_systems),
    ("medium_systems_have_the_bits_of_the_contract", medium_systems),
    ("late_states_have_the_bits_of_the_contract", late_states),
    ("sampled_rows_of_large_systems_have_the_bits_of_the_contract", large_systems),
    ("steps_in_one_call_are_the_steps_one_by_one", batches),
];

const DIMENSIONS: [usize; 9] = [1, 2, 3, 5, 16, 20, 37, 64, 130];

/// What the reference says of one step.
struct Moment {
    masks: Vec<Vec<u32>>,
    report: StepReport,
    strips: Strips,
    tokens: Tokens,
}

/// A case and, once somebody asked, what the reference makes of it.
struct Expected {
    case: Case,
    rows: Vec<usize>,
    trace: OnceLock<Vec<Moment>>,
}

impl Expected {
    fn new(case: Case) -> Self {
        let n = case.tokens.n();
        let mut random = Random(n as u64);
        let rows = if n <= 130 { (0..n).collect() } else { (0..40).map(|_| random.below(n)).chain([n - 1]).collect() };
        Self { case, rows, trace: OnceLock::new() }
    }

    fn trace(&self) -> &[Moment] {
        self.trace.get_or_init(|| run(&mut ExactReference::new(&self.case.tokens, self.case.grid), self))
    }

    fn hold(&self, factory: &Factory) {
        let mut engine = factory.engine(&self.case.tokens, self.case.grid);
        let snapped = self.case.grid.snap(&self.case.tokens).expect("the same shape");
        assert_eq!(engine.tokens().expect("tokens"), snapped, "{}: tokens before the first step", self.case.name);
        for (t, (got, want)) in run(engine.as_mut(), self).iter().zip(self.trace()).enumerate() {
            let name = &self.case.name;
            for ((got, want), row) in got.masks.iter().zip(&want.masks).zip(&self.rows) {
                assert_eq!(got, want, "{name}: mask of row {row} at step {t}");
            }
            assert_eq!(got.strips.argmax, want.strips.argmax, "{name}: argmax at step {t}");
            assert_eq!(got.strips.count, want.strips.count, "{name}: counts at step {t}");
            assert_eq!(StepReport { redone: 0, ..got.report }, want.report, "{name}: report of step {t}");
            assert_same(&got.tokens, &want.tokens, &format!("{name} after step {t}"));
        }
    }
}

fn assert_same(got: &Tokens, want: &Tokens, name: &str) {
    for i in 0..want.n() {
        for k in 0..want.d() {
            assert!(
                got.get(i, k) == want.get(i, k),
                "{name}: token {i} coordinate {k} is {}, not {}",
                got.get(i, k),
                want.get(i, k)
            );
        }
    }
    assert_eq!(got.hash(), want.hash(), "{name}: stored width");
}

fn run(engine: &mut dyn Engine, expected: &Expected) -> Vec<Moment> {
    let step_once = |step| Moment {
        masks: engine.masks(step, &expected.rows).expect("masks"),
        report: engine.step(std::slice::from_ref(step)).expect("a step")[0],
        strips: engine.strips().expect("strips"),
        tokens: engine.tokens().expect("tokens"),
    };
    expected.case.steps.iter().map(step_once).collect()
}

fn hold_all(many: &[Expected], factory: &Factory) {
    many.iter().enumerate().filter(|(k, _)| factory.takes(*k)).for_each(|(_, expected)| expected.hold(factory));
}

static SMALL: LazyLock<Vec<Expected>> = LazyLock::new(|| {
    let shapes = DIMENSIONS.iter().flat_map(|&d| [1, 2, 63, 64, 65].map(|n| (n, d)));
    let many = shapes.flat_map(|shape| [shape; 8]).enumerate().map(|(k, (n, d))| {
        let (shape, precision, system) = combination(k);
        Expected::new(Case::new(shape, n, d, precision, system, 3))
    });
    many.collect()
});

/// If this failed, some small system would have other results on another device.
fn small_systems(factory: &Factory) {
    hold_all(&SMALL, factory);
}

static MEDIUM: LazyLock<Vec<Expected>> = LazyLock::new(|| {
    let dimensions = DIMENSIONS.iter().flat_map(|&d| if d > 20 { vec![d; 3] } else { vec![d; 10] });
    let many = dimensions.enumerate().map(|(k, d)| {
        let (shape, precision, system) = combination(5 * k + 1);
        Expected::new(Case::new(shape, 700 - k % 3, d, precision, system, if d > 20 { 1 } else { 2 }))
    });
    many.collect()
});

/// As the small ones, over many blocks of keys and packets of queries.
fn medium_systems(factory: &Factory) {
    hold_all(&MEDIUM, factory);
}

static LATE: LazyLock<Vec<Expected>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for (k, delta) in DELTAS.into_iter().enumerate() {
        for (l, precision) in [Precision::F32, Precision::F64].into_iter().enumerate() {
            for (m, mask) in [Mask::FULL, Mask::CAUSAL].into_iter().enumerate() {
                let form = Form::ALL[(k + l + m) % 4];
                let system = System { delta, mask, form, alpha: 1.0, ..System::PLAIN };
                all.push(Expected::new(Case::new(Shape::Random, 150, 2 + (k + l) % 2, precision, system, 70)));
            }
        }
    }
    all
});

/// Late states are where floats cannot tell keys apart: if this failed, cluster counts would depend
/// on the device.
fn late_states(factory: &Factory) {
    hold_all(&LATE, factory);
}

/// One sampled row: its argmax, its mask, and where it moves.
type Sample = (usize, usize, Vec<u32>, Vec<f64>);

static LARGE: LazyLock<Vec<(Case, OnceLock<Vec<Sample>>)>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for (k, (n, d)) in [(3001, 3), (5000, 2), (3001, 16), (5000, 5), (3001, 37)].into_iter().enumerate() {
        for (l, delta) in [None, Some(0.05), Some(1.0)].into_iter().enumerate() {
            let (_, precision, system) = combination(7 * k + l);
            let system = System { delta, form: if l == 1 { Form::Identity } else { system.form }, ..system };
            all.push((Case::new(Shape::ALL[(k + l) % 4], n, d, precision, system, 1), OnceLock::new()));
        }
    }
    all
});

fn sample(case: &Case) -> Vec<Sample> {
    let state = State::new(&case.tokens, case.grid);
    let step = case.steps[0].exact().expect("integers");
    let mut random = Random(7);
    let rows = (0..60).map(|_| random.below(state.n)).chain([0, state.n - 1]);
    let sample_row = |i| {
        let strip = state.strip(step, i);
        let moved = state.moved(step, i, &strip.members);
        let members = strip.members.iter().map(|&j| j as u32).collect();
        (i, strip.argmax, members, moved.iter().map(|&x| case.grid.real(x)).collect())
    };
    rows.map(sample_row).collect()
}

/// As above, where no engine holds all keys at once.
fn large_systems(factory: &Factory) {
    for (_, (case, samples)) in LARGE.iter().enumerate().filter(|(k, _)| factory.takes(*k)) {
        let samples = samples.get_or_init(|| sample(case));
        let mut engine = factory.engine(&case.tokens, case.grid);
        let rows: Vec<usize> = samples.iter().map(|s| s.0).collect();
        let masks = engine.masks(&case.steps[0], &rows).expect("masks");
        engine.step(&case.steps).expect("a step");
        let (tokens, strips) = (engine.tokens().expect("tokens"), engine.strips().expect("strips"));
        for ((i, argmax, members, moved), mask) in samples.iter().zip(&masks) {
            assert_eq!(mask, members, "{}: mask of row {i}", case.name);
            assert_eq!(strips.argmax[*i] as usize, *argmax, "{}: argmax of row {i}", case.name);
            assert_eq!(strips.count[*i] as usize, members.len(), "{}: count of row {i}", case.name);
            assert_eq!(&tokens.row(*i), moved, "{}: token {i}", case.name);
        }
    }
}

/// If this failed, a result would depend on how often a run looks at its state.
fn batches(factory: &Factory) {
    for k in 0..20 {
        let (shape, precision, system) = combination(3 * k);
        let case = Case::new(shape, 50, 1 + k % 4, precision, system, 12);
        let (mut one, mut many) = (factory.engine(&case.tokens, case.grid), factory.engine(&case.tokens, case.grid));
        let single: Vec<StepReport> =
            case.steps.iter().flat_map(|s| one.step(std::slice::from_ref(s)).expect("a step")).collect();
        let batch = many.step(&case.steps).expect("steps");
        let plain =
            |reports: &[StepReport]| -> Vec<_> { reports.iter().map(|r| StepReport { redone: 0, ..*r }).collect() };
        assert_eq!(plain(&single), plain(&batch), "{}", case.name);
        assert_eq!(one.strips().expect("strips"), many.strips().expect("strips"), "{}", case.name);
        assert_same(&many.tokens().expect("tokens"), &one.tokens().expect("tokens"), &case.name);
    }
}
