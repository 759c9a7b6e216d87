//! The checkpoints of a run: which one to go on from, and how to cut the run back to it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::{atomic, disk, input};
use crate::run::checkpoint;
use crate::run::checkpoint::Checkpoint;
use crate::run::clouds::CLOUDS;
use crate::run::effort::EFFORT;
use crate::run::folder::{FINAL, FRAMES, RunDir, numbered};
use crate::run::measures::MEASURES;
use crate::run::metrics::METRICS;
use crate::run::progress::{FrameFile, Progress};
use crate::tokens::Slices;

const CHECKPOINTS: &str = "checkpoints";
/// Number of checkpoints kept, so that there is another if the newest is damaged.
const KEPT: usize = 2;
/// Most bytes of a frame's header. No more than a frame is read of a file.
const LONGEST_FRAME_HEADER: u64 = 4096;
/// The tables that a run appends to.
const TABLES: [&str; 4] = [METRICS, MEASURES, CLOUDS, EFFORT];

/// The newest checkpoint that a run can go on from.
#[derive(Debug)]
pub struct NewestCheckpoint {
    /// The checkpoint; `None` if the run was killed before its first.
    pub checkpoint: Option<Checkpoint>,
    /// Errors of the newer checkpoints.
    pub refused: Vec<Error>,
    /// Error of effort.csv, if that has to be begun anew. No result depends on it.
    pub anew: Option<Error>,
    /// True if a newer one lacks nothing but frames.
    pub lacks_frames: bool,
}

impl RunDir {
    /// The folder of the checkpoints.
    pub fn checkpoints_path(&self) -> PathBuf {
        self.path().join(CHECKPOINTS)
    }

    /// The path of the checkpoint of a step.
    pub fn checkpoint_path(&self, step: u64) -> PathBuf {
        self.checkpoints_path().join(format!("step_{step:012}.safetensors"))
    }

