//! The rises of the candidates: along one trajectory, and over all runs of a kind.

use super::{CANDIDATES, Kind, Lyapunov, ROUNDING, Row};
use crate::error::Result;
use crate::study::{Asked, Report, Results};

/// The rises of a candidate along one trajectory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) candidate: usize,
    /// Number of steps in which it rose.
    pub(super) rises: f64,
    /// The largest rise over the candidate's largest magnitude.
    pub(super) largest: f64,
    /// Most steps until it was back where it had been before a rise.
    pub(super) wait: f64,
    /// Number of rises after which it never was.
    pub(super) never: f64,
}

impl Record {
    pub(super) const COLUMNS: [&'static str; 5] = ["candidate", "rises", "largest", "wait", "never"];

    /// Finds the rises among a candidate's values at every step.
    pub(super) fn of(candidate: usize, values: &[f64]) -> Self {
        let size = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let mut record = Self { candidate, rises: 0.0, largest: 0.0, wait: 0.0, never: 0.0 };
        for at in 1..values.len() {
            let (before, rise) = (values[at - 1], values[at] - values[at - 1]);
            if rise <= ROUNDING * size {
                continue;
            }
            record.rises += 1.0;
            record.largest = record.largest.max(rise / size);
            match values[at..].iter().position(|&v| v <= before + ROUNDING * size) {
                Some(wait) => record.wait = record.wait.max(wait as f64),
                None => record.never += 1.0,
            }
        }
        record
    }

    pub(super) fn to_row(self) -> Vec<f64> {
        vec![self.candidate as f64, self.rises, self.largest, self.wait, self.never]
    }

    pub(super) fn from_row(row: &[f64]) -> Self {
        Self { candidate: row[0] as usize, rises: row[1], largest: row[2], wait: row[3], never: row[4] }
    }
}

/// The rows of all cells, with the records of every candidate.
pub(super) struct Runs<'a> {
    pub(super) rows: &'a [Row],
    pub(super) records: Vec<Vec<Record>>,
}

/// The rises of a candidate under one kind of A and δ.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    pub(super) runs: u64,
    /// Number of runs in which it rose.
    pub(super) rising: u64,
    pub(super) steps: u64,
    pub(super) rises: f64,
    pub(super) largest: f64,
    pub(super) wait: f64,
    /// Number of runs at rest at their end; of the rises in them, and of those that were never waited
    /// out.
    pub(super) resting: u64,
    pub(super) rises_at_rest: f64,
    pub(super) never: f64,
}

impl<'a> Runs<'a> {
    pub(super) fn of(results: &'a Results<Row>) -> Result<Self> {
        let mut records = Vec::new();
        for cell in 0..results.rows.len() {
            let series = results.series(cell, "records")?;
            records.push(series.rows.iter().map(|row| Record::from_row(row)).collect());
        }
        Ok(Self { rows: &results.rows, records })
    }

    pub(super) fn summary(&self, kind: &Kind<'_>, candidate: usize) -> Summary {
        let mut sum = Summary::default();
        for (row, records) in self.rows.iter().zip(&self.records).filter(|(row, _)| kind.has(row)) {
            sum.runs += 1;
            sum.steps += row.steps;
            sum.resting += u64::from(row.settled);
            for record in records.iter().filter(|record| record.candidate == candidate) {
                sum.rising += u64::from(record.rises > 0.0);
                sum.rises += record.rises;
                sum.largest = sum.largest.max(record.largest);
                sum.wait = sum.wait.max(record.wait);
                if row.settled {
                    sum.rises_at_rest += record.rises;
                    sum.never += record.never;
                }
            }
        }
        sum
    }
}

/// Lists the rises of every candidate under every kind.
pub(super) fn table(asked: &Asked<Lyapunov>, runs: &Runs<'_>, report: &mut Report) {
    let head = "A and δ | candidate | runs | runs that rise | rises | steps | largest rise | longest wait | never back";
    let mut lines = Vec::new();
    for kind in asked.own.kinds() {
        for (candidate, name) in CANDIDATES.iter().enumerate() {
            let s = runs.summary(&kind, candidate);
            let mut line = vec![kind.name.clone(), (*name).to_owned()];
            line.extend([s.runs.to_string(), s.rising.to_string(), s.rises.to_string(), s.steps.to_string()]);
            line.extend([format!("{:.2e}", s.largest), s.wait.to_string(), s.never.to_string()]);
            lines.push(line);
        }
    }
    let caption =
        "The largest rise in units of the candidate's largest magnitude; waits in steps; never back: in runs at rest.";
    report.table(caption, head, lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wait that is counted wrongly would make a candidate look better than it is.
    #[test]
    fn rises_and_waits() {
        let record = Record::of(0, &[5.0, 3.0, 4.0, 3.5, 3.0, 1.0, 2.0]);
        assert_eq!((record.rises, record.wait, record.never), (2.0, 2.0, 1.0));
        assert_eq!(record.largest, 0.2);
        assert_eq!(Record::of(0, &[1.0, 1.0 + 1e-14, 0.5]).rises, 0.0, "rounding is no rise");
    }
}
