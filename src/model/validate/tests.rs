use super::*;
use crate::model::{Gain, Head, Mask, Operator, Terms};
use crate::schedule::Schedule;

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

fn averaging(rule: Rule, gain: Gain) -> Model {
    Model::averaging(rule, Operator::identity(), Mask::FULL, gain)
}

fn softmax(beta: &str) -> Rule {
    Rule::Softmax { beta: schedule(beta) }
}

fn flow(rule: Rule, dt: f64, integrator: Integrator, geometry: Geometry) -> Model {
    let heads = vec![Head { scores: Operator::identity(), values: Operator::identity() }];
    let update = Update::Flow { dt, integrator, geometry };
    Model {
        rule,
        scoring: Scoring::Inner,
        heads,
        mask: Mask::FULL,
        update,
        omit: 0.0,
        terms: Terms::default(),
        keys: None,
        graph: None,
    }
}

fn dense(rows: &[&[f64]]) -> Matrix {
    Matrix::dense(&rows.iter().map(|r| r.to_vec()).collect::<Vec<_>>()).unwrap()
}

/// A person must be able to mend a parameter from the message alone, before the first step.
#[test]
fn bad_parameters_are_named_with_value_step_and_domain() {
    let gamma = |text| Gain::Gamma(schedule(text));
    let sphere = |dt, integrator| flow(softmax("1"), dt, integrator, Geometry::Sphere);
    let ellipsoid = |w| flow(softmax("1"), 0.1, Integrator::Rk4, Geometry::Ellipsoid(w));
    let preconditioned = |matrix, factor| {
        let mut model = averaging(Rule::FrankWolfe, gamma("1"));
        let p = Operator::scaled(matrix, schedule(factor));
        model.update = Update::Average { gain: gamma("1"), preconditioner: Some(p) };
        model
    };
    let three = dense(&[&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]);
    let mut heads = ellipsoid(Matrix::Identity);
    heads.heads.push(Head { scores: Operator::constant(three.clone()), values: Operator::identity() });
    let mut growing = flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Rescaled);
    growing.heads[0].values.factor = schedule("1+t");
    let mut empty = sphere(0.1, Integrator::Euler);
    empty.heads.clear();
    let mut several = ellipsoid(Matrix::Identity);
    several.heads.push(several.heads[0].clone());
    let mut drawn = averaging(Rule::Markov { beta: schedule("1"), seed: 1 }, gamma("0.5"));
    drawn.heads.push(drawn.heads[0].clone());
    for (model, wanted) in [
        (averaging(softmax("-1"), gamma("0.5")), "model.beta is -1 at step 0; it must be finite and at least 0"),
        (averaging(softmax("3-t"), gamma("0.5")), "model.beta is -1 at step 4; it must be"),
        (flow(softmax("3-t"), 0.5, Integrator::Rk4, Geometry::Sphere), "model.beta is -0.25 at step 6 (t = 3.25)"),
        (averaging(softmax("1"), gamma("1")), "model.gamma is 1 at step 0; it must be above 0 and below 1"),
        (averaging(Rule::FrankWolfe, gamma("0")), "model.gamma is 0 at step 0; it must be above 0 and at most 1"),
        (averaging(Rule::FrankWolfe, gamma("0.5+t/10")), "model.gamma is 1.1 at step 6"),
        (
            averaging(Rule::Hardmax, Gain::Alpha(schedule("1-t"))),
            "model.alpha is 0 at step 1; it must be finite and above 0",
        ),
        (sphere(0.0, Integrator::Euler), "model.dt is 0; it must be finite and above 0"),
        (sphere(f64::NAN, Integrator::Euler), "model.dt is NaN"),
        (flow(Rule::Hardmax, 0.1, Integrator::Rk4, Geometry::Sphere), "rule hardmax moves in steps"),
        (flow(softmax("1"), 0.1, Integrator::EulerRenorm, Geometry::Rescaled), "rule rescaled has no norm"),
        (averaging(Rule::Exponential { beta: schedule("1"), origin: 0.0 }, gamma("0.5")), "model.normalized is false"),
        (ellipsoid(dense(&[&[1.0, 2.0], &[2.0, 1.0]])), "model.w has the eigenvalue -1"),
        (ellipsoid(dense(&[&[1.0, 0.5], &[0.25, 1.0]])), "model.w has 0.25 at (1, 0) and 0.5 at (0, 1)"),
        (ellipsoid(Matrix::multiple(-2.0).unwrap()), "model.w is -2 times the identity"),
        (ellipsoid(three.clone()), "model.w is 3×3 but the tokens have d = 2; it must be 2×2"),
        (heads, "model.heads[1].p is 3×3 but the tokens have d = 2"),
        (preconditioned(three.clone(), "1"), "model.p is 3×3"),
        (preconditioned(Matrix::Identity, "1/(2-t)"), "model.p.factor is inf at step 2"),
        (growing, "a v that is constant in time"),
        (empty, "model.heads is empty"),
        (drawn, "model.heads has 2 heads; rule markov draws from one"),
        (averaging(Rule::FrankWolfe, gamma("0.5")).exclusive(), "model.exclusive is true but rule frank-wolfe has no"),
        (
            flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Rescaled).exclusive(),
            "model.exclusive is true but rule rescaled has no output with a value; leave it out",
        ),
        (averaging(Rule::Hardmax, gamma("0.5")).causal().bias(1.0), "model.bias is 1 but rule hardmax has no weights"),
        (averaging(softmax("1"), gamma("0.5")).bias(1.0), "model.bias is 1 without a causal mask"),
        (
            averaging(softmax("1"), gamma("0.5")).causal().bias(-1.0),
            "model.bias is -1; it must be finite and at least 0",
        ),
        (
            averaging(softmax("1"), gamma("0.5")).causal().distances().bias(1.0),
            "model.bias is 1 beside scores = \"distance\"",
        ),
        (ellipsoid(Matrix::Identity).causal().bias(1.0), "model.bias is 1 but rule ellipsoid has no β"),
        (several.exclusive(), "model.exclusive is true but there are 2 heads; it goes with the value of one"),
    ] {
        let error = model.validate(2, 10).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error:?} lacks {wanted:?}");
        assert!(!error.contains('\n'));
    }
    assert!(averaging(Rule::FrankWolfe, gamma("2/(t+2)")).validate(2, 10).is_ok());
    assert!(preconditioned(Matrix::Identity, "1").validate(2, 10).is_ok());
}

