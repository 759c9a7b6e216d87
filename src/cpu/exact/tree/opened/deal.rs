//! Which tokens a rank holds.
//!
//! The cloud is halved along its widest axis, and each part again, until there is one for every rank: neighbours
//! come to one rank, which then needs little of the others ([`cuts`](super::cuts)).

use std::io;
use std::ops::Range;

use crate::cpu::exact::tree::opened::cuts::{Cuts, sample};
use crate::cpu::share::{Word, take};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::ranks::{Ranks, agree};
use crate::tokens::{Coordinates, Precision, Slices, Tokens};

/// Tokens that are dealt out at once.
const DEALT: usize = 1 << 18;

/// The tokens of one of several ranks, as they were given.
#[derive(Clone, Debug)]
pub struct Dealt {
    /// The number of all tokens, and their dimension.
    pub(crate) n: usize,
    pub(crate) d: usize,
    /// The tokens held, ascending.
    pub(crate) ids: Vec<u32>,
    /// Their coordinates, row-major.
    pub(crate) x: Coordinates,
    /// The cuts around this part, each as an axis and a coordinate.
    edges: Vec<(usize, f64)>,
}

impl Dealt {
    /// The dimension of the tokens.
    pub fn d(&self) -> usize {
        self.d
    }

    /// The number of all tokens.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The tokens held, ascending.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The coordinates of the tokens held, row-major.
    pub fn coordinates(&self) -> &Coordinates {
        &self.x
    }

    /// The most tokens that one of `size` ranks is expected to be dealt.
    pub(crate) fn most(n: usize, size: usize) -> usize {
        // Each halving leaves a token more or less, and those of a sample some.
        let drawn = if n > sample(size) { n / size / 10 } else { 0 };
        n.min(n.div_ceil(size) + size.ilog2() as usize + drawn)
    }

    /// The share of the tokens that a rank gives where nothing else says which: a stretch as long as any other's.
    pub fn share(n: usize, ranks: &dyn Ranks) -> Range<usize> {
        let at = |rank: usize| (n as u128 * rank as u128 / ranks.size() as u128) as usize;
        at(ranks.rank())..at(ranks.rank() + 1)
    }

    /// The part of this rank, where all ranks have all tokens.
    ///
    /// # Errors
    /// As [`Dealt::of_stretches`].
    pub fn of(tokens: &Tokens, ranks: &dyn Ranks) -> Result<Self> {
        let rows = Self::share(tokens.n(), ranks);
        Self::of_stretches(rows.start, &tokens.stretch(rows), (tokens.n(), tokens.d()), ranks)
    }

    /// The part of this rank of n tokens in R^d, which rank 0 alone gives, in a width that all know.
    ///
    /// # Errors
    /// As [`Dealt::of_stretches`]; tokens that cannot be had, on all ranks.
    pub fn from_first(
        mut tokens: Option<&mut dyn Slices>,
        (n, d): (usize, usize),
        precision: Precision,
        ranks: &dyn Ranks,
    ) -> Result<Self> {
        let (mut told, mut start) = (Vec::new(), 0);
        let mut draw = |slice: &Coordinates| {
            let rows = start..start + slice.len() / d;
            start = rows.end;
            Cuts::tell_sample(rows, slice, (n, d), ranks.size(), &mut told);
            Ok(())
        };
        let drawn = tokens.as_mut().map_or(Ok(()), |tokens| tokens.each(&mut draw).map_err(Error::through));
        agree(ranks, drawn)?;
        let cuts = Cuts::of_sample(&told, (n, d), ranks)?;
        let (ids, x) = match precision {
            Precision::F32 => {
                let of = |slice: &Coordinates| if let Coordinates::F32(x) = slice { x.clone() } else { Vec::new() };
                let (ids, x) = agree(ranks, Kept::<f32>::new(n, d, ranks, &cuts).all_of_first(tokens, of))?;
                (ids, Coordinates::F32(x))
            }
            Precision::F64 => {
                let of = |slice: &Coordinates| if let Coordinates::F64(x) = slice { x.clone() } else { Vec::new() };
                let (ids, x) = agree(ranks, Kept::<f64>::new(n, d, ranks, &cuts).all_of_first(tokens, of))?;
                (ids, Coordinates::F64(x))
            }
        };
        Ok(Self { n, d, ids, x, edges: cuts.around(ranks.rank()) })
    }

