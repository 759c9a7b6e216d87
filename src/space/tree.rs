//! The tree of boxes over keys in order.
//!
//! Nodes are numbered like a heap: root 1, children 2i and 2i + 1, leaves from [`Tree::first_leaf`]
//! on, leaf l over the keys `32·l .. 32·(l + 1)`. Their number is a power of two; those past the
//! last key have weight 0, and so have nodes over nothing else. Plain arrays, one a quantity, so
//! that a device takes them as they are; node 0 is unused.

use rayon::prelude::*;

use super::coordinate::Coordinate;
use super::medians::LEAF;
use super::merge::Keys;

/// Boxes, weights and sums over runs of keys. See the module.
#[derive(Clone, Debug, Default)]
pub struct Tree<I: Coordinate> {
    pub(super) d: usize,
    pub(super) first_leaf: usize,
    pub(super) keys: usize,
    /// `[node][low.., high..]`.
    pub(super) bounds: Vec<I>,
    /// `[node][centre.., half-width..]`, half-widths rounded up.
    pub(super) boxes: Vec<I::Float>,
    /// `[node][coordinate]`: exact sums, with weights.
    pub(super) sum: Vec<I::Sum>,
    /// Number of tokens below every node.
    pub(super) weight: Vec<u32>,
    /// The least and the largest first index below every node.
    pub(super) span: Vec<[u32; 2]>,
    /// The keys of every leaf that was grafted ([`super::graft`]): those on the right.
    pub(super) grafts: Vec<std::ops::Range<u32>>,
    /// Whether those came without their sums.
    pub(super) lacks_sums: bool,
    /// For every leaf, a bound of the norms of its keys and of all later ones.
    pub(super) reach: Vec<I::Float>,
}

impl<I: Coordinate> Tree<I> {
    /// Builds the tree of the keys' weights; [`Tree::refit`] adds boxes, sums and norms.
    pub fn new<'a>(keys: &'a Keys<I>, d: usize) -> Self {
        let leaves = keys.len().div_ceil(LEAF).max(1);
        let first_leaf = leaves.next_power_of_two();
        let nodes = 2 * first_leaf;
        let mut weight = vec![0; nodes];
        let mut span = vec![[u32::MAX, 0]; nodes];
        let chunk = |of: &'a [u32], l: usize| of.chunks(LEAF).nth(l).unwrap_or_default();
        for l in 0..leaves {
            weight[first_leaf + l] = chunk(&keys.weight, l).iter().sum();
            let first = chunk(&keys.first, l);
            span[first_leaf + l] =
                [first.iter().copied().min().unwrap_or(u32::MAX), first.iter().copied().max().unwrap_or(0)];
        }
        for node in (1..first_leaf).rev() {
            weight[node] = weight[2 * node] + weight[2 * node + 1];
            let [a, b] = [span[2 * node], span[2 * node + 1]];
            span[node] = [a[0].min(b[0]), a[1].max(b[1])];
        }
        Self {
            d,
            first_leaf,
            keys: keys.len(),
            bounds: vec![I::default(); nodes * 2 * d],
            boxes: vec![I::Float::default(); nodes * 2 * d],
            sum: vec![I::Sum::default(); nodes * d],
            weight,
            span,
            grafts: Vec::new(),
            lacks_sums: false,
            reach: vec![I::Float::default(); leaves],
        }
    }

    /// Computes boxes, sums and norms of moved rows in the old order. `rows` may go on past the
    /// last key.
    pub fn refit(&mut self, rows: &[I], weight: &[u32], rounding: f64) {
        let (d, leaves) = (self.d, self.reach.len());
        if d == 0 || self.keys == 0 {
            return;
        }
        let rows = &rows[..self.keys * d];
        // Norms are sums of d squares in f64; a product of two in the float's width is rounded once
        // more.
        let slack = 1.0 + (d + 8) as f64 * 2.0 * rounding;
        let at = self.first_leaf;
        let mut norms = vec![0.0f64; leaves];
        self.bounds[at * 2 * d..]
            .par_chunks_mut(2 * d)
            .zip(self.boxes[at * 2 * d..].par_chunks_mut(2 * d))
            .zip(self.sum[at * d..].par_chunks_mut(d))
            .zip(&mut norms)
            .zip(rows.par_chunks(LEAF * d))
            .zip(weight.par_chunks(LEAF))
            .with_min_len(32)
            .for_each(|(((((bounds, boxes), sum), norm), rows), weight)| {
                let (low, high) = bounds.split_at_mut(d);
                low.copy_from_slice(&rows[..d]);
                high.copy_from_slice(&rows[..d]);
                sum.fill(I::Sum::default());
                *norm = 0.0;
                for (row, &weight) in rows.chunks_exact(d).zip(weight) {
                    let mut square = 0.0;
                    for (k, &x) in row.iter().enumerate() {
                        low[k] = low[k].min(x);
                        high[k] = high[k].max(x);
                        sum[k] += x.times(weight);
                        square += (x.to_i64() as f64).powi(2);
                    }
                    *norm = norm.max(square);
                }
                enclose::<I>(bounds, boxes);
            });
        let mut largest = 0.0f64;
        for (reach, square) in self.reach.iter_mut().zip(norms).rev() {
            largest = largest.max(square);
            *reach = I::float_above(largest.sqrt() * slack);
        }
        let mut level = at / 2;
        while level > 0 {
            let (parents, children) = (level, 2 * level);
            let (bounds, bounds_below) = self.bounds.split_at_mut(children * 2 * d);
            let (sum, sum_below) = self.sum.split_at_mut(children * d);
            let weight = &self.weight[children..];
            bounds[parents * 2 * d..]
                .par_chunks_mut(2 * d)
                .zip(self.boxes[parents * 2 * d..children * 2 * d].par_chunks_mut(2 * d))
                .zip(sum[parents * d..].par_chunks_mut(d))
                .zip(bounds_below[..children * 2 * d].par_chunks(4 * d))
                .zip(sum_below[..children * d].par_chunks(2 * d))
                .zip(weight.par_chunks(2))
                .with_min_len(256)
                .for_each(|(((((bounds, boxes), sum), below), sums), weight)| {
                    bounds.copy_from_slice(&below[..2 * d]);
                    sum.copy_from_slice(&sums[..d]);
                    if weight[1] > 0 {
                        for k in 0..d {
                            bounds[k] = bounds[k].min(below[2 * d + k]);
                            bounds[d + k] = bounds[d + k].max(below[3 * d + k]);
                            sum[k] += sums[d + k];
                        }
                    }
                    enclose::<I>(bounds, boxes);
                });
            level /= 2;
        }
    }

    /// The number of the first leaf, a power of two; nodes below it have two children.
    pub fn first_leaf(&self) -> usize {
        self.first_leaf
    }

    /// Number of leaves that hold keys.
    pub fn leaves(&self) -> usize {
        self.reach.len()
    }

    /// Range of the keys below a node, which is a leaf if it was grafted.
    pub fn range(&self, node: usize) -> std::ops::Range<usize> {
        if let Some(graft) = self.grafted(node) {
            return graft.start as usize..graft.end as usize;
        }
        let depth_below = self.first_leaf.ilog2() - node.ilog2();
        let leaf = (node << depth_below) - self.first_leaf;
        let keys = LEAF << depth_below;
        (leaf * LEAF).min(self.keys)..(leaf * LEAF + keys).min(self.keys)
    }

    /// The lowest and the highest coordinates below a node: `[low.., high..]`.
    pub fn bounds(&self, node: usize) -> &[I] {
        &self.bounds[node * 2 * self.d..][..2 * self.d]
    }

    /// Centre and half-widths of every node: `[node][centre.., half-width..]`.
    pub fn boxes(&self) -> &[I::Float] {
        &self.boxes
    }

    /// Sum of the tokens below a node.
    pub fn sum(&self, node: usize) -> &[I::Sum] {
        &self.sum[node * self.d..][..self.d]
    }

    /// Number of tokens below every node.
    pub fn weight(&self) -> &[u32] {
        &self.weight
    }

    /// The least and the largest first index below every node.
    pub fn span(&self) -> &[[u32; 2]] {
        &self.span
    }

    /// For every leaf, a bound of the norms of its keys and of all later ones, with room for a
    /// rounding.
    pub fn reach(&self) -> &[I::Float] {
        &self.reach
    }
}

