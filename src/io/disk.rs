//! The system calls that change a run's files, in one place: a test makes the n-th of them fail,
//! for every n.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::Path;

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Out(File);

impl Out {
    /// Creates a file, or empties an old one.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Self::open(path, OpenOptions::new().write(true).create(true).truncate(true))
    }

    /// Creates a file that does not exist yet.
    pub(crate) fn create_new(path: &Path) -> io::Result<Self> {
        Self::open(path, OpenOptions::new().write(true).create_new(true))
    }

    /// Opens an old file, and cuts it to its first `bytes` bytes, after which it is written on.
    pub(crate) fn cut(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut out = Self::open(path, OpenOptions::new().write(true))?;
        fault()?;
        out.0.set_len(bytes)?;
        out.0.seek(SeekFrom::Start(bytes))?;
        Ok(out)
    }

    fn open(path: &Path, options: &OpenOptions) -> io::Result<Self> {
        fault()?;
        options.open(path).map(Self)
    }

    /// Brings all bytes to the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        fault()?;
        // No test pulls the plug, and thousands of them would wait for the disk.
        if cfg!(test) { Ok(()) } else { self.0.sync_all() }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..allowed(bytes.len())?];
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Renames a file; a file that had the new name is replaced.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fault()?;
    fs::rename(from, to)
}

/// Removes a file. It is no error if it does not exist.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fault()?;
    fs::remove_file(path).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
}

/// Removes a folder with all that is in it.
pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    fault()?;
    fs::remove_dir_all(path)
}

/// Creates a folder. It is no error if it exists.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    fault()?;
    fs::create_dir_all(path)
}

/// Locks a file for this process alone; false on a file system without locks, such as some network
/// ones, where nothing keeps another process out.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] if another process has the lock; a file that cannot be locked.
pub(crate) fn lock(file: &File) -> io::Result<bool> {
    let no_locks = |e: &io::Error| e.kind() == io::ErrorKind::Unsupported || e.raw_os_error() == Some(NO_LOCKS);
    match fault().and_then(|()| file.try_lock().map_err(io::Error::from)) {
        Err(e) if no_locks(&e) => Ok(false),
        locked => locked.map(|()| true),
    }
}

/// Error number ENOLCK.
const NO_LOCKS: i32 = if cfg!(any(target_os = "linux", target_os = "android")) { 37 } else { 77 };

/// Brings the names in a folder to the disk, on systems that can.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    fault()?;
    if !cfg!(unix) || cfg!(test) {
        return Ok(());
    }
    match File::open(path)?.sync_all() {
        // Some file systems keep names with the files.
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// A fault point of a system call that is made elsewhere.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps)] // in tests it fails
pub(crate) fn fault() -> io::Result<()> {
    Ok(())
}

#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps)]
fn allowed(bytes: usize) -> io::Result<usize> {
    Ok(bytes)
}

#[cfg(test)]
use faults::allowed;
#[cfg(test)]
pub(crate) use faults::fault;

/// System calls that fail because a test wants it.
#[cfg(test)]
pub(crate) mod faults {
    use std::cell::Cell;
    use std::io;

    /// A temporary folder, in memory if possible: tests write thousands of files.
    pub(crate) fn folder() -> tempfile::TempDir {
        let memory = std::path::Path::new("/dev/shm");
        if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
    }

    /// A kind of failure.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Fault {
        /// One call is refused with this error number, later calls work.
        Once(i32),
        /// Every call from then on is refused, as if the process or the disk had died there.
        FromThen(i32),
        /// A write takes half of its bytes. Every other call works.
        Short,
        /// A write takes half of its bytes, and every later call is refused with this number.
        Torn(i32),
    }

    /// Error number EIO.
    pub(crate) const BROKEN: i32 = 5;
    /// Error number ENOSPC.
    pub(crate) const FULL: i32 = 28;

    thread_local! {
        static CALLS: Cell<u64> = const { Cell::new(0) };
        static PLAN: Cell<Option<(u64, Fault)>> = const { Cell::new(None) };
    }

    /// Runs `what` with a fault at call `at`, counted from 0; its result, and how many calls were
    /// made.
    pub(crate) fn with<T>(at: u64, fault: Fault, what: impl FnOnce() -> T) -> (T, u64) {
        CALLS.set(0);
        PLAN.set(Some((at, fault)));
        let result = what();
        PLAN.set(None);
        (result, CALLS.get())
    }

    pub(crate) fn fault() -> io::Result<()> {
        allowed(0).map(drop)
    }

    pub(crate) fn allowed(bytes: usize) -> io::Result<usize> {
        let call = CALLS.get();
        CALLS.set(call + 1);
        let Some((at, fault)) = PLAN.get() else { return Ok(bytes) };
        let refused = |number| Err(io::Error::from_raw_os_error(number));
        match fault {
            Fault::Once(number) if call == at => refused(number),
            Fault::FromThen(number) if call >= at => refused(number),
            Fault::Short | Fault::Torn(_) if call == at => Ok(bytes.div_ceil(2)),
            Fault::Torn(number) if call > at => refused(number),
            _ => Ok(bytes),
        }
    }
}
