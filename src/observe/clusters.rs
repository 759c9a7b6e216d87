//! Clusters: tokens joined by chains of neighbours at most a tolerance apart.
//!
//! Which tokens are joined does not depend on their order. They are swept along a fixed direction;
//! where that would compare more than 2^26 pairs, tokens that share a cell of side tolerance/√d
//! are joined at once and one of every cell is swept, and where these are still too many, cells
//! are clusters: such a cloud has not clustered at this tolerance.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::points::{Distinct, Points};
use crate::num::{dot, squared_distance};
use crate::rng::Stream;
use crate::tokens::Tokens;

/// Pairs beyond which the points of a sweep are not compared.
const MOST_PAIRS: usize = 1 << 26;

/// A partition of the tokens, heaviest cluster first (ties: lowest member first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// Cluster of every token.
    pub label: Vec<usize>,
    /// Number of tokens of every cluster, descending.
    pub weight: Vec<usize>,
}

impl Clusters {
    /// Clusters at `tolerance`, in the tokens' unit.
    pub fn of(tokens: &Tokens, tolerance: f64) -> Self {
        let cloud = Distinct::of(&Points::of(tokens)).in_order();
        let mut chains = Chains::of(&cloud.points, tolerance);
        let roots: Vec<usize> = cloud.label.iter().map(|&i| chains.root(i as usize)).collect();
        let mut members: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        for (i, &root) in roots.iter().enumerate() {
            members.entry(root).or_insert((0, i)).0 += 1;
        }
        let mut order: Vec<(usize, (usize, usize))> = members.into_iter().collect();
        order.sort_by_key(|&(_, (weight, first))| (std::cmp::Reverse(weight), first));
        let rank: BTreeMap<usize, usize> = order.iter().enumerate().map(|(at, &(root, _))| (root, at)).collect();
        Self {
            label: roots.iter().map(|root| rank[root]).collect(),
            weight: order.into_iter().map(|(_, (weight, _))| weight).collect(),
        }
    }
}

/// Points joined to chains.
pub(super) struct Chains {
    parent: Vec<usize>,
}

impl Chains {
    /// Joins points at most `length` apart. The points are distinct and in order.
    pub(super) fn of(points: &Points, length: f64) -> Self {
        let (scaled, exponent) = points.in_range(256);
        let length = crate::num::scale(length, -exponent);
        let mut chains = Self { parent: (0..points.n()).collect() };
        let all: Vec<u32> = (0..points.n() as u32).collect();
        if length > 0.0 && !chains.sweep(&scaled, all, length) {
            let firsts = chains.cells(&scaled, length);
            chains.sweep(&scaled, firsts, length);
        }
        chains
    }

    /// The least point of the chain of point i.
    pub(super) fn root(&mut self, mut i: usize) -> usize {
        while self.parent[i] != i {
            self.parent[i] = self.parent[self.parent[i]];
            i = self.parent[i];
        }
        i
    }

    /// Joins the chains of two points.
    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }

    /// Joins some points that are at most `length` apart; false where they are too many.
    fn sweep(&mut self, points: &Points, some: Vec<u32>, length: f64) -> bool {
        let d = points.d();
        // A direction that no lattice and no axis is aligned with.
        let mut stream = Stream::new(0, "sweep", 0);
        let direction: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
        let size = dot(&direction, &direction).sqrt();
        let rounding = (d + 2) as f64 * f64::EPSILON * (d as f64).sqrt() * points.largest_magnitude();
        let window = size * (length + 2.0 * rounding);
        let mut heights: Vec<(f64, u32)> =
            some.into_par_iter().map(|i| (dot(&direction, points.row(i as usize)), i)).collect();
        heights.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (mut low, mut pairs) = (0, 0);
        for (at, &(height, _)) in heights.iter().enumerate() {
            while height - heights[low].0 > window {
                low += 1;
            }
            pairs += at - low;
            if pairs > MOST_PAIRS {
                return false;
            }
        }
        for (at, &(height, a)) in heights.iter().enumerate() {
            for &(_, b) in heights[at + 1..].iter().take_while(|&&(above, _)| above - height <= window) {
                let (a, b) = (a as usize, b as usize);
                if squared_distance(points.row(a), points.row(b)).sqrt() <= length {
                    self.join(a, b);
                }
            }
        }
        true
    }

    /// Joins the points of every cell of side length/√d; returns the first of each.
    fn cells(&mut self, points: &Points, length: f64) -> Vec<u32> {
        let d = points.d();
        let side = length / (d as f64).sqrt();
        let cells: Vec<i64> = points.coordinates().par_iter().map(|x| (x / side).floor() as i64).collect();
        let cell = |i: u32| &cells[i as usize * d..][..d];
        let mut order: Vec<u32> = (0..points.n() as u32).collect();
        order.par_sort_unstable_by(|&a, &b| cell(a).cmp(cell(b)).then(a.cmp(&b)));
        let mut firsts = Vec::new();
        for together in order.chunk_by(|&a, &b| cell(a) == cell(b)) {
            firsts.push(together[0]);
            for &i in together {
                self.parent[i as usize] = together[0] as usize;
            }
        }
        firsts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// If this failed, tokens that ended together would have different colours, or others one
    /// colour.
    #[test]
    fn chains_join_and_gaps_part() {
        let x = [0.0, 0.0009, 1.0, 0.5, -0.0004, 1.0, 0.999_999];
        let clusters = Clusters::of(&Tokens::from_flat(7, 1, x.to_vec()).unwrap(), 1e-3);
        assert_eq!(clusters.weight, [3, 3, 1]);
        assert_eq!(clusters.label, [0, 0, 1, 2, 0, 1, 1]);
    }

    /// If this failed, a huge or a vanishing cloud would have other clusters than one of size 1.
    #[test]
    fn scale_does_not_matter() {
        let x = [1.0, 1.0, 1.0, 1.0001, -1.0, 0.0];
        let label = |scale: f64| {
            let scaled: Vec<f64> = x.iter().map(|x| x * scale).collect();
            Clusters::of(&Tokens::from_flat(3, 2, scaled).unwrap(), 1e-3 * scale).label
        };
        assert_eq!(label(1.0), label(1e300));
        assert_eq!(label(1.0), label(1e-300));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// If two neighbours were missed, one limit would count as two.
        #[test]
        fn chains_are_those_of_all_pairs(d in 1usize..5, x in proptest::collection::vec(0i32..12, 4..160), length in 0i32..4) {
            let x: Vec<f64> = x[..x.len() / d * d].iter().map(|&x| f64::from(x)).collect();
            let length = f64::from(length) + 0.5;
            let cloud = Distinct::of(&Points::new(d, x).unwrap()).in_order();
            let mut chains = Chains::of(&cloud.points, length);
            let mut plain = Chains { parent: (0..cloud.len()).collect() };
            for a in 0..cloud.len() {
                for b in 0..a {
                    if squared_distance(cloud.points.row(a), cloud.points.row(b)).sqrt() <= length {
                        plain.join(a, b);
                    }
                }
            }
            for i in 0..cloud.len() {
                prop_assert_eq!(chains.root(i), plain.root(i));
            }
        }
    }
}
