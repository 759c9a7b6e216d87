//! A run whose config changes on the way: the rest is the run that it would be alone from there, however the run is
//! left and taken up again.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use localmax::engine::Engine;
use localmax::error::{Error, Result};
use localmax::io::config::{Config, Override};
use localmax::io::npy::Header;
use localmax::outcome::{Effort, StepReport};
use localmax::ranks::{Alone, Shared};
use localmax::run::checkpoint::Checkpoint;
use localmax::run::opening::{self, Opening};
use localmax::run::record::{self, Callbacks, Outcome};
use localmax::run::resume::{self, Request};
use localmax::run::{Meta, Options, Place, RunDir};
use localmax::tokens::Precision;

use crate::{copy, folder, preset};

/// Ends a run after some step, with a copy of its directory as it is then.
struct Ends(u64, Option<(PathBuf, PathBuf)>);

const NEVER: Ends = Ends(u64::MAX, None);

impl Callbacks for Ends {
    fn reopen(&mut self, lost: &Error, _: &Checkpoint) -> Result<Box<dyn Engine>> {
        panic!("{lost}");
    }

    fn progress(&mut self, step: u64, _: &StepReport, _: Option<&Effort>) -> ControlFlow<()> {
        if step < self.0 {
            return ControlFlow::Continue(());
        }
        if let Some((from, to)) = self.1.take() {
            copy(&from, &to);
        }
        ControlFlow::Break(())
    }
}

fn overrides(texts: &[&str]) -> Vec<Override> {
    texts.iter().map(|text| Override::set(text).unwrap()).collect()
}

fn begin(config: &Config, path: &Path, mut callbacks: Ends) {
    let mut config = config.clone();
    let Opening { start, engine, .. } = opening::open(&mut config, Options::default(), |_| {}).unwrap();
    let ended = record::begin(&config, &Place::new(Some(path), "r").unwrap(), start, engine, &mut callbacks);
    assert!(matches!(ended, Ok(_) | Err(Error::Interrupted(_))), "{:?}", ended.err());
}

/// As `localmax resume PATH --set ...` does.
fn go_on(path: &Path, set: &[&str], mut callbacks: Ends) {
    let run = RunDir::open(path).unwrap();
    let set = overrides(set);
    let left = resume::look(&run, Request { set: &set, ..Request::default() }).unwrap();
    assert!(left.done.is_none(), "{:?}", left.done);
    let mut start = left.checkpoint.unwrap();
    let alone: Shared = Arc::new(Alone);
    let engine = opening::reopen(&alone, &left.config, &start, &mut |_| {}).unwrap();
    start.progress.continue_with(engine.description());
    run.cut_back(Some(&start)).unwrap();
    if let Some(change) = left.change {
        change.write(&run, &left.config, &mut start).unwrap();
    }
    let result = record::run(&left.config, &run, start, engine, &mut callbacks).unwrap();
    assert!(matches!(result.outcome, Outcome::Completed | Outcome::Interrupted), "{:?}", result.outcome);
}

