//! Half spaces, and keys in cones, the cells of their directions.
//!
//! A half space is all x of q·x ≥ T, for T ≥ 1. Let x ≠ 0 be in the cone of a cell with corners r, and ρ = |x|_inf.
//! Corners are scaled by `side`, and x·side/ρ is a mean of them, so
//!
//! > ρ min q·r ≤ side q·x ≤ ρ max q·r.
//!
//! So keys of a cone with ρ ≥ side T / min q·r are in the half space, if that minimum is above 0, and those with ρ <
//! side T / max q·r are not; none is, if that maximum is not above 0. Only keys in between are scored: a share of
//! about 1/side of those that the half space's border passes. A key 0 is in none, whichever cone it is put into.
//!
//! **Rows of a cone.** q·x ≥ T takes |x| ≥ T/|q|. Half spaces are in the order of B = (T/|q|)² (1 − 2^-46), and a
//! cone is for those up to the largest square of its keys. In f64 |x|² meets at most 2d roundings and B at most 2d + 8,
//! those of its integers to floats among them; 2^-46 pays for 2^7 of them. Where q = 0, B is infinite, and no key is
//! read.

// Kernels belong into the function of their instruction set.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

use rayon::prelude::*;

use crate::cpu::exact::direction::cells::Cells;
use crate::cpu::exact::direction::rows::{BLOCK, cells_of, squares};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{InstructionSet, Job, Lanes, VECTORS};
use crate::space::Coordinate;

/// Keys that are put into cones together.
const RUN: usize = 1 << 16;
/// Share by which the least square of a key is lowered, for its roundings.
const PAID: f64 = 1.0 / (1u64 << 46) as f64;

/// A sum of integers.
type Wide<W> = <<W as crate::cpu::lanes::Vectors>::Int as Coordinate>::Sum;

/// log2 of the cells along each axis of a face: as many as keep bounds of cones and scores of keys in balance.
pub(super) fn levels(d: usize, n: usize) -> u32 {
    (n.ilog2() / d as u32).saturating_sub(3).clamp(1, 7)
}

/// All x of q·x ≥ T.
pub(super) struct HalfSpace<W: Width, const D: usize> {
    pub(super) query: [W::Int; D],
    pub(super) least: W::Wide,
    /// Keys of a lower square are not in it.
    pub(super) bound: f64,
}

/// A sum of keys, and their number.
#[derive(Clone, Copy)]
pub(super) struct Sum<W: Width, const D: usize> {
    pub(super) x: [Wide<W>; D],
    pub(super) keys: u64,
}

/// Keys by the cells of their directions, and what is told of them all.
pub(super) struct Cones<W: Width, const D: usize> {
    pub(super) cells: Cells<D>,
    runs: Vec<Run<W, D>>,
    pub(super) total: Sum<W, D>,
    /// `max |x_k|` of all keys.
    pub(super) largest: [i64; D],
}

/// Some keys in the order of their cells.
struct Run<W: Width, const D: usize> {
    x: Vec<[W::Int; D]>,
    /// The first row of each cell, and the end of the last cell.
    starts: Vec<u32>,
    total: Sum<W, D>,
    largest: [i64; D],
}

/// The square of a length.
#[inline(always)]
pub(super) fn square<W: Width>(row: &[W::Int]) -> f64 {
    row.iter().fold(0.0, |sum, &x| {
        let x = Integer::to_i64(x) as f64;
        sum + x * x
    })
}

/// |x|_inf.
#[inline(always)]
pub(super) fn size<W: Width>(row: &[W::Int]) -> i64 {
    row.iter().fold(0, |size, &x| size.max(Integer::to_i64(x).abs()))
}

impl<W: Width, const D: usize> HalfSpace<W, D> {
    /// The half space of a query and its least score, which is at least 1.
    pub(super) fn new(query: [W::Int; D], least: i128) -> Self {
        let bound = (least as f64).powi(2) / square::<W>(&query) * (1.0 - PAID);
        Self { query, least: W::wide(least), bound }
    }
}

