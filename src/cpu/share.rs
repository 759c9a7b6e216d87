//! What one rank of several computes of a step, and how it hears of the rest ([`crate::ranks`]).
//!
//! Rows are dealt out in chunks, one to each rank in turn, as their costs differ from place to place and
//! are alike in neighbours. All ranks hold all rows, so what follows a step is the same on all of them.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::ranks::{Alone, Gathered, Ranks, Shared};
use crate::threads::Pool;

/// The share of this process, and the flag that it looks at.
#[derive(Clone)]
pub(crate) struct Share {
    pub(crate) interrupt: Interrupt,
    ranks: Shared,
}

/// Rows of a step, of which every rank has computed its chunks.
pub(crate) struct Rows<'a, X> {
    /// Rows in a chunk, and coordinates in a row.
    pub(crate) chunk: usize,
    pub(crate) d: usize,
    pub(crate) x: &'a mut [X],
    pub(crate) argmax: &'a mut [u32],
    pub(crate) count: &'a mut [u32],
}

impl Default for Share {
    fn default() -> Self {
        Self::of(Arc::new(Alone))
    }
}

impl Share {
    /// The share of a rank.
    pub(crate) fn of(ranks: Shared) -> Self {
        Self { interrupt: Interrupt::default(), ranks }
    }

    /// Whether there is no other rank.
    pub(crate) fn is_alone(&self) -> bool {
        self.ranks.size() == 1
    }

    /// The ranks themselves.
    pub(crate) fn ranks(&self) -> &dyn Ranks {
        self.ranks.as_ref()
    }

    /// The number of ranks.
    pub(crate) fn size(&self) -> usize {
        self.ranks.size()
    }

    /// Whether this rank computes a chunk.
    pub(crate) fn has(&self, chunk: usize) -> bool {
        chunk % self.ranks.size() == self.ranks.rank()
    }

    /// As [`Interrupt::whole_steps`]. One of several ranks cannot leave the others between two steps, and
    /// tells them in the next one.
    pub(crate) fn whole_steps<S, R>(&self, steps: &[S], take: impl FnMut(&S) -> Result<R>) -> Result<Vec<R>> {
        let interrupt = if self.is_alone() { self.interrupt.clone() } else { Interrupt::default() };
        interrupt.whole_steps(steps, take)
    }

    /// Runs a step of n rows on a pool, whose threads must not wait for other ranks.
    pub(crate) fn install<R: Send>(&self, pool: &Pool, n: usize, step: impl FnOnce() -> R + Send) -> R {
        if self.is_alone() { pool.install_for(n, step) } else { pool.lend(step) }
    }

    /// Whether no rank was interrupted.
    ///
    /// # Errors
    /// [`Error::Interrupted`] on all ranks, where one was; a rank that cannot be reached.
    pub(crate) fn check(&self) -> Result<()> {
        require_none(&self.ranks.all_gather(&[u8::from(self.interrupt.is_raised())])?)
    }

    /// Puts the rows of all ranks in their places and adds up their counts. A rank that has left its rows,
    /// as their cost tells, gives none; then nobody takes any.
    ///
    /// # Errors
    /// [`Error::Interrupted`] on all ranks, where one was; a rank that cannot be reached, or took another
    /// step.
    pub(crate) fn gather<X: Word, const N: usize>(
        &self,
        is_left: bool,
        counts: [u64; N],
        rows: Rows<'_, X>,
    ) -> Result<[u64; N]> {
        let is_interrupted = self.interrupt.is_raised();
        if self.is_alone() {
            return if is_interrupted { Err(Error::Interrupted("interrupted".into())) } else { Ok(counts) };
        }
        let is_left = is_left || is_interrupted;
        let mut told = vec![u8::from(is_interrupted), u8::from(is_left)];
        told.extend(counts.iter().flat_map(|count| count.to_ne_bytes()));
        if !is_left {
            rows.tell(self.ranks.rank(), self.ranks.size(), &mut told);
        }
        let all = self.ranks.all_gather(&told)?;
        require_none(&all)?;
        let head = 2 + 8 * N;
        let apart =
            || Error::device("the ranks of this run took different steps; start the same program on all of them");
        let mut sums = [0; N];
        for told in all.iter() {
            let counts = told.get(2..head).ok_or_else(apart)?.chunks_exact(8).map(u64::from_bytes);
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        if all.iter().all(|told| told[1] == 0) {
            let (rank, size) = (self.ranks.rank(), self.ranks.size());
            rows.hear(rank, size, |rank| &all.of(rank)[head..]).ok_or_else(apart)?;
        }
        Ok(sums)
    }
}

/// # Errors
/// [`Error::Interrupted`]: the first byte of some rank is 1.
fn require_none(all: &Gathered) -> Result<()> {
    let raised = all.iter().any(|told| told.first() == Some(&1));
    if raised { Err(Error::Interrupted("interrupted".into())) } else { Ok(()) }
}

impl<X: Word> Rows<'_, X> {
    /// Appends the chunks of a rank.
    fn tell(&self, rank: usize, size: usize, into: &mut Vec<u8>) {
        let bytes = X::BYTES * self.d + 8;
        into.reserve(bytes * (self.count.len() / size + self.chunk));
        for at in (rank * self.chunk..self.count.len()).step_by(size * self.chunk) {
            let end = self.count.len().min(at + self.chunk);
            self.x[at * self.d..end * self.d].iter().for_each(|x| x.put(into));
            self.argmax[at..end].iter().for_each(|x| x.put(into));
            self.count[at..end].iter().for_each(|x| x.put(into));
        }
    }

    /// Takes the chunks of the others; None where one has told more or fewer rows than it computes.
    fn hear<'b>(self, rank: usize, size: usize, told: impl Fn(usize) -> &'b [u8]) -> Option<()> {
        let n = self.count.len();
        for other in (0..size).filter(|&other| other != rank) {
            let mut rest = told(other);
            for at in (other * self.chunk..n).step_by(size * self.chunk) {
                let end = n.min(at + self.chunk);
                take(&mut rest, &mut self.x[at * self.d..end * self.d])?;
                take(&mut rest, &mut self.argmax[at..end])?;
                take(&mut rest, &mut self.count[at..end])?;
            }
            rest.is_empty().then_some(())?;
        }
        Some(())
    }
}

pub(crate) fn take<X: Word>(from: &mut &[u8], into: &mut [X]) -> Option<()> {
    let (bytes, rest) = from.split_at_checked(into.len() * X::BYTES)?;
    into.iter_mut().zip(bytes.chunks_exact(X::BYTES)).for_each(|(x, bytes)| *x = X::from_bytes(bytes));
    *from = rest;
    Some(())
}

/// A number as bytes of this machine; ranks are of one kind.
pub(crate) trait Word: Copy {
    const BYTES: usize;
    fn put(self, into: &mut Vec<u8>);
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! word {
    ($($word:ty)*) => {$(
        impl Word for $word {
            const BYTES: usize = size_of::<$word>();

            fn put(self, into: &mut Vec<u8>) {
                into.extend_from_slice(&self.to_ne_bytes());
            }

            fn from_bytes(bytes: &[u8]) -> Self {
                bytes.try_into().map_or_else(|_| Self::default(), <$word>::from_ne_bytes)
            }
        }
    )*};
}

word!(i32 i64 u32 u64 f32 f64);
