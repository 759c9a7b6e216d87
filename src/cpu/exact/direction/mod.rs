//! The state as tokens, and a step of width 0 by a table of directions, in the plane and in space.
//!
//! Only the direction of a query matters to its maximum. The table has a list of keys for every
//! cell of directions ([`cells`]), and a row is decided among the keys of its cell: by nothing at
//! all where there is one, else by exact scores. Everything is in integers of 64 bits, so nothing is
//! rounded: coordinates are at most 2^53, corners of cells 2^6, differences of keys 2^54, so that a
//! product of the two in space is at most 3·2^60.
//!
//! **What a list leaves out.** Let r run over the corners of a cell and q ≠ 0 be a query in it: q is
//! Σ λ_r r with λ ≥ 0, some λ above 0. Let k be any key, and x one with r·(x − k) < 0 for all r.
//! Then q·(x − k) = Σ λ_r r·(x − k) < 0, and x is not the maximum of q. Lists leave out such keys
//! only, for some k of the list. What is left out for a cell is left out for all cells inside it,
//! which are met by a descent from few large ones to many small ones.
//!
//! **What no list needs.** Most tokens are the maximum of no query. Take one key k(c) for each cell
//! c, a centre o, and H_r = min r·(k(c) − o) over the cells c with the corner r. If r·(x − o) < H_r
//! for all corners r of all cells, then x is left out of every list, by the above with k = k(c).
//! Whether it is follows from the place of x alone ([`cover`]): let x − o be in the cell of corners
//! v with ρ = |x − o|_inf. Then (x − o)·side/ρ is a mean of the v, so r·(x − o) ≤ ρ/side · max_v
//! r·v. So x is covered if ρ is below side · H_r / max_v r·v for every r where that maximum is above
//! 0, and all H_r are above 0.
//!
//! The keys k(c) may be any, and the cover proves the same whatever they are. They are taken among
//! the tokens that are farthest from the mean in each cell, which is the centre.
//!
//! **Ties.** Coincident tokens are one key with a weight. q = 0 is in no cell: all keys tie.
//!
//! Where tokens are close to the corners of their hull, the cover holds few of them: late states are
//! left to the tree, which merges tokens that have met. A step asks for that before anything moves.

mod cells;
mod cover;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::cpu::exact::direction::cells::Cells;
use crate::cpu::exact::direction::cover::Cover;
use crate::cpu::exact::direction::table::Table;
use crate::cpu::exact::query::strip_width;
use crate::cpu::exact::step::{Left, PreparedStep, Tally, Watch};
use crate::cpu::exact::width::{Integer, Width};
use crate::exact::{Step, StripWidth, TokenMatrix};
use crate::interrupt::Interrupt;
use crate::model::Mask;
use crate::outcome::{StepReport, Strips};

/// Rows that a thread takes at once.
const CHUNK: usize = 4096;
/// log2 of the cells along each axis of a face: of the table, and of the cover.
const LEVELS: u32 = 6;
const COVER_LEVELS: u32 = 4;
/// So many keys are always put into a table, and of more tokens one in so many.
const FEW: usize = 4096;
const SHARE: usize = 16;

/// Whether a table serves tokens in R^d.
pub(crate) fn serves_dimension(d: usize) -> bool {
    (2..=3).contains(&d)
}

/// Whether a table serves a step: of strips of width 0, in which all rows see all keys.
pub(crate) fn serves(step: &Step) -> bool {
    let is_thin = match step.width {
        StripWidth::Argmax => true,
        StripWidth::Constant(width) => width == 0,
        StripWidth::QueryNorm { factor } | StripWidth::ANorm { factor, .. } => factor == 0,
    };
    is_thin && step.mask == Mask::Full
}

/// The tokens in their own order, and the strips of the last step.
pub(crate) struct DirectionTable<W: Width> {
    d: usize,
    x: Vec<W::Int>,
    /// X(t+1) in the making.
    next: Vec<W::Int>,
    strips: Strips,
}

/// What a step knows of the keys.
struct Found<const D: usize> {
    keys: Vec<[i64; D]>,
    weight: Vec<u32>,
    /// The least index of the tokens at each.
    first: Vec<u32>,
    table: Table<D>,
    n: u32,
    /// The sum of all tokens, and token 0: what a query of 0 needs.
    total: [i128; D],
    token_0: [i128; D],
}

