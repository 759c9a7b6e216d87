//! metrics.csv: a row for each recorded step, with nothing in it that could differ between equal
//! runs.
//!
//! `step,delta,gamma,moved,strip_min,strip_mean,strip_max,hash`: row s describes the state X(s)
//! after s steps. `hash` is its blake3 ([`Tokens::hash`](crate::tokens::Tokens::hash)); the other
//! columns describe the step s−1 → s, and are empty in row 0. Where a system has no such thing the
//! cell is empty too: δ and strips belong to localmax and hardmax, γ to the rules that average.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::{Model, Update};
use crate::outcome::StepReport;
use crate::run::table;

/// The file's name in a run's directory.
pub const METRICS: &str = "metrics.csv";

/// A row of metrics.csv.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsRow {
    /// s, the number of steps taken.
    pub step: u64,
    /// Summary of the step s−1 → s; `None` for the initial state.
    pub taken: Option<StepSummary>,
    /// blake3 of X(s), hexadecimal.
    pub hash: String,
}

/// A summary of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSummary {
    /// δ(s−1), in the rules with strips.
    pub delta: Option<f64>,
    /// γ(s−1), in the rules that average.
    pub gamma: Option<f64>,
    /// Number of tokens that moved in any coordinate.
    pub moved: u64,
    /// Sizes of strips, in the rules that have them.
    pub strips: Option<StripSizes>,
}

/// The sizes of the strips of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StripSizes {
    /// Smallest size.
    pub min: u32,
    /// Mean size.
    pub mean: f64,
    /// Largest size.
    pub max: u32,
}

impl StepSummary {
    /// Summarises an engine's report on n tokens of a model.
    ///
    /// # Errors
    /// A schedule whose value is outside its domain.
    pub fn new(report: &StepReport, n: usize, model: &Model) -> Result<Self> {
        let at = model.moment(report.t, 0.0);
        let averages = matches!(model.update, Update::Average { .. });
        let sizes =
            StripSizes { min: report.strip_min, mean: report.strip_total as f64 / n as f64, max: report.strip_max };
        Ok(Self {
            delta: model.has_strips().then(|| model.delta_at(at)).transpose()?,
            gamma: averages.then(|| model.gamma_at(at)).transpose()?,
            moved: report.moved,
            strips: model.has_strips().then_some(sizes),
        })
    }
}

/// A row as the file holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    step: u64,
    delta: Option<f64>,
    gamma: Option<f64>,
    moved: Option<u64>,
    strip_min: Option<u32>,
    strip_mean: Option<f64>,
    strip_max: Option<u32>,
    hash: String,
}

impl table::Record for Record {
    const FILE: &'static str = METRICS;
    const HEAD: &'static str = "step,delta,gamma,moved,strip_min,strip_mean,strip_max,hash";
}

impl From<&MetricsRow> for Record {
    fn from(row: &MetricsRow) -> Self {
        let taken = row.taken.as_ref();
        let strips = taken.and_then(|t| t.strips);
        Self {
            step: row.step,
            delta: taken.and_then(|t| t.delta),
            gamma: taken.and_then(|t| t.gamma),
            moved: taken.map(|t| t.moved),
            strip_min: strips.map(|s| s.min),
            strip_mean: strips.map(|s| s.mean),
            strip_max: strips.map(|s| s.max),
            hash: row.hash.clone(),
        }
    }
}

impl TryFrom<Record> for MetricsRow {
    type Error = &'static str;

    fn try_from(record: Record) -> Result<Self, &'static str> {
        let Record { step, delta, gamma, moved, strip_min, strip_mean, strip_max, hash } = record;
        let strips = match (strip_min, strip_mean, strip_max) {
            (None, None, None) => None,
            (Some(min), Some(mean), Some(max)) => Some(StripSizes { min, mean, max }),
            _ => return Err("strip_min, strip_mean and strip_max go together"),
        };
        let taken = moved.map(|moved| StepSummary { delta, gamma, moved, strips });
        if taken.is_none() && (delta.is_some() || gamma.is_some() || strips.is_some()) {
            return Err("a row without moved says nothing of a step");
        }
        if taken.is_some() != (step > 0) {
            return Err("row 0 has no step behind it, and every other row has one");
        }
        Ok(Self { step, taken, hash })
    }
}

/// Reads all rows.
///
/// # Errors
/// A file that cannot be read or has another head; a row that is none, by its line.
pub fn read_metrics(path: &Path) -> Result<Vec<MetricsRow>> {
    rows(path)?.collect()
}

/// Reads the rows one by one.
///
/// # Errors
/// The errors of [`read_metrics`].
pub(crate) fn rows(path: &Path) -> Result<impl Iterator<Item = Result<MetricsRow>>> {
    table::rows::<Record, _>(path, "metrics of a run")
}
