//! Scales at which f64 cannot hold the mathematics: the verifier says so, and checks what is left.

use localmax::cpu::{Options, RealCpu};
use localmax::engine::{Engine, ExactReference, RealReference, Steps};
use localmax::exact::Grid;
use localmax::init::{Cloud, CloudSample};
use localmax::io::config::Config;
use localmax::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};
use localmax::verify::Verifier;

/// An engine that is right must not be called wrong where only the mathematics' own f64 fails, nor
/// verified by an infinite bound of which nothing is said.
#[test]
fn scores_beyond_f64_have_no_bound_and_that_is_told() {
    let tokens = CloudSample::new(Cloud::Gaussian, 20, 3).tokens(1, Precision::F32).unwrap();
    for (scale, beyond) in
        [(1.0, false), (1e-100, false), (1e120, false), (1e-150, true), (1e-300, true), (1e155, true), (1e308, true)]
    {
        assert_eq!(rows_unbounded(&tokens, Matrix::multiple(scale).unwrap()), if beyond { 60 } else { 0 }, "{scale:e}");
    }
}

/// The square of a lattice unit leaves the range before any score does.
#[test]
fn units_beyond_f64_have_no_bound() {
    let normal = CloudSample::new(Cloud::Gaussian, 20, 3).tokens(1, Precision::F64).unwrap();
    for (exponent, beyond) in [(-430, false), (-450, true)] {
        let rows: Vec<f64> = normal.to_f64().into_iter().map(|x| x * 2f64.powi(exponent)).collect();
        let tokens = Tokens::from_flat(20, 3, rows).unwrap();
        assert_eq!(rows_unbounded(&tokens, Matrix::Identity), if beyond { 60 } else { 0 }, "2^{exponent}");
    }
}

/// On a line, with queries across it, every score is zero: nothing leaves any range, and the mask
/// is checked.
#[test]
fn scores_that_are_zero_have_a_bound() {
    let line = CloudSample::new(Cloud::Gaussian, 20, 1).tokens(1, Precision::F32).unwrap();
    let rows: Vec<f64> = line.to_f64().into_iter().flat_map(|x| [x, 0.0]).collect();
    let tokens = Tokens::from_flat(20, 2, rows).unwrap();
    for (scale, beyond) in [(1.0, false), (1e-100, false), (1e-170, true), (1e160, true)] {
        let turn = Matrix::dense(&[vec![0.0, -scale], vec![scale, 0.0]]).unwrap();
        assert_eq!(rows_unbounded(&tokens, turn), if beyond { 60 } else { 0 }, "{scale:e}");
    }
}

/// An engine that is right must not be called wrong because a bound is infinity times nothing.
#[test]
fn weights_beyond_f64_have_no_bound() {
    for integrator in ["euler", "rk4", "euler-renorm"] {
        let config = config(&format!(
            "rows = [[1, 0.1], [1, 0.2], [1, 0.3], [1, -0.1]]\n[model]\nrule = \"sphere\"\nnormalized = false\nbeta = 800\n\
             q = [[0, -1], [1, 0]]\nk = \"identity\"\ndt = 1e-150\nintegrator = \"{integrator}\""
        ));
        let tokens = config.model.start(&config.load_tokens().unwrap(), Precision::F64).unwrap();
        let mut verifier = Verifier::new(&config.model, Grid::of(&tokens, Precision::F64), 4, 2, None);
        verifier.step(&mut RealReference::new(&tokens), 0).unwrap();
        let findings = verifier.findings;
        assert!(findings.passed() && findings.rows_unbounded == 4, "{integrator}: {findings}");
        assert!(findings.to_string().contains("no bound exists"), "{findings}");
    }
}

/// The reference says what is right: where its scores leave f64 it must not fail while an engine
/// goes on.
#[test]
fn scores_beyond_f64_are_those_of_the_engine() {
    let rows = "rows = [[1e200, 0], [0, 1e200], [-1e200, 1], [1.5e200, 1e199], [1e199, 3e200]]\n[model]\nalpha = 0.5";
    for rule in [
        "rule = \"softmax\"\nbeta = 1",
        "rule = \"softmax\"\nbeta = 0",
        "rule = \"markov\"\nbeta = 1",
        "rule = \"hardmax\"\nv = 0.9",
        "rule = \"localmax\"\ndelta = 1e200\nstrip = \"width\"\nv = 0.9",
        "rule = \"localmax\"\ndelta = 1e200\nv = 0.9",
    ] {
        let config = config(&format!("{rows}\n{rule}"));
        let tokens = config.load_tokens().unwrap();
        let (mut reference, mut cpu) =
            (RealReference::new(&tokens), RealCpu::new(&tokens, Options::default()).unwrap());
        let step = Steps::new(&config.model, Grid::of(&tokens, Precision::F64), 2).at(0).unwrap();
        for engine in [&mut reference as &mut dyn Engine, &mut cpu] {
            engine.step(std::slice::from_ref(&step)).unwrap();
        }
        let [one, two] = [reference.tokens(), cpu.tokens()].map(|tokens| tokens.unwrap().to_f64());
        assert!(one.iter().zip(&two).all(|(a, b)| (a - b).abs() <= 1e188), "{rule}: {one:?}, {two:?}");
    }
}

fn config(text: &str) -> Config {
    let text = format!("[tokens]\n{text}\n[run]\nsteps = 1\nprecision = \"f64\"\n");
    Config::parse(&text, "c.toml", "c", std::path::Path::new(""), &[]).unwrap()
}

/// Rows without a bound in three verified steps of the reference, and what is said of them.
fn rows_unbounded(tokens: &Tokens, matrix: Matrix) -> u64 {
    let grid = Grid::of(tokens, tokens.precision());
    let rule = Rule::Localmax { delta: Schedule::Constant(0.3), strip: StripForm::Width };
    let model = Model::averaging(rule, Operator::constant(matrix), Mask::FULL, Gain::Alpha(Schedule::Constant(0.5)));
    let mut engine = ExactReference::new(&grid.snap(tokens).unwrap(), grid);
    let mut verifier = Verifier::new(&model, grid, tokens.n(), tokens.d(), None);
    for t in 0..3 {
        verifier.step(&mut engine, t).unwrap();
    }
    let findings = verifier.findings;
    assert!(findings.passed() && findings.rows == 60, "{findings}");
    assert_eq!(findings.to_string().contains("leave the range of f64"), findings.rows_unbounded > 0, "{findings}");
    findings.rows_unbounded
}
