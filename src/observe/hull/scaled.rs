//! Points as the exact hulls take them: scaled, distinct, in order.

use std::cmp::Ordering;

use super::super::points::Points;
use crate::num;

/// Rows scaled into [−1, 1], coordinates too small for exact products set to 0.
pub(super) struct Scaled<'a> {
    points: &'a Points,
    exponent: i32,
}

impl<'a> Scaled<'a> {
    pub(super) fn of(points: &'a Points) -> Self {
        Self { points, exponent: num::exponent_above(points.largest_magnitude()) }
    }

    /// Row i, filled up with zeros.
    pub(super) fn row<const D: usize>(&self, i: u32) -> [f64; D] {
        let least = num::scale(1.0, -250);
        let row = self.points.row(i as usize);
        std::array::from_fn(|k| {
            let x = num::scale(row.get(k).copied().unwrap_or(0.0), -self.exponent);
            if x.abs() < least { 0.0 } else { x }
        })
    }
}

/// Keeps the lowest index of candidates that coincide once scaled; orders them by their
/// coordinates.
pub(super) fn unique(points: &Points, candidates: Vec<u32>) -> Vec<u32> {
    let scaled = Scaled::of(points);
    let mut keyed: Vec<([f64; 3], u32)> = candidates.into_iter().map(|i| (scaled.row(i), i)).collect();
    keyed.sort_unstable_by(|(a, i), (b, j)| lexicographic(a, b).then(i.cmp(j)));
    keyed.dedup_by(|b, a| a.0 == b.0);
    keyed.into_iter().map(|(_, i)| i).collect()
}

/// The order of two points by their first coordinates that differ.
pub(super) fn lexicographic(a: &[f64], b: &[f64]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).fold(Ordering::Equal, Ordering::then)
}