    /// The part of this rank of n tokens in R^d, of which each rank has a stretch, from token `first` on; these follow
    /// one another as the ranks do, and are of one width.
    ///
    /// # Errors
    /// A rank that cannot be reached; stretches that are not all tokens.
    pub fn of_stretches(first: usize, x: &Coordinates, (n, d): (usize, usize), ranks: &dyn Ranks) -> Result<Self> {
        let (own, mut told) = (first..first + x.len() / d, Vec::new());
        Cuts::tell_sample(own.clone(), x, (n, d), ranks.size(), &mut told);
        let cuts = Cuts::of_sample(&told, (n, d), ranks)?;
        let (ids, x) = match x {
            Coordinates::F32(x) => {
                let (ids, x) = Kept::new(n, d, ranks, &cuts).all_of(own, x)?;
                (ids, Coordinates::F32(x))
            }
            Coordinates::F64(x) => {
                let (ids, x) = Kept::new(n, d, ranks, &cuts).all_of(own, x)?;
                (ids, Coordinates::F64(x))
            }
        };
        Ok(Self { n, d, ids, x, edges: cuts.around(ranks.rank()) })
    }

    /// Whether a token of this part, given by its coordinates on a lattice, may be one there with a token of another
    /// part: it lies on a cut.
    pub fn is_at_edge(&self, grid: Grid, held: impl Fn(usize) -> f64) -> bool {
        self.edges.iter().any(|&(axis, x)| grid.coordinate(held(axis)) == grid.coordinate(x))
    }
}

/// What a rank keeps of tokens that ranks give in their order.
struct Kept<'a, X> {
    n: usize,
    d: usize,
    ranks: &'a dyn Ranks,
    cuts: &'a Cuts,
    /// The tokens given so far.
    given: usize,
    ids: Vec<u32>,
    x: Vec<X>,
}

impl<'a, X: Word + Into<f64> + Default> Kept<'a, X> {
    fn new(n: usize, d: usize, ranks: &'a dyn Ranks, cuts: &'a Cuts) -> Self {
        // Room for what is expected, where growing would take twice as much.
        let most = Dealt::most(n, ranks.size());
        Self { n, d, ranks, cuts, given: 0, ids: Vec::with_capacity(most), x: Vec::with_capacity(most * d) }
    }

    /// Has every rank give its stretch.
    fn all_of(mut self, own: Range<usize>, x: &[X]) -> Result<(Vec<u32>, Vec<X>)> {
        for start in (0..self.n).step_by(DEALT) {
            let end = self.n.min(start + DEALT);
            let rows = start.max(own.start).min(own.end)..end.min(own.end).max(own.start);
            let mine =
                if rows.is_empty() { &[] } else { &x[(rows.start - own.start) * self.d..][..rows.len() * self.d] };
            self.round(rows.start, mine)?;
            if self.given != end {
                return Err(apart());
            }
        }
        Ok((self.ids, self.x))
    }

    /// Has rank 0 give all tokens, as it has them.
    fn all_of_first(
        mut self,
        tokens: Option<&mut dyn Slices>,
        of: impl Fn(&Coordinates) -> Vec<X>,
    ) -> Result<(Vec<u32>, Vec<X>)> {
        if let Some(tokens) = tokens {
            let mut give = |slice: &Coordinates| {
                of(slice)
                    .chunks(DEALT * self.d)
                    .try_for_each(|rows| self.round(self.given, rows))
                    .map_err(io::Error::other)
            };
            let given = tokens.each(&mut give).map_err(Error::through);
            if self.given < self.n {
                self.round(self.n, &[])?; // in which the others hear of no token more
            }
            given?;
        } else {
            while self.given < self.n {
                let before = self.given;
                self.round(self.n, &[])?;
                if self.given == before {
                    return Err(apart());
                }
            }
        }
        if self.given == self.n { Ok((self.ids, self.x)) } else { Err(apart()) }
    }

