//! The first pass: it finds scores that are certainly attained, and the keys that may attain a
//! row's maximum.
//!
//! A leaf is scanned only if for some lane its upper bound reaches a score that is certainly
//! attained. Boxes are opened depth first, the half that promises more before the other (or, in the
//! order of norms, leaf after leaf until |q||x| no longer reaches); one bound for the whole packet
//! comes before those of its lanes. The leaves seen are noted with the most that they may hold; in
//! those that may hold the maximum of a lane, the keys that may attain it are candidates.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

use crate::cpu::exact::scores::{at_least, load, unrolled};
use crate::cpu::exact::step::Tally;
use crate::cpu::exact::tree::search::scan::{
    Cutoffs, bounds, errors, fan_bounds, leaf_maxima, leaf_maxima_seen, leaf_sets,
};
use crate::cpu::exact::tree::search::scratch::SearchScratch;
use crate::cpu::exact::tree::search::{LaneState, Search, largest_of, places, store};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{LANES, Lanes, VECTORS};
use crate::space::{LEAF, Order};

impl<W: Width> Search<'_, W> {
    /// Finds scores near the row maxima that are certainly attained, and notes the leaves that were
    /// scanned for them.
    #[inline(always)]
    pub(crate) fn first_pass<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &LaneState<W>,
        tally: &mut Tally,
    ) -> [L::Floats; VECTORS] {
        self.scratch.scanned.leaves.clear();
        self.scratch.scanned.most.clear();
        let mut start = [W::LOWEST; LANES];
        for l in places(known.idle) {
            start[l] = W::LOWEST.size(); // no key is of use to this lane
        }
        let (mut max, norm) = (load::<W, L>(lanes, &start), load::<W, L>(lanes, &known.norm));
        self.sift(|level| &level.maxima, Cutoffs::above(W::default()));
        let listed = self.scratch.listed.in_use;
        self.scratch.waiting.clear();
        if listed {
            let SearchScratch { waiting, group, .. } = &mut *self.scratch;
            waiting.extend(&group.innermost().maxima.closed);
        } else {
            if self.keys.order == Order::Space && !known.blind {
                self.start_from_winners(lanes, &mut max);
            }
            self.open_group();
        }
        for turn in 0.. {
            let leaf = match self.keys.order {
                _ if listed => (turn < self.scratch.listed.parts.len()).then_some(turn),
                Order::Space => self.nearest_leaf(lanes, known, &max, tally),
                Order::Norm => self.next_leaf(lanes, turn, &norm, &max),
            };
            let Some(leaf) = leaf.filter(|_| !self.watch.is_left()) else { break };
            self.see_leaf(lanes, leaf, known, &mut max, tally);
        }
        self.need_closed(lanes, known, &max, tally);
        if !self.scratch.needs.is_empty() && !self.keys.seeds.is_empty() {
            // A row of a short query may look to a side where no key at hand lies, and would need half of all boxes.
            let seeds = self.keys.seeds.clone();
            for start in seeds.clone().step_by(LEAF) {
                self.attain(lanes, start..seeds.end.min(start + LEAF as u32), &mut max);
            }
            self.need_closed(lanes, known, &max, tally);
        }
        max
    }

    /// Notes the closed boxes that may hold the maximum of some lane.
    #[inline(always)]
    fn need_closed<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &LaneState<W>,
        attained: &[L::Floats; VECTORS],
        tally: &mut Tally,
    ) {
        let (tree, d, width) = (self.keys.tree, self.keys.cloud.d, VECTORS * L::WIDTH);
        let one = lanes.splat(W::of_one());
        self.scratch.needs.clear();
        for place in 0..self.scratch.waiting.len() {
            let node = self.scratch.waiting[place];
            let around = &tree.boxes()[node as usize * 2 * d..][..2 * d];
            let (query, sizes, origin) =
                (&self.scratch.queries.floats[..], &self.scratch.queries.sizes[..], self.origin());
            let (mut upper, reach) = unrolled!(d, |d| bounds(lanes, query, sizes, around, origin, d));
            for r in 0..VECTORS {
                upper[r] = lanes.mul_add(one, upper[r], reach[r]);
            }
            tally.boxes += self.rows.len() as u64;
            let reached = at_least(lanes, &upper, attained) & known.seen(width, tree.span()[node as usize][0]);
            let reached = reached & known.own & !known.idle;
            if reached != 0 {
                self.scratch.needs.push((node, reached));
            }
        }
    }

    /// Opens the boxes that the group begins with, the most promising last.
    #[inline(always)]
    fn open_group(&mut self) {
        let (tree, d) = (self.keys.tree, self.keys.cloud.d);
        let SearchScratch { queries, origin, group, open, .. } = &mut *self.scratch;
        let (fan, origin) = (&queries.fan[..], origin.in_dimension(d));
        open.clear();
        for &node in &group.innermost().maxima.boxes {
            let around = &tree.boxes()[node as usize * 2 * d..][..2 * d];
            let (middle, reach) = unrolled!(d, |d| fan_bounds(fan, around, origin, d));
            open.push((node, middle + reach));
        }
        if open.len() > 1 {
            open.sort_unstable_by(|a, b| a.1.partial_cmp(&b.1).unwrap_or(std::cmp::Ordering::Equal));
        }
    }

    /// Begins with the keys that won in the packet before: they are rarely far from the maxima.
    #[inline(always)]
    fn start_from_winners<L: Lanes<W, W::Int>>(&mut self, lanes: L, max: &mut [L::Floats; VECTORS]) {
        let winners = std::mem::take(&mut self.scratch.winners.keys);
        self.attain(lanes, winners.iter().copied(), max);
        self.scratch.winners.keys = winners;
    }

    /// Raises what rows certainly attain to their scores with some keys that they see, at most as many as a leaf has.
    #[inline(always)]
    fn attain<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        keys: impl ExactSizeIterator<Item = u32>,
        max: &mut [L::Floats; VECTORS],
    ) {
        let (cloud, d, count) = (self.keys.cloud, self.keys.cloud.d, keys.len());
        if count == 0 {
            return;
        }
        let SearchScratch { leaf, winners, origin, .. } = &mut *self.scratch;
        let (centre, half) = winners.around.split_at_mut(d);
        centre.copy_from_slice(origin.in_dimension(d).at);
        half.fill(W::default());
        for (near, key) in leaf.near.chunks_exact_mut(d).zip(keys) {
            for (k, near) in near.iter_mut().enumerate() {
                *near = cloud.floats[key as usize * d + k] - centre[k];
                half[k] = if near.size() > half[k] { near.size() } else { half[k] };
            }
        }
        let (query, sizes, near, origin) = (
            &self.scratch.queries.floats[..],
            &self.scratch.queries.sizes[..],
            &self.scratch.leaf.near[..],
            self.origin(),
        );
        let around = &self.scratch.winners.around[..];
        let error = unrolled!(d, |d| errors(lanes, sizes, around, origin, d));
        let best = unrolled!(d, |d| leaf_maxima(lanes, query, near, d, count));
        let minus_one = lanes.splat(W::of_one().negated());
        for r in 0..VECTORS {
            max[r] = lanes.max(max[r], lanes.mul_add(minus_one, error[r], best[r]));
        }
    }

    /// Leaf `turn` in the order of norms, if any key from there on may reach some lane's limit.
    #[inline(always)]
    pub(crate) fn next_leaf<L: Lanes<W, W::Int>>(
        &self,
        lanes: L,
        turn: usize,
        norm: &[L::Floats; VECTORS],
        limit: &[L::Floats; VECTORS],
    ) -> Option<usize> {
        let reach = self.keys.tree.reach().get(turn)?;
        (at_least(lanes, &scaled(lanes, norm, *reach), limit) != 0).then_some(turn)
    }

    /// The next leaf that may hold a better key; boxes that cannot are dropped.
    #[inline(always)]
    fn nearest_leaf<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &LaneState<W>,
        limit: &[L::Floats; VECTORS],
        tally: &mut Tally,
    ) -> Option<usize> {
        let (tree, d, width) = (self.keys.tree, self.keys.cloud.d, VECTORS * L::WIDTH);
        let one = lanes.splat(W::of_one());
        let least = least_of::<W, L>(lanes, limit);
        loop {
            let (node, upper) = self.scratch.open.pop()?;
            if upper < least {
                continue;
            }
            let node = node as usize;
            let (query, sizes, fan, origin) = (
                &self.scratch.queries.floats[..],
                &self.scratch.queries.sizes[..],
                &self.scratch.queries.fan[..],
                self.origin(),
            );
            let around = &tree.boxes()[node * 2 * d..][..2 * d];
            let (mut upper, reach) = unrolled!(d, |d| bounds(lanes, query, sizes, around, origin, d));
            for r in 0..VECTORS {
                upper[r] = lanes.mul_add(one, upper[r], reach[r]);
            }
            tally.boxes += self.rows.len() as u64;
            if at_least(lanes, &upper, limit) & known.seen(width, tree.span()[node][0]) == 0 {
                continue;
            }
            self.keys.touch(node);
            if tree.is_closed(node) {
                self.scratch.waiting.push(node as u32);
                continue;
            }
            if node >= tree.first_leaf() {
                return Some(node - tree.first_leaf());
            }
            // The better half is opened first.
            let uppers = [2 * node, 2 * node + 1].map(|child| {
                if tree.weight()[child] == 0 {
                    return W::LOWEST;
                }
                let around = &tree.boxes()[child * 2 * d..][..2 * d];
                let (middle, reach) = unrolled!(d, |d| fan_bounds(fan, around, origin, d));
                middle + reach
            });
            let near = usize::from(uppers[0] < uppers[1]);
            for side in [1 - near, near] {
                if least <= uppers[side] {
                    self.scratch.open.push(((2 * node + side) as u32, uppers[side]));
                }
            }
        }
    }

    /// Scans a leaf for maxima and notes the most that it may hold.
    #[inline(always)]
    fn see_leaf<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        leaf: usize,
        known: &LaneState<W>,
        max: &mut [L::Floats; VECTORS],
        tally: &mut Tally,
    ) {
        let (d, width) = (self.keys.cloud.d, VECTORS * L::WIDTH);
        let (count, error) = self.approach(lanes, leaf);
        let (query, keys) = (&self.scratch.queries.floats[..], &self.scratch.leaf.near[..]);
        tally.scores += (count * self.rows.len()) as u64;
        let best = if known.blind {
            let mut seeing = [0; LEAF];
            for (seeing, &key) in seeing.iter_mut().zip(&self.scratch.leaf.keys) {
                *seeing = known.seeing(width, self.keys.first[key as usize]);
            }
            leaf_maxima_seen(lanes, query, keys, d, &self.scratch.penalties, &seeing[..count])
        } else {
            unrolled!(d, |d| leaf_maxima(lanes, query, keys, d, count))
        };
        self.scratch.scanned.leaves.push(leaf as u32);
        let (one, minus_one) = (lanes.splat(W::of_one()), lanes.splat(W::of_one().negated()));
        let mut most = best;
        for r in 0..VECTORS {
            max[r] = lanes.max(max[r], lanes.mul_add(minus_one, error[r], best[r]));
            most[r] = lanes.mul_add(one, error[r], best[r]);
        }
        store(lanes, &most, &mut self.scratch.scanned.most);
    }

    /// Lists the keys that may attain the maximum of some lane.
    #[inline(always)]
    pub(crate) fn find_candidates<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &LaneState<W>,
        attained: &[L::Floats; VECTORS],
        tally: &mut Tally,
    ) {
        let (d, width) = (self.keys.cloud.d, VECTORS * L::WIDTH);
        let minus_one = lanes.splat(W::of_one().negated());
        self.scratch.candidates.clear();
        for seen in 0..self.scratch.scanned.leaves.len() {
            let most = load::<W, L>(lanes, &self.scratch.scanned.most[seen * width..]);
            if at_least(lanes, &most, attained) & !known.idle == 0 {
                continue;
            }
            if self.watch.is_left() {
                break;
            }
            let (count, error) = self.approach(lanes, self.scratch.scanned.leaves[seen] as usize);
            let mut top = *attained;
            for r in 0..VECTORS {
                top[r] = lanes.mul_add(minus_one, error[r], top[r]);
            }
            let (query, keys) = (&self.scratch.queries.floats[..], &self.scratch.leaf.near[..]);
            let [sets, _] = unrolled!(d, |d| leaf_sets(lanes, query, keys, d, count, [&top, &top]));
            tally.scores += (count * self.rows.len()) as u64;
            for (&key, bits) in self.scratch.leaf.keys.iter().zip(sets) {
                let bits = bits & !known.idle & known.seen(width, self.keys.first[key as usize]);
                if bits != 0 {
                    self.scratch.candidates.push((key, bits));
                }
            }
        }
    }
}

