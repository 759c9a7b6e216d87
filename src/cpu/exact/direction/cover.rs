//! The cover: tokens that are the maximum of no query, known by their direction and distance from a
//! centre.

#![allow(clippy::inline_always)] // kernels belong into the function of their instruction set

use rayon::prelude::*;

use crate::cpu::exact::direction::cells::{Cell, Cells};
use crate::cpu::exact::direction::rows::{BLOCK, place, squares};
use crate::cpu::exact::direction::table::Table;
use crate::cpu::exact::width::Width;
use crate::num;
use crate::tokens::Precision;

/// The allowance for roundings, as a share of the largest gauge.
const PAID: f64 = 1e-12;

/// Slacks that tokens may have to have when anchors are first known: a larger one lasts longer.
pub(super) const SLACKS: [f64; 4] = [0.0625, 0.015_625, 0.003_906_25, 0.000_976_562_5];

/// A bound of the gauge of a hull about a centre, at every corner of the cells of directions.
pub(super) struct Cover {
    centre: Vec<i64>,
    side: i64,
    /// By face, and by the place along its axes.
    gauges: Vec<f64>,
    /// The largest of the gauges.
    most: f64,
    /// The square of the radius of a ball in the hull, about: r·(x − o) ≤ |r| |x − o|, so it is the least H_r/|r|.
    ball: f64,
    /// The most by which errors below a unit in each coordinate lower a slack.
    unit: f64,
}

impl Cover {
    /// The cover by some keys, for strips of a width in units of the query's largest coordinate, on 2^levels cells
    /// along each axis of a face; `None` where they cover nothing.
    pub(super) fn new<const D: usize>(centre: [i64; D], keys: &[[i64; D]], levels: u32, width: i64) -> Option<Self> {
        let keys: Vec<[i64; D]> = keys.iter().map(|key| std::array::from_fn(|k| key[k] - centre[k])).collect();
        let table = Table::new(&keys, levels, 0)?;
        let side = table.cells.side;
        let corners: Vec<Corner<D>> = (0..2 * D).flat_map(|face| corners(&table, &keys, face, width)).collect();
        let least = corners.iter().map(|corner| corner.height).min().filter(|&height| height > 0)?;
        let scale = least as f64 / side as f64 * (1u64 << 52) as f64;
        let dual = |corner: &Corner<D>| corner.at.map(|r| (r as f64 * (scale / corner.height as f64)).round() as i64);
        let duals: Vec<[i64; D]> = corners.iter().map(dual).collect();
        let table = Table::new(&duals, levels, 0)?;
        let gauge = |corner: &Corner<D>| {
            let product = |&key: &u32| (0..D).map(|k| corner.at[k] * duals[key as usize][k]).sum::<i64>();
            let highest = table.list(corner.cell).iter().map(product).max().unwrap_or(i64::MAX / 2);
            (highest + 2 * D as i64 * side) as f64 / scale
        };
        let gauges: Vec<f64> = corners.par_iter().with_min_len(256).map(gauge).collect();
        let most = gauges.iter().copied().fold(0.0, f64::max);
        let square = |corner: &Corner<D>| {
            let length = corner.at.iter().map(|&r| (r as f64).powi(2)).sum::<f64>();
            (corner.height as f64).powi(2) / length
        };
        let ball = corners.iter().map(square).fold(f64::INFINITY, f64::min);
        let unit = (D as i64 * side) as f64 / least as f64 * (1.0 + PAID);
        Some(Self { centre: centre.to_vec(), side, gauges, most, ball, unit })
    }

    /// The slack after a step of tokens that have one, and move towards keys of the cover that rest.
    pub(super) fn slack_after(&self, slack: f64, gain: u64, precision: Precision) -> f64 {
        let rest = (1.0 - 1e-15) - num::scale(gain as f64, -(precision.gain_bits() as i32));
        (slack * rest - self.unit) * (1.0 - 1e-12)
    }

    /// Whether each of up to `BLOCK` rows is covered with a slack.
    #[inline(always)]
    pub(super) fn holds_each<W: Width, const D: usize>(&self, rows: &[[W::Int; D]], slack: f64) -> [bool; BLOCK] {
        let squares = squares::<W, D>(rows, std::array::from_fn(|k| self.centre[k]));
        let (ball, mut is_held) = (self.ball(slack), [false; BLOCK]);
        (0..BLOCK).for_each(|at| is_held[at] = squares[at] <= ball);
        for (is_held, row) in is_held.iter_mut().zip(rows) {
            *is_held = *is_held || self.holds(place::<W, D>(row), slack);
        }
        is_held
    }

    /// The square of the radius of a ball about the centre whose tokens have a slack.
    #[inline(always)]
    fn ball(&self, slack: f64) -> f64 {
        self.ball * (1.0 - slack).powi(2) * (1.0 - PAID)
    }

    /// Whether a token is covered with a slack.
    #[inline]
    pub(super) fn holds<const D: usize>(&self, x: [i64; D], slack: f64) -> bool {
        let x: [i64; D] = std::array::from_fn(|k| x[k] - self.centre[k]);
        let square = x.iter().map(|&x| (x as f64).powi(2)).sum::<f64>();
        if square <= self.ball(slack) {
            return true;
        }
        let (face, size, turned) = Cells::<D>::turned(x);
        let (size, share) = (size as f64, (1.0 - slack) * self.side as f64);
        let (mut at, mut part) = ([0; 2], [0.0; 2]);
        for s in 0..D - 1 {
            let along = (turned[s + 1] as f64 / size + 1.0) * (self.side as f64 / 2.0);
            at[s] = (along as usize).min(self.side as usize - 1);
            part[s] = along - at[s] as f64;
        }
        let (row, across) = (face as usize * (self.side as usize + 1) + at[0], across::<D>(self.side) as usize + 1);
        let gauge = |i, j| self.gauges[(row + i) * across + at[1] + j];
        let mean = |a: f64, b: f64, part: f64| a + (b - a) * part;
        let line = |i| if D == 2 { gauge(i, 0) } else { mean(gauge(i, 0), gauge(i, 1), part[1]) };
        size * (mean(line(0), line(1), part[0]) + self.most * PAID) <= share
    }
}

/// Cells along the second axis of a face, less the one that there is where it has none.
fn across<const D: usize>(side: i64) -> i64 {
    if D == 2 { 0 } else { side }
}

/// A corner of cells of a face.
struct Corner<const D: usize> {
    at: [i64; D],
    /// One of the cells.
    cell: usize,
    /// The least height of their first keys, less the width.
    height: i64,
}

/// The corners of a face.
fn corners<const D: usize>(table: &Table<D>, keys: &[[i64; D]], face: usize, width: i64) -> Vec<Corner<D>> {
    let (cells, across) = (table.cells, across::<D>(table.cells.side));
    let places = (0..=cells.side).flat_map(|i| (0..=across).map(move |j| [i, j]));
    let corner = |place: [i64; 2]| {
        let at = cells.corner(Cell { face, at: place }, [0, 0]);
        let near =
            |s: usize| (place[s] - 1).max(0)..=place[s].min((if s == 0 { cells.side } else { across }) - 1).max(0);
        let around = || near(0).flat_map(|i| near(1).map(move |j| cells.index(Cell { face, at: [i, j] })));
        let height = |cell| {
            let key = keys[table.list(cell)[0] as usize];
            (0..D).map(|k| at[k] * key[k]).sum::<i64>()
        };
        let cell = around().next().unwrap_or_default();
        Corner { at, cell, height: around().map(height).min().unwrap_or_default() - width * cells.side }
    };
    places.map(corner).collect()
}
