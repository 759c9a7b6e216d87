//! Points: tokens widened to f64, the form that measures work on; and tokens that coincide, counted as one.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::num;
use crate::tokens::{Coordinates, Tokens};

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

    /// Every point in turn.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.x.chunks_exact(self.d)
    }

    /// The coordinates, row-major.
    pub fn coordinates(&self) -> &[f64] {
        &self.x
    }

    /// Some of the points, by index.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        Self { d: self.d, x: rows.iter().flat_map(|&i| self.row(i as usize)).copied().collect() }
    }

    /// The largest magnitude of a coordinate.
    pub fn largest_magnitude(&self) -> f64 {
        self.x.iter().fold(0.0, |m, x| m.max(x.abs()))
    }

    /// The same points times a power of two that brings the largest magnitude to at most 1, and its inverse's
    /// exponent. Nothing is copied, and the exponent is 0, where it would be within `most` of 0.
    pub(super) fn in_range(&self, most: i32) -> (std::borrow::Cow<'_, Self>, i32) {
        let exponent = num::exponent_above(self.largest_magnitude());
        if (-most..=most).contains(&exponent) {
            return (std::borrow::Cow::Borrowed(self), 0);
        }
        let x = self.x.iter().map(|&x| num::scale(x, -exponent) + 0.0).collect();
        (std::borrow::Cow::Owned(Self { d: self.d, x }), exponent)
    }
}

/// The distinct points of a cloud, in the order of their first appearance, each with its weight.
#[derive(Clone, Debug, PartialEq)]
pub struct Distinct {
    /// The distinct points, k of them.
    pub points: Points,
    /// How many tokens lie at each.
    pub weight: Vec<u32>,
    /// The least index among those.
    pub first: Vec<u32>,
    /// For every token the distinct point that it lies at.
    pub label: Vec<u32>,
}

const EMPTY: u32 = u32::MAX;

impl Distinct {
    /// Merges points that are equal in every coordinate; O(n d).
    ///
    /// # Panics
    /// More than 2^32 − 1 points.
    pub fn of(points: &Points) -> Self {
        Self::up_to(points, points.n()).unwrap_or_else(|| unreachable!("no more distinct points than points"))
    }

    /// The same, or `None` for more than `most` distinct points.
    pub(super) fn up_to(points: &Points, most: usize) -> Option<Self> {
        let d = points.d();
        let n = u32::try_from(points.n()).expect("points are counted in 32 bits");
        let (mut weight, mut first): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let mut rows: Vec<f64> = Vec::new();
        let mut table = vec![EMPTY; 1024];
        let mut label = Vec::with_capacity(n as usize);
        for (i, row) in (0..n).zip(points.rows()) {
            let mut at = place(row, table.len());
            while table[at] != EMPTY && rows[table[at] as usize * d..][..d] != *row {
                at = (at + 1) & (table.len() - 1);
            }
            if table[at] != EMPTY {
                weight[table[at] as usize] += 1;
                label.push(table[at]);
                continue;
            }
            if weight.len() == most {
                return None;
            }
            table[at] = weight.len() as u32;
            label.push(table[at]);
            weight.push(1);
            first.push(i);
            rows.extend_from_slice(row);
            if 2 * weight.len() > table.len() {
                // Hardly any coincide so far: room for all at once.
                let is_spread_out = 4 * weight.len() > 3 * (i as usize + 1);
                let size = if is_spread_out { (2 * n as usize).next_power_of_two() } else { 4 * table.len() };
                table = enlarged(&rows, d, size.max(4 * table.len()));
            }
        }
        Some(Self { points: Points { d, x: rows }, weight, first, label })
    }

    /// Number of distinct points.
    pub fn len(&self) -> usize {
        self.weight.len()
    }

    /// Never: a cloud has at least one point.
    pub fn is_empty(&self) -> bool {
        self.weight.is_empty()
    }
}

fn enlarged(rows: &[f64], d: usize, size: usize) -> Vec<u32> {
    let mut table = vec![EMPTY; size];
    for (index, row) in rows.chunks_exact(d).enumerate() {
        let mut at = place(row, size);
        while table[at] != EMPTY {
            at = (at + 1) & (size - 1);
        }
        table[at] = index as u32;
    }
    table
}

