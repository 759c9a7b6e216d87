//! Real processes and real signals.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};

use crate::{assert_equal_files, folder};

/// Tokens that turn round on a circle for ever: every step is a new state, and any slip stays visible.
const TURNING: &str = "[tokens]\nkind = \"circle\"\nn = 8\nd = 2\n\n[model]\nrule = \"sphere\"\nbeta = 2\n\
    v = [[0, -1], [1, 0.5]]\ndt = 0.01\n\n[run]\nsteps = 1000000000\nengine = \"cpu\"\n\n\
    [output]\nrecord = \"every 50\"\nframes = \"every 1000\"\ncheckpoint_seconds = 0.02\n";

fn spawn(at: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_localmax"));
    command.args(arguments).current_dir(at).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

fn good(at: &Path, arguments: &[&str]) {
    let output = spawn(at, arguments).wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn newest(run: &Path) -> u64 {
    let names = fs::read_dir(run.join("checkpoints")).map(|all| all.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let step = |name: String| name.strip_prefix("step_")?.strip_suffix(".safetensors")?.parse().ok();
    names.iter().filter_map(|entry| step(entry.file_name().to_string_lossy().into_owned())).max().unwrap_or(0)
}

fn wait_for(run: &Path, step: u64) {
    while newest(run) < step {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends the run `more` steps after its last checkpoint, and compares it with one that nobody disturbed.
fn assert_whole(folder: &Path, system: &[&str], more: u64) {
    let (run, end) = (folder.join("r"), newest(&folder.join("r")) + more);
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), config.replace("steps = 1000000000", &format!("steps = {end}"))).unwrap();
    good(folder, &["resume", "r", "--no-plot"]);
    let seldom = ["--set", "output.checkpoint_seconds=0.02"];
    let end = end.to_string();
    good(folder, &[&["run"], system, &["--steps", &end, "--out", "whole", "--no-plot"], &seldom].concat());
    assert_equal_files(&folder.join("whole"), &run, &format!("{system:?}, {end} steps"));
    assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 2);
}

/// A run that is killed at any moment, again and again, must lose no more than the steps since its last checkpoint.
/// LOCALMAX_KILLS asks for more kills.
#[test]
fn a_storm_of_kills() {
    let kills: u32 = std::env::var("LOCALMAX_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let folder = folder();
    fs::write(folder.path().join("my.toml"), TURNING).unwrap();
    let run: PathBuf = folder.path().join("r");
    let mut stream = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let (mut saved, mut begun) = (0, 0);
    for kill in 0..kills {
        let is_new = !run.exists();
        let arguments: &[&str] =
            if is_new { &["run", "my.toml", "--out", "r", "--no-plot"] } else { &["resume", "r", "--no-plot"] };
        let mut child = spawn(folder.path(), arguments);
        std::thread::sleep(Duration::from_micros(stream.random_range(1_000..150_000)));
        let ended = child.try_wait().unwrap();
        child.kill().unwrap();
        let said = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        assert!(ended.is_none(), "kill {kill}: {arguments:?} ended by itself: {said}");
        assert!(!said.contains("damaged") && !said.contains("error"), "kill {kill}: {said}");
        let now = newest(&run);
        assert!(now >= saved, "kill {kill}: the checkpoint of step {saved} is gone, the newest is of step {now}");
        begun += u32::from(now > saved);
        saved = now;
    }
    println!("{kills} kills, {begun} of them after a new checkpoint; step {saved}");
    assert!(begun * 4 > kills, "only {begun} of {kills} parts came as far as a checkpoint: nothing was tested");
    assert_whole(folder.path(), &["my.toml"], 777);
}

/// SIGTERM and SIGINT end a run after the steps in hand; it goes on as if nothing had been.
#[test]
fn signals_lose_nothing() {
    let folder = folder();
    fs::write(folder.path().join("my.toml"), TURNING.replace("0.02", "300")).unwrap();
    let run = folder.path().join("r");
    let mut arguments: &[&str] = &["run", "my.toml", "--out", "r", "--no-plot"];
    for (round, name) in ["-TERM", "-INT", "-TERM"].into_iter().enumerate() {
        let before = newest(&run);
        let child = spawn(folder.path(), arguments);
        let metrics = run.join("metrics.csv");
        let rows = || fs::read_to_string(&metrics).map_or(0, |text| text.lines().count());
        let start = rows();
        while !run.join("checkpoints").exists() || rows() <= start.max(2) {
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "round {round}: {said}");
        let now = newest(&run);
        assert!(now > before && said.contains(&format!("interrupted after step {now} of")), "round {round}: {said}");
        assert!(said.contains("go on with `localmax resume r`"), "{said}");
        arguments = &["resume", "r", "--no-plot"];
    }
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), config.replace("checkpoint_seconds = 300.0", "checkpoint_seconds = 0.02"))
        .unwrap();
    assert_whole(folder.path(), &["my.toml"], 777);
}

/// One system of every rule; none of them comes to rest.
const EVERY_RULE: [(&str, &[&str]); 9] = [
    ("default", &["tokens.n=30", "model.alpha=1e-5"]),
    ("hardmax-triangle", &["model.alpha=1e-5"]),
    ("frank-wolfe-cells", &[]),
    ("softmax-collection", &["run.precision=f32"]),
    ("markov-escape", &["run.precision=f32"]),
    ("sphere-clusters", &["run.precision=f32", "model.dt=1e-3"]),
    ("sphere-causal", &["run.precision=f32", "model.dt=1e-3"]),
    ("ellipsoid-consensus", &["run.precision=f32", "model.dt=1e-3"]),
    ("clustering-hyperplane", &["run.precision=f32", "model.dt=1e-6"]),
];

/// Whatever the rule, the engine and the moment, a process that is asked or killed leaves what another can go on from.
/// LOCALMAX_SPLITS asks for more moments than one; signals take turns.
fn splits(engine: &str, signals: [&str; 2]) {
    let splits: u32 = std::env::var("LOCALMAX_SPLITS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut stream = rand_chacha::ChaCha8Rng::seed_from_u64(8);
    for (index, (preset, changes)) in EVERY_RULE.into_iter().enumerate() {
        let outputs = ["output.record=every 50", "output.frames=every 100", "output.checkpoint_seconds=0.02"];
        let sets = changes.iter().chain(&outputs).flat_map(|change| ["--set", change]);
        let system: Vec<&str> =
            ["--preset", preset, "--engine", engine, "--past-fixed-point"].into_iter().chain(sets).collect();
        for name in signals.into_iter().cycle().skip(index % 2).take(splits as usize) {
            let folder = folder();
            let endless = ["--steps", "1000000000", "--out", "r", "--no-plot"];
            let mut child = spawn(folder.path(), &[&["run"], &system[..], &endless].concat());
            let run = folder.path().join("r");
            let from = stream.random_range(1..200);
            while newest(&run) < from {
                if child.try_wait().unwrap().is_some() {
                    let said = child.wait_with_output().unwrap().stderr;
                    panic!("{system:?} ended by itself: {}", String::from_utf8_lossy(&said));
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            std::thread::sleep(Duration::from_micros(stream.random_range(0..50_000)));
            signal(&child, name);
            let output = child.wait_with_output().unwrap();
            let code = if name == "-TERM" { Some(4) } else { None };
            assert_eq!(output.status.code(), code, "{system:?}: {}", String::from_utf8_lossy(&output.stderr));
            assert_whole(folder.path(), &system, 77);
        }
    }
}

#[test]
fn splits_of_every_rule_on_the_cpu() {
    splits("cpu", ["-TERM", "-KILL"]);
}

#[test]
fn splits_of_every_rule_on_a_gpu() {
    splits("gpu", ["-KILL", "-TERM"]);
}

/// While a process writes a run, no other may; a second signal ends it at once, with a good checkpoint behind it.
#[test]
fn one_writer_and_two_signals() {
    let folder = folder();
    // One step takes far longer than a signal needs.
    let slow = TURNING.replace("n = 8\nd = 2", "n = 6000\nd = 2").replace("engine = \"cpu\"", "engine = \"reference\"");
    fs::write(folder.path().join("my.toml"), slow).unwrap();
    let run = folder.path().join("r");
    let child = spawn(folder.path(), &["run", "my.toml", "--out", "r", "--no-plot"]);
    while !run.join("checkpoints/step_000000000000.safetensors").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let refused = spawn(folder.path(), &["resume", "r"]).wait_with_output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("is being written by process {}", child.id())), "{said}");
    signal(&child, "-TERM");
    std::thread::sleep(Duration::from_millis(200));
    signal(&child, "-TERM");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(4));
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    let config = config.replace("steps = 1000000000", "steps = 1").replace("\"reference\"", "\"cpu\"");
    fs::write(run.join("config.toml"), config).unwrap();
    good(folder.path(), &["resume", "r", "--no-plot"]);
    assert!(run.join("final.npy").exists());
    wait_for(&run, 1);
}
