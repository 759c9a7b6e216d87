//! Points: tokens widened to f64, which measures work on; and coincident tokens, counted as one.

use std::cmp::Ordering;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::num;
use crate::tokens::{Coordinates, Tokens};

/// Number of hashes that are counted in one table, which stays in a core's cache.
const HASHED: usize = 1 << 13;

/// n points in R^d, row-major, finite, without negative zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    d: usize,
    x: Vec<f64>,
}

impl Points {
    /// The tokens, widened.
    pub fn of(tokens: &Tokens) -> Self {
        let x = match tokens.coordinates() {
            Coordinates::F32(v) => v.par_iter().with_min_len(65_536).map(|&x| f64::from(x) + 0.0).collect(),
            Coordinates::F64(v) => v.par_iter().with_min_len(65_536).map(|&x| x + 0.0).collect(),
        };
        Self { d: tokens.d(), x }
    }

    /// An (n, d) array.
    ///
    /// # Errors
    /// d = 0, no points, a length that d does not divide, a coordinate that is not finite.
    pub fn new(d: usize, x: Vec<f64>) -> Result<Self> {
        if d == 0 || x.is_empty() || !x.len().is_multiple_of(d) {
            return Err(Error::input(format!("{} coordinates are no points in R^{d}", x.len())));
        }
        if let Some(at) = x.iter().position(|x| !x.is_finite()) {
            return Err(Error::input(format!("point {} has the coordinate {}; it must be finite", at / d, x[at])));
        }
        Ok(Self { d, x: x.into_iter().map(|x| x + 0.0).collect() })
    }

    /// An array whose coordinates are known to be finite and many enough.
    pub(super) fn unchecked(d: usize, x: Vec<f64>) -> Self {
        Self { d, x }
    }

    /// Number of points.
    pub fn n(&self) -> usize {
        self.x.len() / self.d
    }

    /// Dimension.
    pub fn d(&self) -> usize {
        self.d
    }

    /// Point i.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.x[i * self.d..][..self.d]
    }

    /// An iterator over the points.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.x.chunks_exact(self.d)
    }

    /// The coordinates, row-major.
    pub fn coordinates(&self) -> &[f64] {
        &self.x
    }

    /// The points of these indices.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        Self { d: self.d, x: rows.iter().flat_map(|&i| self.row(i as usize)).copied().collect() }
    }

    /// The largest magnitude of a coordinate.
    pub fn largest_magnitude(&self) -> f64 {
        num::largest_magnitude(&self.x)
    }

    /// The points divided by 2^e, which brings the largest magnitude to at most 1, and e. Where |e|
    /// <= `most`, nothing is copied and e is 0.
    pub(super) fn in_range(&self, most: i32) -> (std::borrow::Cow<'_, Self>, i32) {
        let exponent = num::exponent_above(self.largest_magnitude());
        if (-most..=most).contains(&exponent) {
            return (std::borrow::Cow::Borrowed(self), 0);
        }
        let x = self.x.iter().map(|&x| num::scale(x, -exponent) + 0.0).collect();
        (std::borrow::Cow::Owned(Self { d: self.d, x }), exponent)
    }
}

/// The distinct points of a cloud, each with its weight, in the order of their first appearance
/// unless they are put into another.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct {
    /// The distinct points, k of them.
    pub points: Points,
    /// Number of tokens that lie at each.
    pub weight: Vec<u32>,
    /// The least index among these tokens.
    pub first: Vec<u32>,
    /// For every token, the index of its distinct point.
    pub label: Vec<u32>,
}

impl Distinct {
    /// Merges points that are equal in every coordinate; O(n d).
    ///
    /// # Panics
    /// More than 2^32 − 1 points.
    pub fn of(points: &Points) -> Self {
        Self::up_to(points, points.n()).unwrap_or_else(|| unreachable!("no more distinct points than points"))
    }

