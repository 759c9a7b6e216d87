//! The table: for each cell of directions, the keys that can be a maximum in it.

use rayon::prelude::*;

use crate::cpu::exact::direction::cells::{Cell, Cells};

/// The most keys that all lists of a table hold together.
const MOST: usize = 1 << 22;

/// So few keys need no second look; cells above this level hold too many maxima for one.
const FEW: usize = 4;
const SMALL: u32 = 3;

/// The list of every cell, as indices of keys. A list is never empty, and its first key is about
/// the highest in the middle of the cell.
pub(super) struct Table<const D: usize> {
    pub(super) cells: Cells<D>,
    starts: Vec<u32>,
    members: Vec<u32>,
    /// Keys that were held against a key above them, once for each pair.
    pub(super) tests: u64,
}

impl<const D: usize> Table<D> {
    /// The table of some keys, for strips of a width in units of the query's largest coordinate, on 2^levels cells,
    /// two at least, along each axis of a face; `None` where there is no key, or where the lists would be too long.
    pub(super) fn new(keys: &[[i64; D]], levels: u32, width: i64) -> Option<Self> {
        let (cells, parts) = (Cells { side: 1 << levels }, Cells::<D> { side: 2 });
        let all: Vec<u32> = (0..keys.len() as u32).collect();
        let of_part = |part| {
            let mut lists =
                Lists { found: Vec::new(), members: Vec::new(), most: MOST / parts.count(), width, tests: 0 };
            lists.descend(keys, &all, parts.cell(part), 1, levels).then_some(lists)
        };
        let lists: Option<Vec<Lists<D>>> = (0..parts.count()).into_par_iter().with_max_len(1).map(of_part).collect();
        let lists = lists.filter(|_| !keys.is_empty())?;
        let mut spans = vec![(0, 0, 0); cells.count()];
        for (part, lists) in lists.iter().enumerate() {
            for &(cell, start, end) in &lists.found {
                spans[cells.index(cell)] = (part, start, end);
            }
        }
        let (mut starts, mut members) = (Vec::with_capacity(spans.len() + 1), Vec::new());
        for (part, start, end) in spans {
            starts.push(members.len() as u32);
            members.extend_from_slice(&lists[part].members[start..end]);
        }
        starts.push(members.len() as u32);
        let tests = lists.iter().map(|lists| lists.tests).sum();
        Some(Self { cells, starts, members, tests })
    }

    /// The keys of a cell.
    #[inline]
    pub(super) fn list(&self, cell: usize) -> &[u32] {
        &self.members[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }
}

/// Lists of the cells of a part of a face, each a span of the members.
struct Lists<const D: usize> {
    found: Vec<(Cell, usize, usize)>,
    members: Vec<u32>,
    most: usize,
    width: i64,
    tests: u64,
}

impl<const D: usize> Lists<D> {
    /// Makes the lists of all cells below one of `level`, from the keys that can be in a strip in the
    /// cell above it. False if they are too long.
    fn descend(&mut self, keys: &[[i64; D]], above: &[u32], cell: Cell, level: u32, levels: u32) -> bool {
        let cells = Cells::<D> { side: 1 << level };
        let lowest = -self.width * cells.side;
        let steps = &[[0, 0], [1, 0], [0, 1], [1, 1]][..1 << (D - 1)];
        // The first corner and the last add up to twice the middle.
        let (low, high) = (cells.corner(cell, [0, 0]), cells.corner(cell, [1, 1]));
        let top_of = |from: &[u32], q: [i64; D]| {
            let score = |&key: &u32| (0..D).map(|k| q[k] * keys[key as usize][k]).sum::<i64>();
            from.iter().copied().max_by_key(score)
        };
        let is_kept = |key: u32, top: u32| {
            let apart = std::array::from_fn(|k| keys[key as usize][k] - keys[top as usize][k]);
            key != top && cells.highest(cell, apart) >= lowest
        };
        let Some(top) = top_of(above, std::array::from_fn(|k| low[k] + high[k])) else { return true };
        self.tests += above.len() as u64;
        let mut kept = vec![top];
        kept.extend(above.iter().filter(|&&key| is_kept(key, top)));
        // Keys around another maximum of a small cell are left out by that one.
        for &step in steps.iter().filter(|_| level >= SMALL && above.len() > FEW) {
            self.tests += kept.len() as u64;
            let top = top_of(&kept, cells.corner(cell, step)).unwrap_or(top);
            kept.retain(|&key| key == top || is_kept(key, top));
        }
        if level < levels && kept.len() > 1 {
            return steps.iter().all(|step| {
                let at = [0, 1].map(|s| 2 * cell.at[s] + step[s]);
                self.descend(keys, &kept, Cell { at, ..cell }, level + 1, levels)
            });
        }
        let start = self.members.len();
        self.members.extend_from_slice(&kept);
        let (shift, end) = (levels - level, self.members.len());
        for i in 0..1 << shift {
            for j in 0..if D == 2 { 1 } else { 1 << shift } {
                let at = [(cell.at[0] << shift) + i, (cell.at[1] << shift) + j];
                self.found.push((Cell { at, ..cell }, start, end));
            }
        }
        end <= self.most
    }
}
