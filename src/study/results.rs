//! Results of a study's cells, as its folder holds them: rows, series, frames.

use std::collections::BTreeMap;

use super::folder::Folder;
use super::records;
use crate::error::{Error, Result};
use crate::io::{atomic, input, npy};
use crate::tokens::{Coordinates, Tokens};

/// The rows of the cells that were needed, all in most studies, and their side files. A cell goes by its number in the
/// study, which is its place among the rows only where all were needed.
#[derive(Debug)]
pub struct Results<R> {
    folder: Folder,
    /// Ascending.
    numbers: Vec<usize>,
    /// The rows, in the order of their cells.
    pub rows: Vec<R>,
}

impl<R> Results<R> {
    pub(super) fn new(folder: Folder, rows: BTreeMap<usize, R>) -> Self {
        let (numbers, rows) = rows.into_iter().unzip();
        Self { folder, numbers, rows }
    }

    /// Cells whose rows are `wanted`, by their numbers, with these rows, in order.
    pub fn cells(&self, wanted: impl Fn(&R) -> bool) -> impl Iterator<Item = (usize, &R)> {
        self.numbers.iter().copied().zip(&self.rows).filter(move |(_, row)| wanted(row))
    }

    /// The first cell whose row is `wanted`, with this row.
    pub fn cell(&self, wanted: impl Fn(&R) -> bool) -> Option<(usize, &R)> {
        self.cells(wanted).next()
    }

    /// Reads a series of a cell, given by its number.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn series(&self, cell: usize, name: &str) -> Result<Series> {
        Series::read(&self.folder, cell, name)
    }

    /// Reads the frames of a cell, given by its number, by step.
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
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows with one value for each column.
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
        let values = self.rows.iter().map(|row| row.iter().map(f64::to_string).collect());
        let text = records::bytes(std::iter::once(self.columns.clone()).chain(values))?;
        atomic::write(&folder.cell(cell, &format!("{name}.csv")), |file| file.write_all(&text))
    }

    fn read(folder: &Folder, cell: usize, name: &str) -> Result<Self> {
        let path = folder.cell(cell, &format!("{name}.csv"));
        let bad = |what: String| Error::input(format!("{}: {what}", path.display()));
        let text = input::text(&path, input::TABLE)?;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns: Vec<String> =
            reader.headers().map_err(|e| bad(e.to_string()))?.iter().map(str::to_owned).collect();
        let row = |(at, row): (usize, Result<Vec<f64>, csv::Error>)| {
            row.map_err(|_| bad(format!("line {} is not {} numbers", at + 2, columns.len())))
        };
        let rows = reader.deserialize().enumerate().map(row).collect::<Result<_>>()?;
        Ok(Self { columns, rows })
    }
}

/// Writes the frames of a cell: tokens stacked in one file, their steps in a series.
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
