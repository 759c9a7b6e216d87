//! The tokens that no cover holds: few of a large cloud, among which every member of a strip is.

// Kernels belong into the function of their instruction set.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::cpu::exact::direction::cells::Cells;
use crate::cpu::exact::direction::cover::Cover;
use crate::cpu::exact::direction::rows::{BLOCK, cells_of, place, squares, total};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{InstructionSet, Job, Lanes};

/// Rows that a thread takes at once.
pub(super) const CHUNK: usize = 4096;
/// So many keys are always put into a table, and of more tokens one in so many.
pub(super) const FEW: usize = 4096;
pub(super) const SHARE: usize = 16;

/// log2 of the cells along each axis of a face of the table.
pub(super) const fn levels(d: usize) -> u32 {
    if d == 2 { 7 } else { 6 }
}

/// log2 of the cells along each axis of a face of the cover: about a cell for 24 tokens.
pub(super) fn cover_levels(d: usize, n: usize) -> u32 {
    ((n / 24).max(1).ilog2() / (d as u32 - 1)).clamp(1, levels(d) - 1)
}

/// log2 of the cells along each axis of a face of the first cover, by the farthest tokens. It serves once, so that few
/// cells pay although they leave more tokens outside; and ranks tell one another the farthest token of each cell.
pub(super) fn seed_levels(d: usize, n: usize) -> u32 {
    cover_levels(d, n).min(4)
}

/// The most keys of a table of n tokens.
pub(super) fn most(n: usize) -> usize {
    FEW.max(n / SHARE)
}

/// Some tokens, evenly spread.
pub(super) fn sample<W: Width, const D: usize>(x: &[W::Int]) -> impl ExactSizeIterator<Item = &[W::Int]> {
    x.chunks_exact(D).step_by((x.len() / D).div_ceil(FEW).max(1))
}

/// The mean of some tokens, about.
pub(super) fn centre<W: Width, const D: usize>(x: &[W::Int]) -> [i64; D] {
    let count = sample::<W, D>(x).len() as i128;
    total::<W, D>(sample::<W, D>(x)).map(|sum| (sum / count) as i64)
}

/// Tokens with their indices, many at a time.
fn chunks<W: Width, const D: usize>(x: &[W::Int]) -> impl IndexedParallelIterator<Item = (usize, &[W::Int])> {
    x.par_chunks(CHUNK * D).enumerate().map(|(chunk, rows)| (chunk * CHUNK, rows))
}

/// For each cell of directions from the centre, the farthest token in it, if any.
pub(super) fn farthest<W: Width, const D: usize>(
    set: InstructionSet,
    x: &[W::Int],
    cells: Cells<D>,
    centre: [i64; D],
) -> Vec<[i64; D]> {
    let best = farthest_in::<W, D>(set, x, cells, centre);
    let mut found: Vec<u32> = best.into_iter().filter(|best| best.0 > 0.0).map(|best| best.1).collect();
    found.sort_unstable();
    found.iter().map(|&i| place::<W, D>(&x[i as usize * D..])).collect()
}

/// For each cell the square of the farthest token's distance from the centre, and the token; 0 without one.
pub(super) fn farthest_in<W: Width, const D: usize>(
    set: InstructionSet,
    x: &[W::Int],
    cells: Cells<D>,
    centre: [i64; D],
) -> Vec<(f64, u32)> {
    let none = || vec![(0.0, 0); cells.count()];
    let of_chunk = |mut best: Vec<(f64, u32)>, (first, rows): (usize, &[W::Int])| {
        W::run(set, Farthest::<W, D> { rows: rows.as_chunks().0, first, cells, centre, best: &mut best });
        best
    };
    let farther = |a: Vec<(f64, u32)>, b: Vec<(f64, u32)>| {
        // Of equal distances the lower index: the number of threads decides nothing.
        let better = |(a, b): ((f64, u32), (f64, u32))| if (b.0, a.1) > (a.0, b.1) { b } else { a };
        a.into_iter().zip(b).map(better).collect()
    };
    chunks::<W, D>(x).with_min_len(16).fold(none, of_chunk).reduce(none, farther)
}

/// A job: finds the farthest of some rows, and of those so far, in each cell: its squared distance and its index.
struct Farthest<'a, W: Width, const D: usize> {
    rows: &'a [[W::Int; D]],
    first: usize,
    cells: Cells<D>,
    centre: [i64; D],
    best: &'a mut [(f64, u32)],
}

impl<W: Width, const D: usize> Job<W, W::Int> for Farthest<'_, W, D> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, _: L) {
        for (block, rows) in self.rows.chunks(BLOCK).enumerate() {
            let cells = cells_of::<W, D>(self.cells, rows, self.centre);
            let squares = squares::<W, D>(rows, self.centre);
            for at in 0..rows.len() {
                match self.best.get_mut(cells[at] as usize) {
                    Some(best) if squares[at] > best.0 => {
                        *best = (squares[at], (self.first + block * BLOCK + at) as u32);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Tokens that a cover does not hold, ascending; `None` if they are more than `most`.
pub(super) fn outside<W: Width, const D: usize>(
    set: InstructionSet,
    x: &[W::Int],
    cover: &Cover,
    most: usize,
) -> Option<Vec<u32>> {
    let found = AtomicUsize::new(0);
    let of_chunk = |(first, rows): (usize, &[W::Int])| {
        let mut outside = Vec::new();
        if found.load(Ordering::Relaxed) <= most {
            W::run(set, Outside::<W, D> { rows: rows.as_chunks().0, first, cover, found: &mut outside });
            found.fetch_add(outside.len(), Ordering::Relaxed);
        }
        outside
    };
    let outside: Vec<Vec<u32>> = chunks::<W, D>(x).map(of_chunk).collect();
    // The count only rises, so it passes the limit exactly if there are more.
    (found.into_inner() <= most).then(|| outside.concat())
}

/// A job: finds the rows that a cover does not hold.
struct Outside<'a, W: Width, const D: usize> {
    rows: &'a [[W::Int; D]],
    first: usize,
    cover: &'a Cover,
    found: &'a mut Vec<u32>,
}

impl<W: Width, const D: usize> Job<W, W::Int> for Outside<'_, W, D> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, _: L) {
        for (block, rows) in self.rows.chunks(BLOCK).enumerate() {
            let is_held = self.cover.holds_each::<W, D>(rows, 0.0);
            let outside = (0..rows.len()).filter(|&at| !is_held[at]);
            self.found.extend(outside.map(|at| (self.first + block * BLOCK + at) as u32));
        }
    }
}

/// Tokens among which every maximum is, ascending; `None` if they are too many.
pub(super) fn candidates<W: Width, const D: usize>(
    set: InstructionSet,
    x: &[W::Int],
    centre: [i64; D],
) -> Option<Vec<u32>> {
    let n = x.len() / D;
    let most = most(n);
    if n <= most {
        return Some((0..n as u32).collect());
    }
    let levels = seed_levels(D, n);
    let seeds = farthest::<W, D>(set, x, Cells::<D> { side: 1 << levels }, centre);
    outside::<W, D>(set, x, &Cover::new(centre, &seeds, levels, 0)?, most)
}
