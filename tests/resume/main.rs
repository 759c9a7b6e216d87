//! A run that is left and taken up again must leave the files of one that was not, whoever ends it
//! and whoever goes on.

mod change;
mod damage;
mod parts;
#[cfg(unix)]
mod processes;
#[cfg(unix)]
#[path = "../waiting/mod.rs"]
mod waiting;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use localmax::io::config::{Config, Override};

/// A folder that costs no time to bring to the disk, where a system has one.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn preset(name: &str, changes: &[&str]) -> Config {
    let changes: Vec<Override> = changes.iter().map(|text| Override::set(text).unwrap()).collect();
    Config::preset(name, &changes).unwrap()
}

/// Everything in a run's directory that equal runs have in common, by name.
fn files(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for name in ["config.toml", "metrics.csv", "measures.csv", "final.npy"] {
        all.insert(name.to_owned(), fs::read(run.join(name)).unwrap_or_else(|e| panic!("{name}: {e}")));
    }
    for folder in ["frames", "plots"] {
        for entry in fs::read_dir(run.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            all.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    all
}

fn assert_equal_files(whole: &Path, parts: &Path, what: &str) {
    let (whole, parts) = (files(whole), files(parts));
    let names = |all: &BTreeMap<String, Vec<u8>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&whole), names(&parts), "{what}");
    for (name, bytes) in &whole {
        assert!(bytes == &parts[name], "{what}: {name} differs");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
