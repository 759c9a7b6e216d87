//! The worked cases of tests/cases with a flow.

use std::fs;
use std::path::Path;

use localmax::model::{Geometry, Head, Integrator, Mask, Matrix, Model, Operator, Rule, Scoring, Terms, Update};
use localmax::schedule::Schedule;
use localmax::tokens::Precision;
use serde_json::Value;

use crate::Body;
use crate::factories::{Factory, assert_near};
use crate::sphere::energy;

pub(crate) const BODIES: &[(&str, Body)] = &[
    ("the_causal_case_is_reproduced", |f| reproduce(f, "causal_sphere.json")),
    ("the_metastable_case_is_reproduced", |f| reproduce(f, "sphere_metastable.json")),
];

fn rows(value: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(value.clone()).expect("rows")
}

fn matrix(value: &Value) -> Vec<Vec<f64>> {
    if value == "I" { vec![vec![1.0, 0.0], vec![0.0, 1.0]] } else { rows(value) }
}

/// The case's own numbers, from a program that is not ours: 1e-10 in f64, 1e-5 in f32, at every
/// time it lists; and its energies, with the plateau of two clusters and the last value e⁴/8.
fn reproduce(factory: &Factory, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
    let case: Value = serde_json::from_str(&fs::read_to_string(path).expect("a case")).expect("JSON");
    let p = &case["params"];
    let beta = p["beta"].as_f64().expect("beta");
    assert_eq!(p["V"], "I");
    let scores = Matrix::from_query_key(&matrix(&p["Q"]), &matrix(&p["K"])).expect("q and k");
    let model = Model {
        rule: Rule::Softmax { beta: Schedule::Constant(beta) },
        heads: vec![Head { scores: Operator::constant(scores), values: Operator::identity() }],
        mask: if case["model"] == "causal_CSA" { Mask::CAUSAL } else { Mask::FULL },
        update: Update::Flow {
            dt: p["dt"].as_f64().expect("dt"),
            integrator: if p["scheme"] == "rk4+renorm" { Integrator::Rk4 } else { Integrator::EulerRenorm },
            geometry: Geometry::Sphere,
        },
        scoring: Scoring::Inner,
        omit: 0.0,
        terms: Terms::default(),
        keys: None,
        graph: None,
    };
    for (precision, tolerance) in [(Precision::F64, 1e-10), (Precision::F32, 1e-5)] {
        if precision == Precision::F64 && factory.precision == Precision::F32 {
            continue;
        }
        let mut run = factory.run_at(&model, &rows(&case["x0"]), precision);
        let mut times: Vec<u64> =
            case["x_at"].as_object().expect("x_at").keys().map(|t| t.parse().expect("a time")).collect();
        times.sort_unstable();
        for t in times {
            run.advance(t - run.t);
            let got = run.rows();
            assert_near(&format!("{name} step {t}"), &got, &rows(&case["x_at"][t.to_string()]), tolerance);
            if let Some(want) = case["energy_at"][t.to_string()].as_f64() {
                let error = (energy(&got, beta) - want).abs();
                assert!(error <= 10.0 * beta * tolerance, "{name} step {t}: energy off by {error:e}");
            }
        }
        run.advance(case["steps"].as_u64().expect("steps") - run.t);
        let got = run.rows();
        assert_near(&format!("{name} at the end"), &got, &rows(&case["x_final"]), tolerance);
        if name == "sphere_metastable.json" {
            let error = (energy(&got, beta) - 4f64.exp() / 8.0).abs();
            assert!(error <= 10.0 * beta * tolerance, "one cluster has energy e^4/8, off by {error:e}");
        }
    }
}
