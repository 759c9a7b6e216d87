//! The one error type. Its text says what was wrong, where, the number that was exceeded, and what
//! to do.

use std::convert::Infallible;
use std::path::PathBuf;

/// Every error, sorted by who can mend it. [`Error::exit_status`] is a promise of the command line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bad usage or input: a file, a key, a parameter. Its text is one line that says what to
    /// change.
    #[error("{}{text}", key.as_ref().map(|key| format!("{key} ")).unwrap_or_default())]
    Input {
        /// Key of a config, such as `model.alpha`, that begins the sentence which `text` ends.
        key: Option<String>,
        /// The problem, and what to do.
        text: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {}", path.display(), advice(cause))]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: std::io::Error,
    },
    /// More memory than the machine or the adapter has.
    #[error("{what} needs {needed} bytes, {available} are available; {mend}")]
    Memory {
        /// Name of the allocation.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes available.
        available: u64,
        /// Advice.
        mend: String,
    },
    /// No device, a lost device, a driver that computes wrongly.
    #[error("{0}")]
    Device(String),
    /// A token stopped being finite: the model overflows.
    #[error(
        "step {step}: token {token} coordinate {coordinate} became {value}; take a smaller scale, gain, β or dt{}",
        if *is_single { ", or precision f64" } else { "" }
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
        /// True if the tokens are stored in f32, so that f64 may help.
        is_single: bool,
    },
    /// An engine broke its bound against the reference.
    #[error("{0}")]
    Verification(String),
    /// A run that failed after its first step.
    #[error("{failure}; {kept}")]
    Stopped {
        /// The error that stopped it.
        failure: Box<Self>,
        /// The files that are kept, and how to go on.
        kept: String,
        /// True if `localmax resume` goes on as soon as the failure is mended.
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

    /// An [`Error::Input`] about a key of a config: `text` says what the key's value is and must
    /// be.
    pub fn at_key(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Input { key: Some(key.into()), text: text.into() }
    }

    /// An [`Error::Device`] from anything printable.
    pub fn device(text: impl Into<String>) -> Self {
        Self::Device(text.into())
    }

    /// An [`Error::File`] for `path`; an error of this program that came through a writer stays what it is.
    pub fn file(path: impl Into<PathBuf>, cause: std::io::Error) -> Self {
        cause.downcast().unwrap_or_else(|cause| Self::File { path: path.into(), cause })
    }

    /// The error of this program that came through a writer or a reader, or the text of another.
    pub(crate) fn through(cause: std::io::Error) -> Self {
        cause.downcast().unwrap_or_else(|cause| Self::input(cause.to_string()))
    }

    /// This error, of cloud c of many, which its text then names.
    #[must_use]
    pub fn of_cloud(self, c: usize) -> Self {
        match self {
            Self::Input { .. } | Self::NonFinite { .. } => Self::input(format!("cloud {c}: {self}")),
            error => error,
        }
    }

    /// This failure of what comes after a run or its cells: `kept` says what is complete, and how
    /// to do the rest.
    #[cfg(feature = "studies")]
    pub(crate) fn after(self, kept: String) -> Self {
        let is_resumable = self.is_recoverable_file_error();
        Self::Stopped { failure: Box::new(self), kept, is_resumable }
    }

    /// True if the file does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        use std::io::ErrorKind as Kind;
        matches!(self, Self::File { cause, .. } if matches!(cause.kind(), Kind::NotFound | Kind::NotADirectory))
    }

    /// True for a file that exists or may exist, so that a run can go on once the file is mended.
    pub(crate) fn is_recoverable_file_error(&self) -> bool {
        matches!(self, Self::File { .. }) && !self.is_not_found()
    }

    /// Exit status of the command line: 1 a verification failed, 2 bad usage or input, 3 a device
    /// failed, 4 interrupted, or stopped by the disk with the state kept.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Verification(_) => 1,
            Self::Input { .. } | Self::File { .. } | Self::Memory { .. } | Self::NonFinite { .. } => 2,
            Self::Device(_) => 3,
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

/// The system's error about a file, with advice for the common ones.
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
