//! Directories that something has happened to, as `localmax resume` meets them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use localmax::exact::Grid;
use localmax::run::checkpoint;
use localmax::tokens::{Coordinates, Precision, Tokens};

use crate::{assert_equal_files, copy, folder};

fn localmax(at: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_localmax")).args(arguments).current_dir(at).output().unwrap()
}

/// Runs and expects this exit status; what was said to stderr.
fn expect(at: &Path, status: i32, arguments: &[&str]) -> String {
    let output = localmax(at, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
    assert!(status == 0 || said.lines().last().is_some_and(|line| line.starts_with("error: ")), "{said}");
    said + &String::from_utf8_lossy(&output.stdout)
}

const RUN: [&str; 14] = [
    "run",
    "--preset",
    "vanishing-delta",
    "--engine",
    "cpu",
    "--no-plot",
    "--set",
    "tokens.n=30",
    "--set",
    "output.record=every 2",
    "--set",
    "output.frames=every 3",
    "--set",
    "output.measures=event",
];

/// A run of 20 steps in one go, and one that has 10 of them and checkpoints of steps 5 and 10.
fn whole_and_part(folder: &Path) -> (PathBuf, PathBuf) {
    expect(folder, 0, &[&RUN[..], &["--steps", "20", "--out", "whole"]].concat());
    expect(folder, 0, &[&RUN[..], &["--steps", "5", "--out", "part"]].concat());
    expect(folder, 0, &["resume", "part", "--steps", "5"]);
    (folder.join("whole"), folder.join("part"))
}

fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        fs::read_dir(run.join("checkpoints")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Every file of a run's directory but the lock, byte for byte.
fn everything(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(everything(&path));
        } else if !path.ends_with(".lock") {
            let bytes = fs::read(&path).unwrap();
            all.insert(path, bytes);
        }
    }
    all
}

fn assert_untouched(before: &BTreeMap<PathBuf, Vec<u8>>, run: &Path) {
    let now = everything(run);
    assert!(now.keys().eq(before.keys()), "{:?}, before {:?}", now.keys(), before.keys());
    for (path, bytes) in before {
        assert!(now[path] == *bytes, "{} is another", path.display());
    }
}

type Harm = fn(&Path);

/// Each harm, what is said of it, and whether the run can still be gone on with; where it cannot,
/// nothing in it is touched.
#[test]
fn what_is_damaged_is_named_and_the_rest_is_saved() {
    let folder = folder();
    let (whole, part) = whole_and_part(folder.path());
    let harms: [(Harm, &[&str], bool); 15] = [
        (|_| {}, &[], true),
        (
            |r| fs::remove_file(r.join("effort.csv")).unwrap(),
            &["effort.csv: there is no such file", "begun anew"],
            true,
        ),
        (
            |r| flip(&checkpoints(r)[1], 2000),
            &["step_000000000010.safetensors: damaged in its ", "from an earlier"],
            true,
        ),
        (|r| fs::write(&checkpoints(r)[1], "").unwrap(), &["step_000000000010", "header", "from an earlier"], true),
        (|r| fs::remove_file(&checkpoints(r)[1]).unwrap(), &[], true),
        (
            |r| checkpoints(r).iter().for_each(|c| flip(c, 40)),
            &["step_000000000010", "step_000000000005", "--out NEW"],
            false,
        ),
        (|r| fs::write(r.join("checkpoints/.step_000000000011.safetensors.7.part"), "half").unwrap(), &[], true),
        (|r| fs::write(r.join("frames/step_000000000012.npy"), "later").unwrap(), &[], true),
        (
            |r| flip(&r.join("frames/step_000000000009.npy"), 130),
            &["frames/step_000000000009.npy", "from an earlier"],
            true,
        ),
        (
            |r| fs::remove_file(r.join("frames/step_000000000003.npy")).unwrap(),
            &["frames/step_000000000003.npy"],
            false,
        ),
        (|r| fs::remove_file(r.join("metrics.csv")).unwrap(), &["metrics.csv: there is no such file"], false),
        (|r| flip(&r.join("metrics.csv"), 80), &["metrics.csv: its first"], false),
        (|r| fs::remove_file(r.join("meta.json")).unwrap(), &[], true),
        (|r| fs::remove_file(r.join("final.npy")).unwrap(), &[], true),
        (
            |r| {
                let config = fs::read_to_string(r.join("config.toml")).unwrap();
                fs::write(r.join("config.toml"), config.replace("alpha = 0.5", "alpha = 0.25")).unwrap();
            },
            &["config.toml is not the system that the checkpoint of step 10 belongs to"],
            false,
        ),
    ];
    for (at, (harm, words, is_saved)) in harms.iter().enumerate() {
        let path = folder.path().join(format!("harm-{at}"));
        copy(&part, &path);
        harm(&path);
        let before = everything(&path);
        let name = format!("harm-{at}");
        let said = expect(folder.path(), if *is_saved { 0 } else { 2 }, &["resume", &name, "--steps", "10"]);
        for word in *words {
            assert!(said.contains(word), "harm {at}: no {word:?} in {said}");
        }
        if *is_saved {
            assert_equal_files(&whole, &path, &name);
        } else {
            assert_untouched(&before, &path);
        }
    }
}