/// The least entry of all lanes.
#[inline(always)]
pub(crate) fn least_of<W: Width, L: Lanes<W, W::Int>>(lanes: L, x: &[L::Floats; VECTORS]) -> W {
    let (zero, minus_one) = (lanes.splat(W::default()), lanes.splat(W::of_one().negated()));
    let mut turned = lanes.splat(W::LOWEST);
    for r in 0..VECTORS {
        turned = lanes.max(turned, lanes.mul_add(x[r], minus_one, zero));
    }
    largest_of::<W, L>(lanes, turned).negated()
}

/// The largest entry of all lanes.
#[inline(always)]
pub(crate) fn most_of<W: Width, L: Lanes<W, W::Int>>(lanes: L, x: &[L::Floats; VECTORS]) -> W {
    let mut most = x[0];
    for r in 1..VECTORS {
        most = lanes.max(most, x[r]);
    }
    largest_of::<W, L>(lanes, most)
}

#[inline(always)]
fn scaled<W: Width, L: Lanes<W, W::Int>>(lanes: L, x: &[L::Floats; VECTORS], by: W) -> [L::Floats; VECTORS] {
    let mut product = *x;
    for r in 0..VECTORS {
        product[r] = lanes.mul_add(product[r], lanes.splat(by), lanes.splat(W::default()));
    }
    product
}
