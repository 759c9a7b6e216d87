//! The processes that a launcher, such as mpirun, started together: ranks of one run.

use std::sync::Arc;

use anyhow::Result;

use super::interrupt;
use crate::error::Error;
use crate::io::config::Config;
use crate::io::npy;
use crate::ranks::{Alone, Shared, launched};
use crate::run::among;

/// The ranks that this process is one of; this one alone where no launcher started it with others.
///
/// # Errors
/// Others, and a build without MPI; an MPI that does not see them.
pub(super) fn join() -> Result<Shared, Error> {
    let Some((count, variable)) = launched() else { return Ok(Arc::new(Alone)) };
    #[cfg(feature = "mpi")]
    return crate::ranks::World::join(count, variable).map(|world| Arc::new(world) as _);
    #[cfg(not(feature = "mpi"))]
    Err(Error::input(format!(
        "one of {count} processes that were started together ({variable} = {count}), each of which would take the \
         whole run: this localmax is built without MPI, so build it with `cargo install localmax --features mpi`, \
         or unset {variable} for {count} runs that have nothing to do with one another"
    )))
}

/// Follows rank 0 through its run, as [`among::follow`] does.
/// Prints nothing: rank 0 speaks for all.
pub(super) fn follow(ranks: &Shared, config: impl Fn(&str, npy::Header) -> Result<Config, Error>) -> Result<()> {
    interrupt::watch("", None)?;
    interrupt::begin("rank 0 keeps what there is of the run");
    Ok(among::follow(ranks, &interrupt::flag(), config)?)
}
