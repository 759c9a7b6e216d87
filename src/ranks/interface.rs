//! The trait of ranks, and what they do with its two calls.

use std::sync::Arc;

use crate::error::{Error, Result};

/// The ranks of one run, as one of them sees them.
///
/// All ranks make the same calls in the same order, from one thread each.
pub trait Ranks: Send + Sync {
    /// The number of this rank, from 0. Rank 0 owns the run's folder and decides when it ends.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// Every rank's bytes, of which each gives as many as it likes.
    ///
    /// # Errors
    /// [`Error::Device`]: another rank has ended, or cannot be reached.
    fn all_gather(&self, mine: &[u8]) -> Result<Gathered>;

    /// Joins the words of all ranks, place by place; each gives as many. A transport that does this itself
    /// receives the words once, not once from every rank.
    ///
    /// # Errors
    /// As [`Ranks::all_gather`]; a rank with more or fewer words.
    fn reduce(&self, join: Join, words: &mut [u64]) -> Result<()> {
        reduce_by_gather(self, join, words)
    }
}

/// [`Ranks::reduce`] of a transport that can only gather: every rank receives the words of all.
///
/// # Errors
/// As [`Ranks::reduce`].
pub fn reduce_by_gather(ranks: &(impl Ranks + ?Sized), join: Join, words: &mut [u64]) -> Result<()> {
    let mine: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    join.all(ranks.all_gather(&mine)?.iter(), words)
}

/// What becomes of the words of all ranks. None of the three depends on their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// The bits that any rank has.
    Or,
    /// The sum, modulo 2^64.
    Sum,
    /// The largest.
    Max,
}

impl Join {
    /// Two words as one.
    pub fn two(self, a: u64, b: u64) -> u64 {
        match self {
            Self::Or => a | b,
            Self::Sum => a.wrapping_add(b),
            Self::Max => a.max(b),
        }
    }

    /// Joins the words of all ranks, as bytes of this machine.
    pub(super) fn all<'a>(self, all: impl Iterator<Item = &'a [u8]>, words: &mut [u64]) -> Result<()> {
        words.fill(0);
        for bytes in all {
            if bytes.len() != 8 * words.len() {
                return Err(Error::device(
                    "the ranks of this run are at different places; start the same program on all of them",
                ));
            }
            for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
                *word = self.two(*word, bytes.try_into().map_or(0, u64::from_ne_bytes));
            }
        }
        Ok(())
    }
}

/// Ranks that an engine and its caller share.
pub type Shared = Arc<dyn Ranks>;

/// The bytes of every rank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    bytes: Arc<Vec<u8>>,
    /// Where each rank's bytes end.
    ends: Arc<Vec<usize>>,
}

impl Gathered {
    /// Bytes in the order of ranks, of which each gave as many as `counts` says.
    pub fn new(bytes: Vec<u8>, counts: &[usize]) -> Self {
        let ends = counts.iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        });
        Self { ends: Arc::new(ends.collect()), bytes: Arc::new(bytes) }
    }

    /// The bytes of one rank.
    pub fn of(&self, rank: usize) -> &[u8] {
        let start = if rank == 0 { 0 } else { self.ends[rank - 1] };
        &self.bytes[start..self.ends[rank]]
    }

    /// The bytes of all ranks, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|rank| self.of(rank))
    }
}

/// Gathers bytes in rounds of a limited size, as transports count in 32 bits: `gather` has all ranks' bytes
/// of one round, given this rank's and what every rank gives.
///
/// # Errors
/// The errors of `gather`.
pub fn in_rounds(
    mine: &[u8],
    counts: &[usize],
    most: usize,
    mut gather: impl FnMut(&[u8], &[usize]) -> Result<Vec<u8>>,
) -> Result<Gathered> {
    let (part, longest) = ((most / counts.len()).max(1), counts.iter().copied().max().unwrap_or(0));
    if longest <= part {
        return Ok(Gathered::new(gather(mine, counts)?, counts));
    }
    let mut whole = vec![0; counts.iter().sum()];
    let ends = Gathered::new(Vec::new(), counts).ends;
    for from in (0..longest).step_by(part) {
        let of = |count: usize| count.min(from + part).saturating_sub(from);
        let now: Vec<usize> = counts.iter().map(|&count| of(count)).collect();
        let bytes = gather(&mine[mine.len().min(from)..][..of(mine.len())], &now)?;
        let mut at = 0;
        for (rank, &count) in now.iter().enumerate() {
            let start = ends[rank] - counts[rank] + from.min(counts[rank]);
            whole[start..start + count].copy_from_slice(&bytes[at..at + count]);
            at += count;
        }
    }
    Ok(Gathered::new(whole, counts))
}

/// This process alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_gather(&self, mine: &[u8]) -> Result<Gathered> {
        Ok(Gathered::new(mine.to_vec(), &[mine.len()]))
    }
}

/// What every rank has made, if all have made something.
///
/// # Errors
/// This rank's own error; where it has none, that of the first rank that has one.
pub fn agree<T>(ranks: &dyn Ranks, mine: Result<T>) -> Result<T> {
    let told = match &mine {
        Ok(_) => Vec::new(),
        Err(error) => [&[error.exit_status()], error.to_string().as_bytes()].concat(),
    };
    let all = ranks.all_gather(&told)?;
    let made = mine?;
    let first = all.iter().enumerate().find_map(|(rank, told)| Some((rank, told.split_first()?)));
    let Some((rank, (status, text))) = first else { return Ok(made) };
    let text = format!("rank {rank}: {}", String::from_utf8_lossy(text));
    Err(match status {
        3 => Error::Device(text),
        4 => Error::Interrupted(text),
        _ => Error::input(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than 2^31 bytes go in rounds: a byte in the wrong place would be another token.
    #[test]
    fn rounds_put_every_byte_in_its_place() {
        let all: Vec<Vec<u8>> =
            [0usize, 7, 30, 1].iter().map(|&n| (0..n).map(|i| (10 * n + i) as u8).collect()).collect();
        let counts: Vec<usize> = all.iter().map(Vec::len).collect();
        for most in [1, 4, 9, 40, 120, 1000] {
            let mut from = 0;
            let gather = |mine: &[u8], now: &[usize]| {
                let of = |(bytes, &count): (&Vec<u8>, &usize)| bytes[bytes.len().min(from)..][..count].to_vec();
                let bytes = all.iter().zip(now).flat_map(of).collect();
                assert_eq!(mine, &all[2][from..][..now[2]]);
                from += now.iter().max().unwrap();
                Ok(bytes)
            };
            let found = in_rounds(&all[2], &counts, most, gather).unwrap();
            assert!(found.iter().eq(all.iter().map(Vec::as_slice)), "rounds of {most} bytes");
        }
    }
}
