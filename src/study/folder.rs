//! A study's folder.
//!
//! | file | content |
//! |---|---|
//! | `study.toml` | the question; runs again as it is |
//! | `table.csv` | a row for each finished cell: its number, then the study's own columns |
//! | `table.2-of-8.csv` | the rows of one shard |
//! | `cells/000012-distance.csv` | a series of cell 12 |
//! | `cells/000012-frames.npy`, `-frames.csv` | tokens of cell 12 at some steps, stacked, and the steps |
//! | `claims.csv` | the claims, their measurements, whether they agree |
//! | `report.html`, `report.md`, `*.svg`, `*.png`, `*.gif` | the report and its figures |

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::records;
use crate::error::{Error, Result};
use crate::io::{atomic, disk, first_free, input};

const STUDY: &str = "study.toml";
const CELLS: &str = "cells";

/// A folder with a study in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

/// True if a folder holds the study that `toml` asks for.
///
/// # Errors
/// A folder with another study; a file that cannot be read.
fn holds(path: &Path, toml: &str) -> Result<bool> {
    let shown = path.display();
    match input::find(&path.join(STUDY), input::SHORT)? {
        Some(found) if found == toml => Ok(true),
        Some(found) => {
            let line = toml.lines().zip(found.lines()).find(|(asked, there)| asked != there);
            let differs = line.map_or(String::new(), |(asked, there)| format!(" ({there} there, {asked} asked)"));
            Err(Error::input(format!(
                "{shown} holds another study{differs}; name another folder with --out, or go on with that one: \
                 localmax study resume {shown}"
            )))
        }
        None => Ok(false),
    }
}

impl Folder {
    /// Makes a folder for the study that `toml` asks for: `out`, which is new, empty, or holds this
    /// very study; or else the first free `runs/<name>-<k>`.
    ///
    /// # Errors
    /// A folder with something else in it; a file that cannot be written.
    pub fn create(out: Option<&Path>, name: &str, toml: &str) -> Result<Self> {
        let path = match out {
            Some(path) => path.to_owned(),
            None => first_free::first(Path::new("runs"), name, |path| Ok(Some(path)))?,
        };
        let shown = path.display();
        if !holds(&path, toml)? {
            // Processes of a job array start together: the files of one are not foreign to others.
            let own = |name: &str| name == STUDY || name == CELLS || atomic::is_left_over(name);
            let foreign = match fs::read_dir(&path) {
                Ok(entries) => entries.flatten().any(|entry| !own(&entry.file_name().to_string_lossy())),
                Err(e) if e.kind() == ErrorKind::NotADirectory => {
                    return Err(Error::input(format!("{shown} is a file; name a folder with --out")));
                }
                Err(_) => false,
            };
            if foreign && !holds(&path, toml)? {
                return Err(Error::input(format!("{shown} is not empty; name a new folder with --out")));
            }
            fs::create_dir_all(&path).map_err(|e| Error::file(&path, e))?;
            atomic::write(&path.join(STUDY), |file| file.write_all(toml.as_bytes()))?;
            holds(&path, toml)?; // another study may have come at the same time
        }
        let cells = path.join(CELLS);
        fs::create_dir_all(&cells).map_err(|e| Error::file(cells, e))?;
        Ok(Self { path })
    }

    /// Opens an existing study and reads the text of its `study.toml`.
    ///
    /// # Errors
    /// A folder without one.
    pub fn open(path: &Path) -> Result<(Self, String)> {
        match input::find(&path.join(STUDY), input::SHORT)? {
            Some(text) => Ok((Self { path: path.to_owned() }, text)),
            None => Err(Error::input(format!("{} has no study in it: there is no {STUDY}", path.display()))),
        }
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a side file of a cell.
    pub fn cell(&self, cell: usize, name: &str) -> PathBuf {
        self.path.join(CELLS).join(format!("{cell:06}-{name}"))
    }

    /// Reads the rows of all tables, shards included, by cell.
    ///
    /// # Errors
    /// A table that cannot be read, or whose rows are not of this study.
    pub(super) fn rows<R: DeserializeOwned>(&self) -> Result<BTreeMap<usize, R>> {
        let entries = fs::read_dir(&self.path).map_err(|e| Error::file(&self.path, e))?;
        let mut rows = BTreeMap::new();
        for entry in entries {
            let path = entry.map_err(|e| Error::file(&self.path, e))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with("table.") && path.extension().is_some_and(|ending| ending == "csv") {
                let text = input::bytes(&path, input::TABLE)?;
                rows.extend(parse(&text[..complete(&text)], &path)?);
            }
        }
        Ok(rows)
    }

    /// Brings the rows of shards together in one `table.csv`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) fn merge(&self, rows: &BTreeMap<usize, impl Serialize>) -> Result<()> {
        let lines = rows.iter().enumerate().map(|(at, (cell, row))| line(*cell, row, at == 0));
        let lines = lines.collect::<Result<Vec<_>>>()?;
        atomic::write(&self.path.join("table.csv"), |file| file.write_all(&lines.concat()))
    }

