//! The directory of a run, and each of its files by name.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;

use crate::error::{Error, Result};
use crate::io::config::{Config, Override};
use crate::io::{atomic, disk, first_free, input, npy};
use crate::observe::Scalars;
use crate::run::clouds::CLOUDS;
use crate::run::lock::Lock;
use crate::run::measures::{MEASURES, read_measures};
use crate::run::meta::Meta;
use crate::run::metrics::{self, METRICS, MetricsRow, read_metrics};
use crate::run::progress::{CHANGES, CONFIG, Progress, Segment};
use crate::tokens::{Precision, Slices, Tokens};

/// The file of the cluster of every token.
const LABELS: &str = "labels.npy";
pub(crate) const META: &str = "meta.json";
pub(crate) const FINAL: &str = "final.npy";
pub(crate) const FRAMES: &str = "frames";
pub(crate) const PLOTS: &str = "plots";
pub(crate) const LOCK: &str = ".lock";

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
    let run = RunDir { path: path.to_owned() };
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
    write_meta(path, meta)?;
    config.save(path)
}

fn write_meta(folder: &Path, meta: &Meta) -> Result<()> {
    atomic::write(&folder.join(META), |file| {
        serde_json::to_writer_pretty(&mut *file, meta)?;
        file.write_all(b"\n")
    })
}

/// The files `step_N.ending` in a folder, by N.
pub(crate) fn numbered(folder: &Path, ending: &str) -> Result<Vec<(u64, PathBuf)>> {
    let entries = fs::read_dir(folder).map_err(|e| Error::file(folder, e))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| Error::file(folder, e))?.path();
        let step = path.file_name().and_then(|name| name.to_str()).and_then(|name| {
            let number = name.strip_prefix("step_")?.strip_suffix(ending)?.strip_suffix('.')?;
            number.parse().ok()
        });
        found.extend(step.map(|step| (step, path)));
    }
    found.sort();
    Ok(found)
}

