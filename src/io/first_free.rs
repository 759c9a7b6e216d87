//! The first folder `<name>-<k>` that nobody has.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Numbers tried.
const MOST: u64 = 1_000_000;

/// Gives `take` the first of `name-1`, `name-2`, ... in a folder that does not exist, until it
/// takes one: it returns `None` where somebody else has taken it meanwhile.
///
/// # Errors
/// As `take`; all names are taken.
pub(crate) fn first<T>(folder: &Path, name: &str, take: impl Fn(PathBuf) -> Result<Option<T>>) -> Result<T> {
    for path in (1..=MOST).map(|k| folder.join(format!("{name}-{k}"))) {
        if path.symlink_metadata().is_err()
            && let Some(taken) = take(path)?
        {
            return Ok(taken);
        }
    }
    Err(Error::input(format!("{}/{name}-1 to -{MOST} all exist; name another with --out", folder.display())))
}
