//! Files that are read whole or in part: regular ones, in bounded memory.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::error::{Error, Result};

/// Bytes of a text that a person writes, or that is written once a run.
pub(crate) const SHORT: u64 = 16 << 20;
/// Bytes of a table that a study or a run writes row by row.
pub(crate) const TABLE: u64 = 1 << 30;

/// Opens a file, and says how many bytes it has. What is no regular file is refused before it is opened: a pipe that nobody
/// writes to would block.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |e| Error::file(path, e);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::input(format!("{}: not a regular file", path.display())));
    }
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    Ok((file, bytes))
}

/// The text of a file of `most` bytes at most.
pub(crate) fn text(path: &Path, most: u64) -> Result<String> {
    let (file, bytes) = open(path)?;
    let mut all = Vec::new();
    // A file may grow after it was asked for its length.
    file.take(most + 1).read_to_end(&mut all).map_err(|e| Error::file(path, e))?;
    let found = bytes.max(all.len() as u64);
    if found > most {
        return Err(Error::input(format!("{}: {found} bytes where {most} are read at most", path.display())));
    }
    String::from_utf8(all).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::input(format!("{}: not a text: byte {at} is no UTF-8; is it the right file?", path.display()))
    })
}

/// As [`text`]; `None` if there is no such file.
pub(crate) fn find(path: &Path, most: u64) -> Result<Option<String>> {
    match fs::metadata(path) {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        _ => text(path, most).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that waits for ever, or takes all memory, stops a cluster's night.
    #[test]
    fn only_texts_of_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "abc").unwrap();
        assert_eq!(text(&path, 3).unwrap(), "abc");
        let line = text(&path, 2).unwrap_err().to_string();
        assert!(line.ends_with("f: 3 bytes where 2 are read at most"), "{line}");
        fs::write(&path, b"ab\xff").unwrap();
        let line = text(&path, 3).unwrap_err().to_string();
        assert!(line.contains("byte 2 is no UTF-8"), "{line}");
        assert_eq!(find(&folder.path().join("none"), 9).unwrap(), None);
        assert_eq!(find(&path.join("below"), 9).unwrap(), None);
        assert!(text(&folder.path().join("none"), 9).is_err());
        let mut special = vec![folder.path().to_owned()];
        if cfg!(unix) {
            special.push("/dev/zero".into());
            let pipe = folder.path().join("pipe");
            assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
            special.push(pipe);
        }
        for path in special {
            let line = find(&path, 9).unwrap_err().to_string();
            assert!(line.ends_with("not a regular file"), "{line}");
        }
    }
}
