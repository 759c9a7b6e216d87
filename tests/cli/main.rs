//! The program as its user meets it: commands in a temporary folder, good and bad.

mod cards;
mod import;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

struct Folder {
    inner: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { inner: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_localmax")).args(arguments).current_dir(self.path()).output().unwrap()
    }

    /// Runs and expects success; stdout.
    fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} ended with {}: {stderr}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs and expects exit status 2, one line that holds every word, no panic, and nothing left
    /// behind.
    fn refused(&self, arguments: &[&str], words: &[&str]) {
        self.refused_with(2, arguments, words);
    }

    fn refused_with(&self, status: i32, arguments: &[&str], words: &[&str]) {
        let before = self.names();
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{arguments:?}: {stderr}");
        assert_eq!(stderr.trim_end().lines().count(), 1, "{arguments:?} said more than a line: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "{arguments:?}: no {word:?} in {stderr}");
        }
        assert_eq!(self.names(), before, "{arguments:?} left something behind");
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// An .npy file, version 1.0.
fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

const CONFIG: &str = "seed = 7\n\n[tokens]\nkind = \"normal\"\nn = 60\nd = 3\n\n[model]\nrule = \"localmax\"\nalpha = 0.5\n\
                      delta = \"1/(t+1)\"\nstrip = \"width\"\n\n[run]\nsteps = 12\nengine = \"cpu\"\n";

/// What a newcomer types first must leave numbers and pictures.
#[test]
fn run_without_arguments_leaves_a_run() {
    let folder = Folder::new();
    let said = folder.good(&["run"]);
    let run = folder.path().join("runs/default-1");
    for file in
        ["config.toml", "meta.json", "metrics.csv", "final.npy", "plots/trajectories.svg", "plots/trajectories.png"]
    {
        assert!(run.join(file).is_file(), "{file} is missing; the run said: {said}");
    }
    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    assert!(metrics.starts_with("step,delta,gamma,moved,strip_min,strip_mean,strip_max,hash\n0,,,,,,,"));
    let meta: Value = serde_json::from_slice(&fs::read(run.join("meta.json")).unwrap()).unwrap();
    assert_eq!(meta["strip"], "width");
    assert!(meta["grid"]["unit"].as_f64().unwrap() > 0.0);
}

/// The resolved config must run again as it is, to the same bits, on every engine.
#[test]
fn a_run_repeats_from_its_own_config_and_on_every_engine() {
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    folder.good(&["run", "my.toml", "--out", "first", "--no-plot"]);
    folder.good(&["run", "first/config.toml", "--out", "second", "--no-plot"]);
    folder.good(&["run", "my.toml", "--engine", "reference", "--out", "third", "--no-plot"]);
    let planned = [("cpu", "brute"), ("cpu", "norm"), ("cpu", "tree"), ("gpu", "brute"), ("gpu", "tree")];
    for (engine, plan) in planned {
        let out = &format!("{engine}-{plan}");
        folder.good(&["run", "my.toml", "--engine", engine, "--plan", plan, "--out", out, "--no-plot"]);
        let effort = fs::read_to_string(folder.path().join(out).join("effort.csv")).unwrap();
        assert!(
            effort.starts_with("step,plan,keys_a_row,boxes_a_row,rows,step_seconds,received,calls\n1,"),
            "{effort}"
        );
        assert!(effort.lines().skip(1).all(|line| line.split(',').nth(1) == Some(plan)), "{effort}");
    }
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    for file in ["final.npy", "metrics.csv"] {
        let first = read(&format!("first/{file}"));
        assert!(!first.is_empty());
        assert_eq!(first, read(&format!("second/{file}")), "{file}");
        assert_eq!(first, read(&format!("third/{file}")), "reference: {file}");
        for (engine, plan) in planned {
            assert_eq!(first, read(&format!("{engine}-{plan}/{file}")), "{engine}, {plan}: {file}");
        }
    }
}

/// Else the summary would call another number that of the distinct tokens, or an artefact a vertex,
/// and a file of labels would not say which token is where.
#[test]
fn a_run_says_where_its_tokens_are() {
    let folder = Folder::new();
    folder.write(
        "same.toml",
        "[tokens]\nrows = [[1, 1], [1, 1], [1, 1]]\n[model]\nrule = \"hardmax\"\nalpha = 1.0\n[run]\nsteps = 3\n",
    );
    for plan in ["brute", "tree"] {
        let said = folder.good(&["run", "same.toml", "--engine", "cpu", "--plan", plan, "--no-plot", "--out", plan]);
        assert!(said.contains("clusters   1 distinct token in 1 cluster, 1 vertex of K, 0 artefacts\n"), "{said}");
    }
    let said = folder.good(&["run", "--preset", "non-vertex-limit", "--out", "r"]);
    assert!(said.contains("5 distinct tokens in 5 clusters, 4 vertices of K, 1 artefact\n"), "{said}");
    let meta: Value = serde_json::from_slice(&fs::read(folder.path().join("r/meta.json")).unwrap()).unwrap();
    let limits = &meta["limits"];
    assert_eq!((&limits["state"], &limits["leaders"]), (&"at rest".into(), &4.into()));
    let labels = fs::read(folder.path().join("r/labels.npy")).unwrap();
    let labels: Vec<usize> = labels[labels.len() - 20..].chunks(4).map(|b| b[0] as usize).collect();
    let artefact = &limits["places"][labels[4]];
    assert_eq!((&artefact["vertex"], &artefact["in_s"]), (&false.into(), &false.into()));
    assert!((artefact["gap"].as_f64().unwrap() - 0.0525).abs() < 1e-5);
    let page = fs::read_to_string(folder.path().join("r/plots/report.md")).unwrap();
    assert!(page.contains("Clusters at the end") && page.contains("artefact"), "{page}");
}

/// Else a run that was interrupted would end elsewhere than one that was not, or a rule that has
/// fixed points would be said to be at rest where it is not.
#[test]
fn a_run_in_real_numbers_ends_within_its_tolerance() {
    let folder = Folder::new();
    let of = ["run", "--preset", "softmax-collection", "--no-plot", "--engine", "cpu", "--set", "run.tolerance=1e-3"];
    let said = folder.good(&[&of[..], &["--out", "whole"]].concat());
    assert!(said.contains("at rest    within 1e-3 from step "), "{said}");
    let meta = |run: &str| -> Value {
        serde_json::from_slice(&fs::read(folder.path().join(run).join("meta.json")).unwrap()).unwrap()
    };
    let step = meta("whole")["settled"]["step"].as_u64().unwrap();
    assert!(step > 2 && meta("whole")["steps"] == step && meta("whole")["ended"] == "completed");
    assert_eq!(meta("whole")["limits"]["state"], "at rest within a tolerance");
    folder.good(&[&of[..], &["--out", "parts", "--steps", "2"]].concat());
    assert_eq!(meta("parts")["settled"], Value::Null);
    folder.good(&["resume", "parts", "--steps", "100000"]);
    assert_eq!(meta("parts")["settled"], meta("whole")["settled"]);
    for file in ["final.npy", "labels.npy", "metrics.csv", "measures.csv"] {
        let read = |run: &str| fs::read(folder.path().join(run).join(file)).unwrap();
        assert_eq!(read("whole"), read("parts"), "{file}");
    }
    folder.refused(&["run", "--set", "run.tolerance=1e-3"], &["run.tolerance", "localmax has fixed points"]);
}

/// A .npy of either width and order is the same cloud.
#[test]
fn tokens_come_from_npy_files() {
    let folder = Folder::new();
    folder.write("x0.npy", npy("<f8", "(3, 2)", &floats(&[1.0, 0.5, -0.5, 0.25, 0.0, -1.0])));
    let single: Vec<u8> = [1.0f32, 0.5, -0.5, 0.25, 0.0, -1.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    folder.write("x1.npy", npy("<f4", "(3, 2)", &single));
    folder.write("c.toml", "[tokens]\nfile = \"x0.npy\"\n[model]\nrule = \"hardmax\"\nalpha = 1.0\n[run]\nsteps = 3\n");
    folder.good(&["run", "c.toml", "--out", "a", "--precision", "f32", "--engine", "cpu"]);
    folder.good(&["run", "c.toml", "--set", "tokens.file=x1.npy", "--out", "b", "--engine", "cpu"]);
    let last = |name: &str| fs::read(folder.path().join(name).join("final.npy")).unwrap();
    assert_eq!(last("a"), last("b"));
}

/// A long run's spot checks and the verifier itself, through the command line.
#[test]
fn verify_passes_and_says_what_it_saw() {
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    let said = folder.good(&["verify", "my.toml"]);
    assert!(said.contains("against contract 0 of 720 rows differ") && said.contains("verified"), "{said}");
    let said = folder.good(&["run", "my.toml", "--verify", "5", "--out", "r", "--no-plot"]);
    assert!(said.contains("verified   180 rows in 3 steps"), "{said}");
}

/// Two people compare their runs by this: equal bits say so, a permutation and a changed bit fail
/// with exit 1.
#[test]
fn two_states_are_compared_bit_by_bit() {
    let folder = Folder::new();
    let cloud = |values: &[f64]| npy("<f8", "(2, 2)", &floats(values));
    folder.write("a.npy", cloud(&[1.0, 2.0, 3.0, 4.0]));
    folder.write("b.npy", cloud(&[3.0, 4.0, 1.0, 2.0]));
    folder.write("c.npy", cloud(&[1.0, 2.0, 3.0, 4.0_f64.next_up()]));
    let said = folder.good(&["verify", "--bits", "a.npy", "a.npy"]);
    assert!(
        said.ends_with("the same bits\n") && said.lines().next().unwrap()[..64].bytes().all(|b| b.is_ascii_hexdigit())
    );
    for (other, words) in [("b.npy", "another order"), ("c.npy", "token 1 coordinate 1")] {
        let output = folder.run(&["verify", "--bits", "a.npy", other]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("not the same bits") && said.contains(words), "{said}");
    }
    folder.refused(&["verify", "--bits", "a.npy", "nothing.npy"], &["nothing.npy"]);
}

/// A strip of one token shows nothing: the picture takes one nearby that attends to others.
#[test]
fn the_picture_shows_a_strip_worth_seeing() {
    let folder = Folder::new();
    folder.good(&["run", "--preset", "non-vertex-limit", "--engine", "cpu", "--out", "r"]);
    let drawn = fs::read_to_string(folder.path().join("r/plots/trajectories.svg")).unwrap();
    assert!(drawn.contains("token 4 at step 0"));
}

/// The worked case with a limit that is no vertex: token 4 attends to 0, 1 and itself for ever.
#[test]
fn strip_lists_the_members() {
    let folder = Folder::new();
    for engine in ["cpu", "reference"] {
        let preset = ["--preset", "non-vertex-limit", "--engine", engine];
        let text = folder.good(&[&["strip"], &preset[..], &["--token", "4", "--step", "10", "--json"]].concat());
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["members"], serde_json::json!([0, 1, 4]), "{text}");
    }
    folder.refused(&["strip", "--preset", "non-vertex-limit", "--token", "5"], &["5", "0 to 4"]);
}

/// Every embedded system is listed with what it shows, and runs.
#[test]
fn presets_are_listed_and_run() {
    let folder = Folder::new();
    let list = folder.good(&["presets"]);
    let names: Vec<&str> = list.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(names.len() >= 8 && names.contains(&"emerging-leader") && names.contains(&"non-vertex-limit"), "{list}");
    for line in list.lines() {
        assert!(line.split_whitespace().count() > 3, "no description: {line}");
    }
    for name in names {
        folder.good(&["run", "--preset", name, "--steps", "2", "--out", name, "--no-plot"]);
    }
}

/// Each of these must cost a person one line of reading, not a stack trace.
#[test]
fn bad_input_is_refused_in_one_line() {
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    let set = |text: &'static str| ["run", "my.toml", "--set", text];
    folder.refused(&["run", "missing.toml"], &["missing.toml"]);
    folder.refused(&set("model.alpha=0"), &["alpha", "0"]);
    folder.refused(&set("model.alpha=-1"), &["alpha", "-1"]);
    folder.refused(&set("model.delta=0.5-t"), &["delta", "step 1"]);
    folder.refused(&set("model.delta=1/(t+"), &["delta", "column"]);
    folder.refused(&set("model.delta=1/(s+1)"), &["s", "t"]);
    folder.refused(&set("model.detla=1"), &["detla", "delta"]);
    folder.refused(&set("run.stpes=3"), &["stpes", "\"run.steps\""]);
    let endless = format!("model.delta={}", "1+".repeat(40_000));
    let said = folder.run(&["run", "my.toml", "--set", &endless]).stderr;
    assert!(said.len() < 2000, "{} bytes echoed", said.len());
    folder.refused(&set("tokens.n=0"), &["n", "0"]);
    folder.refused(&set("tokens.d=0"), &["d", "0"]);
    folder.refused(&set("tokens.d=1000000000"), &["tokens.d", "1000000000", "8192"]);
    folder.write("latin.toml", [CONFIG.as_bytes(), b"# \xe9\n"].concat());
    folder.refused(&["run", "latin.toml"], &["latin.toml: it is not text in UTF-8", "save it as UTF-8"]);
    folder.refused(&set("model.a=[[1,0],[0]]"), &["a"]);
    folder.refused(&set("model.a=[[1,0],[0,1]]"), &["2", "3"]);
    folder.refused(&set("tokens.n=4000000000"), &["bytes", "available"]);
    folder.refused(&["run", "my.toml", "--plan", "tree", "--engine", "reference"], &["tree", "brute", "reference"]);
    let softmax =
        "[tokens]\nkind = \"ball\"\nn = 9\nd = 2\n[model]\nrule = \"softmax\"\nalpha = 1\nbeta = 2\n[run]\nsteps = 1\n";
    folder.write("softmax.toml", softmax);
    folder.refused(&["run", "softmax.toml", "--plan", "norm", "--engine", "cpu"], &["norm", "brute", "softmax"]);
    folder.refused(&["run", "--preset", "emerging-laeder"], &["emerging-leader"]);
    folder.write("typo.toml", CONFIG.replace("alpha", "alhpa"));
    folder.refused(&["run", "typo.toml"], &["alhpa", "alpha", "10"]);
    folder.write("broken.toml", "[tokens\n");
    folder.refused(&["run", "broken.toml"], &["broken.toml"]);

    folder.good(&["run", "my.toml", "--out", "taken", "--no-plot"]);
    folder.refused(&["run", "my.toml", "--out", "taken"], &["taken", "--out"]);
    folder.refused(&["plot", "."], &["config.toml"]);
    let metrics = fs::read_to_string(folder.path().join("taken/metrics.csv")).unwrap();
    folder.write("taken/metrics.csv", metrics.clone() + metrics.lines().nth(3).unwrap());
    folder.refused(&["plot", "taken"], &["taken/metrics.csv: metrics must ascend"]);
    folder.write("taken/metrics.csv", "garbage\n");
    folder.refused(&["plot", "taken"], &["metrics.csv line 1", "no metrics"]);
}

/// A mistyped command must not cost a page of usage, nor advice on how to pass the mistake on.
#[test]
fn bad_usage_is_refused_in_one_line() {
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    let help = |command: &str| format!("see `localmax {command} --help`");
    let run = help("run");
    folder.refused(&["run", "--steps", "-1"], &["'-1'", "--steps", "from 0 to", &run]);
    folder.refused(&["run", "--steps", "abc"], &["'abc'", "whole number", &run]);
    folder.refused(&["run", "--steps", "18446744073709551615"], &["whole number from 0 to 9223372036854775807"]);
    folder.refused(&["run", "--engine", "cuda"], &["'cuda'", "auto, gpu, cpu, reference", &run]);
    folder.refused(&["run", "--nothing"], &["--nothing", &run]);
    folder.refused(&["run", "my.toml", "--preset", "default"], &["--preset", "cannot be used with", &run]);
    folder.refused(&["strip", "my.toml"], &["required", "--token", &help("strip")]);
    folder.refused(&["bench", "--dims", "0"], &["'0'", "--dims", "at least 1", &help("bench")]);
    folder.refused(&["bench", "--dims", "9000"], &["9000", "8192"]);
    folder.refused(&["bench", "--tokens", "4000000000", "--dims", "8000"], &["bytes"]);
    folder.refused(
        &["run", "--set", "tokens.scale=1e-46"],
        &["tokens.scale is 1e-46; in f32 it must be at least 1.18e-38"],
    );
    folder.refused(&["verify", "my.toml", "--rows", "0"], &["'0'", "--rows", "at least 1", &help("verify")]);
    folder.refused(&["verify", "my.toml", "--rows", "-1"], &["'-1'", "--rows", "at least 1"]);
    folder.refused(&["run", "--verify", "-1"], &["'-1'", "--verify", "whole number from 0 to"]);
    folder.refused(&["resume", "r", "--verify", "-1"], &["'-1'", "--verify", "whole number from 0 to"]);
    for option in [["--steps", "3"], ["--set", "run.steps=3"], ["--plan", "brute"], ["--precision", "f64"]] {
        let bits = ["verify", "--bits", "a.npy", "b.npy"];
        folder.refused(&[&bits[..], &option[..]].concat(), &["--bits", option[0], "cannot be used with"]);
        folder.refused(&[&["verify", "--table"], &option[..]].concat(), &["--table", option[0], "cannot be used with"]);
    }
    folder.refused(&["study", "compare", "--tokens", "x"], &["'x'", &help("study compare")]);
    folder.refused(&["verfy"], &["'verfy'", "'verify'", "see `localmax --help`"]);
}

/// "None off" must not be said of nothing.
#[test]
fn verifying_no_step_is_refused() {
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    folder.refused(&["run", "my.toml", "--steps", "0", "--verify", "1"], &["no step to check", "--steps"]);
    folder.refused(&["verify", "my.toml", "--steps", "0"], &["no step to check", "--steps"]);
    assert!(folder.good(&["run", "my.toml", "--steps", "0", "--out", "r"]).contains("0 steps"));
}

/// A person must learn what is wrong with a file, once, and what to do.
#[test]
fn file_errors_say_what_to_do() {
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    let said = String::from_utf8(folder.run(&["run", "missing.toml"]).stderr).unwrap();
    assert_eq!(said, "error: missing.toml: there is no such file or folder; check the path\n");
    folder.write("file", "");
    let below = String::from_utf8(folder.run(&["run", "my.toml", "--out", "file/r"]).stderr).unwrap();
    assert!(below.contains("file/r") && !below.contains(".part") && below.lines().count() == 1, "{below}");
}

/// A value from the command line must be blamed where it was given.
#[test]
fn errors_name_the_place_of_the_value() {
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    folder.refused(
        &["run", "my.toml", "--set", "tokens.scale=-1"],
        &["error: --set tokens.scale=-1: tokens.scale is -1"],
    );
    folder.write("circle.toml", CONFIG.replace("normal", "circle"));
    folder.refused(&["run", "circle.toml", "--set", "tokens.d=1"], &["error: --set tokens.d=1: tokens.d is 1"]);
    folder.write("a.toml", CONFIG.replace("strip =", "a = { matrix = 2, factor = 1 }\nstrip ="));
    let set = |text: &'static str| ["run", "a.toml", "--set", text];
    folder
        .refused(&set("model.a.factor=1/(3-t)"), &["error: --set model.a.factor=1/(3-t): ", "factor is inf at step 3"]);
    folder.refused(&set("model.a.matrix=[[1,2],[3]]"), &["error: --set model.a.matrix=[[1,2],[3]]: "]);
    folder.refused(&set("model.a.matrix=[[1,2],[3,4]]"), &["error: --set model.a.matrix=[[1,2],[3,4]]: "]);
    folder.write("nan.npy", npy("<f8", "(3, 3)", &floats(&[1.0, 0.0, 0.0, 0.0, 1.0, f64::NAN, 0.0, 0.0, 1.0])));
    folder.refused(&set("model.a=nan.npy"), &["nan.npy: entry (1, 2) is NaN"]);
    folder.write("flat.npy", npy("<f8", "(9,)", &floats(&[1.0; 9])));
    folder.refused(&set("model.a=flat.npy"), &["flat.npy", "rank 1", "(rows, columns) for a matrix"]);
}

/// Where squares overflow or units underflow nothing can be decided: the tokens are refused with
/// the range that works.
#[test]
fn extreme_scales_are_refused() {
    let folder = Folder::new();
    folder.write("c.toml", "[tokens]\nfile = \"x.npy\"\n[model]\nrule = \"hardmax\"\nalpha = 1.0\n[run]\nsteps = 3\n");
    for scale in [1e308, 1e-200, 5e-324] {
        folder.write("x.npy", npy("<f8", "(2, 2)", &floats(&[scale, 0.5 * scale, -scale, 0.0])));
        for command in ["run", "verify"] {
            folder.refused(&[command, "c.toml"], &["largest coordinate", "f64", "scale the tokens"]);
        }
    }
    for scale in [1e137, 1e-137] {
        folder.write("x.npy", npy("<f8", "(2, 2)", &floats(&[scale, 0.5 * scale, -scale, 0.0])));
        assert!(folder.good(&["verify", "c.toml", "--engine", "cpu"]).contains("0 of 6 rows differ"));
    }
}

/// A rule in real numbers has no bits to agree on, and must not be said to.
#[test]
fn verify_says_what_was_checked() {
    let folder = Folder::new();
    for preset in ["softmax-collection", "sphere-causal", "markov-escape"] {
        let arguments = ["verify", "--preset", preset, "--steps", "3", "--rows", "20", "--engine", "reference"];
        let said = folder.good(&arguments);
        assert!(!said.contains("contract") && said.contains("against the mathematics (f64)"), "{said}");
    }
}

/// Hours of computing must survive an interruption: rows, the state and its description are there,
/// and can be drawn.
#[cfg(unix)]
#[test]
fn an_interrupted_run_is_kept() {
    use std::process::Stdio;
    let folder = Folder::new();
    folder.write("my.toml", CONFIG);
    let child = Command::new(env!("CARGO_BIN_EXE_localmax"))
        .args(["run", "my.toml", "--steps", "1000000000", "--past-fixed-point", "--out", "r"])
        .args(["--set", "model.delta=0.1", "--set", "output.record=log"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = folder.path().join("r/metrics.csv");
    while fs::read_to_string(&metrics).map_or(0, |text| text.lines().count()) < 8 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("interrupted after step ") && said.contains("r/final.npy"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let meta: Value = serde_json::from_slice(&fs::read(folder.path().join("r/meta.json")).unwrap()).unwrap();
    let steps = meta["steps"].as_u64().unwrap();
    assert_eq!(meta["ended"], "interrupted");
    assert!(said.contains(&format!("after step {steps} of 1000000000")), "{said}");
    let last = fs::read_to_string(&metrics).unwrap();
    assert!(last.lines().last().unwrap().starts_with(&format!("{steps},")), "{last}");
    let state = folder.good(&["verify", "--bits", "r/final.npy", &format!("r/frames/step_{steps:012}.npy")]);
    assert!(state.ends_with("the same bits\n"), "{state}");
    folder.good(&["plot", "r"]);
}

/// A scheduler that ends a job while it loads must read what that means, and find nothing half
/// begun.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_while_tokens_are_drawn_ends_at_once() {
    use std::process::Stdio;
    let folder = Folder::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_localmax"))
        .args(["run", "--out", "r", "--engine", "cpu", "--set", "tokens.n=5000000", "--set", "tokens.d=8"])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let catches = |text: String| {
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:"))?.trim().to_owned();
        Some(u64::from_str_radix(&caught, 16).ok()? & (1 << 14) != 0)
    };
    while !fs::read_to_string(&status).ok().and_then(catches).unwrap_or(false) {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(Command::new("sh").args(["-c", &format!("kill -TERM {}", child.id())]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: interrupted: nothing was begun\n");
    assert!(folder.names().is_empty());
}

/// Two tokens that change places for ever have no limit; a study that took their last state for one
/// would be wrong.
#[test]
fn a_cycle_is_told() {
    let folder = Folder::new();
    let text = "[tokens]\nrows = [[0.7, -1.0], [1.0, -0.7]]\n[model]\nrule = \"hardmax\"\nalpha = 0.5\na = -1\n[run]\n\
                steps = 40\nprecision = \"f32\"\nengine = \"cpu\"\n";
    folder.write("swap.toml", text);
    let cycle = |run: &str| {
        let meta: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.path().join(run).join("meta.json")).unwrap()).unwrap();
        (meta["cycle"]["from_step"].as_u64(), meta["cycle"]["period"].as_u64(), meta["fixed_point"].as_u64())
    };
    let said = folder.good(&["run", "swap.toml", "--out", "whole", "--no-plot"]);
    assert!(said.contains("comes back every 2 steps: tokens move for ever and have no limit"), "{said}");
    assert_eq!(cycle("whole"), (Some(16), Some(2), None));
    folder.good(&["run", "swap.toml", "--steps", "17", "--out", "parts", "--no-plot"]);
    assert_eq!(cycle("parts"), (None, None, None));
    folder.good(&["resume", "parts", "--steps", "23"]);
    assert_eq!(cycle("parts"), cycle("whole"));
    let said = folder.good(&["run", "swap.toml", "--set", "run.precision=f64", "--out", "fixed", "--no-plot"]);
    assert!(said.contains("fixed point at step") || said.contains("tokens may still move"), "{said}");
    assert_eq!((cycle("fixed").0, cycle("fixed").1), (None, None));
}

/// At another scale of A the same a-norm system must not be another.
#[test]
fn an_a_norm_is_one_system_at_every_scale() {
    let folder = Folder::new();
    let run = |a: f64, delta: f64, out: &str| {
        let changes = [format!("model.a={a:e}"), format!("model.delta={delta:e}"), "model.strip=a-norm".into()];
        let mut words =
            vec!["run", "--preset", "default", "--engine", "cpu", "--no-plot", "--steps", "20", "--out", out];
        words.extend(changes.iter().flat_map(|change| ["--set", change.as_str()]));
        folder.good(&words);
        fs::read(folder.path().join(out).join("final.npy")).unwrap()
    };
    let one = run(0.75, 0.2, "one");
    for half in [-30, -9, 8, 30] {
        let root = f64::from(half).exp2();
        assert!(run(0.75 * root * root, 0.2 * root, &format!("r{half}")) == one, "c = 4^{half}");
    }
}

/// The system ends a process at its limit for files without a word, unless it is kept from that.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_for_files_is_an_error() {
    let folder = Folder::new();
    let line = "ulimit -f 8; exec \"$0\" run --out r --engine cpu --no-plot --set tokens.n=5000";
    let output = Command::new("sh")
        .args(["-c", line, env!("CARGO_BIN_EXE_localmax")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.starts_with("error: ") && said.contains("ulimit -f") && said.lines().count() == 1, "{said}");
    assert!(folder.names().is_empty());
}

/// A run that breaks on its way must leave what it had, and say where.
#[test]
fn a_run_that_fails_is_kept_as_far_as_it_came() {
    let folder = Folder::new();
    // The tokens grow by 10^37 a step: f32 ends at the second.
    let text = "[tokens]\nrows = [[1, 0], [0.5, 1]]\n[model]\nrule = \"softmax\"\nalpha = 1\nbeta = 0\nv = 1e37\n\
                [run]\nsteps = 9\nengine = \"cpu\"\n";
    folder.write("grow.toml", text);
    let output = folder.run(&["run", "grow.toml", "--out", "r"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("step 1: token 0 coordinate 0") && said.contains("after step 1 is kept in r/final.npy"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
    let meta: Value = serde_json::from_slice(&fs::read(folder.path().join("r/meta.json")).unwrap()).unwrap();
    assert_eq!((meta["ended"].as_str(), meta["steps"].as_u64()), (Some("failed"), Some(1)));
    assert!(meta["failure"].as_str().unwrap().contains("token 0"), "{meta}");
    assert_eq!(fs::read_to_string(folder.path().join("r/metrics.csv")).unwrap().lines().count(), 3);
    folder.good(&["plot", "r"]);
}

/// Files from elsewhere are hostile until read.
#[test]
fn bad_npy_is_refused_in_one_line() {
    let folder = Folder::new();
    folder.write("c.toml", "[tokens]\nfile = \"x.npy\"\n[model]\nrule = \"hardmax\"\nalpha = 1.0\n[run]\nsteps = 3\n");
    let cases: [(Vec<u8>, &[&str]); 8] = [
        (npy("<f8", "(6,)", &floats(&[1.0; 6])), &["x.npy"]),
        (npy("<i4", "(3, 2)", &[0; 24]), &["x.npy", "i4"]),
        (npy("<f8", "(3, 2)", &floats(&[1.0; 5])), &["176", "168"]),
        (npy("<f8", "(0, 2)", &[]), &["0"]),
        (npy("<f8", "(3, 2)", &floats(&[1.0, 1.0, 1.0, f64::NAN, 1.0, 1.0])), &["token 1", "coordinate 1", "NaN"]),
        (npy("<f8", "(3, 2)", &floats(&[1.0, 1.0, 1.0, 1.0, f64::INFINITY, 1.0])), &["token 2", "coordinate 0", "inf"]),
        (npy("<f8", "(18446744073709551615, 18446744073709551615)", &[]), &["x.npy"]),
        (b"not an array".to_vec(), &["x.npy"]),
    ];
    for (bytes, words) in cases {
        folder.write("x.npy", bytes);
        folder.refused(&["run", "c.toml"], words);
    }
    fs::remove_file(folder.path().join("x.npy")).unwrap();
    folder.refused(&["run", "c.toml"], &["x.npy"]);
}

/// Processes that mpirun started would each take the whole run, and write it over and over: a program without MPI says
/// what to do. What is no share of a run, and a job of one task, goes on.
#[cfg(not(feature = "mpi"))]
#[test]
fn one_of_several_ranks_is_refused_without_mpi() {
    let folder = Folder::new();
    let run = |command: &[&str], size: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_localmax"));
        program.args(command).current_dir(folder.path());
        program.envs([("OMPI_COMM_WORLD_SIZE", size), ("OMPI_COMM_WORLD_RANK", "0")]).output().unwrap()
    };
    for command in [&["run"][..], &["resume", "runs/none-1"]] {
        let output = run(command, "4");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.contains("one of 4 processes") && said.contains("--features mpi"), "{said}");
    }
    assert!(folder.names().is_empty());
    assert!(run(&["presets"], "4").status.success());
    assert!(run(&["run", "--steps", "1", "--no-plot"], "1").status.success());
}

/// Help teaches with examples; completions and the man page come from the same definition.
#[test]
fn help_completions_and_man() {
    let folder = Folder::new();
    let help = folder.good(&["--help"]);
    for word in ["Examples:", "localmax run", "localmax doctor", "Exit status"] {
        assert!(help.contains(word), "no {word:?} in {help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(folder.good(&["completions", shell]).contains("localmax"));
    }
    let man = folder.good(&["man"]);
    assert!(man.contains(".TH") && man.contains(".SH EXAMPLES\n.nf\n  localmax run ") && man.contains("localmax run"));
    assert!(man.matches(".nf\n").count() == man.matches(".fi\n").count() && !man.contains(".SH EXTRA"));
}
