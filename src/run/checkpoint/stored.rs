//! Tokens that lie in a checkpoint's file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::tokens::{Coordinates, Precision, Slices, Tokens};

/// Bytes read and hashed at a time.
pub(crate) const CHUNK: usize = 1 << 20;
pub(crate) const TOKENS: &str = "tokens";

/// The tokens of a checkpoint, in its file: a rank that deals them out to others need not hold them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub(super) path: PathBuf,
    /// The byte at which they begin.
    pub(super) start: u64,
    /// n and d, at least 1.
    pub(super) shape: (usize, usize),
    pub(super) precision: Precision,
    /// blake3 of their bytes, hexadecimal.
    pub(super) blake3: String,
}

impl Stored {
    /// Reads all tokens.
    ///
    /// # Errors
    /// A file that cannot be read, or has changed since; no memory for them.
    pub fn read(&self) -> Result<Tokens> {
        let stored = &mut &*self;
        Tokens::from_slices(self.shape, self.precision, |take| stored.each(take))
    }

    /// Checks that they are tokens, and those that were written.
    pub(super) fn require_whole(&self) -> Result<()> {
        let (mut first, d) = (0, self.shape.1);
        let check = &mut |slice: &Coordinates| {
            slice.require_finite(first, d).map_err(|e| io::Error::other(bad(&self.path, TOKENS, e)))?;
            first += slice.len() / d;
            Ok(())
        };
        (&*self).each(check).map_err(|e| Error::file(&self.path, e))
    }
}

impl Slices for &Stored {
    fn shape(&self) -> (usize, usize) {
        self.shape
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn each(&mut self, take: &mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()> {
        let failed = |e| io::Error::other(Error::file(&self.path, e));
        let mut file = File::open(&self.path).map_err(failed)?;
        file.seek(SeekFrom::Start(self.start)).map_err(failed)?;
        let ((n, d), mut hasher) = (self.shape, blake3::Hasher::new());
        let row = d * self.precision.bytes();
        let rows = (CHUNK / row).clamp(1, n);
        let mut bytes = vec![0; rows * row];
        for first in (0..n).step_by(rows) {
            let part = &mut bytes[..rows.min(n - first) * row];
            file.read_exact(part).map_err(failed)?;
            hasher.update(part);
            take(&match self.precision {
                Precision::F32 => {
                    part.as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect::<Vec<f32>>().into()
                }
                Precision::F64 => {
                    part.as_chunks().0.iter().map(|x| f64::from_le_bytes(*x)).collect::<Vec<f64>>().into()
                }
            })?;
        }
        if hasher.finalize().to_hex().as_str() == self.blake3 {
            return Ok(());
        }
        Err(io::Error::other(bad(&self.path, TOKENS, "its blake3 is not the one that was written")))
    }
}

/// A damaged part of a checkpoint.
pub(crate) fn bad(path: &Path, part: &str, what: impl std::fmt::Display) -> Error {
    let what: String = what.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    Error::input(format!("{}: damaged in its {part}: {what}", path.display()))
}
