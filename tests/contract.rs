//! The contract against an independent program: `tests/contract.py`, Python's big integers, written
//! from its text.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use localmax::exact::{Grid, Steps};
use localmax::model::{Gain, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::reference::exact::State;
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::json;

fn python(system: &serde_json::Value) -> Vec<Vec<Vec<i64>>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract.py");
    let mut child = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs (tests/run.sh installs it)");
    child.stdin.take().expect("piped").write_all(system.to_string().as_bytes()).expect("the system is read");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the independent program failed");
    let text = String::from_utf8(output.stdout).expect("JSON");
    text.lines().map(|line| serde_json::from_str(line).expect("a state a line")).collect()
}

/// If this failed, the contract's text and its code would be two different things, and nobody could
/// reproduce a number of ours from the text.
#[test]
fn an_independent_program_agrees_to_the_bit() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut draw = || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0;
    let steps = 40;
    let mut compared = 0;
    for precision in [Precision::F32, Precision::F64] {
        for name in ["score", "width", "a-norm", "hardmax", "frank-wolfe"] {
            let form = StripForm::ALL.iter().find(|(_, form)| *form == name).map(|(form, _)| *form);
            for (kind, causal) in [(0, false), (1, false), (2, false), (3, true), (4, false)] {
                let (n, d) = (9 + kind * 4, [1, 2, 3, 4, 2][kind]);
                let size = [1.0, 1e-3, 300.0, 1.0, 1.0][kind];
                // Half of the clouds are tied: small integers, with duplicates.
                let tied = kind % 2 == 1;
                let mut value = |s: f64| if tied { (draw() * 3.0).round() * s } else { draw() * s };
                let x0: Vec<Vec<f64>> = (0..n).map(|_| (0..d).map(|_| value(size)).collect()).collect();
                let matrix: Option<Vec<Vec<f64>>> = match kind {
                    0 => None,
                    1 => Some((0..d).map(|r| (0..d).map(|c| if r == c { 0.7 } else { 0.0 }).collect()).collect()),
                    // A row whose sum is 1 in f64 and above 1 without its rounding.
                    4 => Some(vec![vec![0.5, 0.5_f64.next_up()], vec![0.5, -0.499_999_910_593_032_84]]),
                    _ => Some(
                        (0..d).map(|_| (0..d).map(|_| value(if kind == 2 { 1.0 } else { 1e-4 })).collect()).collect(),
                    ),
                };
                let alpha = [0.5, 3.0, 0.1, 1.0, 1.0][kind];
                let unit = if form == Some(StripForm::Score) { size * size } else { size };
                let delta: Vec<f64> = (0..steps).map(|t| 0.4 * unit / f64::from(t / 7 + 1)).collect();
                // Frank-Wolfe's own gain starts at 1: a jump onto the maximiser.
                let gamma: Vec<f64> = (0..steps)
                    .map(|t| if name == "frank-wolfe" { 2.0 / f64::from(t + 2) } else { alpha / (1.0 + alpha) })
                    .collect();
                let states = python(&json!({
                    "precision": precision.name(), "x0": x0, "matrix": matrix, "causal": causal,
                    "strip": name, "gamma": gamma, "delta": delta,
                }));

                let cloud = Tokens::from_flat(n, d, x0.concat()).unwrap();
                let grid = Grid::of(&cloud, precision);
                let matrix = match kind {
                    0 => Matrix::Identity,
                    1 => Matrix::multiple(0.7).unwrap(),
                    _ => Matrix::dense(&matrix.unwrap()).unwrap(),
                };
                let mut state = State::new(&cloud, grid);
                for (t, want) in states.iter().enumerate() {
                    assert_eq!(state.x, want.concat(), "{precision:?} {form:?} kind {kind}: state {t}");
                    compared += 1;
                    let Some(&delta) = delta.get(t) else { continue };
                    let rule = match form {
                        Some(strip) => Rule::Localmax { delta: Schedule::Constant(delta), strip },
                        None if name == "hardmax" => Rule::Hardmax,
                        None => Rule::FrankWolfe,
                    };
                    let mask = if causal { Mask::Causal } else { Mask::Full };
                    let gain = match form {
                        None if name == "frank-wolfe" => Gain::Gamma(Schedule::Constant(gamma[t])),
                        _ => Gain::Alpha(Schedule::Constant(alpha)),
                    };
                    let model = Model::averaging(rule, Operator::constant(matrix.clone()), mask, gain);
                    state = state.step(&Steps::new(&model, grid, d).at(t as u64).unwrap()).0;
                }
            }
        }
    }
    assert_eq!(compared, 2 * 5 * 5 * 41);
}

/// Rooms without arithmetic of their own, and the GPU's, whose bits are its driver's to keep.
const ELSEWHERE: [&str; 13] = [
    "bench", "cli", "engine", "error.rs", "gpu", "io", "lib.rs", "main.rs", "observe", "plot", "run", "study", "verify",
];
/// Crates whose results cannot differ: a hash that is defined, threads, bytes, and text of errors.
const DEFINED: [&str; 5] = ["blake3", "bytemuck", "rayon", "serde", "thiserror"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources").flatten() {
        if entry.path().is_dir() {
            sources(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// If this failed, an install without the lock could take a later version of a crate, and hashes of
/// the same run would differ.
#[test]
fn crates_that_round_are_pinned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root.join("src")).expect("sources").flatten() {
        if ELSEWHERE.iter().all(|name| entry.file_name() != *name) {
            if entry.path().is_dir() { sources(&entry.path(), &mut files) } else { files.push(entry.path()) }
        }
    }
    let mut pinned = 0;
    for (name, wanted) in manifest["dependencies"].as_table().expect("a table") {
        let version = wanted.get("version").unwrap_or(wanted).as_str().expect("a version");
        pinned += usize::from(version.starts_with('='));
        if version.starts_with('=') || DEFINED.contains(&name.as_str()) {
            continue;
        }
        let path = format!("{}::", name.replace('-', "_"));
        for file in &files {
            let text = std::fs::read_to_string(file).expect("a source");
            let uses = text.match_indices(&path).any(|(at, _)| {
                !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':')
            });
            assert!(!uses, "{} uses {name}, which Cargo.toml does not pin with `=`", file.display());
        }
    }
    assert!(pinned >= 3 && files.len() > 20, "the manifest or the sources were not read");
}
