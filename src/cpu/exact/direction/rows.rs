//! A row of a step: its query, its cell, the strip among the keys of that, and the move.

// Kernels belong into the function of their instruction set.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

use std::sync::OnceLock;

use crate::cpu::exact::direction::cells::Cells;
use crate::cpu::exact::direction::table::Table;
use crate::cpu::exact::step::PreparedStep;
use crate::cpu::exact::width::{Integer, Width};
use crate::exact::{StripWidth, TokenMatrix};
use crate::tokens::Precision;

/// Rows that are moved side by side.
pub(super) const BLOCK: usize = 64;
/// In place of a key: there are several, or q = 0.
pub(super) const MANY: u32 = u32::MAX;

/// A place where tokens are that can be a maximum.
#[derive(Clone, Copy)]
pub(super) struct Key<W: Width, const D: usize> {
    pub(super) at: [W::Int; D],
    pub(super) weight: u32,
    /// The least index of the tokens at it.
    pub(super) first: u32,
    /// Whether an anchor is one of them.
    pub(super) is_anchor: bool,
}

/// The keys of a step and their table.
pub(super) struct Found<W: Width, const D: usize> {
    pub(super) keys: Vec<Key<W, D>>,
    pub(super) table: Table<D>,
    /// The key of each cell that has one; last, of q = 0.
    pub(super) alone: Vec<u32>,
}

impl<W: Width, const D: usize> Found<W, D> {
    /// Keys with their table.
    pub(super) fn new(keys: Vec<Key<W, D>>, table: Table<D>) -> Self {
        let alone = |cell| if let [key] = *table.list(cell) { key } else { MANY };
        let alone = (0..table.cells.count()).map(alone).chain([MANY]).collect();
        Self { keys, table, alone }
    }
}

/// A token's place.
#[inline]
pub(super) fn place<W: Width, const D: usize>(row: &[W::Int]) -> [i64; D] {
    std::array::from_fn(|k| Integer::to_i64(row[k]))
}

/// The sum of some tokens.
pub(super) fn total<'a, W: Width, const D: usize>(rows: impl Iterator<Item = &'a [W::Int]>) -> [i128; D] {
    rows.fold([0; D], |sum, row| std::array::from_fn(|k| sum[k] + i128::from(Integer::to_i64(row[k]))))
}

/// The result of a row.
pub(super) struct Row {
    pub(super) argmax: u32,
    pub(super) count: u32,
    /// Whether the strip is one key, of anchors.
    pub(super) is_led: bool,
    /// Scores that were compared.
    pub(super) scores: u64,
}

/// The data that all rows of a step share.
pub(super) struct Rows<'a, W: Width, const D: usize> {
    /// The number of all tokens, and token 0.
    pub(super) n: u32,
    pub(super) zero: [i128; D],
    /// All tokens, where their sum is not known yet.
    pub(super) x: &'a [W::Int],
    pub(super) plan: PreparedStep<'a, W>,
    pub(super) found: Found<W, D>,
    /// The sum of all tokens, for rows of q = 0.
    pub(super) total: OnceLock<[i128; D]>,
}

impl<W: Width, const D: usize> Rows<'_, W, D> {
    /// Moves a row.
    #[inline]
    pub(super) fn row(&self, own: &[W::Int; D], next: &mut [W::Int; D]) -> Row {
        let (step, lowest) = (self.plan.step, self.plan.step.width == StripWidth::Argmax);
        let query: [W::Int; D] = std::array::from_fn(|k| query_coordinate(&self.plan, own, k));
        let at = query.map(Integer::to_i64);
        let (cell, size) = self.found.table.cells.place(at);
        let list = if size == 0 { &[][..] } else { self.found.table.list(cell) };
        let (sum, of, row) = if size == 0 { self.all(lowest) } else { self.compare(query, lowest, list) };
        for k in 0..D {
            next[k] = W::moved(own[k], W::wide(sum[k]), of, step.gain);
        }
        row
    }

    /// The strip of q = 0, in which all keys are: a sum, of so many.
    fn all(&self, lowest: bool) -> ([i128; D], u32, Row) {
        let (count, sum) = if lowest {
            (1, self.zero)
        } else {
            (self.n, *self.total.get_or_init(|| total::<W, D>(self.x.chunks_exact(D))))
        };
        (sum, count, Row { argmax: 0, count, is_led: false, scores: 0 })
    }

    /// A strip by exact scores: a sum, of so many.
    fn compare(&self, query: [W::Int; D], lowest: bool, list: &[u32]) -> ([i128; D], u32, Row) {
        let keys = || list.iter().map(|&key| &self.found.keys[key as usize]);
        let score = |key: &Key<W, D>| W::dot(&query, 1, 0, &key.at);
        let best = keys().map(score).max();
        let tied = || keys().filter(|key| Some(score(key)) == best);
        let first = tied().min_by_key(|key| key.first).expect("a list is never empty");
        let count = if lowest { 1 } else { tied().map(|key| key.weight).sum() };
        let is_one = lowest || count == first.weight;
        let row = Row { argmax: first.first, count, is_led: is_one && first.is_anchor, scores: list.len() as u64 };
        let place = |key: &Key<W, D>| key.at.map(|x| i128::from(Integer::to_i64(x)));
        if is_one {
            return (place(first), 1, row);
        }
        let add = |sum: [i128; D], key: &Key<W, D>| {
            let at = place(key);
            std::array::from_fn(|k| sum[k] + at[k] * i128::from(key.weight))
        };
        (tied().fold([0; D], add), count, row)
    }
}

