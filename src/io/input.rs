//! Reading of files, whole or line by line, in bounded memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// Most bytes of a text that a person writes, of one that a run writes once, and of a row of a
/// table.
pub(crate) const SHORT: u64 = 16 << 20;
/// Most bytes of a table that is read whole.
#[cfg(feature = "studies")]
pub(crate) const TABLE: u64 = 1 << 30;

fn bad(path: &Path, what: &str) -> Error {
    Error::input(format!("{}: {what}", path.display()))
}

/// Opens a regular file; the file, and its length in bytes. Other files are refused before they are
/// opened: a pipe that nobody writes to would block.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let failed = |e| Error::file(path, e);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(bad(path, "not a regular file; name one"));
    }
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    Ok((file, bytes))
}

/// What tells a file from another one of its name on another machine: its length and when it was changed, as bytes.
pub(crate) fn identity(path: &Path) -> Result<Vec<u8>> {
    let failed = |e| Error::file(path, e);
    let facts = fs::metadata(path).map_err(failed)?;
    let changed = facts.modified().map_err(failed)?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok([u128::from(facts.len()), changed.as_nanos()].map(u128::to_ne_bytes).concat())
}

/// The bytes of an open file, of which there must be at most `most`.
pub(crate) fn whole(file: &File, path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    // A file may grow after it was asked for its length, and a pipe has none.
    file.take(most + 1).read_to_end(&mut all).map_err(|e| Error::file(path, e))?;
    if all.len() as u64 > most {
        return Err(bad(path, &format!("more than {most} bytes, the most that are read; is it the right file?")));
    }
    Ok(all)
}

/// The blake3 of a regular file.
pub(crate) fn hash(path: &Path) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(open(path)?.0).map_err(|e| Error::file(path, e))?;
    Ok(hasher.finalize())
}

/// The bytes of a regular file of at most `most` bytes.
pub(crate) fn bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    whole(&open(path)?.0, path, most)
}

/// The text of a regular file of at most `most` bytes.
pub(crate) fn text(path: &Path, most: u64) -> Result<String> {
    utf8(path, bytes(path, most)?)
}

/// The text of a file that a person named, which may be a pipe from another program.
pub(crate) fn given(path: &Path, most: u64) -> Result<String> {
    let file = File::open(path).map_err(|e| Error::file(path, e))?;
    utf8(path, whole(&file, path, most)?)
}

fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        bad(path, &format!("it is not text in UTF-8, by its byte {at}; name a text file, or save it as UTF-8"))
    })
}

/// The text of a regular file, as by [`text`]; `None` if the file does not exist.
#[cfg(any(feature = "studies", test))]
pub(crate) fn find(path: &Path, most: u64) -> Result<Option<String>> {
    match text(path, most) {
        Err(error) if error.is_not_found() => Ok(None),
        found => found.map(Some),
    }
}

/// A file whose lines have at most `most` bytes: a longer line is an error where it is read, and is
/// not held in memory.
pub(crate) struct Lines {
    file: File,
    most: u64,
    /// Bytes read since the last end of a line.
    since: u64,
}

impl Lines {
    /// Opens a regular file.
    pub(crate) fn open(path: &Path, most: u64) -> Result<Self> {
        Ok(Self { file: open(path)?.0, most, since: 0 })
    }
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        for line in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
            self.since += line.len() as u64;
            if self.since > self.most {
                return Err(io::Error::other(format!("a line of more than {} bytes", self.most)));
            }
            if line.ends_with(b"\n") {
                self.since = 0;
            }
        }
        Ok(count)
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
        assert!(line.contains("f: more than 2 bytes"), "{line}");
        fs::write(&path, b"ab\xff").unwrap();
        let line = text(&path, 3).unwrap_err().to_string();
        assert!(line.contains("not text in UTF-8, by its byte 2;"), "{line}");
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
            assert!(line.ends_with("not a regular file; name one"), "{line}");
        }
    }

    /// A table without an end of a line would fill the memory as one row.
    #[test]
    fn lines_are_held_up_to_a_length() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        for (text, most, is_good) in
            [("", 1, true), ("ab\n\nab\nab", 3, true), ("ab\nabc\n", 3, false), ("abcd", 3, false)]
        {
            fs::write(&path, text).unwrap();
            for step in [1, 2, 100] {
                let mut lines = Lines::open(&path, most).unwrap();
                let mut buffer = vec![0; step];
                let read = std::iter::repeat_with(|| lines.read(&mut buffer)).find(|read| !matches!(read, Ok(1..)));
                assert_eq!(read.unwrap().is_ok(), is_good, "{text:?} by {step}");
            }
        }
    }
}
