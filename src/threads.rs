//! The threads of the program: one pool, which engines, clouds and measures share; a pool of an
//! engine's own where a number is asked for; or the calling thread where the platform starts none,
//! as in a browser.

use std::error::Error as _;
use std::io;
use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};
use crate::machine;

/// Environment variable with the number of threads of the shared pool.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Threads that are started at most, on a machine with fewer cores.
const MOST: usize = 1024;

/// Number of threads of the shared pool.
static STARTED: OnceLock<Result<usize, String>> = OnceLock::new();

/// Starts the shared pool, once in a process: with this many threads, or else with the number in
/// the environment, or else with one a core.
///
/// # Errors
/// Far more threads than cores; threads that cannot be started.
pub(crate) fn start(threads: Option<usize>) -> Result<()> {
    if cfg!(target_family = "wasm") {
        return Ok(()); // by itself the pool takes the calling thread where there are no others
    }
    // The number of cores is read from files, which takes longer than the steps of a small cloud.
    if let (None, Some(started)) = (threads, STARTED.get()) {
        return started.as_ref().map(drop).map_err(Error::device);
    }
    let threads = threads.unwrap_or_else(default);
    check(threads)?;
    let begin = || match ThreadPoolBuilder::new().num_threads(threads).build_global() {
        Ok(()) => Ok(threads),
        Err(e) if e.source().is_some() => {
            Err(format!("cannot start {threads} threads: {e}; ask for fewer with --threads or {VARIABLE}"))
        }
        Err(_) => Ok(rayon::current_num_threads()), // a program around this library has started it
    };
    STARTED.get_or_init(begin).as_ref().map(drop).map_err(Error::device)
}

/// # Errors
/// More threads than any work here is shared among, unless the machine has as many.
fn check(threads: usize) -> Result<()> {
    let (cores, most) = (machine::threads(), MOST.max(machine::threads()));
    if threads > most {
        return Err(Error::input(format!("{threads} threads; at most {most}, and one a core, {cores}, is fastest")));
    }
    Ok(())
}

/// Number of threads of the shared pool, or that it would have.
pub(crate) fn count() -> usize {
    STARTED.get().and_then(|started| started.as_ref().ok().copied()).unwrap_or_else(default)
}

fn default() -> usize {
    let asked = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    asked.filter(|threads| *threads > 0).unwrap_or_else(machine::threads)
}

/// Rows below which work on them is over before another thread has woken up.
const FEW_ROWS: usize = 1000;

/// Threads that work is handed to.
#[derive(Debug)]
pub enum Pool {
    /// The shared pool, or the calling thread on a platform without threads.
    Shared,
    /// Threads of its own.
    Own(ThreadPool),
}

impl Pool {
    /// The shared pool; this many threads of its own if a number is given.
    ///
    /// # Errors
    /// 0 threads, or far more than cores; threads that cannot be started.
    pub fn start(threads: Option<usize>) -> Result<Self> {
        threads.map_or(Ok(()), check)?;
        match threads {
            None => start(None).map(|()| Self::Shared),
            Some(0) => Err(Error::input("0 threads; give at least 1, or leave it out for one a core")),
            Some(threads) => match ThreadPoolBuilder::new().num_threads(threads).build() {
                Ok(pool) => Ok(Self::Own(pool)),
                Err(e) if has_no_threads(&e) => Ok(Self::Shared),
                Err(e) => Err(Error::device(format!("cannot start {threads} threads: {e}; ask for fewer"))),
            },
        }
    }

    /// Runs `work`, with what it does in parallel, on these threads.
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match self {
            Self::Own(pool) => pool.install(work),
            Self::Shared => rayon::scope(|_| work()),
        }
    }

    /// As [`Pool::install`] for work on n rows; on the calling thread where they are too few to be
    /// handed over.
    pub fn install_for<R: Send>(&self, n: usize, work: impl FnOnce() -> R + Send) -> R {
        if matches!(self, Self::Shared) && n < FEW_ROWS { work() } else { self.install(work) }
    }

    /// As [`Pool::install`], but shared threads are taken only for what is done in parallel: `work` may wait
    /// for something else in between.
    pub(crate) fn lend<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        if matches!(self, Self::Shared) { work() } else { self.install(work) }
    }

    /// Runs `work` once on every thread.
    pub(crate) fn broadcast<R: Send>(&self, work: impl Fn() -> R + Sync) -> Vec<R> {
        match self {
            Self::Own(pool) => pool.broadcast(|_| work()),
            Self::Shared => rayon::broadcast(|_| work()),
        }
    }

    /// Number of threads.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Own(pool) => pool.current_num_threads(),
            Self::Shared => rayon::current_num_threads(),
        }
    }
}

/// Whether the platform has no threads at all.
fn has_no_threads(error: &rayon::ThreadPoolBuildError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// So many threads take longer to start than anyone waits: a number with a digit too many must
    /// not look like a run that hangs.
    #[test]
    fn far_more_threads_than_cores_are_refused() {
        let error = Pool::start(Some(100_000)).unwrap_err().to_string();
        assert!(error.starts_with("100000 threads; at most "), "{error}");
    }

    /// A loop must come to the same on the shared threads and on an engine's own.
    #[test]
    fn work_runs_on_either_pool() {
        for (pool, threads) in [(Pool::start(Some(2)).unwrap(), 2), (Pool::start(None).unwrap(), count())] {
            assert_eq!((pool.count(), pool.broadcast(|| ()).len()), (threads, threads));
            assert_eq!(pool.install(|| (0..100u32).into_par_iter().map(|x| x * x).sum::<u32>()), 328_350);
        }
        assert!(Pool::start(Some(0)).unwrap_err().to_string().starts_with("0 threads"));
    }
}