/// A token without a direction has no place on a sphere; on R^d it has.
#[test]
fn starts_are_on_the_geometry() {
    let cloud = Tokens::from_flat(2, 2, vec![3.0, 4.0, 0.0, 0.0]).unwrap();
    let sphere = flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Sphere);
    let error = sphere.start(&cloud, Precision::F64).unwrap_err().to_string();
    assert!(error.contains("token 1 is [0.0, 0.0]"), "{error}");
    let flat = flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Flat);
    assert_eq!(flat.start(&cloud, Precision::F64).unwrap(), cloud);
    let one = Tokens::from_flat(1, 2, vec![3.0, 4.0]).unwrap();
    assert_eq!(sphere.start(&one, Precision::F64).unwrap().to_f64(), [0.6, 0.8]);
    let w = flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Ellipsoid(Matrix::multiple(4.0).unwrap()));
    assert_eq!(w.start(&one, Precision::F64).unwrap().to_f64(), [0.3, 0.4]);
    let huge = Tokens::from_flat(1, 2, vec![1e200, 1e200]).unwrap();
    assert!(sphere.start(&huge, Precision::F64).unwrap_err().to_string().contains("finite norm"));
}

/// Only what averages tokens inside their hull may run on the lattice.
#[test]
fn the_contract_covers_what_stays_in_the_hull() {
    let gain = || Gain::Gamma(schedule("0.5"));
    assert!(averaging(Rule::Hardmax, gain()).is_exact() && averaging(Rule::FrankWolfe, gain()).is_exact());
    assert!(!averaging(softmax("1"), gain()).is_exact());
    let mut values = averaging(Rule::Hardmax, gain());
    values.heads[0].values.factor = schedule("1+t");
    assert!(!values.is_exact() && !values.is_autonomous());
    assert!(!flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Rescaled).is_autonomous());
    assert!(flow(softmax("1"), 0.1, Integrator::Euler, Geometry::Sphere).is_autonomous());
}
