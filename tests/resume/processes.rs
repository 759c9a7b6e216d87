//! Real processes and real signals.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use localmax::io::config::{Config, Override};
use rand::{RngExt as _, SeedableRng as _};

use crate::waiting::wait_for;
use crate::{assert_equal_files, folder};

/// Tokens that turn round on a circle for ever: every step is a new state, and any slip stays
/// visible.
const TURNING: &str = "[tokens]\nkind = \"circle\"\nn = 8\nd = 2\n\n[model]\nrule = \"sphere\"\nbeta = 2\n\
    v = [[0, -1], [1, 0.5]]\ndt = 0.01\n\n[run]\nsteps = 1000000000\nengine = \"cpu\"\n\n\
    [output]\nrecord = \"every 50\"\nframes = \"every 1000\"\ncheckpoint_seconds = 0.02\n";
/// How many steps its rows are apart.
const RECORD: u64 = 50;

/// A process that does not outlive its test, however that ends.
struct Process(Child);

impl Process {
    fn start(at: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_localmax"));
        Self(command.args(arguments).current_dir(at).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("sh").args(["-c", &format!("kill {name} {}", self.0.id())]).status().unwrap().success());
    }

    fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }

    /// Waits for what the process brings about.
    fn wait_until(&mut self, what: &str, is_so: impl Fn() -> bool) {
        wait_for(what, || {
            let is_so = is_so();
            if !is_so && !self.is_running() {
                let said = std::io::read_to_string(self.0.stderr.take().unwrap()).unwrap();
                panic!("ended by itself before {what}: {said}");
            }
            is_so.then_some(())
        });
    }

    /// Its exit status, `None` where a signal ended it, and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let status = wait_for("a process to end", || self.0.try_wait().unwrap());
        (status.code(), std::io::read_to_string(self.0.stderr.take().unwrap()).unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn good(at: &Path, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_localmax")).args(arguments).current_dir(at).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The largest N of the files `step_N.ending` in a folder; 0 where there is none.
fn newest(folder: &Path, ending: &str) -> u64 {
    let names = fs::read_dir(folder).map(|all| all.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let step = |name: String| name.strip_prefix("step_")?.strip_suffix(ending)?.parse().ok();
    names.iter().filter_map(|entry| step(entry.file_name().to_string_lossy().into_owned())).max().unwrap_or(0)
}

/// The step of the newest checkpoint.
fn saved(run: &Path) -> u64 {
    newest(&run.join("checkpoints"), ".safetensors")
}

/// The steps of all rows of metrics that are whole.
fn rows(run: &Path) -> Vec<u64> {
    let text = fs::read_to_string(run.join("metrics.csv")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().skip(1).map(|row| row.split(',').next().unwrap().parse().unwrap()).collect()
}

fn meta(run: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(run.join("meta.json")).unwrap()).unwrap()
}

/// Changes the config of a run that nobody writes.
fn change(run: &Path, changes: &[&str]) {
    let changes: Vec<_> = changes.iter().map(|text| Override::set(text).unwrap()).collect();
    Config::load(&run.join("config.toml"), &changes).unwrap().save(run).unwrap();
}

/// Ends the run `more` steps after its last checkpoint, and compares it with one that nobody
/// disturbed.
fn assert_whole(folder: &Path, system: &[&str], more: u64) {
    let run = folder.join("r");
    let steps = format!("run.steps={}", saved(&run) + more);
    let changes = [steps.as_str(), "output.checkpoint_seconds=0.02"];
    change(&run, &changes);
    good(folder, &["resume", "r", "--no-plot"]);
    let sets = changes.iter().flat_map(|change| ["--set", change]).collect::<Vec<_>>();
    good(folder, &[&["run"], system, &["--out", "whole", "--no-plot"], &sets].concat());
    assert_equal_files(&folder.join("whole"), &run, &format!("{system:?}, {steps}"));
    assert_eq!(fs::read_dir(run.join("checkpoints")).unwrap().count(), 2);
}

/// A run that is killed at any moment, again and again, must lose no more than one interval between
/// checkpoints. Every other part is let come as far as a new checkpoint, however slow the machine is.
///
/// The interval is shorter than a step, so that on a machine of any speed a checkpoint is due
/// wherever the run looks at its clock, which it does at every record at the latest. What a run has
/// come to is seen by its frames, which are written as they come, and its rows: none may be more
/// than a record beyond the newest checkpoint, and that is where the next part goes on from.
/// LOCALMAX_KILLS asks for more kills.
#[test]
fn a_storm_of_kills() {
    let kills: u32 = std::env::var("LOCALMAX_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let folder = folder();
    fs::write(folder.path().join("my.toml"), TURNING).unwrap();
    let run = folder.path().join("r");
    let mut stream = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let system = ["my.toml", "--set", "output.frames=every 200"];
    let (mut before, mut begun, mut cut) = (0, 0, 0);
    for kill in 0..kills {
        let is_new = !run.exists();
        let new = ["--out", "r", "--no-plot", "--set", "output.checkpoint_seconds=1e-9"];
        let new = [&["run"], &system[..], &new].concat();
        let arguments = if is_new { &new[..] } else { &["resume", "r", "--no-plot"] };
        let mut process = Process::start(folder.path(), arguments);
        if kill.is_multiple_of(2) {
            process.wait_until("a new checkpoint", || saved(&run) > before);
        }
        std::thread::sleep(Duration::from_micros(stream.random_range(1_000..100_000)));
        process.0.kill().unwrap();
        let (code, said) = process.end();
        assert_eq!(code, None, "kill {kill}: {arguments:?} ended by itself: {said}");
        assert!(!said.contains("damaged") && !said.contains("error"), "kill {kill}: {said}");
        let (now, rows) = (saved(&run), rows(&run));
        assert!(now >= before, "kill {kill}: the checkpoint of step {before} is gone, the newest is of step {now}");
        let reached = newest(&run.join("frames"), ".npy").max(rows.last().copied().unwrap_or(0));
        assert!(now + RECORD >= reached, "kill {kill}: at step {reached}, the newest checkpoint is of step {now}");
        let wrong = rows.iter().zip((0..).step_by(RECORD as usize)).find(|(row, due)| **row != *due);
        assert_eq!(wrong, None, "kill {kill}: a row twice or missing");
        if now > before {
            begun += 1;
            assert_eq!(meta(&run)["steps"], before, "kill {kill}: it went on from another step");
        }
        cut += u32::from(reached > now);
        before = now;
    }
    println!("{kills} kills, {begun} after a new checkpoint, {cut} with a record beyond it; step {before}");
    assert!(begun * 4 > kills, "only {begun} of {kills} parts came as far as a checkpoint: nothing was tested");
    assert_whole(folder.path(), &system, 777);
}

/// SIGTERM and SIGINT end a run at the last whole step; it goes on as if nothing had been.
#[test]
fn signals_lose_nothing() {
    let folder = folder();
    fs::write(folder.path().join("my.toml"), TURNING).unwrap();
    let run = folder.path().join("r");
    let mut arguments: &[&str] =
        &["run", "my.toml", "--out", "r", "--no-plot", "--set", "output.checkpoint_seconds=300"];
    for (round, name) in ["-TERM", "-INT", "-TERM"].into_iter().enumerate() {
        let (before, start) = (saved(&run), rows(&run).len());
        let mut process = Process::start(folder.path(), arguments);
        process.wait_until("new rows", || run.join("checkpoints").exists() && rows(&run).len() > start.max(1));
        process.signal(name);
        let (code, said) = process.end();
        assert_eq!(code, Some(4), "round {round}: {said}");
        let now = saved(&run);
        assert!(now > before && said.contains(&format!("interrupted after step {now} of")), "round {round}: {said}");
        assert!(said.contains("go on with `localmax resume r`"), "{said}");
        arguments = &["resume", "r", "--no-plot"];
    }
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

/// Whatever the rule, the engine and the moment, a process that is asked or killed leaves what
/// another can go on from. LOCALMAX_SPLITS asks for more moments than one; signals take turns.
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
            let mut process = Process::start(folder.path(), &[&["run"], &system[..], &endless].concat());
            let run = folder.path().join("r");
            let from = stream.random_range(1..200);
            process.wait_until(&format!("step {from} of {system:?}"), || saved(&run) >= from);
            std::thread::sleep(Duration::from_micros(stream.random_range(0..50_000)));
            process.signal(name);
            let (code, said) = process.end();
            assert_eq!(code, if name == "-TERM" { Some(4) } else { None }, "{system:?}: {said}");
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

/// While a process writes a run, no other may. Its first signal asks it to finish the step, and so
/// do all copies of it: a terminal that closes sends two, and `timeout` passes on what it gets. Only
/// a later Ctrl-C ends it in the middle of the step, which leaves no end of the run on the disk, but
/// the checkpoint from before, and says so.
#[test]
fn one_writer_and_a_storm_of_signals() {
    let folder = folder();
    fs::write(folder.path().join("my.toml"), TURNING).unwrap();
    let run = folder.path().join("r");
    // One step takes far longer than signals need.
    let slow = ["--engine", "reference", "--set", "tokens.n=8000"];
    let arguments = [&["run", "my.toml", "--out", "r", "--no-plot"], &slow[..]].concat();
    let mut process = Process::start(folder.path(), &arguments);
    process.wait_until("a checkpoint", || run.join("checkpoints/step_000000000000.safetensors").exists());
    let (code, said) = Process::start(folder.path(), &["resume", "r"]).end();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(&format!("is being written by process {}", process.0.id())), "{said}");
    for name in ["-HUP", "-TERM", "-INT", "-INT", "-TERM", "-INT"] {
        process.signal(name);
    }
    std::thread::sleep(Duration::from_millis(200));
    assert!(process.is_running(), "signals at once ended it at once");
    wait_for("a later Ctrl-C to end it", || {
        std::thread::sleep(Duration::from_millis(700));
        process.signal("-INT");
        std::thread::sleep(Duration::from_millis(50));
        (!process.is_running()).then_some(())
    });
    let (code, said) = process.end();
    assert!(code == Some(4) && !said.contains("interrupted after"), "{code:?}: {said}");
    assert!(said.contains("the steps since the last checkpoint are lost; `localmax resume` goes on"), "{said}");
    assert!(!run.join("final.npy").exists() && meta(&run)["ended"] == "running", "{}", meta(&run));
    assert_eq!((saved(&run), rows(&run)), (0, vec![0]));
    change(&run, &["run.steps=1"]);
    good(folder.path(), &["resume", "r", "--no-plot", "--engine", "cpu"]);
    assert!(run.join("final.npy").exists() && meta(&run)["ended"] == "completed", "{}", meta(&run));
    assert_eq!(saved(&run), 1);
}

/// A night's run started with `nohup` must not end at logout. A run in the background of a script,
/// where shells have SIGINT ignored, must still end when it is asked to.
#[cfg(target_os = "linux")]
#[test]
fn a_hang_up_that_was_ignored_stays_ignored() {
    let folder = folder();
    fs::write(folder.path().join("my.toml"), TURNING).unwrap();
    let run = folder.path().join("r");
    let line = "trap '' HUP INT; exec \"$0\" run my.toml --out r --no-plot";
    let mut command = Command::new("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_localmax")]).current_dir(folder.path());
    command.env("UCX_DEBUG_SIGNO", "0"); // a library of some MPIs takes SIGHUP before the program begins
    let mut process = Process(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    process.wait_until("rows", || rows(&run).len() > 1);
    process.signal("-HUP");
    let before = rows(&run).len();
    process.wait_until("later rows", || rows(&run).len() > before);
    process.signal("-INT");
    let (code, said) = process.end();
    assert!(code == Some(4) && said.contains("interrupted after step"), "{code:?}: {said}");
}

/// A job that is given two hours must end by itself, resumable, before it is killed.
#[test]
fn a_run_ends_at_its_wall_and_goes_on() {
    let folder = folder();
    fs::write(folder.path().join("my.toml"), TURNING).unwrap();
    let run = folder.path().join("r");
    for arguments in [&["run", "my.toml", "--out", "r", "--no-plot"][..], &["resume", "r", "--no-plot"]] {
        // On a slow machine a run needs longer to begin.
        let walls = (0..8).map(|k| format!("{}s", 0.3 * f64::from(1 << k)));
        let ends = walls.map(|wall| Process::start(folder.path(), &[arguments, &["--wall", &wall]].concat()).end());
        let end = { ends }.find(|(_, said)| !said.contains("nothing was"));
        let (code, said) = end.expect("a run that begins");
        assert!(code == Some(4) && said.contains("go on with `localmax resume r`"), "{code:?}: {said}");
        assert_eq!(meta(&run)["ended"], "interrupted");
        assert_eq!(meta(&run)["steps"], saved(&run));
    }
    let (code, said) = Process::start(folder.path(), &["run", "--wall", "0h"]).end();
    assert!(code == Some(2) && said.contains("such as 3600 (seconds), 90m or 2h"), "{code:?}: {said}");
}
