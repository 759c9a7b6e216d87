//! Rows halved at their medians, again and again.
//!
//! A run of Morton's order may jump, and a box around what lies on both sides of a jump says
//! nothing. So within a window of that order rows are ordered anew: the window is halved along its
//! longest extent, each half likewise, down to half a leaf. Runs of a power of two of rows, which
//! is what boxes are drawn around and what is computed together, then lie compactly.

use rayon::prelude::*;

use super::coordinate::Coordinate;

/// Number of keys in a leaf of the tree.
pub const LEAF: usize = 32;

/// Number of rows ordered together, a power of two: their coordinates should stay in a cache.
const WINDOW: usize = 1 << 15;

/// The largest d for which that pays.
const MOST_COORDINATES: usize = 16;

/// Orders items, each of which has a row, window by window.
pub(super) fn refine<'a, I: Coordinate, T: Copy + Send + Sync>(
    items: &mut [T],
    d: usize,
    row: impl Fn(T) -> &'a [I] + Sync,
) {
    if d > MOST_COORDINATES {
        return;
    }
    items.par_chunks_mut(WINDOW).for_each(|window| {
        let rows: Vec<I> = window.iter().flat_map(|&item| row(item).iter().copied()).collect();
        let mut order: Vec<(I, u32)> = (0..window.len() as u32).map(|i| (I::default(), i)).collect();
        halve(&rows, d, &mut order, WINDOW);
        let before = window.to_vec();
        for (item, &(_, from)) in window.iter_mut().zip(&order) {
            *item = before[from as usize];
        }
    });
}

/// Halves some rows, each with room for a coordinate, that fill at most `places` places.
fn halve<I: Coordinate>(rows: &[I], d: usize, some: &mut [(I, u32)], places: usize) {
    if places <= LEAF / 2 || some.len() < 2 {
        return;
    }
    let half = places / 2;
    if some.len() <= half {
        return halve(rows, d, some, half);
    }
    let row = |i: u32| &rows[i as usize * d..][..d];
    let (mut low, mut high) = ([I::default(); MOST_COORDINATES], [I::default(); MOST_COORDINATES]);
    low[..d].copy_from_slice(row(some[0].1));
    high[..d].copy_from_slice(row(some[0].1));
    for &(_, i) in &*some {
        for ((low, high), &x) in low.iter_mut().zip(&mut high).zip(row(i)) {
            *low = x.min(*low);
            *high = x.max(*high);
        }
    }
    let longest = (0..d).max_by_key(|&k| high[k].to_i64() - low[k].to_i64()).unwrap_or(0);
    for (x, i) in &mut *some {
        *x = rows[*i as usize * d + longest];
    }
    some.select_nth_unstable_by_key(half, |&(x, _)| x);
    let (low, high) = some.split_at_mut(half);
    halve(rows, d, low, half);
    halve(rows, d, high, half);
}
