//! A tree of two halves: the boxes of one tree on the left, and on the right leaves that come from elsewhere,
//! some of them with keys and some *closed*: the keys in them are not known, only their box, weight and sum.

use std::ops::Range;

use super::coordinate::Coordinate;
use super::tree::{Tree, enclose};

/// A leaf that comes from elsewhere.
pub struct Graft<'a, I: Coordinate> {
    /// `[low.., high..]`.
    pub bounds: &'a [I],
    /// The sum of its tokens.
    pub sum: &'a [I::Sum],
    /// Their number, at least 1.
    pub weight: u32,
    /// Their least and their largest first index.
    pub span: [u32; 2],
    /// Its keys; none if it is closed.
    pub keys: Range<u32>,
}

impl<I: Coordinate> Tree<I> {
    /// A tree whose left half is this one, with room for so many leaves on the right.
    #[must_use]
    pub fn beside(&self, room: usize) -> Self {
        let (d, half) = (self.d, self.first_leaf.max(room.next_power_of_two()));
        let nodes = 4 * half;
        let mut tree = Self {
            d,
            first_leaf: 2 * half,
            keys: self.keys,
            bounds: vec![I::default(); nodes * 2 * d],
            boxes: vec![I::Float::default(); nodes * 2 * d],
            sum: vec![I::Sum::default(); nodes * d],
            weight: vec![0; nodes],
            span: vec![[u32::MAX, 0]; nodes],
            grafts: Vec::new(),
            lacks_sums: false,
            reach: Vec::new(),
        };
        let root = 2 * half / self.first_leaf;
        for level in (0..=self.first_leaf.ilog2()).map(|depth| 1usize << depth) {
            let (from, to) = (level..2 * level, root * level..(root + 1) * level);
            let wide = |nodes: &Range<usize>| nodes.start * 2 * d..nodes.end * 2 * d;
            tree.bounds[wide(&to)].copy_from_slice(&self.bounds[wide(&from)]);
            tree.boxes[wide(&to)].copy_from_slice(&self.boxes[wide(&from)]);
            tree.sum[to.start * d..to.end * d].copy_from_slice(&self.sum[from.start * d..from.end * d]);
            tree.span[to.clone()].copy_from_slice(&self.span[from.clone()]);
            tree.weight[to].copy_from_slice(&self.weight[from]);
        }
        let mut node = root / 2;
        while node > 1 {
            tree.join(node);
            node /= 2;
        }
        tree.join(1);
        tree
    }

