//! Ranks as threads of one process: what needs no MPI to be tested.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::ranks::interface::{Gathered, Ranks};

/// One of several ranks in this process. Where one is dropped, the others' calls fail.
pub struct Inside {
    rank: usize,
    size: usize,
    place: Arc<(Mutex<Meeting>, Condvar)>,
}

/// A call that ranks come to, one after the other.
#[derive(Default)]
struct Meeting {
    given: Vec<Option<Vec<u8>>>,
    /// What was gathered, until all have taken it.
    gathered: Gathered,
    to_take: usize,
    /// A rank has ended.
    is_left: bool,
}

impl Inside {
    /// All ranks of one run.
    pub fn of(size: usize) -> Vec<Self> {
        let meeting = Meeting { given: vec![None; size], ..Meeting::default() };
        let place = Arc::new((Mutex::new(meeting), Condvar::new()));
        (0..size).map(|rank| Self { rank, size, place: place.clone() }).collect()
    }

    fn enter(&self) -> MutexGuard<'_, Meeting> {
        self.place.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut meeting = self.enter();
        while meeting.to_take > 0 && !meeting.is_left {
            meeting = self.wait(meeting); // the call before this one
        }
        meeting.given[self.rank] = Some(mine.to_vec());
        if meeting.given.iter().all(Option::is_some) {
            let given: Vec<Vec<u8>> = meeting.given.iter_mut().filter_map(Option::take).collect();
            let counts: Vec<usize> = given.iter().map(Vec::len).collect();
            (meeting.gathered, meeting.to_take) = (Gathered::new(given.concat(), &counts), self.size);
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
        self.place.1.notify_all();
        Ok(meeting.gathered.clone())
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