impl<W: Width> DirectionTable<W> {
    /// Builds the state from every token's lattice coordinates, row-major.
    pub(crate) fn new(x: Vec<W::Int>, d: usize) -> Self {
        let n = x.len() / d;
        let strips = Strips { argmax: vec![0; n], count: vec![0; n] };
        Self { d, next: vec![W::Int::default(); x.len()], x, strips }
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.x.len() / self.d, self.d)
    }

    /// Every token's coordinates, row-major.
    pub(crate) fn tokens(&self) -> &[W::Int] {
        &self.x
    }

    /// Takes the tokens out and empties the buffers.
    pub(crate) fn take_tokens(&mut self) -> Vec<W::Int> {
        (self.next, self.strips) = (Vec::new(), Strips::default());
        std::mem::take(&mut self.x)
    }

    pub(crate) fn strips(&self) -> Strips {
        self.strips.clone()
    }

    /// Takes a step; `None`, before anything moved, where a table does not serve it.
    pub(crate) fn step(&mut self, step: &Step, interrupt: &Interrupt) -> Option<Result<(StepReport, Tally), Left>> {
        match self.d {
            2 => self.step_in::<2>(step, interrupt),
            3 => self.step_in::<3>(step, interrupt),
            _ => None,
        }
    }
}

/// A token's coordinates less those of another.
#[inline]
fn apart<W: Width, const D: usize>(row: &[W::Int], from: [i64; D]) -> [i64; D] {
    std::array::from_fn(|k| Integer::to_i64(row[k]) - from[k])
}

impl<W: Width> DirectionTable<W> {
    /// Tokens with their indices, many at a time.
    fn chunks<const D: usize>(&self) -> impl IndexedParallelIterator<Item = (usize, &[W::Int])> {
        self.x.par_chunks(CHUNK * D).enumerate().map(|(chunk, rows)| (chunk * CHUNK, rows))
    }

    /// The sum of all tokens.
    fn total<const D: usize>(&self) -> [i128; D] {
        let add = |a: [i128; D], b: [i128; D]| std::array::from_fn(|k| a[k] + b[k]);
        let sums = self.chunks::<D>().map(|(_, rows)| {
            // 2^9 coordinates of 2^53 at most add up in 64 bits.
            let few = rows.chunks(D << 9).map(|rows| {
                let mut sum = [0i64; D];
                rows.chunks_exact(D).for_each(|row| (0..D).for_each(|k| sum[k] += Integer::to_i64(row[k])));
                sum.map(i128::from)
            });
            few.fold([0; D], add)
        });
        sums.reduce(|| [0; D], add)
    }

    /// For each cell of directions from the centre, the farthest token in it, if any.
    fn farthest<const D: usize>(&self, cells: Cells<D>, centre: [i64; D]) -> Vec<[i64; D]> {
        type Best = Vec<(f64, u32)>;
        let none = || (vec![(0.0, 0); cells.count()], 0.0);
        // `least` is at most the least distance so far: most tokens are nearer.
        let of_chunk = |(mut best, mut least): (Best, f64), (first, rows): (usize, &[W::Int])| {
            for (at, row) in rows.chunks_exact(D).enumerate() {
                let x = apart::<W, D>(row, centre);
                let square = x.iter().map(|&x| (x as f64).powi(2)).sum::<f64>();
                if square > least {
                    let best: &mut (f64, u32) = &mut best[cells.place(x).0];
                    if square > best.0 {
                        *best = (square, (first + at) as u32);
                    }
                }
            }
            least = best.iter().fold(f64::INFINITY, |least, best| best.0.min(least)).max(least);
            (best, least)
        };
        let farther = |a: (Best, f64), b: (Best, f64)| {
            // Of equal distances the lower index: the number of threads decides nothing.
            let better = |(a, b): ((f64, u32), (f64, u32))| if (b.0, a.1) > (a.0, b.1) { b } else { a };
            (a.0.into_iter().zip(b.0).map(better).collect(), 0.0)
        };
        let (best, _) = self.chunks::<D>().with_min_len(16).fold(none, of_chunk).reduce(none, farther);
        let mut found: Vec<u32> = best.into_iter().filter(|best| best.0 > 0.0).map(|best| best.1).collect();
        found.sort_unstable();
        found.iter().map(|&i| apart::<W, D>(&self.x[i as usize * D..], centre)).collect()
    }

