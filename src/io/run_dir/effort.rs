//! effort.csv: how each recorded step was computed, of which two equal runs may disagree on everything.
//!
//! `step,plan,keys_a_row,boxes_a_row,distinct,step_seconds`: the plan that ran in the step s−1 → s, the keys scored and
//! the boxes looked at for a distinct token, the distinct tokens as far as they had been merged, and the seconds that
//! all steps had taken.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::choice::Plan;
use crate::error::{Error, Result};
use crate::outcome::Effort;

/// Appends rows.
#[derive(Debug)]
pub struct EffortWriter {
    path: PathBuf,
    csv: csv::Writer<std::fs::File>,
}

#[derive(Serialize)]
struct Record {
    step: u64,
    plan: Plan,
    keys_a_row: f64,
    boxes_a_row: f64,
    distinct: usize,
    step_seconds: f64,
}

impl EffortWriter {
    /// A new file, or the end of an old one: a run that is resumed goes on below what it had done.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |e| Error::file(path, e);
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        let is_new = file.metadata().map_err(failed)?.len() == 0;
        Ok(Self { path: path.to_owned(), csv: csv::WriterBuilder::new().has_headers(is_new).from_writer(file) })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(&mut self, step: u64, effort: &Effort, step_seconds: f64) -> Result<()> {
        let Effort { plan, keys_a_row, boxes_a_row, distinct } = *effort;
        let record = Record { step, plan, keys_a_row, boxes_a_row, distinct, step_seconds };
        self.csv.serialize(record).map_err(|e| Error::file(&self.path, std::io::Error::other(e)))
    }

    /// Brings every row into the file.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.csv.flush().map_err(|e| Error::file(&self.path, e))
    }
}