impl<W: Width, const D: usize> Default for Sum<W, D> {
    fn default() -> Self {
        Self { x: [Wide::<W>::default(); D], keys: 0 }
    }
}

impl<W: Width, const D: usize> Sum<W, D> {
    #[inline(always)]
    pub(super) fn add(&mut self, other: &Self) {
        (0..D).for_each(|k| self.x[k] += other.x[k]);
        self.keys += other.keys;
    }

    #[inline(always)]
    pub(super) fn add_key(&mut self, key: &[W::Int; D]) {
        (0..D).for_each(|k| self.x[k] += key[k].times(1));
        self.keys += 1;
    }
}

impl<W: Width, const D: usize> Cones<W, D> {
    /// Cones of the keys, but for those below a square.
    pub(super) fn new(set: InstructionSet, keys: &[[W::Int; D]], levels: u32, least: f64) -> Self {
        let cells = Cells { side: 1 << levels };
        let run = |keys| Run::new(set, keys, cells, least);
        let runs: Vec<Run<W, D>> = keys.par_chunks(RUN).map(run).collect();
        let (mut total, mut largest) = (Sum::default(), [0; D]);
        for run in &runs {
            total.add(&run.total);
            largest = std::array::from_fn(|k| run.largest[k].max(largest[k]));
        }
        Self { cells, runs, total, largest }
    }

    /// The keys of a cone, in pieces.
    pub(super) fn keys(&self, cone: usize) -> impl Iterator<Item = &[[W::Int; D]]> {
        self.runs.iter().map(move |run| run.keys(cone))
    }

    /// The most bounds, each of a cone for a vector of half spaces, that so many half spaces ask for.
    pub(super) fn bounds(set: InstructionSet, levels: u32, halves: usize) -> u64 {
        let vectors = halves.div_ceil(set.packet_rows(W::PRECISION) / VECTORS);
        (vectors * Cells::<D> { side: 1 << levels }.count()) as u64
    }
}

impl<W: Width, const D: usize> Run<W, D> {
    fn new(set: InstructionSet, keys: &[[W::Int; D]], cells: Cells<D>, least: f64) -> Self {
        let mut cell = vec![0; keys.len()];
        let (total, largest) = W::run(set, Place { keys, cells, least, cell: &mut cell });
        let mut starts = vec![0u32; cells.count() + 2];
        for &cell in &cell {
            starts[cell as usize] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        // A start moves on to the end while keys are put there.
        let mut x = vec![[W::Int::default(); D]; starts[cells.count()] as usize];
        for (key, &cell) in keys.iter().zip(&cell) {
            let at = &mut starts[cell as usize];
            if let Some(x) = x.get_mut(*at as usize) {
                *x = *key;
                *at += 1;
            }
        }
        starts.rotate_right(1);
        starts[0] = 0;
        Self { x, starts, total, largest }
    }

    fn keys(&self, cell: usize) -> &[[W::Int; D]] {
        &self.x[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }
}

/// A job: finds the cells of some keys, or the number of cells for keys below a square, the sum of all and `max |x_k|`.
struct Place<'a, W: Width, const D: usize> {
    keys: &'a [[W::Int; D]],
    cells: Cells<D>,
    least: f64,
    cell: &'a mut [u32],
}

impl<W: Width, const D: usize> Job<W, W::Int> for Place<'_, W, D> {
    type Output = (Sum<W, D>, [i64; D]);

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, _: L) -> Self::Output {
        let (mut sum, mut largest, none) = (Sum::default(), [0; D], self.cells.count() as u32);
        for (keys, cells) in self.keys.chunks(BLOCK).zip(self.cell.chunks_mut(BLOCK)) {
            let places = cells_of::<W, D>(self.cells, keys, [0; D]);
            let squares = squares::<W, D>(keys, [0; D]);
            for (at, cell) in cells.iter_mut().enumerate() {
                *cell = if squares[at] >= self.least { places[at] } else { none };
            }
        }
        for key in self.keys {
            sum.add_key(key);
            (0..D).for_each(|k| largest[k] = Integer::to_i64(key[k]).abs().max(largest[k]));
        }
        (sum, largest)
    }
}
