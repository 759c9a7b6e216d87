//! effort.csv: the effort of each recorded step. Equal runs on one machine differ in `step_seconds`
//! alone.
//!
//! `step,plan,keys_a_row,boxes_a_row,rows,step_seconds,received,calls`: the plan that ran in the step s−1 → s,
//! the keys scored and the boxes tested for a computed row, the rows computed (coincident tokens
//! are merged from time to time), and the seconds that all steps so far had taken. Where each rank holds a part
//! of the tokens, `received` is the number of bytes that came to rank 0 in the step, in so many `calls`.

use serde::Serialize;

use crate::choice::Plan;
use crate::outcome::Effort;
use crate::run::table;

/// The file's name in a run's directory.
pub const EFFORT: &str = "effort.csv";

/// A row as the file holds it.
#[derive(Debug, Serialize)]
pub(crate) struct Record {
    step: u64,
    plan: Plan,
    keys_a_row: f64,
    boxes_a_row: f64,
    rows: usize,
    step_seconds: f64,
    received: u64,
    calls: u64,
}

impl table::Record for Record {
    const FILE: &'static str = EFFORT;
    const HEAD: &'static str = "step,plan,keys_a_row,boxes_a_row,rows,step_seconds,received,calls";
}

impl Record {
    /// The row of a step; `step_seconds` is the time of all steps up to it.
    pub(crate) fn new(step: u64, effort: &Effort, step_seconds: f64) -> Self {
        let Effort { plan, keys_a_row, boxes_a_row, rows, traffic } = *effort;
        Self { step, plan, keys_a_row, boxes_a_row, rows, received: traffic.bytes, calls: traffic.calls, step_seconds }
    }
}
