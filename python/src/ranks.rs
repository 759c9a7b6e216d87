//! Ranks through a communicator of mpi4py's, or any object with its methods: the wheel links no MPI.

use std::sync::Arc;

use localmax::ranks::{Alone, Gathered, Ranks, Shared, in_rounds};
use localmax::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

/// MPI counts bytes in 32 bits.
const MOST: usize = 1 << 30;

/// A communicator. It is called from another thread than Python's main one, which waits meanwhile.
struct Communicator {
    comm: Py<PyAny>,
    rank: usize,
    size: usize,
}

/// The ranks of a communicator; this process alone without one.
///
/// # Errors
/// An object that is no communicator.
pub(crate) fn of(comm: Option<&Bound<'_, PyAny>>) -> PyResult<Shared> {
    let Some(comm) = comm else { return Ok(Arc::new(Alone)) };
    let [rank, size] = ["Get_rank", "Get_size"].map(|name| comm.call_method0(name)?.extract());
    Ok(Arc::new(Communicator { comm: comm.clone().unbind(), rank: rank?, size: size? }))
}

impl Communicator {
    fn call<T>(&self, work: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Result<T> {
        Python::attach(|py| work(self.comm.bind(py)))
            .map_err(|error| Error::device(format!("the communicator: {error}")))
    }
}

impl Ranks for Communicator {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_gather(&self, mine: &[u8]) -> Result<Gathered> {
        let counts: Vec<usize> = self.call(|comm| comm.call_method1("allgather", (mine.len(),))?.extract())?;
        in_rounds(mine, &counts, MOST, |mine, counts| {
            self.call(|comm| {
                let total = counts.iter().sum();
                let all = PyByteArray::new_with(comm.py(), total, |_| Ok(()))?;
                if total > 0 {
                    let own = PyBytes::new(comm.py(), mine);
                    comm.call_method1("Allgatherv", (own, (&all, counts.to_vec())))?;
                }
                Ok(all.to_vec())
            })
        })
    }
}
