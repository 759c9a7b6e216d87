//! Ranks as threads of one process: what needs no MPI to be tested.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::ranks::interface::{Gathered, Join, Ranks};

/// One of several ranks in this process. Where one is dropped, the others' calls fail.
pub struct Inside {
    rank: usize,
    size: usize,
    place: Arc<(Mutex<Meeting>, Condvar)>,
}

/// A call that ranks come to, one after the other.
struct Meeting {
    given: Vec<Option<Vec<u8>>>,
    /// What was gathered, until all have taken it.
    gathered: Result<Gathered>,
    to_take: usize,
    /// A rank has ended.
    is_left: bool,
}

impl Inside {
    /// All ranks of one run.
    pub fn of(size: usize) -> Vec<Self> {
        let gathered = Ok(Gathered::default());
        let meeting = Meeting { given: vec![None; size], gathered, to_take: 0, is_left: false };
        let place = Arc::new((Mutex::new(meeting), Condvar::new()));
        (0..size).map(|rank| Self { rank, size, place: place.clone() }).collect()
    }

    fn enter(&self) -> MutexGuard<'_, Meeting> {
        self.place.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last rank to come makes of what all have given.
    fn meet(&self, mine: Vec<u8>, make: impl FnOnce(&[Vec<u8>]) -> Result<Gathered>) -> Result<Gathered> {
        let mut meeting = self.enter();
        while meeting.to_take > 0 && !meeting.is_left {
            meeting = self.wait(meeting); // the call before this one
        }
        meeting.given[self.rank] = Some(mine);
        if meeting.given.iter().all(Option::is_some) {
            let given: Vec<Vec<u8>> = meeting.given.iter_mut().filter_map(Option::take).collect();
            (meeting.gathered, meeting.to_take) = (make(&given), self.size);
            self.place.1.notify_all();
        }
        while meeting.given[self.rank].is_some() {
            if meeting.is_left {
                return Err(Error::device(
                    "another rank of this run has ended; start the run again with `localmax resume`",
                ));
            }
            meeting = self.wait(meeting);
        }
        meeting.to_take -= 1;
        if meeting.to_take == 0 {
            self.place.1.notify_all();
        }
        match &meeting.gathered {
            Ok(gathered) => Ok(gathered.clone()),
            Err(error) => Err(Error::device(error.to_string())),
        }
    }

    fn wait<'a>(&'a self, meeting: MutexGuard<'a, Meeting>) -> MutexGuard<'a, Meeting> {
        self.place.1.wait(meeting).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ranks for Inside {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn all_gather(&self, mine: &[u8]) -> Result<Gathered> {
        self.meet(mine.to_vec(), |given| {
            let counts: Vec<usize> = given.iter().map(Vec::len).collect();
            Ok(Gathered::new(given.concat(), &counts))
        })
    }

    fn reduce(&self, join: Join, words: &mut [u64]) -> Result<()> {
        let mine = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let joined = self.meet(mine, |given| {
            let mut words = vec![0; given[0].len() / 8];
            join.all(given.iter().map(Vec::as_slice), &mut words)?;
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            let count = bytes.len();
            Ok(Gathered::new(bytes, &[count]))
        })?;
        join.all(joined.iter(), words)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.enter().is_left = true;
        self.place.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// A rank that saw the bytes of another call, or waited for one that has ended, would make a run that
    /// is wrong or never ends.
    #[test]
    fn ranks_meet_in_every_call_and_none_waits_for_ever() {
        for size in [1, 2, 3, 7, 64] {
            thread::scope(|scope| {
                for ranks in Inside::of(size) {
                    scope.spawn(move || {
                        for call in 0..50u8 {
                            let mine = vec![call; (ranks.rank() + call as usize) % 5];
                            let all = ranks.all_gather(&mine).unwrap();
                            let is_right =
                                |(rank, bytes): (usize, &[u8])| bytes == vec![call; (rank + call as usize) % 5];
                            assert!(all.iter().enumerate().all(is_right), "{size} ranks, call {call}");
                            let (rank, size) = (ranks.rank() as u64, size as u64);
                            let sum = size * u64::from(call) + size * (size - 1) / 2;
                            for (join, last) in
                                [(Join::Or, u64::MAX >> (64 - size)), (Join::Sum, sum), (Join::Max, size - 1)]
                            {
                                let mine = [1 << rank, u64::from(call) + rank, rank];
                                let mut words = [0, mine[join as usize]];
                                ranks.reduce(join, &mut words).unwrap();
                                assert_eq!(words, [0, last], "{size} ranks, call {call}");
                            }
                        }
                        if size > 1 && ranks.rank() > 0 {
                            assert!(ranks.all_gather(&[]).is_err());
                        }
                    });
                }
            });
        }
    }
}