/// A file that cannot be read for now may be whole: to go back for it would throw away what was
/// computed since.
#[cfg(unix)]
#[test]
fn what_cannot_be_read_for_now_is_waited_for() {
    let folder = folder();
    let (_, part) = whole_and_part(folder.path());
    let before = everything(&part);
    let newest = checkpoints(&part).pop().unwrap();
    for path in [newest, part.join("metrics.csv"), part.join("frames/step_000000000009.npy")] {
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let said = expect(folder.path(), 2, &["resume", "part", "--steps", "5"]);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(said.contains(name) && said.contains("nothing was changed"), "{said}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        assert_untouched(&before, &part);
    }
}

/// A run killed before its first checkpoint begins again; one that is completed has nothing to do.
#[test]
fn the_ends_of_a_run() {
    let folder = folder();
    let (whole, part) = whole_and_part(folder.path());
    let said = expect(folder.path(), 0, &["resume", "whole"]);
    assert!(said.contains("nothing to do: all 20 steps are taken"), "{said}");
    fs::remove_dir_all(part.join("checkpoints")).unwrap();
    let said = expect(folder.path(), 0, &["resume", "part"]);
    assert!(said.contains("nothing to do: it is completed, and has no checkpoint"), "{said}");
    let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(part.join("meta.json")).unwrap()).unwrap();
    (meta["ended"], meta["steps"]) = ("running".into(), 0.into());
    fs::write(part.join("meta.json"), meta.to_string()).unwrap();
    for name in ["final.npy", "metrics.csv", "measures.csv", "effort.csv"] {
        fs::remove_file(part.join(name)).unwrap();
    }
    fs::remove_dir_all(part.join("frames")).unwrap();
    fs::create_dir(part.join("frames")).unwrap();
    let said = expect(folder.path(), 0, &["resume", "part", "--steps", "10", "--engine", "reference"]);
    assert!(said.contains("there is no checkpoint yet: from the start"), "{said}");
    assert_equal_files(&whole, &part, "from the start");
    let meta = fs::read_to_string(part.join("meta.json")).unwrap();
    assert!(meta.contains("\"name\": \"vanishing-delta\"") && meta.contains("\"completed\""), "{meta}");
    let said = expect(folder.path(), 2, &["resume", "nowhere"]);
    assert!(said.contains("nowhere has no run in it"), "{said}");
    let before = everything(&whole);
    let said = expect(folder.path(), 2, &["resume", "whole", "--steps", "9223372036854775807"]);
    assert!(said.contains("at most 9223372036854775807"), "{said}");
    assert_untouched(&before, &whole);
    let said = expect(folder.path(), 0, &["resume", "--help"]);
    assert!(said.contains("Examples:") && said.contains("--engine cpu"), "{said}");
}

