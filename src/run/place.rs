//! The directory of a run that is about to begin: it appears whole, or not at all.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::config::Config;
use crate::io::{disk, first_free};
use crate::run::folder::{FINAL, FRAMES, PLOTS, RunDir};
use crate::run::meta::{META, Meta};
use crate::run::metrics::METRICS;
use crate::run::progress::CONFIG;

/// The place of a run that has not been created yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A directory that a person named.
    Named(PathBuf),
    /// `<folder>/<name>-<k>` with the first free k, from 1 on.
    FirstFree {
        /// The folder of all runs.
        folder: PathBuf,
        /// The run's name.
        name: String,
    },
}

impl Place {
    /// The place `out`, or else the first free `runs/<name>-<k>`. Call it before anything is
    /// computed, and [`Place::create`] right before the first step.
    ///
    /// # Errors
    /// A directory that has a run or other files in it.
    pub fn new(out: Option<&Path>, name: &str) -> Result<Self> {
        match out {
            Some(path) => check_free(path).map(|()| Self::Named(path.to_owned())),
            None => Ok(Self::FirstFree { folder: "runs".into(), name: name.to_owned() }),
        }
    }

    /// Creates the directory with its config, its first meta.json and its folders.
    ///
    /// # Errors
    /// A file that cannot be written, or a directory that was filled meanwhile; nothing is left
    /// behind.
    pub fn create(&self, config: &Config, meta: &Meta) -> Result<RunDir> {
        let config = &config.with_hash()?;
        match self {
            Self::Named(path) => {
                check_free(path)?;
                build(path, config, meta)?.ok_or_else(|| occupied(path))
            }
            Self::FirstFree { folder, name } => first_free::first(folder, name, |path| build(&path, config, meta)),
        }
    }
}

fn occupied(path: &Path) -> Error {
    let shown = path.display();
    Error::input(if is_run(path) {
        format!("{shown} has a run in it; name another directory with --out")
    } else {
        format!("{shown} is not empty; name a new directory with --out")
    })
}

fn is_run(path: &Path) -> bool {
    [CONFIG, META, METRICS, FINAL].iter().any(|file| path.join(file).exists())
}

/// # Errors
/// A directory that has a run or other files in it.
pub(crate) fn check_free(path: &Path) -> Result<()> {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().map_or(Ok(()), |_| Err(occupied(path))),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotADirectory => {
            Err(Error::input(format!("{} is a file; name a directory with --out", path.display())))
        }
        Err(e) => Err(Error::file(path, e)),
    }
}

/// Makes the directory beside its place and renames it, or fills an empty one; `None` if the place
/// was taken meanwhile.
fn build(path: &Path, config: &Config, meta: &Meta) -> Result<Option<RunDir>> {
    let run = RunDir::at(path);
    if path.is_dir() {
        let filled = fill(path, config, meta);
        if filled.is_err() {
            let _ = clear(path);
        }
        return filled.map(|()| Some(run));
    }
    let absolute = std::path::absolute(path).map_err(|e| Error::file(path, e))?;
    let (Some(parent), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        return Err(occupied(path));
    };
    let new_parents: Vec<&Path> = parent.ancestors().take_while(|folder| !folder.exists()).collect();
    let beside = parent.join(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
    // A person does not know the folder beside it.
    let named = |error| if let Error::File { cause, .. } = error { Error::file(path, cause) } else { error };
    let placed = fill(&beside, config, meta).map_err(named).and_then(|()| match disk::rename(&beside, &absolute) {
        Ok(()) => Ok(true),
        Err(_) if absolute.exists() => Ok(false),
        Err(e) => Err(Error::file(path, e)),
    });
    if !matches!(placed, Ok(true)) {
        let _ = fs::remove_dir_all(&beside);
        for folder in new_parents {
            let _ = fs::remove_dir(folder); // one that somebody else has filled meanwhile stays
        }
    }
    Ok(placed?.then_some(run))
}

/// The folders, meta.json, and the config last.
fn fill(path: &Path, config: &Config, meta: &Meta) -> Result<()> {
    for folder in [FRAMES, PLOTS] {
        let folder = path.join(folder);
        disk::create_folder(&folder).map_err(|e| Error::file(folder, e))?;
    }
    meta.save(path)?;
    config.save(path)
}

/// Removes everything in a folder.
fn clear(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}
