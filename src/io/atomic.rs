//! Files that are either the old or the new ones: written beside their place, brought to the disk, renamed into it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file on its way; removed again unless it arrives.
struct Beside {
    path: PathBuf,
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // nothing is left to remove once it has been renamed
    }
}

/// Writes a file that replaces `path` only once it is complete and on the disk.
///
/// # Errors
/// Whatever the system says, for `path`; the old file is then untouched and nothing is left beside it.
pub fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    try_write(path, fill).map_err(|e| Error::file(path, e))
}

fn try_write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("not the path of a file"))?;
    let beside =
        Beside { path: path.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id())) };
    let file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside.path)?;
    let mut buffer = BufWriter::with_capacity(1 << 16, file);
    fill(&mut buffer)?;
    let file: File = buffer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside.path, path)
}

#[cfg(test)]
mod tests {
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