/// Another engine computes from there on: meta.json must say who computed what.
#[test]
fn meta_tells_the_segments() {
    let folder = folder();
    let (_, part) = whole_and_part(folder.path());
    let said = expect(folder.path(), 0, &["resume", "part", "--steps", "3", "--engine", "reference"]);
    assert!(said.contains("from step 10 on reference") && said.contains("the same bits"), "{said}");
    let meta: serde_json::Value = serde_json::from_slice(&fs::read(part.join("meta.json")).unwrap()).unwrap();
    let segments: Vec<_> = meta["segments"].as_array().unwrap().iter().collect();
    let told: Vec<_> = segments.iter().map(|s| (s["from_step"].as_u64(), s["engine"]["engine"].as_str())).collect();
    assert_eq!(told, [(Some(0), Some("cpu")), (Some(10), Some("reference"))]);
}

/// What is done to a run, and the arguments that are then refused.
type Refused<'a> = (&'a dyn Fn(&Path), &'a [&'a str]);

/// Hours of rows and frames must not be thrown away because the folder of checkpoints was not
/// copied along.
#[test]
fn a_run_whose_checkpoints_are_gone_is_left_as_it_is() {
    let folder = folder();
    let (_, part) = whole_and_part(folder.path());
    let killed = |r: &Path| {
        let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(r.join("meta.json")).unwrap()).unwrap();
        (meta["ended"], meta["steps"]) = ("running".into(), 0.into());
        fs::write(r.join("meta.json"), meta.to_string()).unwrap();
    };
    let remove = |r: &Path, names: &[&str]| {
        for name in names {
            let path = r.join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    };
    let harms: [Refused; 5] = [
        (&|_| {}, &["--steps", "5"]),
        (&|r| remove(r, &["final.npy"]), &[]),
        (&|r| remove(r, &["meta.json"]), &[]),
        (&|r| (killed(r), remove(r, &["final.npy", "metrics.csv"])).1, &[]),
        (&|r| (killed(r), remove(r, &["final.npy", "frames"])).1, &[]),
    ];
    for (at, (harm, more)) in harms.iter().enumerate() {
        let name = format!("gone-{at}");
        let path = folder.path().join(&name);
        copy(&part, &path);
        fs::remove_dir_all(path.join("checkpoints")).unwrap();
        harm(&path);
        let before = everything(&path);
        let said = expect(folder.path(), 2, &[&["resume", &name], *more].concat());
        let folder = format!("{name}/checkpoints has no checkpoint");
        assert!(said.contains(&folder) && said.contains("--out NEW") && said.contains("nothing was changed"), "{said}");
        assert!(everything(&path) == before, "harm {at}: something was changed");
    }
}

/// The state is in the checkpoint: a moved file of first tokens must not strand a run, nor another
/// one pass unnoticed.
#[test]
fn a_run_goes_on_without_the_file_that_it_began_with() {
    let folder = folder();
    let at = folder.path();
    expect(at, 0, &[&RUN[..], &["--steps", "1", "--out", "source"]].concat());
    let [first, other] = ["source/frames/step_000000000000.npy", "source/final.npy"].map(|name| at.join(name));
    fs::copy(&first, at.join("p.npy")).unwrap();
    let text = "[tokens]\nfile = \"p.npy\"\n[model]\nrule = \"localmax\"\nalpha = 0.5\ndelta = \"1/(t+1)\"\n[run]\n\
                steps = 4\nengine = \"cpu\"\n";
    fs::write(at.join("my.toml"), text).unwrap();
    expect(at, 0, &["run", "my.toml", "--steps", "10", "--out", "whole"]);
    expect(at, 0, &["run", "my.toml", "--out", "r"]);
    let said = expect(at, 0, &["resume", "r", "--steps", "2"]);
    assert!(!said.contains("another file"), "{said}");
    fs::rename(at.join("p.npy"), at.join("q.npy")).unwrap();
    let said = expect(at, 0, &["resume", "r", "--steps", "2"]);
    assert!(!said.contains("p.npy"), "{said}");
    fs::copy(&other, at.join("p.npy")).unwrap();
    let said = expect(at, 0, &["resume", "r", "--steps", "1"]);
    assert!(said.contains("p.npy is another file than the one that the run began with"), "{said}");
    // A new run from the config of this one would be another.
    let said = expect(at, 2, &["run", "r/config.toml", "--out", "again"]);
    assert!(said.contains("p.npy is another file than the one that this config was written with"), "{said}");
    fs::remove_file(at.join("p.npy")).unwrap();
    fs::create_dir(at.join("p.npy")).unwrap();
    let said = expect(at, 0, &["resume", "r", "--steps", "1"]);
    assert!(said.contains("p.npy: not a regular file") && said.contains("the run no longer needs it"), "{said}");
    fs::remove_dir(at.join("p.npy")).unwrap();
    fs::rename(at.join("q.npy"), at.join("p.npy")).unwrap();
    assert_equal_files(&at.join("whole"), &at.join("r"), "without its file");
}

