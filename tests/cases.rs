//! The worked cases of SPEC 7: initial data, parameters and the f64 result of small runs, each with its masks.

use std::fs;
use std::path::Path;

use localmax::contract::Grid;
use localmax::engine::{Engine, ReferenceEngine, Steps};
use localmax::field;
use localmax::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use localmax::reference::spec;
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};
use serde_json::Value;

struct Case {
    model: Model,
    x0: Tokens,
    steps: u64,
    x_final: Tokens,
    neighbourhoods: Vec<(u64, Vec<Vec<u32>>)>,
}

fn cloud(value: &Value) -> Tokens {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    Tokens::from_f64(rows.len(), rows[0].len(), rows.concat()).unwrap()
}

fn case(name: &str) -> Case {
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
            Mask::Full,
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

fn assert_near(name: &str, got: &Tokens, want: &Tokens, tolerance: f64) {
    for i in 0..want.n() {
        for k in 0..want.d() {
            let (g, w) = (got.get(i, k), want.get(i, k));
            assert!((g - w).abs() <= tolerance * w.abs().max(1.0), "{name}: token {i} coordinate {k}: {g} against {w}");
        }
    }
}

const NAMES: [&str; 3] = ["emerging_leader.json", "non_vertex_limit.json", "zero_token.json"];

/// If the contract strayed from the worked cases, every engine would be equally wrong.
#[test]
fn the_contract_gives_the_worked_cases() {
    for name in NAMES {
        let case = case(name);
        for (precision, tolerance) in [(Precision::F32, 2e-5), (Precision::F64, 1e-12)] {
            let grid = Grid::of(&case.x0, precision);
            let mut engine = ReferenceEngine::new(&case.x0, grid);
            let mut steps = Steps::new(&case.model, grid, case.x0.d());
            let rows: Vec<usize> = (0..case.x0.n()).collect();
            for t in 0..case.steps {
                let step = steps.at(t).unwrap();
                if let Some((_, masks)) = case.neighbourhoods.iter().find(|(at, _)| *at == t) {
                    assert_eq!(&engine.masks(&step, &rows).unwrap(), masks, "{name} step {t}");
                }
                engine.step(&[step]).unwrap();
            }
            assert_near(name, &engine.tokens().unwrap(), &case.x_final, tolerance);
        }
    }
}

/// SPEC's own face against the same cases: the f64 mathematics that the contract is measured by.
#[test]
fn the_mathematics_gives_the_worked_cases() {
    for name in NAMES {
        let case = case(name);
        let mut state = spec::State::new(&case.x0);
        for t in 0..case.steps {
            let step = field::Steps::new(&case.model, case.x0.d()).at(t).unwrap();
            let (stage, head) = (&step.stages[0], &step.stages[0].heads[0]);
            if let Some((_, masks)) = case.neighbourhoods.iter().find(|(at, _)| *at == t) {
                for (i, mask) in masks.iter().enumerate() {
                    let attended = state.attention(&step, stage, head, i);
                    let members: Vec<u32> = attended.weights.iter().map(|(j, _)| *j as u32).collect();
                    assert_eq!(&members, mask, "{name} step {t} token {i}");
                }
            }
            state = state.step(&step).0;
        }
        let got = Tokens::from_f64(state.n, state.d, state.x).unwrap();
        assert_near(name, &got, &case.x_final, 1e-12);
    }
}
