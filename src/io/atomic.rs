//! Atomic writes: a file is written beside its place, brought to the disk, and renamed into its
//! place, so that at any time there is either the old file or the new one.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::disk::{self, Out};
use crate::error::{Error, Result};

/// Number of files begun by this process: two threads may write to one path.
static NTH: AtomicU64 = AtomicU64::new(0);

/// A file beside its place, which is removed unless it is renamed.
struct Beside {
    path: PathBuf,
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = disk::remove(&self.path); // nothing is left to remove once it has been renamed
    }
}

/// Writes a file that replaces `path` only once it is complete and on the disk.
///
/// # Errors
/// A file that cannot be written; the old file is then untouched and nothing is left beside it.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    write_hashed(path, fill).map(drop)
}

/// Writes a file as [`write()`] does, and returns the blake3 of its bytes.
///
/// # Errors
/// As [`write()`].
pub fn write_hashed(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<blake3::Hash> {
    try_write(path, fill).map_err(|e| Error::file(path, e))
}

fn try_write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<blake3::Hash> {
    let name = path.file_name().ok_or_else(|| io::Error::other("not the path of a file"))?;
    let (process, nth) = (std::process::id(), NTH.fetch_add(1, Ordering::Relaxed));
    let beside = Beside { path: path.with_file_name(format!(".{}.{process}-{nth}.part", name.to_string_lossy())) };
    let out = Hashing { out: Out::create(&beside.path)?, hasher: blake3::Hasher::new() };
    let mut buffer = BufWriter::with_capacity(1 << 16, out);
    fill(&mut buffer)?;
    let Hashing { out, hasher } = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.sync()?;
    drop(out);
    disk::rename(&beside.path, path)?;
    Ok(hasher.finalize())
}

/// True for the name of a file beside its place, which only a process that was killed leaves
/// behind.
pub(crate) fn is_left_over(name: &str) -> bool {
    name.strip_prefix('.').is_some_and(|rest| rest.strip_suffix(".part").is_some())
}

/// Hashes the bytes that it passes on.
struct Hashing {
    out: Out,
    hasher: blake3::Hasher,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A failed write must leave the old file and no rubbish beside it.
    #[test]
    fn all_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, |file| file.write_all(b"old")).unwrap();
        let failed = write(&path, |file| {
            file.write_all(b"new")?;
            Err(io::Error::other("disk full"))
        });
        assert!(failed.unwrap_err().to_string().contains("disk full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write(&folder.path().join("no/such/a.txt"), |_| Ok(())).is_err());
    }
}
