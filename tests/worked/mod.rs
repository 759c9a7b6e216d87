//! The worked cases of tests/cases, read: initial data, parameters and the f64 result of small
//! runs, each with its masks.

use std::fs;
use std::path::Path;

use localmax::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use localmax::schedule::Schedule;
use localmax::tokens::Tokens;
use serde_json::Value;

pub(crate) struct Case {
    pub(crate) model: Model,
    pub(crate) x0: Tokens,
    pub(crate) steps: u64,
    pub(crate) x_final: Tokens,
    pub(crate) neighbourhoods: Vec<(u64, Vec<Vec<u32>>)>,
}

pub(crate) fn cloud(value: &Value) -> Tokens {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    Tokens::from_flat(rows.len(), rows[0].len(), rows.concat()).unwrap()
}

pub(crate) fn case(name: &str) -> Case {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
    let data: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let params = &data["params"];
    let strip = match params["scale"].as_str().unwrap() {
        "raw" => StripForm::Score,
        "geometric" => StripForm::Width,
        other => panic!("unknown strip {other}"),
    };
    let rule = match data["model"].as_str().unwrap() {
        "hardmax" => Rule::Hardmax,
        "localmax" => {
            Rule::Localmax { delta: Schedule::Constant(params["delta_values_first10"][0].as_f64().unwrap()), strip }
        }
        other => panic!("unknown model {other}"),
    };
    let neighbourhoods = data["neighbourhoods"].as_object().unwrap().iter();
    Case {
        model: Model::averaging(
            rule,
            Operator::identity(),
            Mask::FULL,
            Gain::Alpha(Schedule::Constant(params["alpha"].as_f64().unwrap())),
        ),
        x0: cloud(&data["x0"]),
        steps: data["steps"].as_u64().unwrap(),
        x_final: cloud(&data["x_final"]),
        neighbourhoods: neighbourhoods
            .map(|(t, c)| (t.parse().unwrap(), serde_json::from_value(c.clone()).unwrap()))
            .collect(),
    }
}

pub(crate) fn assert_near(name: &str, got: &Tokens, want: &Tokens, tolerance: f64) {
    for i in 0..want.n() {
        for k in 0..want.d() {
            let (g, w) = (got.get(i, k), want.get(i, k));
            assert!((g - w).abs() <= tolerance * w.abs().max(1.0), "{name}: token {i} coordinate {k}: {g} against {w}");
        }
    }
}

pub(crate) const NAMES: [&str; 3] = ["emerging_leader.json", "non_vertex_limit.json", "zero_token.json"];