pub(super) fn enclose<I: Coordinate>(bounds: &[I], boxes: &mut [I::Float]) {
    let d = bounds.len() / 2;
    for k in 0..d {
        (boxes[k], boxes[d + k]) = I::centre_and_half_width(bounds[k], bounds[d + k]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::order::Order;
    use super::*;
    use proptest::prelude::*;

    /// Checks every invariant of a tree over these rows.
    fn check(keys: &Keys<i64>, rows: &[i64], d: usize) {
        let mut tree = Tree::new(keys, d);
        tree.refit(rows, &keys.weight, f64::EPSILON / 2.0);
        for node in 1..2 * tree.first_leaf() {
            let range = tree.range(node);
            assert_eq!(tree.weight()[node], keys.weight[range.clone()].iter().sum::<u32>());
            if range.is_empty() {
                continue;
            }
            let first = &keys.first[range.clone()];
            assert_eq!(tree.span()[node], [*first.iter().min().unwrap(), *first.iter().max().unwrap()]);
            for k in 0..d {
                let sum: i128 = range.clone().map(|j| i128::from(rows[j * d + k]) * i128::from(keys.weight[j])).sum();
                assert_eq!(tree.sum(node)[k], sum);
                let (centre, half) = (tree.boxes()[node * 2 * d + k], tree.boxes()[node * 2 * d + d + k]);
                // Centre and half-width are integers up to 2^54, or even ones: i128 holds them.
                for j in range.clone() {
                    assert!((i128::from(rows[j * d + k]) - centre as i128).abs() <= half as i128);
                }
            }
        }
        for (leaf, &reach) in tree.reach().iter().enumerate() {
            for row in rows[leaf * LEAF * d..keys.len() * d].chunks(d) {
                let square: i128 = row.iter().map(|&x| i128::from(x) * i128::from(x)).sum();
                assert!(((reach as i128) + 1).pow(2) >= square);
            }
        }
    }

    proptest! {
        /// If a box did not hold its keys, a strip would lose some; if a sum were off, a mean would
        /// be.
        #[test]
        fn boxes_hold_their_keys(
            d in 1usize..5, values in proptest::collection::vec((-1i64 << 53)..=(1i64 << 53), 1..900), shift in 0u32..53, merge in any::<bool>(),
        ) {
            let values: Vec<i64> = values.iter().map(|v| v >> shift).collect();
            let n = values.len().div_ceil(d);
            let rows: Vec<i64> = values.iter().copied().cycle().take(n * d).collect();
            let (mut keys, _) = Keys::of_tokens(rows, d).ordered(d, Order::Space, merge);
            check(&keys, &keys.rows.clone(), d);
            // Moved rows in the old order, as after a step.
            keys.rows.iter_mut().for_each(|x| *x = (*x / 3).rotate_left(1) / 2);
            check(&keys, &keys.rows.clone(), d);
        }
    }
}
