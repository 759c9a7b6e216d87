//! Ranks through a communicator of mpi4py's, or any object with its methods: the wheel links no MPI.

use std::sync::Arc;

use localmax::ranks::{Alone, Gathered, Join, Ranks, Shared, in_rounds, reduce_by_gather};
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

    fn reduce(&self, join: Join, words: &mut [u64]) -> Result<()> {
        let operation = match join {
            Join::Or => "BOR",
            Join::Sum => "SUM",
            Join::Max => "MAX",
        };
        let mine: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let joined = self.call(|comm| {
            // A communicator of mpi4py's has loaded it; another one has no operations of MPI's.
            let loaded = comm.py().import("sys")?.getattr("modules")?.call_method1("get", ("mpi4py.MPI",))?;
            if loaded.is_none() || !comm.is_instance(&loaded.getattr("Comm")?)? {
                return Ok(None);
            }
            let (word, operation) = (loaded.getattr("UINT64_T")?, loaded.getattr(operation)?);
            let all = PyByteArray::new_with(comm.py(), mine.len(), |_| Ok(()))?;
            let own = PyBytes::new(comm.py(), &mine);
            comm.call_method1("Allreduce", ((own, &word), (&all, &word), operation))?;
            Ok(Some(all.to_vec()))
        })?;
        let Some(joined) = joined else { return reduce_by_gather(self, join, words) };
        for (word, bytes) in words.iter_mut().zip(joined.chunks_exact(8)) {
            *word = bytes.try_into().map_or(0, u64::from_ne_bytes);
        }
        Ok(())
    }
}
