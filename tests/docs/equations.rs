//! docs/equations.md beside the program, by way of tests/equations.py.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{ROOT, good};

/// The numbers of an .npy file of f64 as the program writes it.
fn numbers(path: &Path) -> Vec<f64> {
    let bytes = fs::read(path).unwrap();
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    bytes[start..].as_chunks().0.iter().map(|&number| f64::from_le_bytes(number)).collect()
}

/// A JSON value as TOML writes it.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(entries) => {
            let pairs: Vec<String> = entries.iter().map(|(key, value)| format!("{key} = {}", toml(value))).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// If this failed, docs/equations.md would state other systems than those that are computed:
/// tests/equations.py is written from that page alone, and knows where v, p, q, k, w, the heads,
/// the origin and the number of keys enter.
#[test]
fn the_equations_are_those_that_are_computed() {
    let tokens = json!([[1.0, 0.2, -0.4], [-0.3, 0.9, 0.5], [0.7, -0.6, 0.1], [-0.8, -0.2, 0.3], [0.1, 0.4, -0.9]]);
    let (a, b) =
        (json!([[0.9, 0.3, 0.0], [-0.2, 1.1, 0.4], [0.1, 0.0, 0.7]]), json!([[0.5, 0.1, 0.2], [0.0, 0.8, -0.1]]));
    let (w, c) =
        (json!([[2.0, 0.3, 0.1], [0.3, 1.0, 0.0], [0.1, 0.0, 1.5]]), json!([[0.4, -0.3, 0.2], [0.6, 0.1, 0.0]]));
    let c3 = json!([[0.4, -0.3, 0.2], [0.6, 0.1, 0.0], [0.0, 0.5, 0.9]]);
    let waving = json!({ "matrix": a, "factor": "1+0.5*sin(t)" });
    let models = [
        json!({ "rule": "localmax", "alpha": 0.5, "delta": 0.3 }),
        json!({ "rule": "localmax", "alpha": "1/(t+1)", "delta": { "table": [0.4, 0.2, 0.3] }, "strip": "width", "a": a }),
        json!({ "rule": "localmax", "gamma": 0.3, "delta": 0.3, "strip": "a-norm", "a": w, "causal": true }),
        json!({ "rule": "localmax", "alpha": 2.0, "delta": 0.5, "strip": "width", "q": b, "k": c, "v": a }),
        json!({ "rule": "localmax", "gamma": 1.0, "scores": "distance", "epsilon": 1.1 }),
        json!({ "rule": "localmax", "alpha": 1.0, "scores": "distance", "delta": "0.7/(t+1)", "causal": true }),
        json!({ "rule": "localmax", "alpha": 1.0, "scores": "distance", "epsilon": "1+t/8", "v": a }),
        json!({ "rule": "softmax", "gamma": 1.0, "scores": "distance", "beta": "2+t" }),
        json!({ "rule": "markov", "gamma": 1.0, "scores": "distance", "beta": 1.5 }),
        json!({ "rule": "hardmax", "alpha": 1.0, "a": waving }),
        json!({ "rule": "frank-wolfe", "gamma": "2/(t+2)", "a": a }),
        json!({ "rule": "frank-wolfe", "gamma": 0.4, "p": { "matrix": a, "factor": "exp(-t)" }, "a": -1.0 }),
        json!({ "rule": "softmax", "alpha": 0.5, "beta": "1+t", "v": waving, "a": a }),
        json!({ "rule": "softmax", "gamma": 0.25, "beta": 2.0, "q": { "matrix": b, "factor": "1+t" }, "k": c, "causal": true }),
        json!({ "rule": "softmax", "gamma": 0.4, "beta": 3.0, "weights": "sparsemax", "a": a, "v": waving }),
        json!({ "rule": "softmax", "alpha": 0.5, "beta": "1+t", "weights": "entmax15", "causal": true }),
        json!({ "rule": "sphere", "beta": 2.0, "weights": "entmax15", "dt": 0.2, "integrator": "rk4" }),
        json!({ "rule": "sphere", "beta": 2.0, "weights": "linear", "q": b, "k": c, "dt": 0.2 }),
        json!({ "rule": "sphere", "beta": 2.0, "weights": "relu", "causal": true, "dt": 0.2, "integrator": "euler" }),
        json!({ "rule": "sphere", "beta": 2.0, "normalisation": "pre", "dt": 0.2, "v": a, "integrator": "rk4" }),
        json!({ "rule": "sphere", "beta": 2.0, "normalisation": "peri", "dt": 0.2, "causal": true }),
        json!({ "rule": "sphere", "beta": 2.0, "normalisation": "mix", "switch": 0.3, "dt": 0.2, "integrator": "rk4" }),
        json!({ "rule": "sphere", "beta": 2.0, "normalisation": "ngpt", "speed": "1+t", "dt": 0.2 }),
        json!({ "rule": "sphere", "beta": 2.0, "normalisation": "cod", "dt": 0.2, "v": waving, "integrator": "rk4" }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "perceptron": { "omega": [0.5, -1.5, 2.0], "a": a }, "integrator": "rk4" }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "perceptron": { "omega": 0.7, "a": b, "activation": "tanh" } }),
        json!({ "rule": "sphere", "beta": 2.0, "noise": "3+t", "dt": 0.1, "integrator": "euler" }),
        json!({ "rule": "sphere", "beta": 2.0, "noise": 5.0, "common": true, "dt": 0.1, "normalized": false }),
        json!({ "rule": "markov", "gamma": 0.25, "beta": 1.5, "a": a }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "q": b, "k": c, "v": a }),
        json!({ "rule": "sphere", "beta": "1+t", "dt": 0.2, "v": waving, "integrator": "rk4" }),
        json!({ "rule": "sphere", "beta": 3.0, "dt": 0.2, "normalized": false, "origin": 0.5, "causal": true, "integrator": "euler" }),
        json!({ "rule": "ellipsoid", "w": w, "dt": 0.1, "heads": [{ "p": a }, { "p": waving, "u": a }] }),
        json!({ "rule": "ellipsoid", "w": 2.0, "dt": 0.1, "heads": [{ "u": a }], "integrator": "euler-renorm", "causal": true }),
        json!({ "rule": "rescaled", "a": a, "v": w, "dt": 0.1 }),
        json!({ "rule": "rescaled", "a": waving, "v": -0.5, "dt": 0.1, "integrator": "rk4", "causal": true }),
        json!({ "rule": "rescaled", "q": b, "k": c, "v": a, "dt": 0.2, "integrator": "rk4" }),
        json!({ "rule": "softmax", "alpha": 0.5, "beta": 2.0, "bias": 1.5, "causal": true, "a": a }),
        json!({ "rule": "markov", "gamma": 0.25, "beta": 1.5, "bias": 2.5, "causal": true, "mask": { "window": 2 } }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "bias": 2.0, "normalized": false, "causal": true, "self": false }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "bias": 2.0, "weights": "sparsemax", "causal": true }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "bias": 0.5, "weights": "linear", "causal": true, "integrator": "rk4" }),
        json!({ "rule": "softmax", "alpha": 0.5, "beta": 2.0, "v": waving, "exclusive": true }),
        json!({ "rule": "localmax", "alpha": 0.5, "delta": 0.3, "exclusive": true, "causal": true }),
        json!({ "rule": "hardmax", "alpha": 0.5, "v": a, "exclusive": true, "causal": true, "self": false }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "v": a, "exclusive": true, "integrator": "rk4" }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "v": a, "exclusive": true, "normalisation": "peri" }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "v": a, "exclusive": true, "perceptron": { "omega": 0.7, "a": b } }),
        json!({ "rule": "ellipsoid", "w": w, "dt": 0.1, "heads": [{ "p": a, "u": c3 }], "exclusive": true, "integrator": "euler" }),
        json!({ "rule": "localmax", "alpha": 0.5, "delta": 0.3, "mask": { "window": 1 } }),
        json!({ "rule": "localmax", "alpha": 0.5, "delta": 0.3, "v": a, "causal": true, "self": false }),
        json!({ "rule": "localmax", "gamma": 1.0, "scores": "distance", "epsilon": 1.5, "mask": { "window": 2 }, "causal": true }),
        json!({ "rule": "localmax", "alpha": 0.5, "delta": 0.3, "mask": { "graph": [[0, 2], [2, 1], [1, 3], [3, 0]] } }),
        json!({ "rule": "softmax", "gamma": 0.4, "beta": 3.0, "mask": { "graph": [[0, 2], [2, 1], [3, 1], [1, 1]] } }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "mask": { "graph": [[0, 1], [2, 1]] }, "integrator": "rk4" }),
        json!({ "rule": "hardmax", "alpha": 1.0, "a": waving, "self": false }),
        json!({ "rule": "frank-wolfe", "gamma": 0.4, "p": a, "mask": { "window": 1 }, "causal": true, "self": false }),
        json!({ "rule": "softmax", "alpha": 0.5, "beta": 2.0, "v": a, "mask": "causal", "self": false }),
        json!({ "rule": "softmax", "gamma": 1.0, "scores": "distance", "beta": 2.0, "mask": { "window": 1 }, "self": false }),
        json!({ "rule": "softmax", "gamma": 0.4, "beta": 3.0, "weights": "sparsemax", "mask": { "window": 2 } }),
        json!({ "rule": "markov", "gamma": 0.25, "beta": 1.5, "mask": { "window": 1 }, "self": false }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "weights": "linear", "causal": true, "self": false }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "normalized": false, "mask": { "window": 1 }, "integrator": "rk4" }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "normalisation": "pre", "causal": true, "self": false }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "perceptron": { "omega": 0.7, "a": b }, "causal": true, "self": false }),
        json!({ "rule": "ellipsoid", "w": w, "dt": 0.1, "heads": [{ "p": a }, { "u": a }], "mask": { "window": 1 }, "self": false }),
        json!({ "rule": "rescaled", "a": a, "v": w, "dt": 0.1, "causal": true, "mask": { "window": 2 }, "self": false }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "v": { "random": "gaussian", "scale": 0.7, "every": 1 } }),
        json!({ "rule": "sphere", "beta": 2.0, "dt": 0.2, "a": { "random": "goe", "factor": "1+t" }, "integrator": "rk4" }),
        json!({ "rule": "ellipsoid", "dt": 0.2, "heads": { "count": 2, "p": { "random": "product", "scale": 0.5, "every": 2 },
            "u": { "random": "ginibre", "every": 1 } }, "integrator": "euler-renorm" }),
        json!({ "rule": "hardmax", "alpha": 1.0, "a": { "random": "gaussian", "every": 1 } }),
        json!({ "rule": "frank-wolfe", "gamma": 0.4, "p": { "random": "goe", "scale": 0.3 } }),
        json!({ "rule": "localmax", "alpha": { "tokens": [0.5, 1.0, 2.0, 0.1, 3.0] }, "delta": 0.3, "a": a }),
        json!({ "rule": "localmax", "alpha": 0.5, "strip": "width", "v": a,
            "delta": { "tokens": [0.0, 0.2, 0.5, 0.1, 2.0] } }),
        json!({ "rule": "localmax", "gamma": { "tokens": [1.0, 0.5, 0.25, 1.0, 0.9] }, "scores": "distance",
            "epsilon": { "tokens": [0.5, 1.1, 1.5, 0.0, 3.0] }, "truth": { "point": [0.1, 0.2, 1.5], "weight": 0.3 } }),
        json!({ "rule": "localmax", "gamma": 1.0, "scores": "distance", "epsilon": 1.1, "exclusive": true,
            "truth": { "point": [0.1, 0.2, 0.5], "weight": { "tokens": [0.0, 0.5, 1.0, 0.25, 0.1] } } }),
        json!({ "rule": "softmax", "gamma": { "tokens": [0.5, 0.6, 0.1, 0.2, 0.9] }, "beta": 2.0, "v": waving,
            "truth": { "point": [0.1, 0.2, 0.5], "weight": "0.2+t/8" } }),
    ];
    let folder = tempfile::tempdir().unwrap();
    let system = |model: &Value| json!({ "model": model, "tokens": tokens, "steps": 3, "seed": 11 }).to_string();
    let asked: Vec<String> = models.iter().map(system).collect();
    let mut child = Command::new("python3")
        .arg(Path::new(ROOT).join("tests/equations.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs (tests/run.sh installs it)");
    child.stdin.take().unwrap().write_all(asked.join("\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let wanted: Vec<Vec<[f64; 3]>> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(wanted.len(), models.len());
    for (k, (model, wanted)) in models.iter().zip(wanted).enumerate() {
        let lines: Vec<String> =
            model.as_object().unwrap().iter().map(|(k, v)| format!("{k} = {}\n", toml(v))).collect();
        let head = format!("seed = 11\ntokens = {{ rows = {} }}\nrun = {{ steps = 3 }}\n[model]\n", toml(&tokens));
        fs::write(folder.path().join("system.toml"), head + &lines.concat()).unwrap();
        let out = format!("r{k}");
        good(
            folder.path(),
            &["run", "system.toml", "--engine", "reference", "--precision", "f64", "--no-plot", "--out", &out],
        );
        let found = numbers(&folder.path().join(out).join("final.npy"));
        for (x, y) in found.iter().zip(wanted.concat()) {
            // Draws are polynomials within 2e-7 of the inverse.
            let within =
                if model.get("noise").is_some() || model.to_string().contains("random") { 1e-6 } else { 1e-11 };
            assert!((x - y).abs() < within, "{model}: {x} where the equations give {y}");
        }
        assert_eq!(found.len(), 15);
    }
}
