//! A row of a step: its query, its cell, the strip among the keys of that, and the move.

// Kernels belong into the function of their instruction set.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

use std::sync::OnceLock;

use crate::cpu::exact::direction::cells::{Cells, integer};
use crate::cpu::exact::direction::table::Table;
use crate::cpu::exact::step::PreparedStep;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{Job, Lanes};
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

    /// The result of a row of one key.
    #[inline]
    pub(super) fn alone(&self, key: u32) -> Row {
        let key = &self.found.keys[key as usize];
        let count = if self.plan.step.width == StripWidth::Argmax { 1 } else { key.weight };
        Row { argmax: key.first, count, is_led: key.is_anchor, scores: 0 }
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

/// A job: moves each of some rows to the key of its cell, where it is alone there.
pub(super) struct Block<'a, W: Width, const D: usize> {
    pub(super) rows: &'a Rows<'a, W, D>,
    pub(super) own: &'a [[W::Int; D]],
    pub(super) next: &'a mut [[W::Int; D]],
    /// The keys of the rows.
    pub(super) keys: &'a mut [u32; BLOCK],
}

impl<W: Width, const D: usize> Job<W, W::Int> for Block<'_, W, D> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, _: L) {
        let Rows { plan, found, .. } = self.rows;
        let mut queries = [[W::Int::default(); D]; BLOCK];
        match plan.step.matrix {
            TokenMatrix::Identity => queries[..self.own.len()].copy_from_slice(self.own),
            _ => queries.iter_mut().zip(self.own).for_each(|(query, own)| {
                *query = std::array::from_fn(|k| query_coordinate(plan, own, k));
            }),
        }
        let (cells, none) = (found.table.cells, found.alone.len() - 1);
        for (cell, query) in self.keys.iter_mut().zip(queries) {
            let (index, size) = cells.place(query.map(Integer::to_i64));
            *cell = if size == 0 { none } else { index } as u32;
        }
        let mut to = [[W::Wide::default(); D]; BLOCK];
        for (key, to) in self.keys.iter_mut().zip(&mut to) {
            *key = found.alone[*key as usize];
            if let Some(key) = found.keys.get(*key as usize) {
                *to = key.at.map(|x| W::product(x, W::Int::one()));
            }
        }
        let (own, to, ones) = (self.own.as_flattened(), to.as_flattened(), [[W::wide(1); D]; BLOCK]);
        W::moved_lanes(own, to, ones.as_flattened(), plan.step.gain, self.next.as_flattened_mut());
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

/// The cells of the directions of up to `BLOCK` rows from a centre, any where a row is there, and the squares of their
/// distances.
#[inline(always)]
pub(super) fn places<W: Width, const D: usize>(
    cells: Cells<D>,
    rows: &[[W::Int; D]],
    centre: [i64; D],
) -> ([i64; BLOCK], [f64; BLOCK]) {
    let (mut x, mut cell, mut square) = ([[0.0; BLOCK]; D], [0; BLOCK], [0.0; BLOCK]);
    for k in 0..D {
        for (x, row) in x[k].iter_mut().zip(rows) {
            *x = (Integer::to_i64(row[k]) - centre[k]) as f64;
        }
        (0..BLOCK).for_each(|at| square[at] += x[k][at] * x[k][at]);
    }
    if W::PRECISION == Precision::F32 {
        for at in 0..BLOCK {
            cell[at] = integer(Cells::<D>::place_of_floats(cells.side as f64, std::array::from_fn(|k| x[k][at])));
        }
    } else {
        for (cell, row) in cell.iter_mut().zip(rows) {
            *cell = cells.place(std::array::from_fn(|k| Integer::to_i64(row[k]) - centre[k])).0 as i64;
        }
    }
    (cell, square)
}
