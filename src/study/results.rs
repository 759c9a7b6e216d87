//! What the cells of a study left: rows, series, frames. Read from its folder.

use super::folder::Folder;
use crate::error::{Error, Result};
use crate::io::{atomic, input, npy};
use crate::tokens::{Coordinates, Tokens};

/// The rows of all cells, and their side files.
#[derive(Debug)]
pub struct Results<R> {
    folder: Folder,
    /// Row k belongs to cell k.
    pub rows: Vec<R>,
}

impl<R> Results<R> {
    pub(super) fn new(folder: Folder, rows: Vec<R>) -> Self {
        Self { folder, rows }
    }

    /// A series that a cell left.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn series(&self, cell: usize, name: &str) -> Result<Series> {
        Series::read(&self.folder, cell, name)
    }

    /// The frames that a cell left, by step.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn frames(&self, cell: usize) -> Result<Vec<(u64, Tokens)>> {
        let steps = Series::read(&self.folder, cell, "frames")?;
        let path = self.folder.cell(cell, "frames.npy");
        let stacked = npy::read(&path)?;
        let (count, d) = (steps.rows.len(), stacked.d());
        if count == 0 || stacked.n() % count != 0 {
            return Err(Error::input(format!("{}: {} rows do not make {count} frames", path.display(), stacked.n())));
        }
        let size = stacked.n() / count * d;
        let frames = steps.rows.iter().enumerate().map(|(k, row)| {
            let range = k * size..(k + 1) * size;
            let part = match stacked.coordinates() {
                Coordinates::F32(v) => Coordinates::F32(v[range].to_vec()),
                Coordinates::F64(v) => Coordinates::F64(v[range].to_vec()),
            };
            Ok((row[0] as u64, Tokens::from_flat(size / d, d, part)?))
        });
        frames.collect()
    }
}

/// Columns of numbers that belong to one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Their names.
    pub columns: Vec<String>,
    /// A value a column.
    pub rows: Vec<Vec<f64>>,
}

impl Series {
    /// The values of a column.
    ///
    /// # Errors
    /// No such column.
    pub fn column(&self, name: &str) -> Result<Vec<f64>> {
        let at = self.columns.iter().position(|column| column == name).ok_or_else(|| {
            Error::input(format!("a series has no column {name:?}; it has {}", self.columns.join(", ")))
        })?;
        Ok(self.rows.iter().map(|row| row[at]).collect())
    }

    pub(super) fn write(&self, folder: &Folder, cell: usize, name: &str) -> Result<()> {
        atomic::write(&folder.cell(cell, &format!("{name}.csv")), |file| {
            writeln!(file, "{}", self.columns.join(","))?;
            for row in &self.rows {
                let values: Vec<String> = row.iter().map(f64::to_string).collect();
                writeln!(file, "{}", values.join(","))?;
            }
            Ok(())
        })
    }

    fn read(folder: &Folder, cell: usize, name: &str) -> Result<Self> {
        let path = folder.cell(cell, &format!("{name}.csv"));
        let bad = |what: String| Error::input(format!("{}: {what}", path.display()));
        let text = input::text(&path, input::TABLE)?;
        let mut lines = text.lines();
        let columns: Vec<String> = lines.next().unwrap_or("").split(',').map(str::to_owned).collect();
        let row = |(at, line): (usize, &str)| {
            let values: Result<Vec<f64>, _> = line.split(',').map(str::parse).collect();
            values
                .ok()
                .filter(|values| values.len() == columns.len())
                .ok_or_else(|| bad(format!("line {} is not {} numbers", at + 2, columns.len())))
        };
        let rows = lines.enumerate().map(row).collect::<Result<_>>()?;
        Ok(Self { columns, rows })
    }
}

pub(super) fn write_frames(folder: &Folder, cell: usize, frames: &[(u64, Tokens)]) -> Result<()> {
    let Some((_, first)) = frames.first() else { return Err(Error::input("a cell has no frames to keep")) };
    let rows = frames.len() * first.n();
    let all = match first.coordinates() {
        Coordinates::F32(_) => Coordinates::F32(stack(frames, |c| if let Coordinates::F32(v) = c { v } else { &[] })),
        Coordinates::F64(_) => Coordinates::F64(stack(frames, |c| if let Coordinates::F64(v) = c { v } else { &[] })),
    };
    npy::write(&folder.cell(cell, "frames.npy"), &Tokens::from_flat(rows, first.d(), all)?)?;
    let steps = frames.iter().map(|(step, _)| vec![*step as f64]).collect();
    Series { columns: vec!["step".into()], rows: steps }.write(folder, cell, "frames")
}

fn stack<T: Copy>(frames: &[(u64, Tokens)], part: impl Fn(&Coordinates) -> &[T]) -> Vec<T> {
    frames.iter().flat_map(|(_, tokens)| part(tokens.coordinates()).iter().copied()).collect()
}
