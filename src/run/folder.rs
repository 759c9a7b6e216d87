//! The directory of a run, and each of its files by name.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;

use crate::error::{Error, Result};
use crate::io::config::{Config, Override};
use crate::io::{disk, input, npy};
use crate::observe::Scalars;
use crate::run::clouds::CLOUDS;
use crate::run::lock::Lock;
use crate::run::measures::{MEASURES, read_measures};
use crate::run::meta::{META, Meta};
use crate::run::metrics::{self, METRICS, MetricsRow, read_metrics};
use crate::run::progress::{CHANGES, CONFIG, Progress, Segment};
use crate::tokens::{Precision, Slices, Tokens};

/// The file of the cluster of every token.
const LABELS: &str = "labels.npy";
pub(crate) const FINAL: &str = "final.npy";
pub(crate) const FRAMES: &str = "frames";
pub(crate) const PLOTS: &str = "plots";
pub(crate) const LOCK: &str = ".lock";

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

/// A directory with a run in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// A directory that was just created.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

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
        meta.save(&self.path)?;
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