    /// The paths of all checkpoints, by step.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<(u64, PathBuf)>> {
        let folder = self.checkpoints_path();
        if folder.exists() { numbered(&folder, "safetensors") } else { Ok(Vec::new()) }
    }

    /// Writes a checkpoint and removes all but the last two.
    ///
    /// # Errors
    /// A file that cannot be written, tokens that cannot be had; the older checkpoints are then still there.
    pub fn write_checkpoint(&self, tokens: impl Slices, frames: &[FrameFile], progress: &Progress) -> Result<()> {
        let folder = self.checkpoints_path();
        disk::create_folder(&folder).map_err(|e| Error::file(&folder, e))?;
        for folder in [&self.path().join(FRAMES), self.path()] {
            disk::sync_folder(folder).map_err(|e| Error::file(folder, e))?;
        }
        checkpoint::write(&self.checkpoint_path(progress.step), tokens, frames, progress)?;
        self.prune()
    }

    /// Removes all checkpoints but the last two.
    fn prune(&self) -> Result<()> {
        self.checkpoints()?.iter().rev().skip(KEPT).try_for_each(|(_, path)| remove(path))
    }

    /// Finds the newest checkpoint that is undamaged and whose rows are, and its frames unless it is
    /// to do `without_frames`: no later state depends on them.
    ///
    /// # Errors
    /// All checkpoints are damaged; a file that exists but cannot be read.
    pub fn newest_checkpoint(&self, without_frames: bool) -> Result<NewestCheckpoint> {
        let (mut refused, mut lacks_frames) = (Vec::new(), false);
        for (_, path) in self.checkpoints()?.iter().rev() {
            let whole = checkpoint::read(path).and_then(|found| self.verify_rows(&found).map(|()| found));
            let framed = whole.and_then(|found| {
                let frames = if without_frames { Ok(()) } else { self.verify_frames(&found) };
                lacks_frames |= frames.is_err();
                frames.map(|()| found)
            });
            match framed {
                Ok(mut checkpoint) => {
                    let tables = &mut checkpoint.progress.tables;
                    let effort = tables.iter().find(|mark| mark.file == EFFORT);
                    let anew = effort.and_then(|mark| mark.verify(self.path()).err());
                    tables.retain(|mark| anew.is_none() || mark.file != EFFORT);
                    return Ok(NewestCheckpoint { checkpoint: Some(checkpoint), refused, anew, lacks_frames });
                }
                // The file may be undamaged, and going back further would lose steps.
                Err(error) if error.is_recoverable_file_error() => {
                    return Err(Error::input(format!("{error}; nothing was changed: remove the cause first")));
                }
                Err(error) => refused.push(error),
            }
        }
        if refused.is_empty() {
            return Ok(NewestCheckpoint { checkpoint: None, refused, anew: None, lacks_frames });
        }
        let mut refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
        refused.dedup();
        let path = self.path().display();
        let advice = if lacks_frames {
            format!("put the frames back, or go on without them with `localmax resume {path} --without-frames`")
        } else {
            format!("repair that, or begin again with `localmax run {path}/config.toml --out NEW`")
        };
        Err(Error::input(format!("no checkpoint of {path} can be used: {}; {advice}", refused.join("; "))))
    }

    /// Checks that rows are those that were there when the checkpoint was written.
    fn verify_rows(&self, checkpoint: &Checkpoint) -> Result<()> {
        let results = checkpoint.progress.tables.iter().filter(|mark| mark.file != EFFORT);
        results.into_iter().try_for_each(|mark| mark.verify(self.path()))
    }

    /// Checks that frames are those that were there when the checkpoint was written.
    fn verify_frames(&self, checkpoint: &Checkpoint) -> Result<()> {
        // A header, and at most 8 bytes a number.
        let (n, d) = (&checkpoint.tokens).shape();
        let most = (n * d * 8) as u64 + LONGEST_FRAME_HEADER;
        for FrameFile { step, hash } in &checkpoint.frames {
            let path = self.frame_path(*step);
            let mut hasher = blake3::Hasher::new();
            let (file, _) = input::open(&path)?;
            hasher.update_reader(file.take(most)).map_err(|e| Error::file(&path, e))?;
            if hasher.finalize() != *hash {
                return Err(Error::input(format!("{}: it is not the frame that was written", path.display())));
            }
        }
        Ok(())
    }

    /// Writes every table in Parquet beside its CSV.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    #[cfg(feature = "parquet")]
    pub(crate) fn write_parquet(&self) -> Result<()> {
        for table in TABLES.map(|table| self.path().join(table)).iter().filter(|table| table.is_file()) {
            crate::io::parquet::write(table)?;
        }
        Ok(())
    }

    /// Cuts the run back to a checkpoint, or to its start: removes the files that were written
    /// later. The writer of a marked table cuts off its later rows, and meta.json, once it is written anew, the later
    /// configs.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn cut_back(&self, to: Option<&Checkpoint>) -> Result<()> {
        let frames = self.path().join(FRAMES); // which may have been moved away whole
        disk::create_folder(&frames).map_err(|e| Error::file(&frames, e))?;
        let step = to.map(|checkpoint| checkpoint.progress.step);
        let (tables, kept) = to.map_or((&[][..], &[][..]), |c| (&c.progress.tables[..], &c.frames[..]));
        // Checkpoints first: a checkpoint must not outlive a file that it needs.
        for (_, path) in self.checkpoints()?.iter().filter(|(at, _)| Some(*at) > step) {
            remove(path)?;
        }
        self.prune()?;
        remove(&self.path().join(FINAL))?;
        for table in TABLES.iter().filter(|table| tables.iter().all(|mark| mark.file != **table)) {
            remove(&self.path().join(table))?;
        }
        // They are written at the end, whole.
        for table in TABLES {
            remove(&self.path().join(table).with_extension("parquet"))?;
        }
        for (step, path) in self.frames()? {
            if path == self.frame_path(step) && kept.binary_search_by_key(&step, |frame| frame.step).is_err() {
                remove(&path)?;
            }
        }
        for folder in [self.path(), &frames, &self.checkpoints_path()] {
            let entries = fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>());
            for entry in entries.unwrap_or_default() {
                if atomic::is_left_over(&entry.file_name().to_string_lossy()) {
                    remove(&entry.path())?;
                }
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    disk::remove(path).map_err(|e| Error::file(path, e))
}
