//! effort.csv: how each recorded step was computed, of which two equal runs may disagree on everything.
//!
//! `step,plan,keys_a_row,boxes_a_row,distinct,step_seconds`: the plan that ran in the step s−1 → s, the keys scored and
//! the boxes looked at for a distinct token, the distinct tokens as far as they had been merged, and the seconds that
//! all steps had taken.

use std::path::Path;

use serde::Serialize;

use crate::choice::Plan;
use crate::error::Result;
use crate::outcome::Effort;
use crate::run::progress::Mark;
use crate::run::table::Table;

const HEAD: &str = "step,plan,keys_a_row,boxes_a_row,distinct,step_seconds";

/// Appends rows.
#[derive(Debug)]
pub struct EffortWriter {
    table: Table,
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
    /// A new file, with its head.
    ///
    /// # Errors
    /// A file that exists already or cannot be written.
    pub fn create(path: &Path) -> Result<Self> {
        Table::create(path, HEAD).map(|table| Self { table })
    }

    /// The old file of a run's directory, cut back to its mark.
    ///
    /// # Errors
    /// A file that is not as it was, or cannot be written.
    pub fn resume(folder: &Path, mark: &Mark) -> Result<Self> {
        Table::resume(folder, mark).map(|table| Self { table })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(&mut self, step: u64, effort: &Effort, step_seconds: f64) -> Result<()> {
        let Effort { plan, keys_a_row, boxes_a_row, distinct } = *effort;
        self.table.push(&Record { step, plan, keys_a_row, boxes_a_row, distinct, step_seconds })
    }

    /// Brings every row into the file.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.table.flush()
    }

    /// Brings every row to the disk; the mark from which to go on.
    ///
    /// # Errors
    /// What cannot be written; a file that somebody has removed or changed meanwhile.
    pub fn mark(&mut self) -> Result<Mark> {
        self.table.mark()
    }
}