/// The rows of a table after a step, which count from that step: without the column of steps.
fn rows(run: &Path, table: &str, after: u64) -> Vec<(u64, String)> {
    let text = fs::read_to_string(run.join(table)).unwrap();
    let row = |line: &str| {
        let (step, rest) = line.split_once(',').unwrap();
        Some((step.parse::<u64>().unwrap().checked_sub(after).filter(|step| *step > 0)?, rest.to_owned()))
    };
    text.lines().skip(1).filter_map(row).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const AT: u64 = 7;
const MORE: u64 = 9;
const OFTEN: [&str; 4] =
    ["output.record=every 1", "output.frames=every 4", "output.measures=every 3", "output.checkpoint_seconds=1e-9"];

/// Everything that equal runs have in common.
fn all(run: &Path) -> Vec<(String, Vec<u8>)> {
    let tables = ["metrics.csv", "measures.csv", "clouds.csv", "final.npy", "labels.npy"].map(str::to_owned);
    let frames = names(&run.join("frames")).into_iter().map(|name| format!("frames/{name}"));
    let found =
        tables.into_iter().chain(frames).filter_map(|name| Some((name.clone(), fs::read(run.join(name)).ok()?)));
    found.collect()
}

/// A run that changes after step AT is beside a run that begins with its tokens there and with the changes: the same
/// bits in every row and at the end. It is left in three ways on the way, and ends in the same files.
fn assert_changes(name: &str, system: &[&str], set: &[&str]) {
    let what = format!("{name} {system:?}, then {set:?}");
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let (first, end) = (format!("run.steps={AT}"), format!("run.steps={}", AT + MORE));
    let config = preset(name, &[system, &OFTEN, &[&first]].concat());
    begin(&config, &path("r"), NEVER);
    let begun = path("r").join("final.npy");
    copy(&path("r"), &path("untouched"));
    let set = [set, &[&end]].concat();
    go_on(&path("r"), &set, NEVER);

    let by_hand = format!("tokens.file={}", path("untouched").join("final.npy").display());
    let (more, every) = (format!("run.steps={MORE}"), "output.measures=every 1");
    let frames = "output.frames=every 1";
    let rest = |text: &&str| !text.starts_with("tokens.") || text.starts_with("tokens.clouds");
    let system: Vec<&str> = system.iter().copied().filter(rest).collect();
    let hand = preset(name, &[&system[..], &set, &OFTEN, &[&by_hand, &more, every, frames]].concat());
    begin(&hand, &path("hand"), NEVER);
    let last = |run: &str| RunDir::open(&path(run)).unwrap().final_tokens().unwrap();
    assert_eq!(last("r"), last("hand"), "{what}");
    let (ours, theirs) = (rows(&path("r"), "metrics.csv", AT), rows(&path("hand"), "metrics.csv", 0));
    assert_eq!(ours, theirs, "{what}");
    if config.clouds.is_none() {
        let (ours, theirs) = (rows(&path("r"), "measures.csv", AT), rows(&path("hand"), "measures.csv", 0));
        for row in &ours {
            assert!(theirs.contains(row), "{what}: {row:?}, {theirs:?}");
        }
        assert!(ours.len() >= 3, "{what}");
    }
    // The state of the change is there, and once.
    let steps: Vec<u64> = RunDir::open(&path("r")).unwrap().metrics().unwrap().iter().map(|row| row.step).collect();
    assert_eq!(steps, (0..=AT + ours.len() as u64).collect::<Vec<_>>(), "{what}");
    assert!(path("r").join(format!("frames/step_{AT:012}.npy")).is_file(), "{what}");
    assert!(begun.is_file());
    let meta = RunDir::open(&path("r")).unwrap().meta().unwrap();
    let segments = meta["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 2, "{what}: {segments:?}");
    assert_eq!((&segments[0]["from_step"], &segments[0]["config"]), (&0.into(), &"config.toml".into()));
    assert_eq!((&segments[1]["from_step"], &segments[1]["config"]), (&AT.into(), &"changes/1/config.toml".into()));
    assert_eq!(segments[1]["set"].as_array().unwrap().len(), set.len());

    for (nth, kill) in [AT + 1, AT + 3, AT + 5].into_iter().enumerate() {
        let is_short = ours.len() as u64 <= kill - AT;
        let (asked, killed) = (path(&format!("asked-{nth}")), path(&format!("killed-{nth}")));
        copy(&path("untouched"), &asked);
        go_on(&asked, &set, Ends(kill, Some((asked.clone(), killed.clone()))));
        for run in [asked, killed].iter().filter(|run| run.is_dir() && !is_short) {
            go_on(run, &[], NEVER);
            assert_eq!(names(&run.join("changes")), ["1"], "{what}");
            for (ours, theirs) in all(run).into_iter().zip(all(&path("r"))) {
                assert!(ours == theirs, "{what}, left at step {kill}: {} or {} differs", ours.0, theirs.0);
            }
        }
    }
}

/// A person changes a parameter of a run and reads the rest of it as the run that begins there: in an exact rule on
/// each engine, with a lattice that fits the tokens as they are.
#[test]
fn the_rest_of_an_exact_run_is_the_run_from_there() {
    for engine in ["reference", "cpu", "gpu"] {
        let engine = format!("run.engine={engine}");
        let small = ["tokens.n=40", engine.as_str(), "run.precision=f64"];
        assert_changes("default", &small, &["model.delta=0.7", "model.alpha=2"]);
        assert_changes("default", &small, &["model.mask={ window = 3 }", "model.delta=0.1"]);
        assert_changes("default", &small, &["model.rule=hardmax"]);
        assert_changes("default", &small, &["model.a=[[1, 2], [0, 1]]"]);
    }
    let far = ["tokens.n=9", "tokens.scale=40", "model.scores=distance", "model.gamma=0.3", "model.epsilon=1e3"];
    assert_changes("default", &far, &["model.epsilon=5", "model.gamma=0.25"]);
    assert_changes("default", &["tokens.n=9", "tokens.clouds=3", "run.precision=f64"], &["model.delta=0.7"]);
}

/// The same of rules in real numbers, where a run's state is a state of the next.
#[test]
fn the_rest_of_a_real_run_is_the_run_from_there() {
    for engine in ["reference", "cpu", "gpu"] {
        let engine = format!("run.engine={engine}");
        let single = [engine.as_str(), "run.precision=f32"];
        assert_changes("softmax-collection", &single, &["model.beta=2", "model.causal=true"]);
        assert_changes(
            "pre-norm",
            &[&single[..], &["tokens.n=30"]].concat(),
            &["model.beta=3", "model.normalisation=peri"],
        );
    }
}

/// Where only the recording changes, the trajectory does not: a person who looks more closely sees the same run.
#[test]
fn what_is_recorded_changes_nothing() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let config = preset("default", &["tokens.n=40", "run.steps=16", "output.record=every 5", "run.precision=f64"]);
    begin(&config, &path("whole"), NEVER);
    begin(&config, &path("r"), Ends(7, None));
    go_on(&path("r"), &["output.record=every 1", "output.measures=every 1", "run.engine=reference"], NEVER);
    let read = |run: &str| fs::read(path(run).join("final.npy")).unwrap();
    assert!(read("whole") == read("r"));
    let steps: Vec<u64> = rows(&path("r"), "metrics.csv", 0).iter().map(|row| row.0).collect();
    assert_eq!(steps, [vec![5], (7..=16).collect()].concat());
}

/// A run may change again, at the same step or later; an earlier checkpoint leads back to before the change, and says
/// what is lost.
#[test]
fn a_run_changes_again_and_again() {
    let folder = folder();
    let path = folder.path().join("r");
    let config = preset("default", &[&["tokens.n=40", "run.steps=30", "run.precision=f64"][..], &OFTEN].concat());
    begin(&config, &path, Ends(4, None));
    go_on(&path, &["model.delta=0.1"], Ends(8, None));
    go_on(&path, &["model.delta=0.2"], Ends(12, None));
    let set = overrides(&["model.delta=0.3"]);
    let run = RunDir::open(&path).unwrap();
    // Changed, and killed before the first step; then set to another value.
    let left = resume::look(&run, Request { set: &set, ..Request::default() }).unwrap();
    let mut start = left.checkpoint.unwrap();
    run.cut_back(Some(&start)).unwrap();
    left.change.unwrap().write(&run, &left.config, &mut start).unwrap();
    go_on(&path, &["model.delta=0.4"], Ends(16, None));
    let meta = run.meta().unwrap();
    let facts: Vec<(u64, String, String)> = meta["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| {
            (segment["from_step"].as_u64().unwrap(), segment["config"].to_string(), segment["set"].to_string())
        })
        .collect();
    let expected = [
        (0, "config.toml", "[]"),
        (4, "changes/1/config.toml", "[\"model.delta=0.1\"]"),
        (8, "changes/2/config.toml", "[\"model.delta=0.2\"]"),
        (12, "changes/4/config.toml", "[\"model.delta=0.3\",\"model.delta=0.4\"]"),
    ];
    assert_eq!(facts, expected.map(|(step, config, set)| (step, format!("\"{config}\""), set.to_owned())));
    assert!(run.config().unwrap().to_toml().contains("delta = 0.4"));
    // A rank that reads no checkpoint finds the config that rank 0 names, a change that is not written yet among them.
    let header = Header::new(40, 2, Precision::F64);
    for (k, set) in [(1, &[][..]), (2, &[]), (4, &[]), (4, &["model.delta=0.6"])] {
        let file = path.join(format!("changes/{k}/config.toml"));
        let config = Config::load(&file, &overrides(set)).unwrap();
        let found = run.config_like(config.identity().to_hex().as_str(), &header, &overrides(set)).unwrap();
        assert_eq!(found.model, config.model, "{k}, {set:?}");
    }

    // A change whose checkpoint is damaged is lost, and a person is told.
    let set = overrides(&["model.delta=0.5"]);
    let left = resume::look(&run, Request { set: &set, ..Request::default() }).unwrap();
    let mut start = left.checkpoint.unwrap();
    run.cut_back(Some(&start)).unwrap();
    left.change.unwrap().write(&run, &left.config, &mut start).unwrap();
    run.write_meta(&Meta::new(&left.config, &start.progress)).unwrap();
    fs::write(run.checkpoint_path(16), "").unwrap();
    let left = resume::look(&run, Request::default()).unwrap();
    let notes = left.notes.join("; ");
    assert!(notes.contains("earlier checkpoint") && notes.contains("set at step 16 is lost"), "{notes}");
    let start = left.checkpoint.unwrap();
    assert_eq!(start.progress.step, 15);
    run.cut_back(Some(&start)).unwrap();
    run.write_meta(&Meta::new(&left.config, &start.progress)).unwrap();
    assert_eq!(names(&path.join("changes")), ["1", "2", "3", "4"]);
}

