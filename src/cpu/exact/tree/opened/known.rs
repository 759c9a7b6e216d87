//! The keys of other ranks as far as this one knows them: boxes of their trees, some of them opened.
//!
//! Every box has a number, the same on all ranks: they hear the same bytes, and count what they hear. The first
//! boxes are the roots, one of each rank. A box is opened by its owner, who tells all others the boxes
//! [`LEVELS`] below it or, of a leaf, its keys. A box that is one point is a key with a weight as it is.
//!
//! A box is told by its place in the box above: each number in as many bits as what is known of it leaves open, but its
//! sides in no more than [`PLACES`], rounded outwards. A box that is too wide decides less, and nothing wrongly.

use std::ops::Range;

use crate::cpu::exact::tree::opened::bits::{Reader, Writer, bits_of};
use crate::space::{Coordinate, Graft, LEAF, Tree};

/// Levels of a tree that one opening goes down.
const LEVELS: u32 = 3;

/// Bits of a side, but for roots and points, whose sides are told whole.
const PLACES: u32 = 8;

/// Keys of one rank, with their tree.
pub(crate) struct OwnKeys<'a, I: Coordinate> {
    pub(crate) tree: &'a Tree<I>,
    pub(crate) x: &'a [I],
    pub(crate) weight: &'a [u32],
    pub(crate) first: &'a [u32],
}

/// How boxes are told.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) d: usize,
    /// The number of all tokens.
    pub(crate) n: usize,
    /// Whether rows see different keys: boxes then have the range of their tokens.
    pub(crate) is_causal: bool,
    /// Whether boxes have their sums: strips of width 0 are no boxes.
    pub(crate) has_sums: bool,
    /// A bound of all coordinates.
    pub(crate) limit: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// The boxes below it are known.
    Opened,
    /// A leaf whose keys are known.
    Keyed,
}

struct Item {
    rank: u32,
    node: u32,
    state: State,
    /// The box that it was told below.
    above: u32,
    /// Whether a row looked below it.
    is_used: bool,
    /// The leaf's keys, by their place among all keys heard of.
    keys: Range<u32>,
}

/// A box above others, as it was told: what they are told by.
pub(crate) struct Above<I> {
    low: Vec<I>,
    high: Vec<I>,
    weight: u32,
}

/// The boxes, by their number.
pub(crate) struct Known<I: Coordinate> {
    form: Form,
    me: u32,
    /// The number of levels of each rank's tree below its root.
    depths: Vec<u32>,
    items: Vec<Item>,
    bounds: Vec<I>,
    sum: Vec<I::Sum>,
    weight: Vec<u32>,
    span: Vec<[u32; 2]>,
    /// Keys of other ranks.
    pub(crate) rows: Vec<I>,
    pub(crate) key_weight: Vec<u32>,
    pub(crate) key_first: Vec<u32>,
}

impl Form {
    /// Bits of a coordinate of which nothing is known.
    pub(crate) fn coordinate_bits(self) -> u32 {
        bits_of(2 * self.limit as u128)
    }

    fn index_bits(self) -> u32 {
        bits_of(self.n as u128)
    }

    fn root<I: Coordinate>(self) -> Above<I> {
        let end = |x: i64| vec![I::of_i64(x); self.d];
        Above { low: end(-self.limit), high: end(self.limit), weight: u32::MAX }
    }

    /// Tells a rank's root and what is opened of it.
    pub(crate) fn tell_root<I: Coordinate>(self, own: &OwnKeys<'_, I>, opened: &[u32], to: &mut Writer) {
        to.put(u128::from(own.tree.first_leaf().ilog2()), 6);
        self.tell(own, &self.root(), 1, opened, to);
    }