    /// Tokens among which every maximum is, ascending; `None` if they are too many.
    fn candidates<const D: usize>(&self, total: [i128; D]) -> Option<Vec<u32>> {
        let (n, _) = self.shape();
        let most = FEW.max(n / SHARE);
        if n <= most {
            return Some((0..n as u32).collect());
        }
        let centre = total.map(|sum| (sum / n as i128) as i64);
        let seeds = self.farthest(Cells::<D> { side: 1 << COVER_LEVELS }, centre);
        let (cover, found) = (Cover::new(&seeds, COVER_LEVELS)?, AtomicUsize::new(0));
        let outside = self.chunks::<D>().map(|(first, rows)| {
            let mut outside = Vec::new();
            if found.load(Ordering::Relaxed) <= most {
                let rows = rows.chunks_exact(D).enumerate();
                outside.extend(
                    rows.filter(|(_, row)| !cover.holds(apart::<W, D>(row, centre))).map(|(at, _)| (first + at) as u32),
                );
                found.fetch_add(outside.len(), Ordering::Relaxed);
            }
            outside
        });
        let outside: Vec<Vec<u32>> = outside.collect();
        // The count only rises, so it passes the limit exactly if there are more.
        (found.into_inner() <= most).then(|| outside.concat())
    }

    /// Finds the keys and their table; `None` where there are too many.
    fn find<const D: usize>(&self) -> Option<Found<D>> {
        let total = self.total();
        let mut found: HashMap<[i64; D], usize> = HashMap::new();
        let (mut keys, mut weight, mut first) = (Vec::new(), Vec::new(), Vec::new());
        for i in self.candidates::<D>(total)? {
            let at = apart::<W, D>(&self.x[i as usize * D..], [0; D]);
            let key = *found.entry(at).or_insert(keys.len());
            if key == keys.len() {
                keys.push(at);
                weight.push(0);
                first.push(i);
            }
            weight[key] += 1;
        }
        let table = Table::new(&keys, LEVELS)?;
        let token_0 = apart::<W, D>(&self.x, [0; D]).map(i128::from);
        Some(Found { keys, weight, first, table, n: self.shape().0 as u32, total, token_0 })
    }
}

/// A row's strip: the sum of some of its keys that have the mean of all, their number, the number of
/// all, the argmax, and the scores that were compared.
struct Decided<const D: usize> {
    sum: [i128; D],
    of: u32,
    count: u32,
    argmax: u32,
    scores: u64,
}

impl<const D: usize> Found<D> {
    /// Decides a row by its query; `lowest` if its strip is the argmax alone.
    #[inline]
    fn decide<W: Width>(&self, query: [W::Int; D], lowest: bool) -> Decided<D> {
        let at = query.map(Integer::to_i64);
        if at == [0; D] {
            let (sum, count) = if lowest { (self.token_0, 1) } else { (self.total, self.n) };
            return Decided { sum, of: count, count, argmax: 0, scores: 0 };
        }
        match *self.table.list(self.table.cells.place(at).0) {
            [key] => self.alone(key, lowest, 0),
            ref list => self.compare::<W>(query, lowest, list),
        }
    }

    /// The strip of one key.
    #[inline]
    fn alone(&self, key: u32, lowest: bool, scores: u64) -> Decided<D> {
        let (key, sum) = (key as usize, self.keys[key as usize].map(i128::from));
        let count = if lowest { 1 } else { self.weight[key] };
        Decided { sum, of: 1, count, argmax: self.first[key], scores }
    }

    /// Decides a row by exact scores.
    fn compare<W: Width>(&self, query: [W::Int; D], lowest: bool, list: &[u32]) -> Decided<D> {
        let score = |&key: &u32| W::dot(&query, 1, 0, &self.keys[key as usize].map(W::Int::of));
        let best = list.iter().map(score).max();
        let mut tied = list.iter().copied().filter(|key| Some(score(key)) == best);
        let (scores, key) = (list.len() as u64, tied.next().unwrap_or(list[0]));
        let mut decided = self.alone(key, lowest, scores);
        for key in tied {
            let other = self.alone(key, lowest, scores);
            if lowest {
                decided = if other.argmax < decided.argmax { other } else { decided };
                continue;
            }
            if decided.of == 1 {
                decided.sum = decided.sum.map(|x| x * i128::from(decided.count));
            }
            for (sum, x) in decided.sum.iter_mut().zip(other.sum) {
                *sum += x * i128::from(other.count);
            }
            decided.count += other.count;
            decided.of = decided.count;
            decided.argmax = decided.argmax.min(other.argmax);
        }
        decided
    }
}

