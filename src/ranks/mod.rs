//! Ranks: processes that share one run, and the two things that they do together: to gather bytes, and to
//! join numbers.
//!
//! Every rank holds the whole state, or under plan `opened` a part of it. It computes its share of the rows of
//! a step, and hears of the others what it needs: all rows, or boxes and keys. Where all hold the whole state,
//! what decides over plans and sorts is added up over all ranks on the way. A row is computed as one process
//! alone would, so no bit depends on the number of ranks.
//!
//! | file | holds |
//! |---|---|
//! | `interface` | the trait, one process alone, and what ranks agree on |
//! | `launch` | what a launcher of processes, such as mpirun, says in the environment |
//! | `inside` | ranks as threads of one process |
//! | `world` | the processes that MPI has started (feature `mpi`) |

mod inside;
mod interface;
mod launch;
#[cfg(feature = "mpi")]
mod world;

pub use inside::Inside;
pub use interface::{Alone, Gathered, Join, Ranks, Shared, agree, in_rounds, reduce_by_gather};
pub use launch::{launched, local_rank};
#[cfg(feature = "mpi")]
pub use world::World;
