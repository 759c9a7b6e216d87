//! measures.csv: scalar measures of the states at their own trigger, a pure function of the
//! trajectory.
//!
//! `step,distinct,radius,rise,largest_rise,vertices,sampled,distance_mean,distance_max,gap_mean,gap_max,quiescent,support,diameter,energy`:
//! row s describes the state X(s), as [`Scalars`] says. Cells are empty where a measure does not
//! exist or its hull is not known. `support` lists h_u of this row in the directions of
//! [`Observer::directions`](crate::observe::Observer::directions), parted by spaces: with `radius`
//! of the first row it is all that `rise` and `largest_rise` come from, so that a resumed run takes
//! up their ledger by reading its rows.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::exact::Grid;
use crate::io::config::{Config, Trigger};
use crate::observe::{HullScalars, Observer, Scalars};
use crate::run::progress::Progress;
use crate::run::table::{self, TableWriter};
use crate::tokens::Tokens;

/// The file's name in a run's directory.
pub const MEASURES: &str = "measures.csv";

/// A row as the file holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    step: u64,
    distinct: usize,
    radius: f64,
    rise: Option<f64>,
    largest_rise: Option<f64>,
    vertices: Option<usize>,
    sampled: Option<usize>,
    distance_mean: Option<f64>,
    distance_max: Option<f64>,
    gap_mean: Option<f64>,
    gap_max: Option<f64>,
    quiescent: Option<u64>,
    support: String,
    #[serde(default)]
    diameter: Option<f64>,
    #[serde(default)]
    energy: Option<f64>,
}

impl table::Record for Record {
    const FILE: &'static str = MEASURES;
    const HEAD: &'static str = "step,distinct,radius,rise,largest_rise,vertices,sampled,distance_mean,distance_max,\
        gap_mean,gap_max,quiescent,support,diameter,energy";
    const OLDEST: &'static str = "step,distinct,radius,rise,largest_rise,vertices,sampled,distance_mean,distance_max,\
        gap_mean,gap_max,quiescent,support";
}

impl From<(u64, &Scalars)> for Record {
    fn from((step, row): (u64, &Scalars)) -> Self {
        let hull = row.hull.as_ref();
        let gap = row.gap;
        // The shortest digits that read back as the same number.
        let support: Vec<String> = row.support.iter().map(|h| format!("{h:?}")).collect();
        Self {
            step,
            distinct: row.distinct,
            radius: row.radius,
            rise: row.rise,
            largest_rise: row.largest_rise,
            vertices: hull.map(|h| h.vertices),
            sampled: (row.sampled > 0).then_some(row.sampled),
            distance_mean: hull.map(|h| h.distance_mean),
            distance_max: hull.map(|h| h.distance_max),
            gap_mean: gap.map(|[mean, _]| mean),
            gap_max: gap.map(|[_, max]| max),
            quiescent: hull.and_then(|h| h.quiescent),
            support: support.join(" "),
            diameter: row.diameter,
            energy: row.energy,
        }
    }
}

impl TryFrom<Record> for (u64, Scalars) {
    type Error = &'static str;

    fn try_from(record: Record) -> Result<Self, &'static str> {
        let Record { step, distinct, radius, rise, largest_rise, quiescent, diameter, energy, .. } = record;
        let gap = match (record.gap_mean, record.gap_max) {
            (None, None) => None,
            (Some(mean), Some(max)) => Some([mean, max]),
            _ => return Err("gap_mean and gap_max go together"),
        };
        let hull = match (record.vertices, record.distance_mean, record.distance_max) {
            (None, None, None) if quiescent.is_none() => None,
            (Some(vertices), Some(distance_mean), Some(distance_max)) => {
                Some(HullScalars { vertices, distance_mean, distance_max, quiescent })
            }
            _ => return Err("vertices, distance_mean and distance_max go together"),
        };
        let sampled = record.sampled.unwrap_or(0);
        let support = record.support.split(' ').map(str::parse).collect::<Result<_, _>>();
        let support = support.map_err(|_| "support is no list of numbers")?;
        Ok((step, Scalars { distinct, radius, rise, largest_rise, sampled, gap, hull, support, diameter, energy }))
    }
}

/// measures.csv of a run in progress.
pub(crate) struct Measures<'a> {
    observer: Observer<'a>,
    pub(crate) table: TableWriter<Record>,
}