    /// Tells a box by the one above it, and what is opened of it.
    fn tell<I: Coordinate>(self, own: &OwnKeys<'_, I>, above: &Above<I>, node: u32, opened: &[u32], to: &mut Writer) {
        let (tree, at) = (own.tree, node as usize);
        let weight = tree.weight()[at];
        to.flag(weight > 0);
        if weight == 0 {
            return;
        }
        to.put(u128::from(weight), bits_of(above.weight.into()));
        let (low, high) = tree.bounds(at).split_at(self.d);
        let is_point = !self.is_causal && low == high;
        if !self.is_causal {
            to.flag(is_point);
        }
        let mut told = Above { low: low.to_vec(), high: high.to_vec(), weight };
        for k in 0..self.d {
            let [least, low, high, most] = [above.low[k], low[k], high[k], above.high[k]].map(I::to_i64);
            let left_out = left_out(most - least, is_point || node == 1);
            let below = (low - least) >> left_out;
            to.put(below as u128, bits_of(((most - least) >> left_out) as u128));
            let low = least + (below << left_out);
            told.low[k] = I::of_i64(low);
            if is_point {
                continue;
            }
            let over = (most - high) >> left_out;
            to.put(over as u128, bits_of(((most - low) >> left_out) as u128));
            let high = most - (over << left_out);
            told.high[k] = I::of_i64(high);
            if self.has_sums {
                let range = u128::from(weight) * (high - low) as u128;
                let sum = I::widened(tree.sum(at)[k]) - i128::from(weight) * i128::from(low);
                to.put(sum as u128, bits_of(range));
            }
        }
        let [least, most] = tree.span()[at];
        if self.is_causal {
            to.put(least.into(), self.index_bits());
            to.put(most.into(), self.index_bits());
        } else if is_point {
            to.put(least.into(), self.index_bits());
            return;
        }
        let is_opened = opened.binary_search(&node).is_ok();
        to.flag(is_opened);
        if is_opened {
            self.tell_below(own, &told, node, opened, to);
        }
    }

    /// Opens a box that was told so.
    pub(crate) fn tell_below<I: Coordinate>(
        self,
        own: &OwnKeys<'_, I>,
        above: &Above<I>,
        node: u32,
        opened: &[u32],
        to: &mut Writer,
    ) {
        let (tree, at) = (own.tree, node as usize);
        if at < tree.first_leaf() {
            let levels = LEVELS.min(tree.first_leaf().ilog2() - at.ilog2());
            for child in node << levels..(node + 1) << levels {
                self.tell(own, above, child, opened, to);
            }
            return;
        }
        let keys = tree.range(at);
        let is_weighted = above.weight as usize > keys.len();
        to.put(keys.len() as u128 - 1, LEAF.ilog2());
        to.flag(is_weighted);
        for key in keys {
            for (k, x) in own.x[key * self.d..][..self.d].iter().enumerate() {
                let [low, x, high] = [above.low[k], *x, above.high[k]].map(I::to_i64);
                to.put((x - low) as u128, bits_of((high - low) as u128));
            }
            if is_weighted {
                to.put(own.weight[key].into(), bits_of(above.weight.into()));
            }
            to.put(own.first[key].into(), self.index_bits());
        }
    }
}

/// The lowest bits of a side that are left out, where it may lie anywhere in so wide a range.
fn left_out(range: i64, is_whole: bool) -> u32 {
    if is_whole { 0 } else { bits_of(range as u128).saturating_sub(PLACES) }
}

impl<I: Coordinate> Known<I> {
    pub(crate) fn new(form: Form, rank: usize) -> Self {
        Self {
            form,
            me: rank as u32,
            depths: Vec::new(),
            items: Vec::new(),
            bounds: Vec::new(),
            sum: Vec::new(),
            weight: Vec::new(),
            span: Vec::new(),
            rows: Vec::new(),
            key_weight: Vec::new(),
            key_first: Vec::new(),
        }
    }

    /// How they are told.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// The number of boxes.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The largest magnitude of each coordinate.
    pub(crate) fn largest(&self) -> Vec<f64> {
        let d = self.form.d;
        let mut largest = vec![0.0f64; d];
        for bounds in self.bounds.chunks_exact(2 * d) {
            for (k, x) in bounds.iter().enumerate() {
                largest[k % d] = largest[k % d].max((x.to_i64() as f64).abs());
            }
        }
        largest
    }

