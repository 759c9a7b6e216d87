//! The processes that MPI has started.

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _};

use crate::error::{Error, Result};
use crate::ranks::interface::{Gathered, Join, Ranks, in_rounds};

/// MPI counts bytes, and where they begin, in 32 bits.
const MOST: usize = 1 << 30;

/// Every process of MPI's world. Where it is dropped MPI ends, so it must outlive what is done together.
pub struct World {
    rank: usize,
    size: usize,
    _universe: Universe,
}

impl World {
    /// Joins the other processes, of which a launcher has started so many with this one, as a variable says.
    /// The thread that calls is the one that may gather.
    ///
    /// # Errors
    /// An MPI that was begun before, without threads, or that sees other processes.
    pub fn join(launched: usize, variable: &str) -> Result<Self> {
        let begun = mpi::initialize_with_threading(Threading::Funneled);
        let (universe, threading) = begun.ok_or_else(|| Error::device("MPI was begun before in this process"))?;
        if threading < Threading::Funneled {
            return Err(Error::device("this MPI is built without threads; take one that has MPI_THREAD_FUNNELED"));
        }
        let world = SimpleCommunicator::world();
        let [rank, size] = [world.rank(), world.size()].map(|count| count as usize);
        if size != launched {
            return Err(Error::device(format!(
                "{launched} processes were started together ({variable}), and MPI sees {size}: start them with the mpirun of the MPI \
                 that localmax was built with, or with srun --mpi=pmix"
            )));
        }
        Ok(Self { rank, size, _universe: universe })
    }
}

impl Ranks for World {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_gather(&self, mine: &[u8]) -> Result<Gathered> {
        let world = SimpleCommunicator::world();
        let mut counts = vec![0u64; self.size];
        world.all_gather_into(&(mine.len() as u64), &mut counts[..]);
        let counts: Vec<usize> = counts.into_iter().map(|count| count as usize).collect();
        in_rounds(mine, &counts, MOST, |mine, counts| {
            // The address of an empty slice is 1, which Open MPI takes for MPI_IN_PLACE: no buffer is empty.
            let mut own = Vec::with_capacity(mine.len() + 1);
            own.extend_from_slice(mine);
            let total: usize = counts.iter().sum();
            let mut all = Vec::with_capacity(total + 1);
            all.resize(total, 0u8);
            let counts: Vec<i32> = counts.iter().map(|&count| count as i32).collect();
            let starts = counts.iter().scan(0, |start, count| {
                *start += count;
                Some(*start - count)
            });
            let starts: Vec<i32> = starts.collect();
            world.all_gather_varcount_into(&own[..], &mut PartitionMut::new(&mut all[..], &counts[..], &starts[..]));
            Ok(all)
        })
    }

    fn reduce(&self, join: Join, words: &mut [u64]) -> Result<()> {
        let world = SimpleCommunicator::world();
        let operation = match join {
            Join::Or => SystemOperation::bitwise_or(),
            Join::Sum => SystemOperation::sum(),
            Join::Max => SystemOperation::max(),
        };
        // Never empty: see above.
        for words in words.chunks_mut(MOST / 8) {
            let mine = words.to_vec();
            world.all_reduce_into(&mine[..], words, operation);
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The others wait for a rank that will not come.
        if std::thread::panicking() {
            SimpleCommunicator::world().abort(101);
        }
    }
}