/// The strips of up to `BLOCK` rows.
pub(super) struct Block {
    pub(super) argmax: [u32; BLOCK],
    pub(super) count: [u32; BLOCK],
    /// Whether the strip is one key, of anchors.
    pub(super) is_led: [bool; BLOCK],
    /// Scores that were compared, in all, and of them those beyond one a row.
    pub(super) scores: u64,
    pub(super) redone: u64,
}

impl<W: Width, const D: usize> Rows<'_, W, D> {
    /// Moves up to `BLOCK` rows.
    #[inline(always)]
    pub(super) fn block(&self, own: &[[W::Int; D]], next: &mut [[W::Int; D]]) -> Block {
        let (step, own) = (self.plan.step, &own[..own.len().min(BLOCK)]);
        let (alone, keys) = (&self.found.alone[..], &self.found.keys[..]);
        let mut queries = [[W::Int::default(); D]; BLOCK];
        match step.matrix {
            TokenMatrix::Identity => queries[..own.len()].copy_from_slice(own),
            _ => queries.iter_mut().zip(own).for_each(|(query, own)| {
                *query = std::array::from_fn(|k| query_coordinate(&self.plan, own, k));
            }),
        }
        let cells = cells_of::<W, D>(self.found.table.cells, &queries[..own.len()], [0; D]);
        let mut block = Block { argmax: [0; BLOCK], count: [1; BLOCK], is_led: [true; BLOCK], scores: 0, redone: 0 };
        let (lowest, mut open, mut to) = (step.width == StripWidth::Argmax, 0u64, [[W::Int::default(); D]; BLOCK]);
        for (at, own) in own.iter().enumerate() {
            let key = alone[cells[at] as usize];
            if key == MANY {
                (to[at], open) = (*own, open | 1 << at);
                continue;
            }
            let key = &keys[key as usize];
            to[at] = key.at;
            block.argmax[at] = key.first;
            block.count[at] = if lowest { 1 } else { key.weight };
            block.is_led[at] = key.is_anchor;
        }
        W::moved_to(own.as_flattened(), to[..own.len()].as_flattened(), step.gain, next.as_flattened_mut());
        while open != 0 {
            let at = open.trailing_zeros() as usize;
            let row = self.row(&own[at], &mut next[at]);
            (block.argmax[at], block.count[at], block.is_led[at]) = (row.argmax, row.count, row.is_led);
            block.scores += row.scores;
            block.redone += row.scores.saturating_sub(1);
            open &= open - 1;
        }
        block
    }
}

/// A coordinate of a row's query: step 2 of the contract.
#[inline]
pub(super) fn query_coordinate<W: Width>(plan: &PreparedStep<'_, W>, own: &[W::Int], k: usize) -> W::Int {
    match plan.step.matrix {
        TokenMatrix::Identity => own[k],
        TokenMatrix::Multiple(a) => W::query(W::product(W::Int::of(a), own[k])),
        TokenMatrix::Dense(_) => W::query(W::dot(&plan.dense[k * own.len()..][..own.len()], 1, 0, own)),
    }
}

/// The cells of the directions of up to `BLOCK` rows from a centre; the number of cells where a row is there.
#[inline(always)]
pub(super) fn cells_of<W: Width, const D: usize>(
    cells: Cells<D>,
    rows: &[[W::Int; D]],
    centre: [i64; D],
) -> [u32; BLOCK] {
    let from_centre = |row: &[W::Int; D], k: usize| Integer::to_i64(row[k]) - centre[k];
    let place = |at: usize| {
        let from = rows.get(at).map_or([0; D], |row| std::array::from_fn(|k| from_centre(row, k)));
        let (cell, size) = cells.place(from);
        if size == 0 { cells.count() as u32 } else { cell as u32 }
    };
    if W::PRECISION == Precision::F64 {
        return std::array::from_fn(place);
    }
    let mut from = [[0.0; BLOCK]; D];
    for k in 0..D {
        for (from, row) in from[k].iter_mut().zip(rows) {
            *from = from_centre(row, k) as f32;
        }
    }
    cells.places(&from, place)
}

/// The squares of the distances of up to `BLOCK` rows from a centre.
#[inline(always)]
pub(super) fn squares<W: Width, const D: usize>(rows: &[[W::Int; D]], centre: [i64; D]) -> [f64; BLOCK] {
    let mut squares = [0.0; BLOCK];
    for k in 0..D {
        for (square, row) in squares.iter_mut().zip(rows) {
            let along = (Integer::to_i64(row[k]) - centre[k]) as f64;
            *square += along * along;
        }
    }
    squares
}
