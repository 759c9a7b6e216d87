//! Tables to which a run appends rows of CSV, and the marks from which a resumed run goes on.

use std::fmt::Display;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::io::disk::Out;
use crate::io::input;
use crate::run::progress::TableMark;

/// Most time until a row reaches the file, so that it can be followed while the run goes on.
const FLUSH: Duration = Duration::from_secs(1);

/// A row as its file holds it.
pub(crate) trait Record: Serialize {
    /// The file's name in a run's directory.
    const FILE: &'static str;
    /// The file's first line, the names of the columns. Columns are only ever added at the end, and
    /// files of older versions stay readable: they lack the last ones.
    const HEAD: &'static str;
    /// The first columns, which every file has.
    const OLDEST: &'static str = Self::HEAD;
}

/// Whether a file's first line is one that this or an older version writes.
fn is_head<R: Record>(head: &str) -> bool {
    head == R::HEAD || head == R::OLDEST
}

/// A table that rows are appended to.
#[derive(Debug)]
pub(crate) struct TableWriter<R> {
    path: PathBuf,
    out: Out,
    /// Bytes that are not in the file yet.
    pending: Vec<u8>,
    /// Number of columns of the file.
    columns: usize,
    /// Hasher of the bytes in the file.
    hasher: blake3::Hasher,
    flushed: Instant,
    rows: PhantomData<R>,
}

impl<R: Record> TableWriter<R> {
    /// Opens the table of a run's directory, cut back to its mark; a new one without a mark.
    ///
    /// # Errors
    /// A file that is not as it was when it was marked, or exists without a mark; what cannot be
    /// written.
    pub(crate) fn open(folder: &Path, mark: Option<&TableMark>) -> Result<Self> {
        let path = folder.join(R::FILE);
        let Some(mark) = mark else {
            let out = Out::create_new(&path).map_err(|e| Error::file(&path, e))?;
            let pending = format!("{}\n", R::HEAD).into_bytes();
            let hasher = blake3::Hasher::new();
            let columns = columns(R::HEAD);
            let mut table = Self { path, out, pending, columns, hasher, flushed: Instant::now(), rows: PhantomData };
            table.flush()?;
            return Ok(table);
        };
        let hasher = mark.hasher(folder)?;
        let head = BufReader::new(input::Lines::open(&path, input::SHORT)?).lines().next().transpose();
        let columns = columns(&head.map_err(|e| Error::file(&path, e))?.unwrap_or_default());
        let out = Out::cut(&path, mark.bytes).map_err(|e| Error::file(&path, e))?;
        Ok(Self { path, out, pending: Vec::new(), columns, hasher, flushed: Instant::now(), rows: PhantomData })
    }

    /// Adds a row, in the columns that the file has.
    ///
    /// # Errors
    /// The errors of [`TableWriter::flush`].
    pub(crate) fn push(&mut self, row: impl Into<R>) -> Result<()> {
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
        csv.serialize(row.into()).map_err(|e| Error::file(&self.path, io::Error::other(e)))?;
        let line = csv.into_inner().map_err(|e| Error::file(&self.path, io::Error::other(e.to_string())))?;
        // No cell of a run's tables holds a comma.
        let cells: Vec<&[u8]> = line.trim_ascii_end().split(|&byte| byte == b',').take(self.columns).collect();
        self.pending.extend(cells.join(&b','));
        self.pending.push(b'\n');
        if self.flushed.elapsed() >= FLUSH { self.flush() } else { Ok(()) }
    }
}

impl<R> TableWriter<R> {
    /// Brings every row into the file.
    ///
    /// # Errors
    /// A file that cannot be written, or that another process has removed or changed.
    pub(crate) fn flush(&mut self) -> Result<()> {
        let (path, written) = (&self.path, self.hasher.count());
        let found = std::fs::metadata(path).map_err(|e| Error::file(path, e))?.len();
        if found != written {
            let path = path.display();
            return Err(Error::input(format!(
                "{path}: {written} bytes were written and {found} are there; somebody else writes it"
            )));
        }
        // Written once, whole or in part: a second try would repeat what had got through.
        let pending = std::mem::take(&mut self.pending);
        self.out.write_all(&pending).map_err(|e| Error::file(&self.path, e))?;
        self.hasher.update(&pending);
        self.flushed = Instant::now();
        Ok(())
    }

    /// Brings every row to the disk, and returns the mark from which to go on.
    ///
    /// # Errors
    /// The errors of [`TableWriter::flush`].
    pub(crate) fn mark(&mut self) -> Result<TableMark> {
        self.flush()?;
        self.out.sync().map_err(|e| Error::file(&self.path, e))?;
        let (path, bytes) = (&self.path, self.hasher.count());
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(TableMark { file, bytes, blake3: self.hasher.finalize().to_hex().to_string() })
    }
}

fn columns(head: &str) -> usize {
    head.split(',').count()
}

impl<R> Drop for TableWriter<R> {
    fn drop(&mut self) {
        let _ = self.flush(); // a caller that needs the error has flushed before
    }
}

/// Reads the rows of a table one by one; `what` names the table in errors.
///
/// # Errors
/// A file that cannot be read or has another head; a row that is none, by its line.
pub(crate) fn rows<R, T>(path: &Path, what: &str) -> Result<impl Iterator<Item = Result<T>>>
where
    R: Record + DeserializeOwned,
    T: TryFrom<R, Error = &'static str>,
{
    let bad = move |line: u64, what: &dyn Display| {
        let what: String = what.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        Error::input(format!("{} line {line}: {what}", path.display()))
    };
    let mut csv = csv::Reader::from_reader(input::Lines::open(path, input::SHORT)?);
    let head = csv.headers().map(|head| head.iter().collect::<Vec<_>>().join(",")).unwrap_or_default();
    if !is_head::<R>(&head) {
        return Err(bad(1, &format!("no {what}: the first line must be {}", R::HEAD)));
    }
    Ok(csv.into_deserialize::<R>().enumerate().map(move |(at, row)| {
        let line = |e: &csv::Error| e.position().map_or(at as u64 + 2, csv::Position::line);
        row.map_err(|e| bad(line(&e), &e)).and_then(|row| T::try_from(row).map_err(|e| bad(at as u64 + 2, &e)))
    }))
}
