//! Results to stdout, messages and progress to stderr.

use std::io::{ErrorKind, Write};

use crate::error::{Error, Result};

/// Writes results to stdout. A reader that has gone away (`| head`) is no error.
///
/// # Errors
/// A stdout that cannot be written.
pub(super) fn print(text: &str) -> Result<()> {
    write_bytes(text.as_bytes())
}

/// As [`print`], for bytes.
pub(super) fn write_bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::file("standard output", e)),
        _ => Ok(()),
    }
}

/// A message to stderr.
pub(super) fn note(text: &str) {
    // Nobody is left to tell if stderr is gone.
    let _ = writeln!(std::io::stderr(), "{text}");
}