    /// Hears the root of the next rank. `None` if these are not the bytes of one.
    pub(crate) fn hear_root(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let rank = self.depths.len() as u32;
        self.depths.push(from.get(6)? as u32);
        self.hear(from, &self.form.root(), rank, 1, u32::MAX)
    }

    /// Hears a box, and gives it a number.
    fn hear(&mut self, from: &mut Reader<'_>, above: &Above<I>, rank: u32, node: u32, parent: u32) -> Option<()> {
        if !from.flag()? {
            return Some(());
        }
        let (form, id) = (self.form, self.items.len());
        let weight = from.get(bits_of(above.weight.into()))? as u32;
        let is_point = !form.is_causal && from.flag()?;
        let (mut low, mut high) = (above.low.clone(), above.high.clone());
        for k in 0..form.d {
            let [least, most] = [above.low[k], above.high[k]].map(I::to_i64);
            let left_out = left_out(most - least, is_point || node == 1);
            let below = from.get(bits_of(((most - least) >> left_out) as u128))? as i64;
            let lowest = least + (below << left_out);
            let range = u128::try_from(most - lowest).ok()? >> left_out;
            let highest = if is_point { lowest } else { most - ((from.get(bits_of(range))? as i64) << left_out) };
            (low[k], high[k]) = (I::of_i64(lowest), I::of_i64(highest));
            let range = u128::from(weight) * u128::try_from(highest - lowest).ok()?;
            let above_low = if form.has_sums { from.get(bits_of(range))? as i128 } else { 0 };
            self.sum.push(I::sum_of(above_low + i128::from(weight) * i128::from(lowest)));
        }
        let index = form.index_bits();
        let least = if is_point || form.is_causal { from.get(index)? as u32 } else { 0 };
        let most = if form.is_causal { from.get(index)? as u32 } else { least };
        self.bounds.extend(low.iter().chain(&high));
        self.weight.push(weight);
        self.span.push([least, most]);
        self.items.push(Item { rank, node, state: State::Closed, above: parent, is_used: false, keys: 0..0 });
        if is_point {
            self.items[id].state = State::Keyed;
            if rank != self.me {
                self.items[id].keys = self.key_weight.len() as u32..self.key_weight.len() as u32 + 1;
                self.rows.extend(&low);
                self.key_weight.push(weight);
                self.key_first.push(least);
            }
            return Some(());
        }
        if from.flag()? { self.hear_below(from, id) } else { Some(()) }
    }

    /// Hears what is below a box.
    pub(crate) fn hear_below(&mut self, from: &mut Reader<'_>, id: usize) -> Option<()> {
        let (form, d) = (self.form, self.form.d);
        let above = self.above(id);
        let Item { rank, node, .. } = self.items[id];
        let levels = LEVELS.min(self.depths[rank as usize].checked_sub(node.ilog2())?);
        if levels > 0 {
            self.items[id].state = State::Opened;
            for child in node << levels..(node + 1) << levels {
                self.hear(from, &above, rank, child, id as u32)?;
            }
            return Some(());
        }
        self.items[id].state = State::Keyed;
        let count = from.get(LEAF.ilog2())? as usize + 1;
        let is_weighted = from.flag()?;
        let (keys, is_mine) = (self.key_weight.len() as u32, rank == self.me);
        for _ in 0..count {
            for k in 0..d {
                let [low, high] = [above.low[k], above.high[k]].map(I::to_i64);
                let x = low + from.get(bits_of((high - low) as u128))? as i64;
                if !is_mine {
                    self.rows.push(I::of_i64(x));
                }
            }
            let weight = if is_weighted { from.get(bits_of(above.weight.into()))? as u32 } else { 1 };
            let first = from.get(form.index_bits())? as u32;
            if !is_mine {
                self.key_weight.push(weight);
                self.key_first.push(first);
            }
        }
        self.items[id].keys = keys..self.key_weight.len() as u32;
        Some(())
    }

    /// A box as it was told.
    pub(crate) fn above(&self, id: usize) -> Above<I> {
        let (low, high) = self.bounds[id * 2 * self.form.d..][..2 * self.form.d].split_at(self.form.d);
        Above { low: low.to_vec(), high: high.to_vec(), weight: self.weight[id] }
    }

