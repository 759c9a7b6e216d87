//! Every bound against an independent program: `tests/bounds.py`, written from the derivations
//! alone.

use std::io::Write;
use std::process::{Command, Stdio};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::engine::Rounding;
use crate::exact::Grid;
use crate::model::{
    Activation, Gain, Geometry, Integrator, Mask, Matrix, Model, Moment, Operator, Perceptron, Rule, Scoring, Sparse,
    StripForm,
};
use crate::real::{Head, Linear, Motion, Noise, Own, Stage, Step, Truth, Weights};
use crate::reference;
use crate::schedule::Schedule;
use crate::tokens::{Precision, Tokens};
use crate::verify::exact::ExactBounds;
use crate::verify::real::RealBounds;

struct Draw(ChaCha8Rng);

impl Draw {
    /// Uniform in [−1, 1).
    fn real(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n as u64) as usize
    }

    fn reals(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.real()).collect()
    }

    fn matrix(&mut self, d: usize) -> Matrix {
        match self.below(3) {
            0 => Matrix::Identity,
            1 => Matrix::Multiple(self.real()),
            _ => Matrix::Dense { d, entries: self.reals(d * d).into() },
        }
    }

    fn linear(&mut self, d: usize) -> Linear {
        Linear { factor: 2.0 * self.real(), matrix: self.matrix(d) }
    }
}

fn entries(matrix: &Matrix) -> Value {
    match matrix {
        Matrix::Identity => Value::Null,
        Matrix::Multiple(c) => json!(c),
        Matrix::Dense { d, entries } => json!(entries.chunks_exact(*d).collect::<Vec<_>>()),
    }
}

fn linear(map: &Linear) -> Value {
    json!({"factor": map.factor, "entries": entries(&map.matrix)})
}

fn weights(weights: Weights) -> Value {
    match weights {
        Weights::Strip { delta, form } => json!({"rule": "strip", "delta": delta, "form": form.name()}),
        Weights::Argmax => json!({"rule": "argmax"}),
        Weights::Softmax { beta } => json!({"rule": "softmax", "beta": beta}),
        Weights::Exponential { beta, origin } => json!({"rule": "exponential", "beta": beta, "origin": origin}),
        Weights::Sparse { beta, form } => json!({"rule": form.name(), "beta": beta}),
        Weights::Linear { beta, .. } => json!({"rule": "linear", "beta": beta}),
        Weights::Drawn { beta, .. } => json!({"rule": "drawn", "beta": beta}),
    }
}

fn by_row(own: &Own) -> Value {
    let truth = own.truth.as_ref().expect("a truth");
    json!({
        "gammas": own.gammas.as_deref(), "deltas": own.deltas.as_deref(),
        "point": truth.point, "weights": truth.weights[..],
    })
}

