//! The one error type. Its text says what was wrong, where, the number that was exceeded, and what to do.

use std::convert::Infallible;
use std::path::PathBuf;

/// Everything that can go wrong, sorted by who can mend it. [`Error::exit_status`] is a promise of the command line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bad usage or input: a file, a key, a parameter. One line that says what to change.
    #[error("{}{text}", key.as_ref().map(|key| format!("{key} ")).unwrap_or_default())]
    Input {
        /// The key of a config that it is about, such as `model.alpha`; the text goes on from there.
        key: Option<String>,
        /// What is wrong and what to do.
        text: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {}", path.display(), advice(cause))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
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
    #[error(
        "step {step}: token {token} coordinate {coordinate} became {value}; take a smaller scale, gain or β, or precision f64"
    )]
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
    /// A run that failed on its way.
    #[error("{failure}; {kept}")]
    Stopped {
        /// What stopped it.
        failure: Box<Self>,
        /// What is kept of it, and how to go on.
        kept: String,
        /// Whether `localmax resume` goes on as soon as what stopped it is mended.
        is_resumable: bool,
    },
    /// Stopped by a signal, with the state kept.
    #[error("{0}")]
    Interrupted(String),
}

/// Shorthand for the library's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Input`] from anything printable.
    pub fn input(text: impl Into<String>) -> Self {
        Self::Input { key: None, text: text.into() }
    }

    /// An [`Error::Input`] about a key of a config: `text` says what the key's value is and must be.
    pub fn at_key(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Input { key: Some(key.into()), text: text.into() }
    }

    /// An [`Error::Device`] from anything printable.
    pub fn device(text: impl Into<String>) -> Self {
        Self::Device(text.into())
    }

    /// An [`Error::File`] for `path`.
    pub fn file(path: impl Into<PathBuf>, cause: std::io::Error) -> Self {
        Self::File { path: path.into(), cause }
    }

    /// Whether it is of a file that is not there.
    pub(crate) fn is_of_nothing(&self) -> bool {
        use std::io::ErrorKind as Kind;
        matches!(self, Self::File { cause, .. } if matches!(cause.kind(), Kind::NotFound | Kind::NotADirectory))
    }

    /// Whether it is of a file that is there or may be, so that one can go on as soon as what ails it is mended.
    pub(crate) fn is_of_a_file_to_mend(&self) -> bool {
        matches!(self, Self::File { .. }) && !self.is_of_nothing()
    }

    /// Exit status of the command line: 1 a verification failed, 2 bad usage or input, 3 device, 4 interrupted, or stopped by
    /// the disk with the state kept.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Verification(_) => 1,
            Self::Input { .. } | Self::File { .. } | Self::Memory { .. } => 2,
            Self::Device(_) | Self::NonFinite { .. } => 3,
            Self::Stopped { is_resumable: true, .. } | Self::Interrupted(_) => 4,
            Self::Stopped { failure, .. } => failure.exit_status(),
        }
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// What the system said of a file, and what to do where that is known.
fn advice(cause: &std::io::Error) -> String {
    use std::io::ErrorKind as Kind;
    match cause.kind() {
        Kind::NotFound => "there is no such file or folder; check the path".into(),
        Kind::PermissionDenied => "permission denied; check its owner and mode".into(),
        Kind::ReadOnlyFilesystem => "the file system is read-only; make it writable, or take one that is".into(),
        Kind::StorageFull | Kind::QuotaExceeded => "no space is left; free some".into(),
        Kind::FileTooLarge => "the file may not grow that large; raise the limit (ulimit -f)".into(),
        Kind::IsADirectory => "is a folder; name a file".into(),
        Kind::NotADirectory => "a part of the path is a file; check the path".into(),
        _ => cause.to_string(),
    }
}