    /// Merges points as [`Distinct::of`] does, or gives `None` where more than `most` are distinct.
    pub(super) fn up_to(points: &Points, most: usize) -> Option<Self> {
        let d = points.d();
        let n = u32::try_from(points.n()).expect("points are counted in 32 bits");
        let (mut weight, mut first, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        let mut label = Vec::with_capacity(points.n());
        let mut table: HashTable<u32> = HashTable::with_capacity(points.n().min(1 << 16));
        for (i, row) in (0..n).zip(points.rows()) {
            let place = |index: &u32| &rows[*index as usize * d..][..d];
            let index = match table.entry(hash(row), |index| place(index) == row, |index| hash(place(index))) {
                Entry::Occupied(found) => *found.get(),
                Entry::Vacant(_) if weight.len() == most => return None,
                Entry::Vacant(free) => {
                    let index = weight.len() as u32;
                    free.insert(index);
                    weight.push(0);
                    first.push(i);
                    rows.extend_from_slice(row);
                    index
                }
            };
            weight[index as usize] += 1;
            label.push(index);
        }
        Some(Self { points: Points { d, x: rows }, weight, first, label })
    }

    /// Puts the points into the order of their coordinates, which does not depend on the tokens'.
    #[must_use]
    pub(super) fn in_order(self) -> Self {
        let row = |i: u32| self.points.row(i as usize);
        let mut order: Vec<u32> = (0..self.len() as u32).collect();
        order.par_sort_unstable_by(|&a, &b| {
            row(a).iter().zip(row(b)).map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        });
        let mut rank = vec![0; order.len()];
        (0..).zip(&order).for_each(|(at, &i)| rank[i as usize] = at);
        Self {
            points: self.points.select(&order),
            weight: order.iter().map(|&i| self.weight[i as usize]).collect(),
            first: order.iter().map(|&i| self.first[i as usize]).collect(),
            label: self.label.into_iter().map(|i| rank[i as usize]).collect(),
        }
    }

    /// Number of distinct points.
    pub fn len(&self) -> usize {
        self.weight.len()
    }

    /// Always false: a cloud has at least one point.
    pub fn is_empty(&self) -> bool {
        self.weight.is_empty()
    }
}

/// A 64-bit hash of a row: coordinates mixed by the finaliser of MurmurHash3.
fn hash(row: &[f64]) -> u64 {
    row.iter().fold(0x51_7c_c1_b7_27_22_0a_95, |h: u64, x| {
        let mut mixed = h.rotate_left(23) ^ x.to_bits();
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ (mixed >> 33)
    })
}

/// Counts distinct points by the 64-bit hashes of their coordinates: too few with a probability of
/// about n²/2^65, 3e-8 for a million.
pub(super) fn count_distinct(points: &Points) -> usize {
    let mut hashes: Vec<u64> = points.coordinates().par_chunks(points.d()).with_min_len(4096).map(hash).collect();
    let bits = (hashes.len() / HASHED).checked_ilog2().map_or(0, |bits| bits + 1);
    let part = |hash: u64| hash.checked_shr(64 - bits).unwrap_or(0) as usize;
    put_in_parts(&mut hashes, 1 << bits, part);
    let distinct = |hashes: &[u64]| {
        // Within a part the first bits are equal, and a table wants them different.
        let mixed = |hash: &u64| hash.rotate_left(32);
        let mut table = HashTable::with_capacity(hashes.len());
        for &hash in hashes {
            table.entry(mixed(&hash), |&other| other == hash, mixed).or_insert(hash);
        }
        table.len()
    };
    hashes.par_chunk_by(|&a, &b| part(a) == part(b)).map(distinct).sum()
}

/// Orders hashes by the part of each, in place; within a part in any order.
fn put_in_parts(hashes: &mut [u64], parts: usize, part: impl Fn(u64) -> usize) {
    let mut ends = vec![0; parts];
    for &hash in &*hashes {
        ends[part(hash)] += 1;
    }
    (1..parts).for_each(|at| ends[at] += ends[at - 1]);
    let mut next: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    for (here, &end) in ends.iter().enumerate() {
        while next[here] < end {
            let home = part(hashes[next[here]]);
            hashes.swap(next[here], next[home]);
            next[home] += 1;
        }
    }
}

/// The mean of some rows of R^d.
pub(super) fn mean<'a>(d: usize, rows: impl ExactSizeIterator<Item = &'a [f64]>) -> Vec<f64> {
    let count = rows.len() as f64;
    let mut mean = vec![0.0; d];
    for row in rows {
        mean.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / count);
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// If merging lost or invented a token, counts and weighted energies would be wrong.
        #[test]
        fn merging_is_that_of_a_set(d in 1usize..4, values in proptest::collection::vec(-2i32..3, 4..3000)) {
            let x: Vec<f64> = values[..values.len() / d * d].iter().map(|&v| f64::from(v) * 0.0f64.max(0.5)).collect();
            let points = Points::new(d, x).unwrap();
            let distinct = Distinct::of(&points);
            let set: std::collections::HashSet<Vec<u64>> =
                points.rows().map(|row| row.iter().map(|x| x.to_bits()).collect()).collect();
            prop_assert_eq!(distinct.len(), set.len());
            prop_assert_eq!(count_distinct(&points), set.len());
            prop_assert!(Distinct::up_to(&points, set.len() - 1).is_none());
            let mut weight = vec![0; distinct.len()];
            for (i, &label) in distinct.label.iter().enumerate() {
                prop_assert_eq!(points.row(i), distinct.points.row(label as usize));
                prop_assert!(distinct.first[label as usize] as usize <= i);
                weight[label as usize] += 1;
            }
            prop_assert_eq!(weight, distinct.weight.clone());
            prop_assert!(distinct.first.windows(2).all(|w| w[0] < w[1]));
        }
    }

    /// If the table lost a row when it grows, or equal hashes came into two tables, coincident tokens would
    /// count twice.
    #[test]
    fn every_distinct_row_survives_growth() {
        let n = 130_000;
        let x: Vec<f64> = (0..2 * n).map(|i| f64::from(i % n) / 7.0 - 300.0).collect();
        let points = Points::new(1, x).unwrap();
        let distinct = Distinct::of(&points);
        assert_eq!(distinct.len(), n as usize);
        assert_eq!(count_distinct(&points), n as usize);
        assert!(distinct.weight.iter().all(|&w| w == 2));
    }

    /// A zero of either sign is one place.
    #[test]
    fn zeros_are_one() {
        assert_eq!(Distinct::of(&Points::new(1, vec![0.0, -0.0]).unwrap()).len(), 1);
        assert!(Points::new(2, vec![0.0, f64::NAN]).is_err() && Points::new(0, vec![]).is_err());
    }
}