/// Bounds that the independent program computes for each case.
fn python(cases: &[Value]) -> Vec<Vec<Option<f64>>> {
    let mut child = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bounds.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs (tests/run.sh installs it)");
    let mut stdin = child.stdin.take().expect("piped");
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    let writer = std::thread::spawn(move || stdin.write_all((lines.join("\n") + "\n").as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("a writer").expect("the cases are read");
    assert!(output.status.success(), "the independent program failed");
    let text = String::from_utf8(output.stdout).expect("JSON");
    text.lines().map(|line| serde_json::from_str(line).expect("a list a line")).collect()
}

/// Equal but for the rounding of f64 in either program.
fn hold_equal(cases: &[Value], ours: &[Vec<f64>]) {
    let theirs = python(cases);
    assert_eq!(theirs.len(), cases.len());
    for ((case, ours), theirs) in cases.iter().zip(ours).zip(theirs) {
        assert_eq!(ours.len(), theirs.len(), "{case}");
        for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let theirs = theirs.unwrap_or(f64::INFINITY);
            let equal = *ours == theirs || (theirs.is_finite() && (ours - theirs).abs() <= 1e-11 * theirs);
            assert!(equal, "number {at}: {ours:e} where the derivation has {theirs:e}, in {case}");
        }
    }
}

fn motion(draw: &mut Draw, d: usize) -> (Motion, usize) {
    if draw.below(4) == 0 {
        return (Motion::Average { gamma: 0.5 + 0.4 * draw.real(), preconditioner: draw.linear(d) }, 1);
    }
    let (integrator, _) = Integrator::ALL[draw.below(3)];
    let geometry = match draw.below(6) {
        0 => Geometry::Flat,
        1 => Geometry::Rescaled,
        2 => Geometry::Sphere,
        3 => Geometry::Ellipsoid(Matrix::Multiple([0.01, 2.0][draw.below(2)])),
        4 => Geometry::Ellipsoid(Matrix::Identity),
        _ => {
            let tilt = if d == 2 { 0.7 * draw.real() } else { 0.0 };
            let entry = |r: usize, c: usize| if r == c { 1.0 + r as f64 } else { tilt };
            Geometry::Ellipsoid(Matrix::Dense { d, entries: (0..d * d).map(|at| entry(at / d, at % d)).collect() })
        }
    };
    (Motion::Flow { dt: 0.1 + 0.09 * draw.real(), integrator, geometry }, integrator.stages().len())
}

fn step(draw: &mut Draw, d: usize, scale: f64) -> Step {
    let (motion, stages) = motion(draw, d);
    // Averages alone have distances, and then no matrix in their scores, and no sparse weights.
    let is_near = matches!(motion, Motion::Average { .. }) && draw.below(2) == 0;
    let scoring = if is_near { Scoring::Distance } else { Scoring::Inner };
    let mut heads: Vec<Head> =
        (0..=draw.below(2)).map(|_| Head { scores: draw.linear(d), values: draw.linear(d) }).collect();
    let beta = [0.0, 0.5, 3.0, 300.0][draw.below(4)] / scale.max(1.0).powi(2);
    let form = if is_near {
        [StripForm::Score, StripForm::Radius][draw.below(2)]
    } else {
        StripForm::OF_PRODUCTS[draw.below(3)].0
    };
    if is_near {
        for head in &mut heads {
            head.scores = Linear { factor: 1.0, matrix: Matrix::Identity };
        }
    }
    let weights = [
        Weights::Strip { delta: 0.5 + 0.5 * draw.real(), form },
        Weights::Argmax,
        Weights::Softmax { beta },
        if is_near { Weights::Argmax } else { Weights::Exponential { beta: 0.01 * beta, origin: draw.real() } },
        Weights::Drawn { beta, seed: 3 },
        Weights::Sparse { beta, form: Sparse::Sparsemax },
        Weights::Sparse { beta, form: Sparse::Entmax15 },
        Weights::Linear { beta, rectified: false },
    ][draw.below(if is_near { 5 } else { 8 })];
    let plain = matches!(motion, Motion::Flow { geometry: Geometry::Flat | Geometry::Sphere, .. });
    let length = (plain && draw.below(3) == 0).then(|| 0.5 + draw.below(3) as f64);
    let round = matches!(motion, Motion::Flow { geometry: Geometry::Sphere, .. }) && length.is_none();
    let perceptron = (round && draw.below(2) == 0).then(|| {
        let rows: Vec<Vec<f64>> = (0..3).map(|_| draw.reals(d)).collect();
        Perceptron::new(draw.reals(3), &rows, Activation::Tanh).expect("a perceptron")
    });
    let directions = matches!(motion, Motion::Flow { geometry: Geometry::Flat, .. }) && draw.below(2) == 0;
    let stages: Vec<Stage> = (0..stages)
        .map(|_| Stage { moment: Moment { step: 0, time: 0.0 }, weights, heads: heads.clone(), length })
        .collect();
    let is_ball = is_near && matches!(weights, Weights::Strip { .. });
    let window = [None, None, Some(1), Some(3)][draw.below(4)];
    let mask = Mask { causal: draw.below(2) == 0, window, own: is_ball || draw.below(3) > 0, ..Mask::FULL };
    let noisy = matches!(&motion, Motion::Flow { geometry: Geometry::Sphere, .. }) && stages.len() == 1;
    let noise = noisy.then(|| Noise { kappa: 0.5 + draw.below(9) as f64, common: draw.below(2) == 0, seed: 3 });
    let rescaled = matches!(motion, Motion::Flow { geometry: Geometry::Rescaled, .. });
    let bias = if is_near || !mask.causal { 0.0 } else { [0.0, 0.7][draw.below(2)] };
    let exclusive = heads.len() == 1 && !rescaled && draw.below(3) == 0;
    // Of 200 rows at most.
    let averages = matches!(motion, Motion::Average { .. });
    let own = (averages && draw.below(3) == 0).then(|| Own {
        gammas: Some((0..200).map(|_| 0.5 + 0.4 * draw.real()).collect()),
        deltas: Some((0..200).map(|_| 0.5 + 0.5 * draw.real()).collect()),
        truth: Some(Truth { point: draw.reals(d), weights: (0..200).map(|_| 0.5 + 0.5 * draw.real()).collect() }),
    });
    Step {
        t: 0,
        mask,
        graph: None,
        scoring,
        bias,
        own,
        exclusive,
        stages,
        motion,
        omit: [0.0, 1e-3][draw.below(2)],
        noise,
        perceptron,
        directions,
    }
}

fn is_on_a_sphere(step: &Step) -> bool {
    step.directions || matches!(step.motion, Motion::Flow { geometry: Geometry::Sphere | Geometry::Ellipsoid(_), .. })
}

/// A bound is worth what its derivation is: what a paper quotes must be what the documentation
/// says, every term of it.
#[test]
fn bounds_in_real_numbers_are_those_derived() {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(5));
    let (mut cases, mut ours) = (Vec::new(), Vec::new());
    for round in 0..600 {
        let d = [1, 2, 2, 3, 5][draw.below(5)];
        let n = if round % 20 == 0 { 200 } else { 1 + draw.below(6) };
        let scale = [1.0, 30.0, 1e-4, 0.0][draw.below(4)];
        let step = step(&mut draw, d, scale);
        // No token of a sphere is 0.
        let scale = if is_on_a_sphere(&step) { 1.0 } else { scale };
        let cloud = reference::real::State { n, d, x: draw.reals(n * d).into_iter().map(|v| v * scale).collect() };
        let states = cloud.stage_states(&step);
        if !states.iter().all(|state| state.x.iter().all(|v| v.is_finite())) {
            continue;
        }
        let precision = [Precision::F32, Precision::F64][draw.below(2)];
        let rounding = [Rounding::Double, Rounding::Single][draw.below(2)];
        let bounds = RealBounds::new(&step, &states, precision, rounding);
        let first = &step.stages[0];
        let mut rows = Vec::new();
        let mut numbers = Vec::new();
        for _ in 0..2 {
            let i = draw.below(n);
            let (before, after) = (states[0].row(i).to_vec(), draw.reals(d));
            let after: Vec<f64> = after.into_iter().map(|v| v * scale).collect();
            let undecided: Vec<bool> = first.heads.iter().map(|_| draw.below(3) == 0).collect();
            for (s, stage) in step.stages.iter().enumerate() {
                numbers.extend(stage.heads.iter().map(|head| bounds.score(s, head, i)));
            }
            for head in &first.heads {
                let max = states[0].attending(&step).scores(&step, head, i).max;
                numbers.push(bounds.threshold(head, i, first.weights, max));
            }
            if let (Weights::Drawn { beta, .. }, false) = (first.weights, step.mask.is_empty(i, n)) {
                numbers.extend(first.heads.iter().map(|head| bounds.level(head, i, beta)));
            }
            numbers.push(bounds.token(i, &before, &after, &undecided));
            let draws = step.noise.map(|noise| noise.draws(step.t, i, d));
            rows.push(json!({"draws": draws, "token": i, "before": before, "after": after, "undecided": undecided}));
        }
        let motion = match &step.motion {
            Motion::Average { gamma, preconditioner } => {
                json!({"kind": "average", "gamma": gamma, "preconditioner": linear(preconditioner)})
            }
            Motion::Flow { dt, integrator, geometry } => json!({
                "kind": "flow", "dt": dt, "integrator": integrator.name(), "geometry": geometry.name(),
                "w": if let Geometry::Ellipsoid(w) = geometry { entries(w) } else { Value::Null },
            }),
        };
        let head = |head: &Head| json!({"scores": linear(&head.scores), "values": linear(&head.values)});
        let stage = |stage: &Stage| json!({"weights": weights(stage.weights), "heads": stage.heads.iter().map(head).collect::<Vec<_>>()});
        cases.push(json!({
            "precision": precision.name(), "rounding": if rounding == Rounding::Single { "single" } else { "double" },
            "distance": step.scoring == Scoring::Distance, "causal": step.mask.causal, "window": step.mask.window, "own": step.mask.own, "omit": step.omit, "kappa": step.noise.map(|noise| noise.kappa), "motion": motion, "rows": rows,
            "stages": step.stages.iter().map(stage).collect::<Vec<_>>(),
            "units": step.perceptron.as_ref().map(|p| p.units(d).collect::<Vec<_>>()), "directions": step.directions, "exclusive": step.exclusive, "bias": step.bias, "by_row": step.own.as_ref().map(by_row), "length": first.length,
            "outputs": (0..states.len()).map(|s| (0..n).map(|i| bounds.output(s, i)).collect()).collect::<Vec<Vec<f64>>>(),
            "states": states.iter().map(|s| s.x.chunks_exact(d).collect::<Vec<_>>()).collect::<Vec<_>>(),
        }));
        ours.push(numbers);
    }
    // A bound that is infinite or not a number everywhere would equal anything.
    let finite = ours.iter().flatten().filter(|v| v.is_finite()).count();
    assert!(10 * finite > 9 * ours.iter().flatten().count(), "{finite} are finite");
    hold_equal(&cases, &ours);
}

