//! What a search looks through: a rank's own keys, beside what it knows of the others.

use crate::cpu::exact::cloud::{BLOCK, Cloud};
use crate::cpu::exact::tree::TreeSearch;
use crate::cpu::exact::tree::opened::known::Known;
use crate::cpu::exact::tree::search::fan::farthest_key;
use crate::cpu::exact::tree::search::group::ROWS;
use crate::cpu::exact::tree::search::keys::{Marks, SortedKeys};
use crate::cpu::exact::width::{Integer, Width};
use crate::rng::Stream;
use crate::space::{LEAF, Order, Tree};

/// Directions in which the farthest keys are told first.
const DIRECTIONS: usize = 512;

/// A tree of own keys on the left, and what is known of other ranks on the right.
pub(crate) struct View<W: Width> {
    tree: Tree<W::Int>,
    /// The number of each box on the right, and about what it takes to open it.
    ids: Vec<u32>,
    bits: Vec<u64>,
}

impl<W: Width> View<W> {
    pub(crate) fn new(own: &Tree<W::Int>, known: &Known<W::Int>) -> Self {
        Self { tree: own.beside(known.len()), ids: Vec::new(), bits: Vec::new() }
    }

    /// Takes in what is known by now of other ranks, whose keys begin at a place.
    pub(crate) fn fill(&mut self, own: &Tree<W::Int>, known: &Known<W::Int>, keys: u32) {
        self.ids = known.others();
        self.bits = self.ids.iter().map(|&id| known.bits_below(id)).collect();
        if self.ids.len() > self.tree.first_leaf() / 2 {
            self.tree = own.beside(2 * self.ids.len());
        }
        self.tree.graft(self.ids.iter().map(|&id| known.graft(id, keys)), known.form().has_sums);
    }

    fn place_of(&self, node: u32) -> usize {
        self.tree.place_of(node as usize).unwrap_or_default() // a closed box is a grafted leaf
    }

    /// The boxes on the right.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    pub(crate) fn id_of(&self, node: u32) -> u32 {
        self.ids[self.place_of(node)]
    }

    pub(crate) fn bits_below(&self, node: u32) -> u64 {
        self.bits[self.place_of(node)]
    }

    /// The node above all own keys of the group, or part of a group, that begins with a row.
    pub(crate) fn node_of(&self, row: usize, level: usize) -> usize {
        let leaves = self.tree.first_leaf();
        (leaves + row / LEAF) >> (ROWS[level] / LEAF).ilog2().min(leaves.ilog2() - 1)
    }

    /// The keys of a search, of which so many are a rank's own, followed by extras: token 0 and the seeds.
    pub(crate) fn sorted_keys<'a>(
        &'a self,
        own: &'a TreeSearch<W>,
        keys: u32,
        extras: u32,
        touched: Option<&'a Marks>,
    ) -> SortedKeys<'a, W> {
        SortedKeys {
            cloud: &own.cloud,
            weight: &own.weight,
            first: &own.first,
            first_key: keys,
            tree: &self.tree,
            touched,
            seeds: keys + 1..keys + extras,
            order: Order::Space,
            weighted: own.weight.iter().any(|&weight| weight != 1),
        }
    }
}

/// Gives the rows behind the own keys their floats, and room for a search to read on behind the last.
pub(crate) fn pad<W: Width>(cloud: &mut Cloud<W>, keys: usize) {
    let room = (cloud.n + LEAF + BLOCK) * cloud.d;
    cloud.x.resize(room, W::Int::default());
    cloud.floats.truncate(keys * cloud.d);
    cloud.floats.extend(cloud.x[keys * cloud.d..].iter().map(|&x| W::of(x)));
}

/// Directions spread over all sides: the axes, and others that are drawn once and for all.
pub(crate) fn directions<W: Width>(d: usize) -> Vec<Vec<W>> {
    let axis = |k: usize, sign: f64| (0..d).map(|l| W::nearest(if k == l { sign } else { 0.0 })).collect();
    let axes = (0..d).flat_map(|k| [axis(k, 1.0), axis(k, -1.0)]);
    let mut draws = Stream::new(1, "directions", 0);
    let drawn = std::iter::repeat_with(move || (0..d).map(|_| W::nearest(draws.normal())).collect());
    axes.chain(drawn).take(DIRECTIONS).collect()
}

/// For each direction a key that is far in it, if there are keys, with how far it is: as numbers that are in
/// order as the distances are.
pub(crate) fn farthest<W: Width>(own: &TreeSearch<W>, directions: &[Vec<W>]) -> Vec<Option<(u64, u32)>> {
    if own.cloud.n == 0 {
        return vec![None; directions.len()];
    }
    let sorted = &own.sorted_keys();
    let far = |direction: &Vec<W>| {
        let key = farthest_key(sorted, direction);
        let row = own.cloud.row(key as usize);
        let terms = direction.iter().zip(row).map(|(q, &x)| q.to_f64() * Integer::to_i64(x) as f64);
        let bits = (terms.sum::<f64>() + 0.0).to_bits();
        Some((if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }, key))
    };
    directions.iter().map(far).collect()
}
