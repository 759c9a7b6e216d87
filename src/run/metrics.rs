//! metrics.csv: a row a recorded step, with nothing in it that two equal runs could disagree on.
//!
//! `step,delta,gamma,moved,strip_min,strip_mean,strip_max,hash`: row s describes the state X(s) after s steps. `hash`
//! is its blake3 ([`Tokens::hash`](crate::tokens::Tokens::hash)); the others describe the step s−1 → s that made it,
//! and are empty in row 0. Where a system has no such thing the cell is empty too: δ and strips belong to localmax and
//! hardmax, γ to the rules that average.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::input;
use crate::model::{Model, Update};
use crate::outcome::StepReport;
use crate::run::progress::Mark;
use crate::run::table::Table;

const HEAD: &str = "step,delta,gamma,moved,strip_min,strip_mean,strip_max,hash";

/// A row of metrics.csv.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// s, the number of steps taken.
    pub step: u64,
    /// The step s−1 → s; `None` for the initial state.
    pub taken: Option<Taken>,
    /// blake3 of X(s), hexadecimal.
    pub hash: String,
}

/// What is known about a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taken {
    /// δ(s−1), in the rules with strips.
    pub delta: Option<f64>,
    /// γ(s−1), in the rules that average.
    pub gamma: Option<f64>,
    /// Tokens with any coordinate changed.
    pub moved: u64,
    /// Sizes, in the rules with strips.
    pub strips: Option<StripSizes>,
}

/// How large the strips of a step were.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StripSizes {
    /// The smallest.
    pub min: u32,
    /// Their mean.
    pub mean: f64,
    /// The largest.
    pub max: u32,
}

impl Taken {
    /// From an engine's report on n tokens of a model.
    ///
    /// # Errors
    /// A schedule outside its domain.
    pub fn new(report: &StepReport, n: usize, model: &Model) -> Result<Self> {
        let at = model.moment(report.t, 0.0);
        let averages = matches!(model.update, Update::Average { .. });
        let sizes =
            StripSizes { min: report.strip_min, mean: report.strip_total as f64 / n as f64, max: report.strip_max };
        Ok(Self {
            delta: model.has_strips().then(|| model.delta(at)).transpose()?,
            gamma: averages.then(|| model.gamma(at)).transpose()?,
            moved: report.moved,
            strips: model.has_strips().then_some(sizes),
        })
    }
}

/// A row as the file holds it.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    step: u64,
    delta: Option<f64>,
    gamma: Option<f64>,
    moved: Option<u64>,
    strip_min: Option<u32>,
    strip_mean: Option<f64>,
    strip_max: Option<u32>,
    hash: String,
}

impl From<&Row> for Record {
    fn from(row: &Row) -> Self {
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

impl TryFrom<Record> for Row {
    type Error = &'static str;

    fn try_from(record: Record) -> Result<Self, &'static str> {
        let Record { step, delta, gamma, moved, strip_min, strip_mean, strip_max, hash } = record;
        let strips = match (strip_min, strip_mean, strip_max) {
            (None, None, None) => None,
            (Some(min), Some(mean), Some(max)) => Some(StripSizes { min, mean, max }),
            _ => return Err("strip_min, strip_mean and strip_max go together"),
        };
        let taken = moved.map(|moved| Taken { delta, gamma, moved, strips });
        if taken.is_none() && (delta.is_some() || gamma.is_some() || strips.is_some()) {
            return Err("a row without moved says nothing of a step");
        }
        if taken.is_some() != (step > 0) {
            return Err("row 0 has no step behind it, and every other row has one");
        }
        Ok(Self { step, taken, hash })
    }
}

/// Appends rows.
#[derive(Debug)]
pub struct MetricsWriter {
    table: Table,
}

impl MetricsWriter {
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
    pub fn write(&mut self, row: &Row) -> Result<()> {
        self.table.push(&Record::from(row))
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

/// Reads every row.
///
/// # Errors
/// A file that cannot be read or has another head; a row that is none, by its line.
pub fn read_metrics(path: &Path) -> Result<Vec<Row>> {
    rows(path)?.collect()
}

/// The rows, as they are asked for.
pub(crate) fn rows(path: &Path) -> Result<impl Iterator<Item = Result<Row>>> {
    read_rows::<Record, _>(path, HEAD, "metrics of a run")
}

/// Reads the rows of a table with this head, as they are asked for.
pub(crate) fn read_rows<R, T>(path: &Path, expected: &str, what: &str) -> Result<impl Iterator<Item = Result<T>>>
where
    R: DeserializeOwned,
    T: TryFrom<R, Error = &'static str>,
{
    let bad = move |line: u64, what: &dyn std::fmt::Display| {
        let what: String = what.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        Error::input(format!("{} line {line}: {what}", path.display()))
    };
    let mut csv = csv::Reader::from_reader(input::Lines::open(path, input::SHORT)?);
    let head = csv.headers().map(|head| head.iter().collect::<Vec<_>>().join(",")).unwrap_or_default();
    if head != expected {
        return Err(bad(1, &format!("no {what}: the first line must be {expected}")));
    }
    Ok(csv.into_deserialize::<R>().enumerate().map(move |(at, row)| {
        let line = |e: &csv::Error| e.position().map_or(at as u64 + 2, csv::Position::line);
        row.map_err(|e| bad(line(&e), &e)).and_then(|row| T::try_from(row).map_err(|e| bad(at as u64 + 2, &e)))
    }))
}
