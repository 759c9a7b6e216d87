//! The contract against independent programs in Python's big integers: `tests/contract.py`, written
//! from its text, and `tests/exact.py`, from that of the equations.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use localmax::exact::{Grid, LEAST_MOVE, LeastGain, RunError, Steps};
use localmax::model::{Gain, Graph, Mask, Matrix, Model, Operator, Rule, StripForm};
use localmax::reference;
use localmax::reference::exact::State;
use localmax::schedule::Schedule;
use localmax::tokens::{Precision, Tokens};
use localmax::verify::exact::ExactBounds;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::json;

/// The answers of an independent program to some lines, a list a line.
fn python<T: serde::de::DeserializeOwned>(script: &str, lines: &[serde_json::Value]) -> Vec<T> {
    let mut child = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs (tests/run.sh installs it)");
    let mut stdin = child.stdin.take().expect("piped");
    let text: String = lines.iter().flat_map(|line| [line.to_string(), "\n".into()]).collect();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic").expect("the lines are read");
    assert!(output.status.success(), "the independent program failed");
    let text = String::from_utf8(output.stdout).expect("JSON");
    text.lines().map(|line| serde_json::from_str(line).expect("a list a line")).collect()
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
                let states: Vec<Vec<Vec<i64>>> = python(
                    "contract.py",
                    &[json!({
                        "precision": precision.name(), "x0": x0, "matrix": matrix, "causal": causal,
                        "strip": name, "gamma": gamma, "delta": delta,
                    })],
                );

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
                    let mask = if causal { Mask::CAUSAL } else { Mask::FULL };
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

/// As above, where scores are distances: a strip is a ball, and the gain may be 1.
#[test]
fn an_independent_program_agrees_on_distances() {
    let steps = 12;
    for precision in [Precision::F32, Precision::F64] {
        for (name, form) in [("distance", StripForm::Score), ("radius", StripForm::Radius)] {
            for kind in 0..4 {
                let mut draw = draws(kind as u64);
                let (n, d, causal) = (11 + kind * 4, [1, 2, 3, 2][kind], kind == 3);
                let size = [1.0, 0.1, 300.0, 1.0][kind];
                let mut value = || if kind % 2 == 1 { (draw() * 3.0).round() * size } else { draw() * size };
                let x0: Vec<Vec<f64>> = (0..n).map(|_| (0..d).map(|_| value()).collect()).collect();
                let delta = [0.3, 1.0, 1.0, 1e30][kind] * if name == "radius" { size } else { size * size };
                let gamma = [1.0, 1.0, 0.3, 1.0][kind];
                let states: Vec<Vec<Vec<i64>>> = python(
                    "contract.py",
                    &[json!({
                        "precision": precision.name(), "x0": x0, "matrix": null, "causal": causal,
                        "strip": name, "gamma": vec![gamma; steps], "delta": vec![delta; steps],
                    })],
                );
                let cloud = Tokens::from_flat(n, d, x0.concat()).unwrap();
                let grid = Grid::of(&cloud, precision);
                let model = Model::localmax(delta).unwrap().strip(form).unwrap().distances().gamma(gamma).unwrap();
                let model = if causal { model.causal() } else { model };
                let (mut state, mut all) = (State::new(&cloud, grid), Steps::new(&model, grid, d));
                assert_eq!(states.len(), steps + 1);
                for (t, want) in states.iter().enumerate() {
                    assert_eq!(state.x, want.concat(), "{precision:?} {name} kind {kind}: state {t}");
                    state = state.step(&all.at(t as u64).unwrap()).0;
                }
            }
        }
    }
}

/// As above, on graphs.
#[test]
fn an_independent_program_agrees_on_graphs() {
    let steps = 10;
    for (at, name) in ["score", "width", "hardmax", "frank-wolfe", "radius"].into_iter().enumerate() {
        for k in 0..2 {
            let (precision, own) = ([Precision::F32, Precision::F64][(at + k) % 2], k == 0 || name == "radius");
            let mut draw = draws((at * 2 + k) as u64);
            let (n, d) = (13, 1 + at % 3);
            let mut value = || if k == 1 { (draw() * 3.0).round() } else { draw() };
            let x0: Vec<Vec<f64>> = (0..n).map(|_| (0..d).map(|_| value()).collect()).collect();
            let edges: Vec<[u32; 2]> = (0..n as u32)
                .flat_map(|i| [1, 2, 5, 9].map(|by| [i, (i * by + by) % n as u32]))
                .filter(|[i, j]| i != j)
                .collect();
            let states: Vec<Vec<Vec<i64>>> = python(
                "contract.py",
                &[json!({
                    "precision": precision.name(), "x0": x0, "matrix": null, "causal": false, "graph": edges,
                    "self": own, "strip": name, "gamma": vec![0.5; steps], "delta": vec![0.4; steps],
                })],
            );
            let form = StripForm::parse(name).unwrap_or(StripForm::Score);
            let model = match name {
                "hardmax" => Model::hardmax(),
                "frank-wolfe" => Model::frank_wolfe(0.5).unwrap(),
                "radius" => Model::hegselmann_krause(0.4).unwrap(),
                _ => Model::localmax(0.4).unwrap().strip(form).unwrap(),
            };
            let model = model.gamma(0.5).unwrap().graph(Graph::new(n, &edges).unwrap());
            let model = Model { mask: Mask { own, ..model.mask }, ..model };
            let cloud = Tokens::from_flat(n, d, x0.concat()).unwrap();
            let grid = Grid::of(&cloud, precision);
            let (mut state, mut all) = (State::new(&cloud, grid), Steps::new(&model, grid, d));
            for (t, want) in states.iter().enumerate() {
                assert_eq!(state.x, want.concat(), "{precision:?}, {}: state {t}", model.title());
                state = state.step(&all.at(t as u64).unwrap()).0;
            }
        }
    }
}

/// As above, where tokens have gains and widths of their own, and a truth draws them.
#[test]
fn an_independent_program_agrees_on_values_by_token() {
    let steps = 12;
    for (at, name) in ["score", "width", "hardmax", "distance", "radius"].into_iter().enumerate() {
        for k in 0..4 {
            let precision = [Precision::F32, Precision::F64][(at + k) % 2];
            let mut draw = draws((at * 4 + k) as u64);
            let (n, d) = (13, 1 + k % 3);
            let mut value = || if k % 2 == 1 { (draw() * 3.0).round() } else { draw() };
            let x0: Vec<Vec<f64>> = (0..n).map(|_| (0..d).map(|_| value()).collect()).collect();
            let of = |least: f64, most: f64, by: usize| -> Vec<f64> {
                (0..n).map(|i| least + (most - least) * (i * by % n) as f64 / (n - 1) as f64).collect()
            };
            let (gamma, delta) = (of(0.1, if at > 2 { 1.0 } else { 0.9 }, 5), of(0.0, 1.5, 7));
            let point: Vec<f64> = (0..d).map(|c| 4.5 - 2.0 * c as f64).collect();
            let weights = if k < 2 { of(0.0, 1.0, 3) } else { vec![0.25; n] };
            let has_truth = name != "hardmax" && k != 1;
            let mut own = json!({ "gamma": gamma });
            if name != "hardmax" {
                own["delta"] = json!(delta);
            }
            let truth = has_truth.then(|| json!({ "point": point, "weights": weights }));
            let states: Vec<Vec<Vec<i64>>> = python(
                "contract.py",
                &[json!({
                    "precision": precision.name(), "x0": x0, "matrix": null, "causal": k == 3, "strip": name,
                    "gamma": vec![0.0; steps], "delta": vec![0.0; steps], "own": own, "truth": truth,
                })],
            );
            let [gamma, delta] = [gamma, delta].map(|values| Schedule::tokens(values).unwrap());
            let model = match name {
                "hardmax" => Model::hardmax(),
                "radius" => Model::hegselmann_krause(delta).unwrap(),
                "distance" => Model::localmax(delta).unwrap().distances(),
                _ => Model::localmax(delta).unwrap().strip(StripForm::parse(name).unwrap()).unwrap(),
            };
            let mut model = model.gamma(gamma).unwrap();
            if has_truth {
                let weight = if k < 2 { Schedule::tokens(weights).unwrap() } else { Schedule::Constant(weights[0]) };
                model = model.truth(&point, weight).unwrap();
            }
            let model = if k == 3 { model.causal() } else { model };
            let cloud = Tokens::from_flat(n, d, x0.concat()).unwrap();
            let held = if has_truth { Tokens::from_flat(1, d, point).unwrap() } else { cloud.clone() };
            let largest = [&held, &cloud].into_iter().map(|tokens| Grid::of(tokens, precision));
            let grid = largest.max_by_key(|grid| grid.exponent).unwrap();
            let (mut state, mut all) = (State::new(&cloud, grid), Steps::new(&model, grid, d));
            assert_eq!(states.len(), steps + 1);
            for (t, want) in states.iter().enumerate() {
                assert_eq!(state.x, want.concat(), "{precision:?}, {}: state {t}", model.title());
                state = state.step(&all.at(t as u64).unwrap()).0;
            }
        }
    }
}

/// As above, with windows, and rows that do not see themselves: one without keys stays.
#[test]
fn an_independent_program_agrees_on_masks() {
    let steps = 10;
    for (at, name) in ["score", "width", "hardmax", "frank-wolfe", "radius"].into_iter().enumerate() {
        for (k, (causal, window, own)) in
            [(false, Some(1), true), (true, Some(3), false), (false, None, false), (true, None, false)]
                .into_iter()
                .enumerate()
        {
            let (precision, own) = ([Precision::F32, Precision::F64][(at + k) % 2], own || name == "radius");
            let mut draw = draws((at * 4 + k) as u64);
            let (n, d) = (13, 1 + k % 3);
            let mut value = || if k % 2 == 1 { (draw() * 3.0).round() } else { draw() };
            let x0: Vec<Vec<f64>> = (0..n).map(|_| (0..d).map(|_| value()).collect()).collect();
            let states: Vec<Vec<Vec<i64>>> = python(
                "contract.py",
                &[json!({
                    "precision": precision.name(), "x0": x0, "matrix": null, "causal": causal, "window": window,
                    "self": own, "strip": name, "gamma": vec![0.5; steps], "delta": vec![0.4; steps],
                })],
            );
            let form = StripForm::parse(name).unwrap_or(StripForm::Score);
            let model = match name {
                "hardmax" => Model::hardmax(),
                "frank-wolfe" => Model::frank_wolfe(0.5).unwrap(),
                "radius" => Model::hegselmann_krause(0.4).unwrap(),
                _ => Model::localmax(0.4).unwrap().strip(form).unwrap(),
            };
            let model = Model { mask: Mask { causal, window, own, ..Mask::FULL }, ..model.gamma(0.5).unwrap() };
            let cloud = Tokens::from_flat(n, d, x0.concat()).unwrap();
            let grid = Grid::of(&cloud, precision);
            let (mut state, mut all) = (State::new(&cloud, grid), Steps::new(&model, grid, d));
            assert_eq!(states.len(), steps + 1);
            for (t, want) in states.iter().enumerate() {
                assert_eq!(state.x, want.concat(), "{precision:?}, {}: state {t}", model.title());
                state = state.step(&all.at(t as u64).unwrap()).0;
            }
        }
    }
}

/// Numbers in [−1, 1).
fn draws(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64 * 2.0 - 1.0
}

/// If this failed, the displacements of a run with small steps would be those of another system:
/// off by more than is printed, or off at all where nothing is refused.
#[test]
fn a_run_of_any_gain_is_within_its_bound_or_refused() {
    let (n, d, steps) = (8, 2, 250);
    let (mut runs, mut cases, mut refused) = (Vec::new(), Vec::new(), 0);
    for seed in 0..3 {
        let mut draw = draws(seed);
        let x0: Vec<Vec<f64>> = (0..n).map(|_| (0..d).map(|_| draw()).collect()).collect();
        let cloud = Tokens::from_flat(n, d, x0.concat()).unwrap();
        for precision in [Precision::F32, Precision::F64] {
            let grid = Grid::of(&cloud, precision);
            for (rule, power) in (0..3).flat_map(|rule| (1..=14).map(move |power| (rule, power))) {
                let strip = [StripForm::Score, StripForm::Width][seed as usize % 2];
                let delta = Schedule::Constant(0.3);
                let rule = [Rule::Hardmax, Rule::FrankWolfe, Rule::Localmax { delta, strip }][rule].clone();
                let gain = Gain::Alpha(Schedule::Constant(10f64.powi(-power)));
                let model = Model::averaging(rule, Operator::identity(), Mask::FULL, gain);
                let least = LeastGain::of(&model, 0..steps).unwrap().unwrap();
                let asked = least.gamma * cloud.radius() / grid.unit();
                if let Err(error) = grid.require_steps(&model, 0..steps, cloud.radius()) {
                    assert!(asked < LEAST_MOVE && error.exit_status() == 2, "{error}");
                    refused += 1;
                    continue;
                }
                assert!(asked >= LEAST_MOVE);
                let (mut state, mut all) = (State::new(&cloud, grid), Steps::new(&model, grid, d));
                let (mut states, mut strips) = (vec![state.clone()], Vec::new());
                for t in 0..steps {
                    let (next, chosen) = state.step(&all.at(t).unwrap());
                    strips.push(chosen.into_iter().map(|strip| strip.members).collect::<Vec<_>>());
                    states.push(next.clone());
                    state = next;
                }
                let rows = |state: &State| (0..n).map(|i| state.row(i).to_vec()).collect::<Vec<_>>();
                cases.push(json!({
                    "x0": x0, "unit": grid.unit(), "gamma": least.gamma, "strips": strips,
                    "states": states.iter().map(rows).collect::<Vec<_>>(),
                }));
                runs.push((precision, least, model, states, strips));
            }
        }
    }
    // α from 1e-1 to 1e-4 at f32, to 1e-12 at f64; the last of them hang on the cloud.
    assert!(refused > 2 * 3 * 11 && runs.len() > 3 * 3 * 15, "{refused} refused, {} taken", runs.len());
    let found: Vec<Vec<Vec<f64>>> = python("exact.py", &cases);
    let mut drawn = 0;
    for ((precision, least, model, states, strips), distances) in runs.iter().zip(found) {
        let rests: Vec<bool> = (0..n).map(|i| states.iter().all(|state| state.row(i) == states[0].row(i))).collect();
        let is_drawn: Vec<bool> =
            (0..n).map(|i| !rests[i] && strips.iter().all(|strips| strips[i].iter().all(|&j| rests[j]))).collect();
        drawn += is_drawn.iter().filter(|&&is_drawn| is_drawn).count();
        for (t, of_tokens) in distances.iter().enumerate() {
            let bound = RunError::after(t as u64, *least, model, *precision);
            for (i, &distance) in of_tokens.iter().enumerate() {
                let bound = if is_drawn[i] { bound.drawn_by_resting } else { bound.all };
                assert!(distance <= bound, "{precision:?} {least:?}, token {i} at step {t}: {distance}, bound {bound}");
            }
        }
    }
    assert!(drawn > 50, "{drawn} tokens were drawn by resting ones alone");
}

/// If this failed, an a-norm with a small or a large A would have the strips of another system.
#[test]
fn a_norms_have_the_strips_of_the_equations_at_every_scale() {
    let (n, d) = (30, 3);
    let (mut masks, mut cases) = (Vec::new(), Vec::new());
    let scales = [-60, -31, -7, -1, 0, 1, 8, 33, 60].map(|k| f64::from(k).exp2());
    for (at, c) in scales.into_iter().chain([1e-13, 0.3, 7e11]).enumerate() {
        for precision in [Precision::F32, Precision::F64] {
            let mut draw = draws(at as u64 % 4);
            let b: Vec<Vec<f64>> = (0..d).map(|_| (0..d).map(|_| draw()).collect()).collect();
            let entry =
                |r: usize, k: usize| (0..d).map(|l| b[l][r] * b[l][k]).sum::<f64>() + f64::from(u8::from(r == k));
            let a: Vec<Vec<f64>> = (0..d).map(|r| (0..d).map(|k| c * entry(r, k)).collect()).collect();
            let x: Vec<f64> = (0..n * d).map(|_| draw()).collect();
            let cloud = Tokens::from_flat(n, d, x).unwrap();
            let grid = Grid::of(&cloud, precision);
            let tokens = grid.snap(&cloud).unwrap();
            let delta = 0.4 * c.sqrt();
            let rule = Rule::Localmax { delta: Schedule::Constant(delta), strip: StripForm::ANorm };
            let gain = Gain::Alpha(Schedule::Constant(1.0));
            let model = Model::averaging(rule, Operator::constant(Matrix::dense(&a).unwrap()), Mask::FULL, gain);
            let step = Steps::new(&model, grid, d).at(0).unwrap();
            let spec = localmax::real::Steps::new(&model, d).at(0).unwrap();
            let (state, real) = (State::new(&tokens, grid), reference::real::State::new(&tokens));
            let bounds = ExactBounds::new(grid, &step, &spec, &state);
            let rows = (0..n).map(|i| (state.strip(&step, i).members, bounds.threshold(&real, i)));
            masks.push((c, precision, rows.collect::<Vec<_>>()));
            cases.push(json!({ "x": tokens.rows().collect::<Vec<_>>(), "a": a, "delta": delta }));
        }
    }
    let found: Vec<Vec<Vec<f64>>> = python("exact.py", &cases);
    for ((c, precision, rows), below) in masks.iter().zip(found) {
        let (mut open, mut inside) = (0, 0);
        for ((members, bound), below) in rows.iter().zip(below) {
            for (j, below) in below.into_iter().enumerate() {
                let is_open = below.abs() <= *bound;
                open += usize::from(is_open);
                inside += usize::from(members.contains(&j));
                assert!(
                    is_open || members.contains(&j) == (below <= 0.0),
                    "c = {c:e} at {precision:?}: {below:e}, {bound:e}"
                );
            }
        }
        assert!(
            open <= 2 && inside > n && inside < n * n / 2,
            "c = {c:e} at {precision:?}: {open} open, {inside} inside"
        );
    }
}

/// Rooms without arithmetic of their own, and the GPU's, whose bits are its driver's to keep.
const ELSEWHERE: [&str; 15] = [
    "bench", "card", "cli", "engine", "error.rs", "gpu", "io", "lib.rs", "main.rs", "observe", "plot", "ranks", "run",
    "study", "verify",
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