    /// Has every rank give some tokens that follow those given before, as the ranks do.
    fn round(&mut self, first: usize, rows: &[X]) -> Result<()> {
        let (d, mut told) = (self.d, Vec::new());
        for (row, id) in rows.chunks_exact(d).zip(first as u32..) {
            (self.cuts.owner(id, |k| row[k].into()) as u32).put(&mut told);
            for x in row {
                x.put(&mut told);
            }
        }
        let (mut row, length) = (vec![X::default(); d], u32::BYTES + d * X::BYTES);
        for told in self.ranks.all_gather(&told)?.iter() {
            for token in told.chunks(length) {
                let found = token.split_at_checked(u32::BYTES).filter(|_| token.len() == length);
                let (owner, mut x) = found.ok_or_else(apart)?;
                if u32::from_bytes(owner) as usize == self.ranks.rank() && take(&mut x, &mut row).is_some() {
                    self.ids.push(self.given as u32);
                    self.x.extend_from_slice(&row);
                }
                self.given += 1;
            }
        }
        Ok(())
    }
}

fn apart() -> Error {
    Error::device("the ranks have dealt out other tokens than there are; start the run again")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::init::{Cloud, CloudSample};
    use crate::ranks::Inside;

    /// A token of nobody would be lost, one of two ranks counted twice; a rank with more than its part would lack
    /// memory.
    #[test]
    fn every_token_is_dealt_out_once() {
        let ties = |n: usize, d: usize| (0..n * d).map(|i| ((i * 7919) % 13) as f32).collect::<Vec<_>>();
        let drawn = |kind, n| CloudSample::new(kind, n, 3).tokens(3, Precision::F32).unwrap();
        let few = [(1, 2, 4), (100, 2, 7), (64, 3, 64), (1000, 1, 5)];
        let few = few.map(|(n, d, size)| (Tokens::from_flat(n, d, ties(n, d)).unwrap(), size, 0.0));
        // More than are sampled: laid out in periods, and all at few places.
        let many = [Cloud::Clusters, Cloud::Grid, Cloud::Ties].map(|kind| (drawn(kind, 300_000), 7, 0.05));
        for (tokens, size, within) in few.into_iter().chain(many) {
            let (n, d, tokens) = (tokens.n(), tokens.d(), Arc::new(tokens));
            let begin = |ranks: Inside| {
                let tokens = tokens.clone();
                std::thread::spawn(move || {
                    let own = Dealt::of(&tokens, &ranks).unwrap();
                    let mut first = &*tokens;
                    let first = (ranks.rank() == 0).then_some(&mut first as &mut dyn Slices);
                    let told = Dealt::from_first(first, (n, d), Precision::F32, &ranks).unwrap();
                    assert_eq!((&own.ids, &own.x), (&told.ids, &told.x));
                    own
                })
            };
            let begun: Vec<_> = Inside::of(size).into_iter().map(begin).collect();
            let parts: Vec<Dealt> = begun.into_iter().map(|rank| rank.join().unwrap()).collect();
            let counts = parts.iter().map(|part| part.ids.len());
            let (least, most) = counts.fold((n, 0), |(a, b), len| (a.min(len), b.max(len)));
            let between = 1 + size.ilog2() as usize + (within * n as f64 / size as f64) as usize;
            assert!(most - least <= between, "{least} to {most} tokens of {n} on {size} ranks");
            let mut all: Vec<u32> = parts.iter().flat_map(|part| part.ids.clone()).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..n as u32), "n = {n}, {size} ranks");
            for part in &parts {
                let is_own = |(place, &i): (usize, &u32)| {
                    (0..d).all(|k| part.x.get(place * d + k).to_bits() == tokens.get(i as usize, k).to_bits())
                };
                assert!(part.ids.iter().enumerate().all(is_own));
            }
        }
    }
}
