//! Directories that something has happened to, as `localmax resume` meets them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// Each harm, what is said of it, and whether the run can still be gone on with; where it cannot, nothing in it is touched.
#[test]
fn what_is_damaged_is_named_and_the_rest_is_saved() {
    let folder = folder();
    let (whole, part) = whole_and_part(folder.path());
    let harms: [(Harm, &[&str], bool); 14] = [
        (|_| {}, &[], true),
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
    meta["ended"] = "running".into();
    fs::write(part.join("meta.json"), meta.to_string()).unwrap();
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
