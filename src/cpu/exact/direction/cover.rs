//! The cover: tokens that are the maximum of no query, known by their direction and distance from a
//! centre.

use rayon::prelude::*;

use crate::cpu::exact::direction::cells::{Cell, Cells};
use crate::cpu::exact::direction::table::Table;

/// For each cell of directions seen from the centre: tokens nearer than that are covered.
pub(super) struct Cover<const D: usize> {
    cells: Cells<D>,
    radii: Vec<i64>,
    /// The least of the radii.
    least: i64,
}

impl<const D: usize> Cover<D> {
    /// The cover by some keys, given from the centre, on 2^levels cells along each axis of a face;
    /// `None` where they cover nothing.
    pub(super) fn new(keys: &[[i64; D]], levels: u32) -> Option<Self> {
        let table = Table::new(keys, levels)?;
        let cells = table.cells;
        let corners: Vec<([i64; D], i64)> = (0..2 * D).flat_map(|face| heights(&table, keys, face)).collect();
        if corners.iter().any(|&(_, height)| height <= 0) {
            return None;
        }
        let radius = |index| {
            let cell = cells.cell(index);
            let radius = |&(corner, height): &([i64; D], i64)| {
                let highest = cells.highest(cell, corner);
                if highest > 0 { height as f64 / highest as f64 } else { f64::INFINITY }
            };
            let least = corners.iter().map(radius).fold(f64::INFINITY, f64::min);
            // Four roundings, of 2^-53 each, are paid for.
            (cells.side as f64 * least * (1.0 - 1e-15)) as i64
        };
        let radii: Vec<i64> = (0..cells.count()).into_par_iter().with_min_len(64).map(radius).collect();
        let least = radii.iter().copied().min()?;
        Some(Self { cells, radii, least })
    }

    /// Whether a token, given from the centre, is covered.
    #[inline]
    pub(super) fn holds(&self, x: [i64; D]) -> bool {
        let size = x.iter().fold(0, |size, x| x.abs().max(size));
        // A token at the centre is nearer than any radius, which is at least 0.
        size < self.least || (size > 0 && size < self.radii[self.cells.place(x).0])
    }
}

/// The corners of a face, and for each the least height of the first keys of the cells around it.
fn heights<const D: usize>(table: &Table<D>, keys: &[[i64; D]], face: usize) -> Vec<([i64; D], i64)> {
    let cells = table.cells;
    let across = if D == 2 { 0 } else { cells.side };
    let places = (0..=cells.side).flat_map(|i| (0..=across).map(move |j| [i, j]));
    let height = |place: [i64; 2]| {
        let corner = cells.corner(Cell { face, at: place }, [0, 0]);
        let near =
            |s: usize| (place[s] - 1).max(0)..=place[s].min((if s == 0 { cells.side } else { across }) - 1).max(0);
        let around = near(0).flat_map(|i| near(1).map(move |j| Cell { face, at: [i, j] }));
        let heights = around.map(|cell| {
            let key = keys[table.list(cells.index(cell))[0] as usize];
            (0..D).map(|k| corner[k] * key[k]).sum::<i64>()
        });
        (corner, heights.min().unwrap_or_default())
    };
    places.map(height).collect()
}