fn place(row: &[f64], size: usize) -> usize {
    hash(row) as usize & (size - 1)
}

/// 64 bits of a row, mixed by the finaliser of MurmurHash3 a coordinate.
fn hash(row: &[f64]) -> u64 {
    row.iter().fold(0x51_7c_c1_b7_27_22_0a_95, |h: u64, x| {
        let mut mixed = h.rotate_left(23) ^ x.to_bits();
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ (mixed >> 33)
    })
}

/// How many distinct points there are, by the 64-bit hashes of their coordinates: fewer by one or more with a probability
/// of about n²/2^65, 3e-8 for a million.
pub(super) fn count_distinct(points: &Points) -> usize {
    /// Parts small enough for a table in a core's own cache.
    const PARTS: usize = 256;
    let hashes: Vec<u64> = points.coordinates().par_chunks(points.d()).with_min_len(4096).map(hash).collect();
    let part = |hash: u64| (hash >> 56) as usize;
    let mut ends = [0; PARTS];
    for &hash in &hashes {
        ends[part(hash)] += 1;
    }
    let lengths = ends;
    let mut before = 0;
    for end in &mut ends {
        before += std::mem::replace(end, before);
    }
    let mut sorted = vec![0; hashes.len()];
    for &hash in &hashes {
        let at = &mut ends[part(hash)];
        sorted[*at] = hash;
        *at += 1;
    }
    let parts = (0..PARTS).into_par_iter().map(|k| &sorted[ends[k] - lengths[k]..ends[k]]);
    parts.map(distinct_hashes).sum()
}

fn distinct_hashes(hashes: &[u64]) -> usize {
    let mut table = vec![0; (2 * hashes.len()).next_power_of_two()];
    let mut count = 0;
    for &hash in hashes {
        // 0 stands for an empty place.
        let hash = hash.max(1);
        let mut at = hash as usize & (table.len() - 1);
        while table[at] != 0 && table[at] != hash {
            at = (at + 1) & (table.len() - 1);
        }
        count += usize::from(table[at] == 0);
        table[at] = hash;
    }
    count
}

/// Inner product in plain f64.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Inner product as if summed in twice the precision and rounded once (Ogita, Rump and Oishi's Dot2, SISC 26, 2005).
pub(super) fn dot_exactly(a: &[f64], b: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for (&a, &b) in a.iter().zip(b) {
        let product = a * b;
        let rest = a.mul_add(b, -product);
        let next = sum + product;
        let kept = next - sum;
        lost += ((sum - (next - kept)) + (product - kept)) + rest;
        sum = next;
    }
    sum + lost
}

/// |a − b|².
pub(super) fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// If merging lost or invented a token, every count and every weighted energy would be wrong.
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

    /// Many distinct rows make the table grow several times; none may be lost on the way.
    #[test]
    fn every_distinct_row_survives_growth() {
        let n = 5000;
        let x: Vec<f64> = (0..2 * n).map(|i| f64::from(i % n) / 7.0 - 300.0).collect();
        let distinct = Distinct::of(&Points::new(1, x).unwrap());
        assert_eq!(distinct.len(), n as usize);
        assert!(distinct.weight.iter().all(|&w| w == 2));
    }

    /// A zero of either sign is the same place, and sums that cancel keep what is left.
    #[test]
    fn zeros_are_one_and_cancellation_is_exact() {
        assert_eq!(Distinct::of(&Points::new(1, vec![0.0, -0.0]).unwrap()).len(), 1);
        assert_eq!(dot_exactly(&[1e16, 1.0, -1e16], &[1.0, 1.0, 1.0]), 1.0);
        assert_eq!(dot_exactly(&[1.0 + f64::EPSILON, -1.0], &[1.0 - f64::EPSILON, 1.0]), -f64::EPSILON * f64::EPSILON);
        assert!(Points::new(2, vec![0.0, f64::NAN]).is_err() && Points::new(0, vec![]).is_err());
    }
}