/// What a resumed run says must be of the part that was just computed, and nothing may pass for
/// checked that was not.
#[test]
fn a_resumed_run_speaks_of_its_part() {
    let folder = folder();
    let at = folder.path();
    expect(at, 0, &[&RUN[..], &["--steps", "5", "--out", "r"]].concat());
    let said = expect(at, 0, &["resume", "r", "--steps", "3", "--verify", "10"]);
    assert!(said.contains(", 3 steps in ") && said.contains("; 8 steps in all parts"), "{said}");
    assert!(said.contains("verified   nothing: no step of this part was due") && !said.contains("none off"), "{said}");
    let said = expect(at, 0, &["resume", "r", "--steps", "4"]);
    assert!(said.contains("verified   30 rows in 1 step of this part, none off"), "{said}");
    let config = fs::read_to_string(at.join("r/config.toml")).unwrap();
    fs::write(at.join("r/config.toml"), config.replace("steps = 12", "steps = 7")).unwrap();
    let said = expect(at, 0, &["resume", "r"]);
    assert!(said.contains("is to end at step 7, and 12 are taken already") && said.contains("all 12 steps"), "{said}");
}

/// A person who reads of a damaged checkpoint must learn where the run goes on, and of each harm
/// once.
#[test]
fn damage_is_told_once_with_the_step_that_is_left() {
    let folder = folder();
    let (_, part) = whole_and_part(folder.path());
    let other = folder.path().join("other");
    copy(&part, &other);
    flip(&checkpoints(&part)[1], 2000);
    let said = expect(folder.path(), 0, &["resume", "part"]);
    assert!(said.contains("going on from an earlier checkpoint, of step 5"), "{said}");
    fs::remove_file(other.join("metrics.csv")).unwrap();
    let said = expect(folder.path(), 2, &["resume", "other"]);
    assert_eq!(said.matches("there is no such file").count(), 1, "{said}");
}

/// A checkpoint may be whole and still no state of this run: nothing may be computed from it.
#[test]
fn a_state_off_the_lattice_is_not_gone_on_from() {
    let folder = folder();
    let (_, part) = whole_and_part(folder.path());
    let path = &checkpoints(&part)[1];
    let checkpoint = checkpoint::read(path).unwrap();
    let (tokens, exponent) = (&checkpoint.tokens.read().unwrap(), checkpoint.progress.grid_exponent);
    let grid = Grid { exponent, precision: tokens.precision() };
    let mut reals = tokens.to_f64();
    reals[0] = 1e-30;
    let off = match grid.precision {
        Precision::F32 => Coordinates::F32(reals.iter().map(|&x| x as f32).collect()),
        Precision::F64 => Coordinates::F64(reals),
    };
    let off = Tokens::from_flat(tokens.n(), tokens.d(), off).unwrap();
    assert!(grid.holds(tokens) && !grid.holds(&off));
    for (tokens, exponent) in [(&off, exponent), (tokens, exponent - 9), (tokens, -1000), (tokens, 1000)] {
        let mut progress = checkpoint.progress.clone();
        progress.grid_exponent = exponent;
        checkpoint::write(path, tokens, &checkpoint.frames, &progress).unwrap();
        let said = expect(folder.path(), 2, &["resume", "part", "--steps", "3"]);
        assert!(said.contains("part") && said.contains("lattice"), "{exponent}: {said}");
    }
}