impl<'a> Measures<'a> {
    /// Opens the table of a run's directory, and restores the observer from its rows; `None` if
    /// nothing is measured, or of many clouds.
    ///
    /// # Errors
    /// The errors of [`TableWriter::open`] and [`read_measures`].
    pub(crate) fn open(config: &'a Config, folder: &Path, progress: &Progress) -> Result<Option<Self>> {
        let mark = progress.mark(MEASURES);
        if config.clouds.is_some() || mark.is_none() && config.output.measures == Trigger::Never {
            return Ok(None);
        }
        let table = TableWriter::open(folder, mark)?;
        let grid = Grid { exponent: progress.grid_exponent, precision: config.run.precision };
        let mut observer = Observer::new(&config.model, config.d(), grid);
        if mark.is_some() {
            // Of another system than this one nothing is remembered.
            for (step, row) in read_measures(&folder.join(MEASURES))?.into_iter().filter(|row| row.0 >= progress.since)
            {
                observer.recall(step, row.radius, &row.support);
            }
        }
        Ok(Some(Self { observer, table }))
    }

    /// Measures the state after `step` steps, and adds the row.
    ///
    /// # Errors
    /// The errors of [`TableWriter::push`].
    pub(crate) fn write(&mut self, step: u64, tokens: &Tokens) -> Result<()> {
        self.table.push((step, &self.observer.measure(step, tokens)))
    }
}

/// Reads all rows, each with its step.
///
/// # Errors
/// A file that cannot be read or has another head; a row that is none, by its line.
pub fn read_measures(path: &Path) -> Result<Vec<(u64, Scalars)>> {
    table::rows::<Record, _>(path, "measures of a run")?.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::progress::TableMark;
    use crate::run::table::Record as _;

    /// A resumed run restores its observer from the rows: they must read back as they were written.
    #[test]
    fn rows_are_read_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("measures.csv");
        let hull =
            HullScalars { vertices: 4, distance_mean: 1.0 / 3.0, distance_max: f64::MIN_POSITIVE, quiescent: None };
        let known = Scalars {
            distinct: 7,
            radius: 0.1,
            rise: Some(2.5e-300),
            largest_rise: Some(3.0),
            sampled: 9,
            gap: Some([0.0, 1e300]),
            hull: Some(hull),
            support: vec![0.1 + 0.2, -1e300, 5e-324, 0.0],
            diameter: Some(0.3),
            energy: Some(-1e-5),
        };
        let rows = [(0, known.clone()), (5, Scalars { hull: None, support: vec![1.0], energy: None, ..known })];
        let mut table = TableWriter::<Record>::open(folder.path(), None).unwrap();
        for (step, row) in &rows {
            table.push((*step, row)).unwrap();
        }
        table.flush().unwrap();
        assert_eq!(read_measures(&path).unwrap(), rows);
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to, why) in
            [(",4,9,", ",,9,", "go together"), ("0.0,0.3", "x,0.3", "no list"), ("step,", "stop,", "line 1")]
        {
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let line = read_measures(&path).unwrap_err().to_string();
            assert!(line.contains(why), "{line}");
        }
    }

    /// If a run begun by an older version could not go on, an update would end it; if its rows had
    /// more cells than its first line, no program could read them.
    #[test]
    fn an_older_table_goes_on_in_its_own_columns() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MEASURES);
        let row = "0,2,1.0,0.0,0.0,,,,,,,,1.0 2.0\n";
        std::fs::write(&path, format!("{}\n{row}", Record::OLDEST)).unwrap();
        let [(step, old)] = &read_measures(&path).unwrap()[..] else { panic!("one row") };
        assert_eq!((*step, old.distinct, old.diameter, old.energy), (0, 2, None, None));
        let bytes = std::fs::read(&path).unwrap();
        let blake3 = blake3::hash(&bytes).to_hex().to_string();
        let mark = TableMark { file: MEASURES.to_owned(), bytes: bytes.len() as u64, blake3 };
        let mut table = TableWriter::<Record>::open(folder.path(), Some(&mark)).unwrap();
        table.push((0, &Scalars { diameter: Some(3.0), energy: Some(7.0), ..old.clone() })).unwrap();
        table.flush().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{}\n{row}{row}", Record::OLDEST));
    }
}