    /// Puts leaves on the right, in this order, and takes away those that were there. There must be room. The leaves
    /// may come without their sums.
    pub fn graft<'a>(&mut self, leaves: impl Iterator<Item = Graft<'a, I>>, have_sums: bool)
    where
        I: 'a,
    {
        let (d, half) = (self.d, self.first_leaf / 2);
        self.grafts.clear();
        self.lacks_sums = !have_sums;
        for (node, leaf) in (self.first_leaf + half..2 * self.first_leaf).zip(leaves) {
            self.bounds[node * 2 * d..][..2 * d].copy_from_slice(leaf.bounds);
            enclose::<I>(leaf.bounds, &mut self.boxes[node * 2 * d..][..2 * d]);
            self.sum[node * d..][..d].copy_from_slice(leaf.sum);
            (self.weight[node], self.span[node]) = (leaf.weight, leaf.span);
            self.grafts.push(leaf.keys);
        }
        self.weight[self.first_leaf + half + self.grafts.len()..].fill(0);
        let mut level = half;
        while level > 0 {
            for node in (level + level / 2).max(1)..2 * level {
                self.join(node);
            }
            level /= 2;
        }
    }

    /// The leaves on the right that are there.
    pub fn grafts(&self) -> usize {
        self.grafts.len()
    }

    /// The place of a grafted leaf among them; `None` for every other node.
    #[inline]
    pub fn place_of(&self, node: usize) -> Option<usize> {
        if self.grafts.is_empty() {
            return None;
        }
        node.checked_sub(self.first_leaf + self.first_leaf / 2).filter(|&place| place < self.grafts.len())
    }

    #[inline]
    pub(super) fn grafted(&self, node: usize) -> Option<&Range<u32>> {
        self.place_of(node).map(|place| &self.grafts[place])
    }

    /// Whether a node is a leaf whose keys are not known.
    #[inline]
    pub fn is_closed(&self, node: usize) -> bool {
        self.grafted(node).is_some_and(Range::is_empty)
    }

    /// Whether the sum of a node is known: it is on the left, or what was grafted came with sums.
    #[inline]
    pub fn has_sum(&self, node: usize) -> bool {
        !self.lacks_sums || (node > 1 && node >> (node.ilog2() - 1) == 2)
    }

    /// Makes a node from the two below it.
    fn join(&mut self, node: usize) {
        let (d, [a, b]) = (self.d, [2 * node, 2 * node + 1]);
        self.weight[node] = self.weight[a] + self.weight[b];
        let [a, b] = if self.weight[a] == 0 { [b, a] } else { [a, b] };
        self.bounds.copy_within(a * 2 * d..(a + 1) * 2 * d, node * 2 * d);
        self.sum.copy_within(a * d..(a + 1) * d, node * d);
        self.span[node] = self.span[a];
        if self.weight[b] > 0 {
            for k in 0..d {
                let [low, high] = [k, d + k].map(|k| self.bounds[b * 2 * d + k]);
                let at = node * 2 * d;
                self.bounds[at + k] = self.bounds[at + k].min(low);
                self.bounds[at + d + k] = self.bounds[at + d + k].max(high);
                let sum = self.sum[b * d + k];
                self.sum[node * d + k] += sum;
            }
            let ([a, b], [c, d]) = (self.span[node], self.span[b]);
            self.span[node] = [a.min(c), b.max(d)];
        }
        enclose::<I>(&self.bounds[node * 2 * d..][..2 * d], &mut self.boxes[node * 2 * d..][..2 * d]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::merge::Keys;
    use super::super::order::Order;
    use super::*;

    /// A search begins at the root: were a key of either half outside the boxes above it, a strip would lose it.
    #[test]
    fn both_halves_are_below_the_root() {
        let rows = |seed: i64, n: i64| (0..2 * n).map(|i| (i * seed) % 1009 - 400).collect::<Vec<i64>>();
        for (mine, others) in [(0, 3), (7, 0), (50, 1), (700, 5), (40, 70)] {
            let keys = Keys::of_tokens(rows(31, mine), 2).ordered(2, Order::Space, false).0;
            let mut own = Tree::new(&keys, 2);
            own.refit(&keys.rows, &keys.weight, f64::EPSILON);
            let theirs = rows(77, others);
            let bounds: Vec<[i64; 4]> = theirs.chunks(2).map(|x| [x[0] - 1, x[1], x[0], x[1] + 2]).collect();
            let sums: Vec<[i128; 2]> = theirs.chunks(2).map(|x| [i128::from(x[0]), i128::from(x[1])]).collect();
            let mut tree = own.beside(others as usize);
            for have_sums in [false, true] {
                let of = |(i, (bounds, sum)): (usize, (&'static [i64; 4], &'static [i128; 2]))| Graft {
                    bounds,
                    sum,
                    weight: 3,
                    span: [5, 900],
                    keys: if i % 2 == 0 { 0..0 } else { 9..12 },
                };
                let (bounds, sums) = (bounds.clone().leak(), sums.clone().leak());
                tree.graft(bounds.iter().zip(&*sums).enumerate().map(of), have_sums);
                assert_eq!(
                    [1, 2, 3, 5, 6, 11, 12].map(|node| tree.has_sum(node)),
                    [have_sums, true, have_sums, true, have_sums, true, have_sums]
                );
                assert_eq!(tree.grafts(), others as usize);
            }
            assert_eq!(tree.weight()[1] as i64, mine + 3 * others);
            let all =
                |k: usize| keys.rows.iter().chain(&theirs).skip(k).step_by(2).map(|&x| i128::from(x)).sum::<i128>();
            assert_eq!(tree.sum(1), [all(0), all(1)]);
            for node in 1..2 * tree.first_leaf() {
                let (low, high) = tree.bounds(node).split_at(2);
                if tree.weight()[node] == 0 {
                    continue;
                }
                if node < tree.first_leaf() {
                    let below = [2 * node, 2 * node + 1].into_iter().filter(|&below| tree.weight()[below] > 0);
                    for (a, b) in below.map(|below| tree.bounds(below).split_at(2)) {
                        assert!((0..2).all(|k| low[k] <= a[k] && b[k] <= high[k]));
                    }
                } else if tree.grafted(node).is_none() {
                    for key in tree.range(node) {
                        assert!((0..2).all(|k| (low[k]..=high[k]).contains(&keys.rows[2 * key + k])));
                    }
                } else {
                    let place = tree.place_of(node).unwrap();
                    assert_eq!(tree.is_closed(node), place % 2 == 0);
                    assert_eq!(tree.bounds(node), bounds[place]);
                }
            }
        }
    }
}
