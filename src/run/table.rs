//! Tables that only grow: rows of CSV at the end of a file, and the mark from which a resumed run goes on.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::io::disk::Out;
use crate::run::progress::Mark;

/// Rows reach the file at the latest after this long, so that it can be followed while the run goes on.
const FLUSH: Duration = Duration::from_secs(1);

/// A table that is being written.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    out: Out,
    /// Rows on their way.
    pending: Vec<u8>,
    /// Of the bytes that are in the file already.
    hasher: blake3::Hasher,
    flushed: Instant,
}

impl Table {
    /// A new file, with its head.
    pub(crate) fn create(path: &Path, head: &str) -> Result<Self> {
        let out = Out::create_new(path).map_err(|e| Error::file(path, e))?;
        let mut table = Self::of(path, out, blake3::Hasher::new());
        table.pending = format!("{head}\n").into_bytes();
        table.flush()?;
        Ok(table)
    }

    /// An old file, cut back to its mark.
    pub(crate) fn resume(folder: &Path, mark: &Mark) -> Result<Self> {
        let hasher = mark.hasher(folder)?;
        let path = folder.join(&mark.file);
        let out = Out::cut(&path, mark.bytes).map_err(|e| Error::file(&path, e))?;
        Ok(Self::of(&path, out, hasher))
    }

    fn of(path: &Path, out: Out, hasher: blake3::Hasher) -> Self {
        Self { path: path.to_owned(), out, pending: Vec::new(), hasher, flushed: Instant::now() }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: &impl Serialize) -> Result<()> {
        let mut csv = csv::WriterBuilder::new().has_headers(false).from_writer(&mut self.pending);
        csv.serialize(row)
            .and_then(|()| csv.flush().map_err(csv::Error::from))
            .map_err(|e| Error::file(&self.path, io::Error::other(e)))?;
        drop(csv);
        if self.flushed.elapsed() >= FLUSH { self.flush() } else { Ok(()) }
    }

    /// Brings every row into the file.
    ///
    /// # Errors
    /// What cannot be written; a file that somebody has removed or changed meanwhile.
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

    /// Brings every row to the disk; the mark from which to go on.
    pub(crate) fn mark(&mut self) -> Result<Mark> {
        self.flush()?;
        self.out.sync().map_err(|e| Error::file(&self.path, e))?;
        let (path, bytes) = (&self.path, self.hasher.count());
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Mark { file, bytes, blake3: self.hasher.finalize().to_hex().to_string() })
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let _ = self.flush(); // whoever needs to know has called it before
    }
}