/// What no run can change is refused with the reason, before a file is touched.
#[test]
fn what_cannot_change_is_refused() {
    let folder = folder();
    let refused = |name: &str, path: &Path, set: &[&str], words: &[&str]| {
        let run = RunDir::open(path).unwrap();
        let before = (all(path), names(path));
        let set = overrides(set);
        let error = resume::look(&run, Request { set: &set, ..Request::default() }).expect_err(name).to_string();
        assert!(words.iter().all(|word| error.contains(word)) && error.lines().count() == 1, "{error}");
        assert!((all(path), names(path)) == before, "{name}");
    };
    let runs = [
        ("default", ["tokens.n=20", "run.steps=5", "run.precision=f64"]),
        ("sphere-clusters", ["tokens.n=20", "run.steps=5", "run.precision=f32"]),
        ("clustering-hyperplane", ["tokens.n=20", "run.steps=5", "run.precision=f32"]),
    ];
    for (name, changes) in runs {
        begin(&preset(name, &changes), &folder.path().join(name), NEVER);
    }
    let path = |name: &str| folder.path().join(name);
    for (set, words) in [
        (&["seed=3"][..], &["--set seed=3", "one seed", "final.npy"][..]),
        (&["tokens.n=3"], &["--set tokens.n=3", "the tokens that it has", "final.npy"]),
        (&["tokens.keys=[[1, 0]]"], &["tokens.keys", "fixed keys"]),
        (&["run.precision=f32"], &["--set run.precision=f32", "the width"]),
        (&["files.a=b"], &["--set files.a=b"]),
        (&["model.delat=3"], &["delat", "delta"]),
        (&["model.delta=-1", "run.steps=9"], &["model.delta is -1"]),
        (&["model.delta={ table = [1, 2] }", "run.steps=9"], &["model.delta has 2 values for 9 steps"]),
        (&["model.v=0.5", "run.steps=9"], &["lattice", "real numbers", "final.npy"]),
        (&["model.rule=softmax", "model.beta=3", "run.steps=9"], &["lattice", "softmax", "real numbers"]),
        (&["model.alpha=1e-18", "run.steps=9"], &["at step", "--out NEW"]),
        (&["model.delta=0.5"], &["has taken 5 steps and is to take 5", "--steps K"]),
        (&["run.steps=3"], &["has taken 5 steps and is to take 3", "--steps K"]),
    ] {
        refused("default", &path("default"), set, words);
    }
    let words = ["tokens of sphere", "need not be tokens of softmax"];
    refused(
        "sphere-clusters",
        &path("sphere-clusters"),
        &["model.rule=softmax", "model.alpha=1", "run.steps=9"],
        &words,
    );
    let words = ["tokens of rescaled", "need not be tokens of rescaled"];
    refused("rescaled", &path("clustering-hyperplane"), &["model.dt=0.01", "run.steps=9"], &words);
    fs::remove_dir_all(path("default").join("checkpoints")).unwrap();
    refused("default", &path("default"), &["model.delta=0.5", "run.steps=9"], &["has no checkpoint", "--out NEW"]);
}
