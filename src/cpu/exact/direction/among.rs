//! A table of directions for tokens of which each of several ranks holds a part: the pieces of a step between which
//! ranks tell one another what they have found.
//!
//! A cover may be by any keys (see the module above): here they are tokens of the whole cloud, the farthest from its
//! centre in every cell of directions, so that the tokens that it leaves over are few on all ranks together.

use std::collections::HashMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::cpu::exact::direction::candidates::{CHUNK, cover_levels, farthest_in, levels, outside};
use crate::cpu::exact::direction::cells::Cells;
use crate::cpu::exact::direction::cover::Cover;
use crate::cpu::exact::direction::rows::{BLOCK, Block, Found, Key, MANY, Rows, place};
use crate::cpu::exact::direction::table::Table;
use crate::cpu::exact::step::{PreparedStep, Tally, Watch};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::InstructionSet;
use crate::exact::Step;

/// So few candidates are always told, and of more tokens one in so many.
const FEW: usize = 1024;
const SHARE: usize = 64;

/// log2 of the cells along each axis of a face, at most: every rank hears the farthest token of each cell.
const MOST_LEVELS: u32 = 4;

/// The keys of one rank.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a, W: Width> {
    pub(crate) x: &'a [W::Int],
    pub(crate) weight: &'a [u32],
    pub(crate) first: &'a [u32],
}

/// A place where tokens of this rank are that may be a maximum.
pub(crate) struct Candidate<W: Width, const D: usize> {
    pub(crate) at: [W::Int; D],
    pub(crate) weight: u32,
    pub(crate) first: u32,
}

/// The facts of the whole cloud that all ranks know.
pub(crate) struct Whole<const D: usize> {
    /// The number of tokens.
    pub(crate) n: usize,
    /// Their sum.
    pub(crate) sum: [i128; D],
    /// Token 0.
    pub(crate) first: [i128; D],
}

impl<const D: usize> Whole<D> {
    fn centre(&self) -> [i64; D] {
        self.sum.map(|sum| (sum / self.n as i128) as i64)
    }

    fn cover_levels(&self) -> u32 {
        cover_levels(D, self.n).min(MOST_LEVELS)
    }
}