/// Removes everything in a folder.
fn clear(path: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

/// A directory with a run in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Opens an existing run.
    ///
    /// # Errors
    /// A directory without a config.
    pub fn open(path: &Path) -> Result<Self> {
        let config = path.join(CONFIG);
        match fs::metadata(&config).map_err(|e| Error::file(&config, e)) {
            Err(error) if error.is_not_found() => {
                Err(Error::input(format!("{} has no run in it: there is no {CONFIG}", path.display())))
            }
            found => found.map(|_| Self { path: path.to_owned() }),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory for pictures.
    pub fn plots(&self) -> PathBuf {
        self.path.join(PLOTS)
    }

    /// The path of metrics.csv.
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// The path of measures.csv.
    pub fn measures_path(&self) -> PathBuf {
        self.path.join(MEASURES)
    }

    /// The path of clouds.csv.
    pub fn clouds_path(&self) -> PathBuf {
        self.path.join(CLOUDS)
    }

    /// Reads the rows of measures, each with its step.
    ///
    /// # Errors
    /// The errors of [`read_measures`].
    pub fn measures(&self) -> Result<Vec<(u64, Scalars)>> {
        read_measures(&self.measures_path())
    }

    /// Reads the resolved config of the last steps. The shape of a file of tokens is taken from meta.json: the file
    /// may be gone.
    ///
    /// # Errors
    /// The errors of [`Config::load`].
    pub fn config(&self) -> Result<Config> {
        let meta = self.meta().unwrap_or_default();
        let count_in = |of: &serde_json::Value, key: &str| of[key].as_u64().and_then(|v| usize::try_from(v).ok());
        let count = |key: &str| count_in(&meta, key).filter(|v| *v > 0);
        let precision = if meta["precision"] == Precision::F64.name() { Precision::F64 } else { Precision::F32 };
        let clouds = count_in(&meta["clouds"], "count").unwrap_or(1);
        let shape = count("n").zip(count("d")).and_then(|(n, d)| Some((n.checked_mul(clouds)?, d)));
        let last = meta["segments"].as_array().and_then(|all| Segment::deserialize(all.last()?).ok());
        let config = last.filter(|segment| segment.config_number().is_some()).map_or(CONFIG.into(), |last| last.config);
        let tokens = shape.map(|(rows, d)| npy::Header::new(rows, d, precision));
        Config::load_begun(&self.path.join(config), tokens, &[])
    }

    /// Reads the config that a run has now, whose tokens have the shape of `tokens`, with the changes `set`.
    ///
    /// # Errors
    /// The errors of [`Config::load`].
    pub(crate) fn config_of(&self, progress: &Progress, tokens: npy::Header, set: &[Override]) -> Result<Config> {
        Config::load_begun(&self.path.join(progress.config()), Some(tokens), set)
    }

    /// As a rank that does not read checkpoints finds it: that of the run's configs, with the changes `set`, whose
    /// [`Config::identity`] is `identity`, and the first one if there is none.
    ///
    /// # Errors
    /// The errors of [`Config::load`].
    pub fn config_like(&self, identity: &str, tokens: &npy::Header, set: &[Override]) -> Result<Config> {
        let read = |path: &Path| Config::load_begun(path, Some(tokens.clone()), set);
        let first = self.path.join(CONFIG);
        let mut paths = vec![first.clone()];
        let changed = fs::read_dir(self.path.join(CHANGES)).into_iter().flatten().flatten();
        paths.extend(changed.map(|entry| entry.path().join(CONFIG)));
        let is_it = |config: &Config| config.identity().to_hex().as_str() == identity;
        paths.iter().filter_map(|path| read(path).ok()).find(is_it).map_or_else(|| read(&first), Ok)
    }

    /// Writes the config that a run has from now on, and what stands beside it, in the folder that it has for it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save_config(&self, progress: &Progress, config: &Config) -> Result<()> {
        let path = self.path.join(progress.config());
        let folder = path.parent().unwrap_or(&self.path);
        disk::create_folder(folder).map_err(|e| Error::file(folder, e))?;
        config.save(folder)?;
        // The folder itself, and those that it stands in.
        let inside = folder.ancestors().take_while(|folder| folder.starts_with(&self.path));
        inside.into_iter().try_for_each(|folder| disk::sync_folder(folder).map_err(|e| Error::file(folder, e)))
    }

    /// Replaces meta.json, and then removes the configs of later steps that it does not name any more.
    ///
    /// # Errors
    /// A file that cannot be written, a folder that cannot be removed.
    pub fn write_meta(&self, meta: &Meta) -> Result<()> {
        write_meta(&self.path, meta)?;
        let last = meta.segments.iter().filter_map(Segment::config_number).max().unwrap_or(0);
        for entry in fs::read_dir(self.path.join(CHANGES)).into_iter().flatten().flatten() {
            let number = entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
            if number.is_some_and(|number| number > last) {
                disk::remove_folder(&entry.path()).map_err(|e| Error::file(entry.path(), e))?;
            }
        }
        Ok(())
    }

    /// Locks the directory for this process.
    ///
    /// # Errors
    /// Another process has the lock; a directory that cannot be written.
    pub fn lock(&self) -> Result<Lock> {
        Lock::take(&self.path.join(LOCK))
    }

    /// Reads meta.json.
    ///
    /// # Errors
    /// A file that cannot be read or is no JSON.
    pub fn meta(&self) -> Result<serde_json::Value> {
        let path = self.path.join(META);
        let text = input::text(&path, input::SHORT)?;
        serde_json::from_str(&text).map_err(|e| Error::input(format!("{}: {e}", path.display())))
    }

    /// Reads the rows of metrics.
    ///
    /// # Errors
    /// The errors of [`read_metrics`].
    pub fn metrics(&self) -> Result<Vec<MetricsRow>> {
        read_metrics(&self.metrics_path())
    }

    /// Reads the first row of metrics, even if later ones are damaged.
    ///
    /// # Errors
    /// The errors of [`read_metrics`].
    pub fn first_metrics(&self) -> Result<Option<MetricsRow>> {
        metrics::rows(&self.metrics_path())?.next().transpose()
    }

    /// Writes final.npy, the last tokens, of so many clouds if there are many.
    ///
    /// # Errors
    /// A file that cannot be written; tokens that cannot be had.
    pub fn write_final(&self, tokens: impl Slices, clouds: Option<usize>) -> Result<()> {
        npy::write_stacked(&self.path.join(FINAL), tokens, clouds).map(drop)
    }

    /// Writes labels.npy, the cluster of every token of final.npy.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn write_labels(&self, labels: &[usize], clouds: Option<usize>) -> Result<()> {
        npy::write_labels(&self.path.join(LABELS), labels, clouds)
    }

    /// Removes labels.npy, which an earlier part of the run may have left.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub(crate) fn remove_labels(&self) -> Result<()> {
        let path = self.path.join(LABELS);
        disk::remove(&path).map_err(|e| Error::file(&path, e))
    }

    /// The path of final.npy.
    pub fn final_path(&self) -> PathBuf {
        self.path.join(FINAL)
    }

    /// Reads final.npy, the last tokens, cloud after cloud where there are many.
    ///
    /// # Errors
    /// The errors of [`npy::read_stacked`].
    pub fn final_tokens(&self) -> Result<Tokens> {
        npy::read_stacked(&self.path.join(FINAL))
    }

    /// The path of the frame of a step. Paths sort as steps do.
    pub fn frame_path(&self, step: u64) -> PathBuf {
        self.path.join(FRAMES).join(format!("step_{step:012}.npy"))
    }

    /// Writes the frame of a step, and returns the blake3 of the file.
    ///
    /// # Errors
    /// A file that cannot be written; tokens that cannot be had.
    pub fn write_frame(&self, step: u64, tokens: impl Slices, clouds: Option<usize>) -> Result<blake3::Hash> {
        npy::write_stacked(&self.frame_path(step), tokens, clouds)
    }

    /// The tokens at a step that has a frame, cloud after cloud where there are many.
    ///
    /// # Errors
    /// As [`npy::read_stacked`].
    pub fn frame(&self, step: u64) -> Result<Tokens> {
        npy::read_stacked(&self.frame_path(step))
    }

    /// The paths of all frames, by step.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub fn frames(&self) -> Result<Vec<(u64, PathBuf)>> {
        numbered(&self.path.join(FRAMES), "npy")
    }

    /// Removes a run that failed before its first step.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn discard(self) -> Result<()> {
        fs::remove_dir_all(&self.path).map_err(|e| Error::file(self.path, e))
    }
}
