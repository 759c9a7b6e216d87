//! The trait of ranks, and what they do with the one call that it has.

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
}

/// Ranks that an engine and its caller share.
pub type Shared = Arc<dyn Ranks>;

/// The bytes of every rank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gathered {
    bytes: Vec<u8>,
    /// Where each rank's bytes end.
    ends: Vec<usize>,
}

impl Gathered {
    /// Bytes in the order of ranks, of which each gave as many as `counts` says.
    pub fn new(bytes: Vec<u8>, counts: &[usize]) -> Self {
        let ends = counts.iter().scan(0, |end, count| {
            *end += count;
            Some(*end)
        });
        Self { ends: ends.collect(), bytes }
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
    let mut whole = Gathered::new(vec![0; counts.iter().sum()], counts);
    for from in (0..longest).step_by(part) {
        let of = |count: usize| count.min(from + part).saturating_sub(from);
        let now: Vec<usize> = counts.iter().map(|&count| of(count)).collect();
        let bytes = gather(&mine[mine.len().min(from)..][..of(mine.len())], &now)?;
        let mut at = 0;
        for (rank, &count) in now.iter().enumerate() {
            let start = whole.ends[rank] - counts[rank] + from.min(counts[rank]);
            whole.bytes[start..start + count].copy_from_slice(&bytes[at..at + count]);
            at += count;
        }
    }
    Ok(whole)
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