    /// Opens the table to append to.
    pub(super) fn table(&self, shard: Option<(usize, usize)>) -> Result<Table> {
        let name = shard.map_or("table.csv".into(), |(at, of)| format!("table.{at}-of-{of}.csv"));
        Table::open(self.path.join(name))
    }
}

/// A table that rows are appended to.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    file: File,
    is_empty: bool,
}

impl Table {
    /// Opens or creates a table for this process alone; drops a line that was cut short by a kill.
    fn open(path: PathBuf) -> Result<Self> {
        let failed = |e| Error::file(&path, e);
        // A pipe that nobody writes to would block.
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            return Err(Error::input(format!("{}: not a regular file; remove it", path.display())));
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        // Where there are no locks, nothing keeps another process out.
        disk::lock(&file).map_err(|e| match e.kind() {
            ErrorKind::WouldBlock => {
                Error::input(format!("{}: another process computes this study; wait for it to end", path.display()))
            }
            _ => Error::file(&path, e),
        })?;
        let kept = complete(&input::whole(&file, &path, input::TABLE)?);
        file.set_len(kept as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path, file, is_empty: kept == 0 })
    }

    /// Appends the row of a cell and brings it to the disk.
    pub(super) fn append(&mut self, cell: usize, row: &impl Serialize) -> Result<()> {
        let text = line(cell, row, self.is_empty).map_err(|e| Error::input(format!("{}: {e}", self.path.display())))?;
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        written.map_err(|e| Error::file(&self.path, e))?;
        self.is_empty = false;
        Ok(())
    }
}

/// The length of the text up to its last complete line.
fn complete(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

/// The line of a row with the cell's number in front, and the header before it if it is the first.
fn line(cell: usize, row: &impl Serialize, first: bool) -> Result<Vec<u8>> {
    let number = cell.to_string();
    let lines = ["cell", &number].into_iter().zip(records::of(&[row])?).skip(usize::from(!first));
    records::bytes(lines.map(|(lead, record)| {
        // A line is a row: a field over several lines could be cut in its middle and still end in
        // one.
        let fields = record.into_iter().map(|field| field.replace(['\n', '\r'], " "));
        std::iter::once(lead.to_owned()).chain(fields)
    }))
}

/// Reads rows by cell; the row type ignores the first column.
fn parse<R: DeserializeOwned>(text: &[u8], path: &Path) -> Result<BTreeMap<usize, R>> {
    let bad =
        |e: &dyn std::fmt::Display| Error::input(format!("{}: {e}; remove the file to start anew", path.display()));
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.headers().map_err(|e| bad(&e))?.clone();
    let mut rows = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|e| bad(&e))?;
        let cell =
            record.get(0).unwrap_or("").parse().map_err(|_| bad(&"a row does not begin with a cell's number"))?;
        rows.insert(cell, record.deserialize(Some(&header)).map_err(|e| bad(&e))?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        alpha: f64,
        name: String,
        rate: Option<f64>,
    }

    fn row(k: usize) -> Row {
        Row { alpha: 0.1 * k as f64, name: format!("a,\"b\" {k}"), rate: (k > 1).then_some(1.0 / 3.0) }
    }

    /// If a row that was cut short by a kill counted as finished, or cost the rows before it, a
    /// resumed study would differ from an uninterrupted one.
    #[test]
    fn a_table_survives_being_cut_anywhere() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(Some(&place.path().join("s")), "s", "study = \"s\"\n").unwrap();
        let mut table = folder.table(None).unwrap();
        (0..3).for_each(|k| table.append(k, &row(k)).unwrap());
        assert!(folder.table(None).unwrap_err().to_string().contains("another process"));
        drop(table);
        let path = folder.path().join("table.csv");
        let whole = fs::read(&path).unwrap();
        assert!(whole.starts_with(b"cell,alpha,name,rate\n"));
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let kept = folder.rows::<Row>().unwrap();
            for k in (0..3).filter(|k| !kept.contains_key(k)) {
                folder.table(None).unwrap().append(k, &row(k)).unwrap();
            }
            let rows: Vec<Row> = folder.rows().unwrap().into_values().collect();
            assert_eq!(rows, [row(0), row(1), row(2)], "cut at {cut}");
        }
    }

    /// A folder with another study, or with somebody's files, must not be written into.
    #[test]
    fn folders_are_not_shared() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("deep/s");
        let create = |path: &Path, text: &str| Folder::create(Some(path), "s", text).map_err(|e| e.to_string());
        create(&path, "a = 1\n").unwrap();
        create(&path, "a = 1\n").unwrap();
        assert!(create(&path, "a = 2\n").unwrap_err().contains("a = 1 there, a = 2 asked"));
        fs::write(place.path().join("file"), "").unwrap();
        assert!(create(place.path(), "a = 1\n").unwrap_err().contains("is not empty"));
        assert!(create(&place.path().join("file"), "a = 1\n").unwrap_err().contains("is a file"));
    }
}