/// Coordinates of some rows, before and after a step.
type Moves<'a, I> = (&'a [I], &'a mut [I]);
/// Argmaxes and strip sizes of some rows.
type Results<'a> = (&'a mut [u32], &'a mut [u32]);

impl<W: Width> DirectionTable<W> {
    fn step_in<const D: usize>(
        &mut self,
        step: &Step,
        interrupt: &Interrupt,
    ) -> Option<Result<(StepReport, Tally), Left>> {
        let found = self.find::<D>()?;
        let (plan, watch) = (&PreparedStep::<W>::new(step), &Watch::new(interrupt, None));
        let lowest = step.width == StripWidth::Argmax;
        let chunks = self.x.par_chunks(CHUNK * D).zip(self.next.par_chunks_mut(CHUNK * D));
        let strips = self.strips.argmax.par_chunks_mut(CHUNK).zip(self.strips.count.par_chunks_mut(CHUNK));
        let of_chunk = |((x, next), (argmax, count)): (Moves<'_, W::Int>, Results<'_>)| {
            let mut tally = Tally::default();
            if watch.is_left() {
                return tally;
            }
            let results = next.chunks_exact_mut(D).zip(argmax).zip(count);
            for (own, ((next, argmax), count)) in x.chunks_exact(D).zip(results) {
                let row = found.decide::<W>(query(plan, own), lowest);
                (*argmax, *count) = (row.argmax, row.count);
                for k in 0..D {
                    next[k] = W::moved(own[k], W::wide(row.sum[k]), row.of, step.gain);
                }
                tally.rows += 1;
                tally.moved += u64::from(*own != *next);
                tally.scores += row.scores;
                tally.redone += row.scores.saturating_sub(1);
            }
            tally
        };
        let tally = chunks.zip(strips).map(of_chunk).reduce(Tally::default, |a, b| a + b);
        if let Err(left) = watch.end() {
            return Some(Err(left));
        }
        std::mem::swap(&mut self.x, &mut self.next);
        Some(Ok((StepReport::new(step.t, tally.moved, self.strips.count.iter().copied(), tally.redone), tally)))
    }

    /// The masks of some rows, by the exact scores of all keys: any step is served.
    pub(crate) fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        let (plan, (n, d)) = (&PreparedStep::<W>::new(step), self.shape());
        let mask = |&i: &usize| {
            let own = &self.x[i * d..][..d];
            let query: Vec<W::Int> = (0..d).map(|k| query_coordinate(plan, own, k)).collect();
            let keys = self.x.chunks_exact(d).take(step.mask.visible(i, n));
            let scores: Vec<W::Wide> = keys.map(|key| W::dot(&query, 1, 0, key)).collect();
            let best = scores.iter().copied().max().unwrap_or_default();
            let threshold = W::threshold(best, W::wide(strip_width::<W>(step, 1, 0, &query, own)));
            let members = (0..).zip(&scores).filter(|(_, score)| **score >= threshold).map(|(j, _)| j);
            if step.width == StripWidth::Argmax { members.take(1).collect() } else { members.collect() }
        };
        rows.par_iter().with_max_len(1).map(mask).collect()
    }
}

/// A row's query: step 2 of the contract.
#[inline]
fn query<W: Width, const D: usize>(plan: &PreparedStep<'_, W>, own: &[W::Int]) -> [W::Int; D] {
    std::array::from_fn(|k| query_coordinate(plan, own, k))
}

#[inline]
fn query_coordinate<W: Width>(plan: &PreparedStep<'_, W>, own: &[W::Int], k: usize) -> W::Int {
    match plan.step.matrix {
        TokenMatrix::Identity => own[k],
        TokenMatrix::Multiple(a) => W::query(W::product(W::Int::of(a), own[k])),
        TokenMatrix::Dense(_) => W::query(W::dot(&plan.dense[k * own.len()..][..own.len()], 1, 0, own)),
    }
}