/// A wrong bound on the distance between the contract and the mathematics would pass a broken
/// engine, or refuse a right one.
#[test]
fn bounds_of_the_contract_are_those_derived() {
    let mut draw = Draw(ChaCha8Rng::seed_from_u64(6));
    let (mut cases, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let (n, d) = (1 + draw.below(7), 1 + draw.below(4));
        let scale = [1.0, 300.0, 1e-3][draw.below(3)];
        let factor = Schedule::Constant(1.0 + 0.5 * draw.real());
        let scores = Operator::scaled(draw.matrix(d), factor);
        let mut delta = Schedule::Constant([0.0, 1.0, 1e-4][draw.below(3)] * scale);
        if draw.below(3) == 0 {
            delta = Schedule::tokens((0..n).map(|_| draw.real().abs() * scale).collect::<Vec<_>>()).expect("widths");
        }
        let rule = match draw.below(5) {
            0 => Rule::Hardmax,
            1 => Rule::FrankWolfe,
            form => Rule::Localmax { delta, strip: StripForm::OF_PRODUCTS[form - 2].0 },
        };
        let gain = if rule == Rule::FrankWolfe {
            Gain::Gamma(Schedule::Constant(0.5))
        } else {
            Gain::Alpha(Schedule::Constant(0.5))
        };
        let mut model = Model::averaging(rule, scores, Mask::FULL, gain);
        if let Rule::Localmax { strip, .. } = &mut model.rule
            && draw.below(3) == 0
        {
            *strip = [StripForm::Score, StripForm::Radius][draw.below(2)];
            (model.scoring, model.heads[0].scores) = (Scoring::Distance, Operator::identity());
        }
        if matches!(model.rule, Rule::Localmax { .. }) && draw.below(3) == 0 {
            let point: Vec<f64> = draw.reals(d).into_iter().map(|v| v * scale).collect();
            model = model.truth(&point, 0.3).expect("a truth");
        }
        let precision = [Precision::F32, Precision::F64][draw.below(2)];
        let cloud: Vec<f64> = draw.reals(n * d).into_iter().map(|v| v * scale).collect();
        let cloud = Tokens::from_flat(n, d, cloud).expect("a cloud");
        let grid = Grid::of(model.widest(&cloud), precision);
        let tokens = grid.snap(&cloud).expect("tokens");
        let integers = crate::exact::Steps::new(&model, grid, d).at(0).expect("a step");
        let (exact, state) = (reference::exact::State::new(&tokens, grid), reference::real::State::new(&tokens));
        let spec = crate::real::Steps::new(&model, d).at(0).expect("a step");
        let bounds = ExactBounds::new(grid, &integers, &spec, &exact);
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        for i in 0..n {
            let members: Vec<usize> = (0..n).filter(|_| draw.below(2) == 0).collect();
            numbers.push(bounds.threshold(&state, i));
            numbers.extend((0..d).map(|k| bounds.token(&state, i, k, &members)));
            rows.push(json!({"token": i, "members": members}));
        }
        let units = |i: usize| exact.row(i).to_vec();
        cases.push(json!({
            "grid": {"unit": grid.unit(), "state_bits": precision.state_bits(), "gain_bits": precision.gain_bits()},
            "distance": model.scoring == Scoring::Distance, "deltas": model.deltas().map(|all| all.to_vec()),
            "truth": model.terms.truth.as_ref().map(|truth| truth.point.to_f64()),
            "identity": integers.matrix == crate::exact::TokenMatrix::Identity,
            "matrix_exponent": integers.matrix_exponent, "weights": weights(spec.stages[0].weights),
            "scores": linear(&spec.stages[0].heads[0].scores), "rows": rows,
            "lattice": (0..n).map(units).collect::<Vec<_>>(),
        }));
        ours.push(numbers);
    }
    hold_equal(&cases, &ours);
}
