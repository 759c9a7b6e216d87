//! The one error type. Its text says what was wrong, where, the number that was exceeded, and what to do.

use std::path::PathBuf;

/// Everything that can go wrong, sorted by who can mend it. [`Error::exit_status`] is a promise of the command line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bad usage or input: a file, a key, a parameter. One line that says what to change.
    #[error("{0}")]
    Input(String),
    /// A file that cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// More memory than the machine or the adapter has.
    #[error("{what} needs {needed} bytes, {available} are available; {mend}")]
    Memory {
        /// What was to be allocated.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes available.
        available: u64,
        /// What to do.
        mend: String,
    },
    /// No device, a lost device, a driver that computes wrongly.
    #[error("{0}")]
    Device(String),
    /// A token stopped being finite.
    #[error("step {step}: token {token} coordinate {coordinate} became {value}; the state before that step is kept")]
    NonFinite {
        /// The step that made it.
        step: u64,
        /// The token's index.
        token: usize,
        /// The coordinate's index.
        coordinate: usize,
        /// The value found.
        value: f64,
    },
    /// An engine broke its bound against the reference.
    #[error("{0}")]
    Verification(String),
    /// Stopped by a signal after saving; the run can be resumed.
    #[error("{0}")]
    Interrupted(String),
}

/// Shorthand for the library's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Input`] from anything printable.
    pub fn input(text: impl Into<String>) -> Self {
        Self::Input(text.into())
    }

    /// An [`Error::Device`] from anything printable.
    pub fn device(text: impl Into<String>) -> Self {
        Self::Device(text.into())
    }

    /// An [`Error::File`] for `path`.
    pub fn file(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::File { path: path.into(), source }
    }

    /// Exit status of the command line: 1 a verification failed, 2 bad usage or input, 3 device, 4 interrupted and
    /// resumable.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Verification(_) => 1,
            Self::Input(_) | Self::File { .. } | Self::Memory { .. } => 2,
            Self::Device(_) | Self::NonFinite { .. } => 3,
            Self::Interrupted(_) => 4,
        }
    }
}