    /// The rank that holds a box, and its node there.
    pub(crate) fn owner(&self, id: usize) -> (usize, u32) {
        (self.items[id].rank as usize, self.items[id].node)
    }

    /// The boxes of other ranks that have none below them, in the order of their trees.
    pub(crate) fn others(&self) -> Vec<u32> {
        let place = |id: &u32| {
            let Item { rank, node, .. } = self.items[*id as usize];
            (rank, u64::from(node) << (self.depths[rank as usize] - node.ilog2()))
        };
        let is_last = |id: &u32| {
            let Item { rank, state, .. } = self.items[*id as usize];
            rank != self.me && state != State::Opened
        };
        let mut ids: Vec<u32> = (0..self.items.len() as u32).filter(is_last).collect();
        ids.sort_unstable_by_key(place);
        ids
    }

    /// A box as a leaf beside a rank's own tree, where the keys heard of begin at a place.
    pub(crate) fn graft(&self, id: u32, keys: u32) -> Graft<'_, I> {
        let (id, d) = (id as usize, self.form.d);
        let own = &self.items[id].keys;
        Graft {
            bounds: &self.bounds[id * 2 * d..][..2 * d],
            sum: &self.sum[id * d..][..d],
            weight: self.weight[id],
            span: self.span[id],
            keys: if own.is_empty() { 0..0 } else { keys + own.start..keys + own.end },
        }
    }

    /// About the bits that opening a box takes.
    pub(crate) fn bits_below(&self, id: u32) -> u64 {
        let Item { rank, node, .. } = self.items[id as usize];
        let (form, levels) = (self.form, LEVELS.min(self.depths[rank as usize] - node.ilog2()));
        let (low, high) = self.bounds[id as usize * 2 * form.d..][..2 * form.d].split_at(form.d);
        let widths = low.iter().zip(high).map(|(low, high)| bits_of((high.to_i64() - low.to_i64()) as u128));
        let sides: u64 = widths.clone().map(|width| 2 * u64::from(width.min(PLACES))).sum();
        let widths: u64 = widths.map(u64::from).sum();
        let weight = self.weight[id as usize];
        let count = u64::from(bits_of(weight.into()));
        let range = if form.is_causal { 2 * u64::from(form.index_bits()) } else { 0 };
        if levels == 0 {
            return u64::from(weight.min(LEAF as u32)) * (widths + u64::from(form.index_bits()));
        }
        let sums = if form.has_sums { widths + form.d as u64 * count } else { 0 };
        (1 << levels) * (sides + sums + count + range)
    }

    /// Notes that some of these boxes were looked at, by a bit for each.
    pub(crate) fn touch(&mut self, ids: &[u32], touched: &[u64]) {
        for (place, &id) in ids.iter().enumerate() {
            if touched[place / 64] >> (place % 64) & 1 == 0 {
                continue;
            }
            if self.items[id as usize].state == State::Keyed {
                self.items[id as usize].is_used = true;
            }
            let mut above = self.items[id as usize].above;
            while let Some(item) = self.items.get_mut(above as usize).filter(|item| !item.is_used) {
                item.is_used = true;
                above = item.above;
            }
        }
    }

    /// A bit for each box that some row of this rank looked below.
    pub(crate) fn used(&self) -> Vec<u64> {
        let word = |items: &[Item]| items.iter().rev().fold(0, |word, item| word << 1 | u64::from(item.is_used));
        self.items.chunks(64).map(word).collect()
    }

    /// This rank's boxes that are opened and used, by a bit for each box; ascending.
    pub(crate) fn opened(&self, used: &[u64]) -> Vec<u32> {
        let is_opened = |(id, item): &(usize, &Item)| {
            item.rank == self.me && item.state != State::Closed && used[id / 64] >> (id % 64) & 1 == 1
        };
        let mut nodes: Vec<u32> = self.items.iter().enumerate().filter(is_opened).map(|(_, item)| item.node).collect();
        nodes.sort_unstable();
        nodes
    }
}
