//! Tokens of the user's own, in place of the clouds.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::io::{input, npy};
use crate::tokens::Tokens;

/// An `.npy` file of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFile {
    /// Its path.
    pub path: PathBuf,
    /// The blake3 of its bytes.
    pub blake3: String,
    /// Number of tokens, and their dimension.
    pub shape: [usize; 2],
}

impl TokenFile {
    /// Looks at a file that is named on the command line.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let absolute = std::path::absolute(path).map_err(|e| e.to_string())?;
        let look = |path: &Path| Ok((npy::header(path)?, input::hash(path)?));
        let (header, hash) = look(Path::new(path)).map_err(|e: Error| e.to_string())?;
        Ok(Self { path: absolute, blake3: hash.to_hex().to_string(), shape: [header.rows, header.columns] })
    }

    /// Reads the tokens.
    ///
    /// # Errors
    /// A file that cannot be read, or is not the one that the study began with.
    pub(super) fn tokens(&self) -> Result<Tokens> {
        if input::hash(&self.path)?.to_hex().as_str() != self.blake3 {
            return Err(Error::input(format!(
                "{} is another file than the one that this study began with; put that one back, or begin another study",
                self.path.display()
            )));
        }
        npy::read(&self.path)
    }
}
