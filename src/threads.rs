//! The threads of an engine: a pool of its own, or the calling thread where the platform starts
//! none, as in a browser.

use std::error::Error as _;
use std::io;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// Threads that work is handed to; none of its own on a platform without.
#[derive(Debug)]
pub(crate) struct Pool(Option<ThreadPool>);

impl Pool {
    /// Starts this many threads, one a core if no number is given.
    ///
    /// # Errors
    /// 0 threads; threads that cannot be started.
    pub(crate) fn start(threads: Option<usize>) -> Result<Self> {
        if threads == Some(0) {
            return Err(Error::input("0 threads; give at least 1, or leave it out for one a core"));
        }
        let threads = threads.unwrap_or(0); // rayon's word for one a core
        match ThreadPoolBuilder::new().num_threads(threads).build() {
            Ok(pool) => Ok(Self(Some(pool))),
            Err(e) if has_no_threads(&e) => Ok(Self(None)),
            Err(e) => Err(Error::device(format!("cannot start {threads} threads: {e}; ask for fewer"))),
        }
    }

    /// Runs `work`, with what it does in parallel, on these threads.
    pub(crate) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Runs `work` once on every thread.
    pub(crate) fn broadcast<R: Send>(&self, work: impl Fn() -> R + Sync) -> Vec<R> {
        match &self.0 {
            Some(pool) => pool.broadcast(|_| work()),
            None => vec![work()],
        }
    }

    /// Number of threads.
    pub(crate) fn count(&self) -> usize {
        self.0.as_ref().map_or(1, ThreadPool::current_num_threads)
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

    /// In a browser every parallel loop runs on the one thread that there is; it must come to the
    /// same.
    #[test]
    fn work_runs_with_threads_and_without() {
        for (pool, count) in [(Pool::start(Some(2)).unwrap(), 2), (Pool(None), 1)] {
            assert_eq!(pool.count(), count);
            assert_eq!(pool.install(|| (0..100u32).into_par_iter().map(|x| x * x).sum::<u32>()), 328_350);
        }
        assert!(Pool::start(Some(0)).unwrap_err().to_string().starts_with("0 threads"));
    }
}
