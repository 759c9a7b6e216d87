//! Which tokens a rank holds.
//!
//! The cloud is halved along its widest axis, and each part again, until there is one for every rank: neighbours
//! come to one rank, which then needs little of the others.

use crate::cpu::share::{Word, take};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::ranks::Ranks;
use crate::tokens::Tokens;

/// Tokens that are dealt out at once.
const DEALT: usize = 1 << 18;

/// The tokens of one of several ranks, on their lattice.
#[derive(Clone, Debug)]
pub struct Dealt {
    /// The number of all tokens, and their dimension.
    pub(crate) n: usize,
    pub(crate) d: usize,
    /// The tokens held, ascending.
    pub(crate) ids: Vec<u32>,
    /// Their coordinates, row-major.
    pub(crate) x: Vec<i64>,
}

impl Dealt {
    /// The dimension of the tokens.
    pub fn d(&self) -> usize {
        self.d
    }

    /// The part of this rank, where all ranks have all tokens.
    pub fn of(tokens: &Tokens, grid: Grid, ranks: &dyn Ranks) -> Self {
        let mut ids = Vec::new();
        halve(tokens, ranks.size(), Some(ranks.rank()), &mut |_, part| ids = part.to_vec());
        ids.sort_unstable();
        let of = |i: u32| (0..tokens.d()).map(move |k| grid.coordinate(tokens.get(i as usize, k)));
        let x = ids.iter().flat_map(|&i| of(i)).collect();
        Self { n: tokens.n(), d: tokens.d(), ids, x }
    }

    /// The part of this rank of n tokens in R^d, all of which rank 0 alone has.
    ///
    /// # Errors
    /// A rank that cannot be reached.
    pub fn from_first(tokens: Option<&Tokens>, (n, d): (usize, usize), grid: Grid, ranks: &dyn Ranks) -> Result<Self> {
        let mut owners = Vec::new();
        if let Some(tokens) = tokens {
            owners.resize(n, 0);
            halve(tokens, ranks.size(), None, &mut |rank, part| {
                for &i in part {
                    owners[i as usize] = rank as u32;
                }
            });
        }
        let mut dealt = Self { n, d, ids: Vec::new(), x: Vec::new() };
        for start in (0..n).step_by(DEALT) {
            let end = n.min(start + DEALT);
            let mut told = Vec::new();
            if let Some(tokens) = tokens {
                for (i, owner) in (start..).zip(&owners[start..end]) {
                    owner.put(&mut told);
                    (0..d).for_each(|k| grid.coordinate(tokens.get(i, k)).put(&mut told));
                }
            }
            let all = ranks.all_gather(&told)?;
            let (mut told, mut owner, mut row) = (all.of(0), [0u32], vec![0i64; d]);
            for i in start..end {
                let is_told = take(&mut told, &mut owner).is_some() && take(&mut told, &mut row).is_some();
                if !is_told {
                    return Err(Error::device("rank 0 has dealt out too few tokens; start the run again"));
                }
                if owner[0] as usize == ranks.rank() {
                    dealt.ids.push(i as u32);
                    dealt.x.extend(&row);
                }
            }
        }
        Ok(dealt)
    }
}

/// Calls `give` with every rank and its tokens, or with one rank alone.
fn halve(tokens: &Tokens, size: usize, only: Option<usize>, give: &mut impl FnMut(usize, &[u32])) {
    let mut ids: Vec<u32> = (0..tokens.n() as u32).collect();
    halve_part(tokens, &mut ids, 0..size, only, give);
}

fn halve_part(
    tokens: &Tokens,
    ids: &mut [u32],
    ranks: std::ops::Range<usize>,
    only: Option<usize>,
    give: &mut impl FnMut(usize, &[u32]),
) {
    if only.is_some_and(|only| !ranks.contains(&only)) {
        return;
    }
    if ranks.len() == 1 {
        return give(ranks.start, ids);
    }
    let of = |i: u32, k: usize| tokens.get(i as usize, k);
    let left = ranks.len() / 2;
    let at = (ids.len() as u128 * left as u128 / ranks.len() as u128) as usize;
    if at < ids.len() {
        let extent = |k: usize| {
            let ends = ids.iter().map(|&i| of(i, k));
            let (low, high) = ends.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
            high - low
        };
        let extents: Vec<f64> = (0..tokens.d()).map(extent).collect();
        let axis = (0..tokens.d()).max_by(|&a, &b| extents[a].total_cmp(&extents[b])).unwrap_or(0);
        ids.select_nth_unstable_by(at, |&a, &b| of(a, axis).total_cmp(&of(b, axis)).then(a.cmp(&b)));
    }
    let (low, high) = ids.split_at_mut(at);
    halve_part(tokens, low, ranks.start..ranks.start + left, only, give);
    halve_part(tokens, high, ranks.start + left..ranks.end, only, give);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ranks::Inside;
    use crate::tokens::Precision;

    /// A token of nobody would be lost, one of two ranks counted twice.
    #[test]
    fn every_token_is_dealt_out_once() {
        for (n, d, size) in [(1, 2, 4), (100, 2, 7), (64, 3, 64), (1000, 1, 5)] {
            let x: Vec<f32> = (0..n * d).map(|i| ((i * 7919) % 13) as f32).collect();
            let (tokens, grid) =
                (Arc::new(Tokens::from_flat(n, d, x).unwrap()), Grid { exponent: 4, precision: Precision::F32 });
            let begin = |ranks: Inside| {
                let tokens = tokens.clone();
                std::thread::spawn(move || {
                    let own = Dealt::of(&tokens, grid, &ranks);
                    let first = (ranks.rank() == 0).then_some(&*tokens);
                    let told = Dealt::from_first(first, (n, d), grid, &ranks).unwrap();
                    assert_eq!((&own.ids, &own.x), (&told.ids, &told.x));
                    own
                })
            };
            let begun: Vec<_> = Inside::of(size).into_iter().map(begin).collect();
            let parts: Vec<Dealt> = begun.into_iter().map(|rank| rank.join().unwrap()).collect();
            let counts = parts.iter().map(|part| part.ids.len());
            let (least, most) = counts.fold((n, 0), |(a, b), len| (a.min(len), b.max(len)));
            assert!(most - least <= 1 + size.ilog2() as usize, "{least} to {most} tokens");
            let mut all: Vec<u32> = parts.iter().flat_map(|part| part.ids.clone()).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..n as u32), "n = {n}, {size} ranks");
            for part in &parts {
                for (row, &i) in part.x.chunks(d).zip(&part.ids) {
                    assert!((0..d).all(|k| row[k] == grid.coordinate(tokens.get(i as usize, k))));
                }
            }
        }
    }
}