impl<W: Width> Own<'_, W> {
    /// The sum of the tokens.
    pub(crate) fn sum<const D: usize>(&self) -> [i128; D] {
        let add = |a: [i128; D], b: [i128; D]| std::array::from_fn(|k| a[k] + b[k]);
        let of = |(row, &weight): (&[W::Int], &u32)| place::<W, D>(row).map(|x| i128::from(x) * i128::from(weight));
        self.x.par_chunks_exact(D).zip(self.weight).with_min_len(CHUNK).map(of).reduce(|| [0; D], add)
    }

    /// For every cell of directions a key that is far from the centre, if there is one, with how far it is: as numbers
    /// that are in order as the distances are, 0 without a key.
    pub(crate) fn farthest<const D: usize>(&self, set: InstructionSet, whole: &Whole<D>) -> Vec<(u64, u32)> {
        let cells = Cells::<D> { side: 1 << whole.cover_levels() };
        let found = farthest_in::<W, D>(set, self.x, cells, whole.centre());
        found.into_iter().map(|(square, key)| (square.to_bits(), key)).collect()
    }

    /// The places of keys among which every maximum is that this rank has; `None` if they are too many, or if these
    /// seeds cover nothing.
    pub(crate) fn candidates<const D: usize>(
        &self,
        whole: &Whole<D>,
        seeds: &[[i64; D]],
    ) -> Option<Vec<Candidate<W, D>>> {
        let most = FEW.max(whole.n / SHARE);
        let cover = Cover::new(whole.centre(), seeds, whole.cover_levels(), 0)?;
        // Tokens that have met, and were not merged since, are many keys at one place.
        let keys = outside::<W, D>(self.x, &cover, 16 * most)?;
        let mut found: HashMap<[i64; D], usize> = HashMap::with_capacity(keys.len());
        let mut candidates: Vec<Candidate<W, D>> = Vec::new();
        for key in keys.into_iter().map(|key| key as usize) {
            let row = &self.x[key * D..][..D];
            let at = *found.entry(place::<W, D>(row)).or_insert(candidates.len());
            if at == candidates.len() {
                let at = std::array::from_fn(|k| row[k]);
                candidates.push(Candidate { at, weight: 0, first: self.first[key] });
            }
            candidates[at].weight += self.weight[key];
            candidates[at].first = candidates[at].first.min(self.first[key]);
        }
        (candidates.len() <= most).then_some(candidates)
    }

    /// Moves the rows, by the candidates of all ranks, which are the same on all of them in one order; `None`, on all
    /// of them, if a table does not serve these.
    pub(crate) fn take<const D: usize>(
        &self,
        set: InstructionSet,
        (step, watch): (&Step, &Watch<'_>),
        whole: &Whole<D>,
        candidates: Vec<Candidate<W, D>>,
        (next, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
    ) -> Option<Tally> {
        let rows = &Rows {
            n: whole.n as u32,
            zero: whole.first,
            x: &[],
            plan: PreparedStep::new(step),
            found: table(candidates, whole.n)?,
            total: OnceLock::from(whole.sum),
        };
        let (own, next) = (self.x.as_chunks().0, next.as_chunks_mut().0);
        let chunks = own.par_chunks(CHUNK).zip(next.par_chunks_mut(CHUNK)).zip(self.weight.par_chunks(CHUNK));
        let results = argmax.par_chunks_mut(CHUNK).zip(count.par_chunks_mut(CHUNK));
        let tallies = chunks.zip(results).map(|(((own, next), weight), (argmax, count))| {
            let mut tally = Tally { rows: own.len() as u64, ..Tally::default() };
            if watch.is_left() {
                return tally;
            }
            let blocks = own.chunks(BLOCK).zip(next.chunks_mut(BLOCK)).zip(weight.chunks(BLOCK));
            let results = argmax.chunks_mut(BLOCK).zip(count.chunks_mut(BLOCK));
            for (((own, next), weight), (argmax, count)) in blocks.zip(results) {
                let mut keys = [MANY; BLOCK];
                W::run(set, Block { rows, own, next, keys: &mut keys });
                for (at, (own, next)) in own.iter().zip(next).enumerate() {
                    let row = if keys[at] == MANY { rows.row(own, next) } else { rows.alone(keys[at]) };
                    (argmax[at], count[at]) = (row.argmax, row.count);
                    tally.moved += u64::from((0..D).any(|k| own[k] != next[k])) * u64::from(weight[at]);
                    tally.scores += row.scores;
                    tally.redone += row.scores.saturating_sub(1);
                }
            }
            tally
        });
        Some(tallies.reduce(Tally::default, |a, b| a + b))
    }
}

/// The keys that candidates are together, and their table, of n tokens.
fn table<W: Width, const D: usize>(candidates: Vec<Candidate<W, D>>, n: usize) -> Option<Found<W, D>> {
    if candidates.len() > FEW.max(n / SHARE) {
        return None;
    }
    let mut found: HashMap<[i64; D], usize> = HashMap::with_capacity(candidates.len());
    let (mut keys, mut places) = (Vec::<Key<W, D>>::new(), Vec::new());
    for Candidate { at, weight, first } in candidates {
        let place = at.map(Integer::to_i64);
        let key = *found.entry(place).or_insert(keys.len());
        if key == keys.len() {
            places.push(place);
            keys.push(Key { at, weight: 0, first, is_anchor: false });
        }
        keys[key].weight += weight;
        keys[key].first = keys[key].first.min(first);
    }
    Some(Found::new(keys, Table::new(&places, levels(D), 0)?))
}
