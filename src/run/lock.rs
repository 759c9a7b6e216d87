//! The lock of a run: one process at a time writes it. The lock is the system's own and ends with
//! its process, so that none is ever stale; the file stays, and says which process held it last.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::disk;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    /// The locked file.
    _file: File,
    /// The folder, on a file system without locks, where no lock is held.
    unheld: Option<PathBuf>,
}

impl Lock {
    /// Takes the lock of a run's directory.
    ///
    /// # Errors
    /// Another process, named by its number, has the lock; a directory that cannot be written.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let failed = |e| Error::file(path, e);
        if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            return Err(Error::input(format!("{}: not a regular file; remove it", path.display())));
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = disk::fault().and_then(|()| options.open(path)).map_err(failed)?;
        let folder = path.parent().unwrap_or(path);
        let is_held = match disk::lock(&file) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                let mut holder = String::new();
                let _ = file.take(20).read_to_string(&mut holder);
                let holder =
                    holder.trim().parse::<u32>().map_or("another process".into(), |id| format!("process {id}"));
                let folder = folder.display();
                return Err(Error::input(format!(
                    "{folder} is being written by {holder}; wait for it, or end it first"
                )));
            }
            tried => tried.map_err(failed)?,
        };
        disk::fault().and_then(|()| file.set_len(0)).map_err(failed)?;
        disk::fault().and_then(|()| write!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { _file: file, unheld: (!is_held).then(|| folder.to_owned()) })
    }

    /// What a user has to know where no lock is held.
    pub fn note(&self) -> Option<String> {
        let folder = self.unheld.as_ref()?.display();
        Some(format!("{folder} is on a file system without locks: see to it that no other process writes this run"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::disk::faults::{self, Fault};

    /// A network file system without locks must not keep a run from its folder, nor let two
    /// processes write it without a word.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_without_locks_is_gone_on_with() {
        let folder = faults::folder();
        let path = folder.path().join(".lock");
        for (number, is_held) in [(37, false), (95, false), (5, true)] {
            // The second call is the lock's.
            let (lock, _) = faults::with(1, Fault::Once(number), || Lock::take(&path));
            match lock {
                Ok(lock) => assert!(!is_held && lock.note().unwrap().contains("a file system without locks")),
                Err(error) => assert!(is_held, "{error}"),
            }
        }
        let lock = Lock::take(&path).unwrap();
        assert_eq!(lock.note(), None);
        assert!(Lock::take(&path).unwrap_err().to_string().contains("is being written by process"));
    }
}
