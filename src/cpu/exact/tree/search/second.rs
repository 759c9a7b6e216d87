//! The second pass: it fills the strips, whose thresholds are now exact.
//!
//! A box wholly below a lane's threshold is dropped, one wholly above it adds its weight and its
//! exact sum, any other is opened; in a leaf floats decide what they can and exact scores the rest.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

use crate::cpu::exact::scores::{FEW_DIMENSIONS, at_least, exact, load, unrolled};
use crate::cpu::exact::step::{Purpose, Tally};
use crate::cpu::exact::tree::search::first::{least_of, most_of};
use crate::cpu::exact::tree::search::group::Frontier;
use crate::cpu::exact::tree::search::scan::{Cutoffs, add_leaf, bounds, fan_bounds, leaf_sets};
use crate::cpu::exact::tree::search::scratch::{Leaf, SearchScratch};
use crate::cpu::exact::tree::search::{LaneState, Search, Strip, places};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{LANES, Lanes, VECTORS};
use crate::space::{LEAF, Order};

impl<W: Width> Search<'_, W> {
    /// Adds up the strips: boxes where they can be decided whole, else keys.
    #[inline(always)]
    pub(crate) fn second_pass<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &LaneState<W>,
        active: u64,
        tally: &mut Tally,
    ) {
        let width = VECTORS * L::WIDTH;
        let mut threshold = [W::SMALLEST; LANES];
        let mut limits = [[W::default(); LANES]; 2];
        let mut from = [W::Wide::default(); LANES];
        if self.keys.order == Order::Space {
            let origin = self.keys.cloud.row(self.scratch.origin.key as usize);
            W::dots(width, &self.scratch.queries.exact, origin, &mut from);
        }
        for l in 0..width {
            threshold[l] = W::threshold(known.max[l], known.width[l]);
            // Rounded three times, and once more in every leaf.
            let limit = W::approximate(W::threshold(threshold[l], from[l]));
            let slack = 8.0 * W::ROUNDING * limit.abs();
            (limits[0][l], limits[1][l]) = (W::nearest(limit - slack), W::nearest(limit + slack));
            if active >> l & 1 == 0 {
                // Of no weight beside the limits of the others.
                (limits[0][l], limits[1][l]) = (W::LOWEST.size(), W::LOWEST);
            }
        }
        self.scratch.thresholds[..width].copy_from_slice(&threshold[..width]);
        let [low, high] = limits.each_ref().map(|limits| load::<W, L>(lanes, limits));
        let norm = load::<W, L>(lanes, &known.norm);
        let from_list = known.strip == Strip::Wide;
        if from_list {
            let limits = Cutoffs { outside: least_of::<W, L>(lanes, &low), inside: most_of::<W, L>(lanes, &high) };
            self.sift(|level| &level.strips, limits);
            self.add_inside(active);
        }
        let listed = from_list && self.scratch.listed.in_use;
        self.scratch.listed.in_use = listed;
        let SearchScratch { undecided, group, lacking, .. } = &mut *self.scratch;
        undecided.clear();
        *lacking = 0;
        let Frontier { boxes, closed, .. } = &group.innermost().strips;
        undecided.extend(if listed { closed } else { boxes }.iter().map(|&node| (node, active)));
        if listed && !closed.is_empty() {
            let none = self.undecided_leaf(lanes, known, [&low, &high], tally);
            debug_assert!(none.is_none(), "a closed box has no keys to decide");
        }
        for turn in 0.. {
            let leaf = match self.keys.order {
                _ if listed => (turn < self.scratch.listed.parts.len()).then_some((turn, active)),
                Order::Space => self.undecided_leaf(lanes, known, [&low, &high], tally),
                Order::Norm => self.next_leaf(lanes, turn, &norm, &low).map(|leaf| (leaf, active)),
            };
            let Some((leaf, active)) = leaf.filter(|_| !self.watch.is_left()) else { break };
            let active = active & !self.scratch.lacking;
            if active == 0 {
                continue;
            }
            self.decide_leaf(lanes, leaf, active, known, &threshold, [&low, &high], tally);
        }
    }

    /// The next leaf that is neither inside nor outside the strips of some lanes. Boxes on the way
    /// to it that are inside or outside are added or dropped.
    #[inline(always)]
    fn undecided_leaf<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &LaneState<W>,
        [low, high]: [&[L::Floats; VECTORS]; 2],
        tally: &mut Tally,
    ) -> Option<(usize, u64)> {
        let (tree, d, width) = (self.keys.tree, self.keys.cloud.d, VECTORS * L::WIDTH);
        let (one, minus_one) = (lanes.splat(W::of_one()), lanes.splat(W::of_one().negated()));
        let least = least_of::<W, L>(lanes, low);
        loop {
            let (node, active) = self.scratch.undecided.pop()?;
            let node = node as usize;
            if tree.weight()[node] == 0 {
                continue;
            }
            let around = &tree.boxes()[node * 2 * d..][..2 * d];
            let (query, sizes, fan, origin) = (
                &self.scratch.queries.floats[..],
                &self.scratch.queries.sizes[..],
                &self.scratch.queries.fan[..],
                self.origin(),
            );
            let (middle, reach) = unrolled!(d, |d| fan_bounds(fan, around, origin, d));
            if middle + reach < least {
                continue;
            }
            let (mut upper, reach) = unrolled!(d, |d| bounds(lanes, query, sizes, around, origin, d));
            let mut lower = upper;
            for r in 0..VECTORS {
                lower[r] = lanes.mul_add(minus_one, reach[r], lower[r]);
                upper[r] = lanes.mul_add(one, reach[r], upper[r]);
            }
            tally.boxes += self.rows.len() as u64;
            let [least, most] = tree.span()[node];
            let some = at_least(lanes, &upper, low) & active & known.seen(width, least);
            let mut whole = at_least(lanes, &lower, high) & some & known.seen(width, most);
            if whole != 0 && !tree.has_sum(node) {
                whole = 0;
            }
            if whole != 0 {
                self.take_box(node, whole);
            }
            let rest = some & !whole;
            if rest == 0 {
                continue;
            }
            self.keys.touch(node);
            if tree.is_closed(node) {
                self.scratch.needs.push((node as u32, rest));
                self.scratch.lacking |= rest;
                continue;
            }
            if node >= tree.first_leaf() {
                // A row that lacks a box is searched for again: all that it lacks is to be known, and no more.
                let rest = rest & !self.scratch.lacking;
                if rest != 0 {
                    return Some((node - tree.first_leaf(), rest));
                }
                continue;
            }
            // What is known of other ranks is on the right, and comes first.
            let is_turned = u32::from(node == 1 && tree.grafts() > 0);
            let [then, first] = [2 * node as u32 + 1 - is_turned, 2 * node as u32 + is_turned];
            self.scratch.undecided.extend([(then, rest), (first, rest)]);
        }
    }

    /// Adds the keys that are in the strip of every row of the group, or of the packet.
    #[inline(always)]
    fn add_inside(&mut self, active: u64) {
        let SearchScratch { sums, group, listed, .. } = &mut *self.scratch;
        for settled in [&group.innermost().strips.settled, &listed.settled] {
            if settled.count > 0 {
                debug_assert!(!matches!(self.purpose, Purpose::Members(_)), "members are never found by groups");
                sums.add_whole(active, settled.sum.iter().copied(), settled.count);
            }
        }
    }

    #[inline(always)]
    fn take_box(&mut self, node: usize, lanes: u64) {
        let tree = self.keys.tree;
        if let Purpose::Members(members) = &mut self.purpose {
            for (l, members) in members.iter_mut().enumerate() {
                if lanes >> l & 1 == 1 {
                    members.extend(tree.range(node).map(|key| key as u32));
                }
            }
        } else {
            self.scratch.sums.add_whole(lanes, tree.sum(node).iter().copied(), tree.weight()[node]);
        }
    }

    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the limits of a packet stay in registers")]
    fn decide_leaf<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        leaf: usize,
        active: u64,
        known: &LaneState<W>,
        threshold: &[W::Wide; LANES],
        limits: [&[L::Floats; VECTORS]; 2],
        tally: &mut Tally,
    ) {
        let (d, width) = (self.keys.cloud.d, VECTORS * L::WIDTH);
        let (count, error) = self.approach(lanes, leaf);
        let (one, minus_one) = (lanes.splat(W::of_one()), lanes.splat(W::of_one().negated()));
        let (mut low, mut high) = (*limits[0], *limits[1]);
        for r in 0..VECTORS {
            low[r] = lanes.mul_add(minus_one, error[r], low[r]);
            high[r] = lanes.mul_add(one, error[r], high[r]);
        }
        tally.scores += (count * self.rows.len()) as u64;
        let summed =
            d <= FEW_DIMENSIONS && !known.blind && !self.keys.weighted && matches!(self.purpose, Purpose::Move { .. });
        let SearchScratch { queries, leaf, sums, .. } = &mut *self.scratch;
        let Leaf { keys, near, rows } = leaf;
        let (query, near) = (&queries.floats[..], &near[..]);
        let [some, sure] = if summed {
            rows.clear();
            for &key in &*keys {
                rows.extend_from_slice(self.keys.cloud.row(key as usize));
            }
            let (keys, sums) = (&rows[..], sums.room_for(count));
            let bands = unrolled!(few d, |d| add_leaf(lanes, query, near, keys, d, active, [&low, &high], sums));
            [bands, [0; LEAF]]
        } else {
            unrolled!(d, |d| leaf_sets(lanes, query, near, d, count, [&low, &high]))
        };
        let (mut list, mut length) = ([(0, 0); LEAF], 0);
        let mut scores = [W::Wide::default(); LANES];
        for at in 0..count {
            let (key, some, sure) = (self.scratch.leaf.keys[at] as usize, some[at], sure[at]);
            let some = some & active;
            if some == 0 {
                continue;
            }
            let some = some & known.seen(width, self.keys.first[key]);
            let band = some & !sure;
            let mut inside = some & sure;
            if band != 0 {
                tally.redone += u64::from((band & known.own).count_ones());
                exact::<W>(&self.scratch.queries.exact, width, self.keys.cloud.row(key), band, &mut scores);
                for l in places(band) {
                    inside |= u64::from(scores[l] >= threshold[l]) << l;
                }
            }
            list[length] = (key as u32, inside);
            length += usize::from(inside != 0);
        }
        self.take(lanes, &list[..length]);
    }
}
