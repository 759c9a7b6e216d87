//! The cover: tokens that are the maximum of no query, known by their direction and distance from a
//! centre.

use rayon::prelude::*;

use crate::cpu::exact::direction::cells::{Cell, Cells};
use crate::cpu::exact::direction::table::Table;

/// What pays for the roundings of a radius and of a comparison with it, nine of 2^-53 at most.
const PAID: f64 = 1.0 - 1e-15;

/// For each cell of directions seen from a centre: tokens nearer than that are covered.
pub(super) struct Cover {
    centre: Vec<i64>,
    side: i64,
    radii: Vec<f64>,
    /// The least of the radii.
    least: f64,
    /// The most by which errors below a unit in each coordinate lower a slack.
    pub(super) unit: f64,
}

impl Cover {
    /// The cover by some keys on 2^levels cells along each axis of a face; `None` where they cover
    /// nothing.
    pub(super) fn new<const D: usize>(centre: [i64; D], keys: &[[i64; D]], levels: u32) -> Option<Self> {
        let keys: Vec<[i64; D]> = keys.iter().map(|key| std::array::from_fn(|k| key[k] - centre[k])).collect();
        let table = Table::new(&keys, levels)?;
        let side = table.cells.side;
        let corners: Vec<([i64; D], i64)> = (0..2 * D).flat_map(|face| heights(&table, &keys, face)).collect();
        let least = corners.iter().map(|corner| corner.1).min().filter(|&height| height > 0)?;
        let scale = least as f64 / side as f64 * (1u64 << 52) as f64;
        let of_corner =
            |&(corner, height): &([i64; D], i64)| corner.map(|r| (r as f64 * (scale / height as f64)) as i64);
        let duals: Vec<[i64; D]> = corners.iter().map(of_corner).collect();
        let table = Table::new(&duals, levels)?;
        let radius = |index| {
            let highest = |&key: &u32| table.cells.highest(table.cells.cell(index), duals[key as usize]);
            let highest = table.list(index).iter().map(highest).max().unwrap_or(i64::MAX / 2);
            PAID * side as f64 * scale / (highest + 4 * D as i64 * side) as f64
        };
        let radii: Vec<f64> = (0..table.cells.count()).into_par_iter().with_min_len(256).map(radius).collect();
        let unit = (D as i64 * side) as f64 / (PAID * least as f64);
        let least = radii.iter().copied().fold(f64::INFINITY, f64::min);
        Some(Self { centre: centre.to_vec(), side, radii, least, unit })
    }

    /// Whether a token is covered with a slack.
    #[inline]
    pub(super) fn holds<const D: usize>(&self, x: [i64; D], slack: f64) -> bool {
        let x: [i64; D] = std::array::from_fn(|k| x[k] - self.centre[k]);
        let (size, share) = (x.iter().fold(0, |size, x| x.abs().max(size)) as f64, 1.0 - slack);
        size <= self.least * share || size <= self.radii[Cells::<D> { side: self.side }.place(x).0] * share
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
