//! One packet of rows against keys in order: the same strips and sums as [`super::packet`], most keys unseen.
//!
//! **First pass**, the row maximum. A leaf is scanned only if for some lane its upper bound reaches a score that is
//! certainly attained. Boxes are opened depth first, the half that more lanes prefer before the other (or, in the order
//! of norms, leaf after leaf until |q||x| no longer reaches). The leaves seen are noted with the most that they may hold;
//! keys that may attain the maximum are candidates, which exact scores decide. Of equal maximisers the one with the
//! least first index wins, as in brute force.
//!
//! **Second pass**, the strip, whose threshold is now exact. A box wholly below it is dropped, one wholly above it adds
//! its weight and its exact sum, any other is opened; in a leaf floats decide what they can and exact scores the rest.
//! A strip of width 0 needs no second pass: its members are among the candidates.
//!
//! **What floats cost.** Scores are measured from an origin o, one for the packet: the key that won in the packet before.
//! So they err in proportion to the distance from there, and late in a run, when clusters are a few lattice units wide,
//! floats still tell keys apart. With r the relative error of one rounding, `Σ q_k (x_k − o_k)` meets at most d + 2 of
//! them in each term (the query, the difference, the product, the sums), and a bound `q·(c − o) ± |q|·h` two more at the
//! end. `κ = 1.01 (d + 8) r`, d ≤ 2^13, pays for them, for the rounding of the error terms themselves and of limits
//! that are compared with: a score of a key in a box is off by at most `e = κ Σ|q_k| (|c_k − o_k| + h_k)`, and with
//! `h + κ (h + |c − o|)` in place of h a computed bound is a bound. In the order of norms the origin is 0.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

mod scan;

use super::aligned::Aligned;
use super::lanes::{Job, LANES, Lanes, VECTORS};
use super::packet::{Cloud, Plan, Tally, at_least, exact, queries, strip_width, unrolled};
use super::sums::Sums;
use super::width::Width;
use crate::contract::StripWidth;
use crate::space::{Coordinate, LEAF, Order, Tree};
use scan::{Blinds, Origin, bounds, errors, leaf_maxima, leaf_maxima_seen, leaf_sets};

/// Keys in order, with all that is known of them.
pub(super) struct Searched<'a, W: Width> {
    /// Coordinates of the keys.
    pub(super) cloud: &'a Cloud<W>,
    /// Tokens that each key stands for.
    pub(super) weight: &'a [u32],
    /// The least index among them.
    pub(super) first: &'a [u32],
    pub(super) tree: &'a Tree<W::Int>,
    /// What order it is, and with it how to search.
    pub(super) order: Order,
    /// Some weight is not 1.
    pub(super) weighted: bool,
}

/// A row to be computed: the key whose coordinates it has, and how many tokens it sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) key: u32,
    pub(super) visible: u32,
}

/// What a packet is computed for.
pub(super) enum Purpose<'a, W: Width> {
    /// New coordinates, argmax (a token) and strip size of the keys from `base` on.
    Move { base: u32, x: &'a mut [W::Int], argmax: &'a mut [u32], count: &'a mut [u32] },
    /// The keys in the strips of its rows.
    Members(&'a mut [Vec<u32>]),
    /// Nothing but the time it takes.
    Trial,
}

/// Buffers that a thread keeps from packet to packet. `[coordinate][lane]` where not said otherwise.
pub(super) struct Scratch<W: Width> {
    query: Aligned<W::Int>,
    query_floats: Aligned<W>,
    sizes: Aligned<W>,
    own: Aligned<W::Int>,
    sums: Sums<W>,
    blinds: Blinds<W>,
    /// The origin, and the key it is at.
    origin: Vec<W>,
    origin_key: u32,
    next_origin: u32,
    /// Keys of a leaf, from the origin.
    near: Vec<W>,
    /// Leaves seen by the first pass, and `[leaf seen][lane]` the most that they may hold.
    leaves: Vec<u32>,
    maxima: Vec<W>,
    /// Boxes to be opened, and `[box][lane]` their upper bounds.
    open: Vec<u32>,
    uppers: Vec<W>,
    /// Boxes to be decided, for these lanes.
    undecided: Vec<(u32, u64)>,
    /// (key, lanes as bits).
    candidates: Vec<(u32, u64)>,
}

impl<W: Width> Scratch<W> {
    pub(super) fn new(d: usize, lanes: usize) -> Self {
        Self {
            query: Aligned::new(d * lanes),
            query_floats: Aligned::new(d * lanes),
            sizes: Aligned::new(d * lanes),
            own: Aligned::new(d * lanes),
            sums: Sums::new(d, lanes),
            blinds: Blinds::new(lanes),
            origin: vec![W::default(); d],
            origin_key: 0,
            next_origin: 0,
            near: vec![W::default(); LEAF * d],
            leaves: Vec::new(),
            maxima: Vec::new(),
            open: Vec::new(),
            uppers: Vec::new(),
            undecided: Vec::new(),
            candidates: Vec::new(),
        }
    }
}

/// One packet's work.
pub(super) struct Search<'a, W: Width> {
    pub(super) keys: &'a Searched<'a, W>,
    pub(super) plan: &'a Plan<'a, W>,
    pub(super) scratch: &'a mut Scratch<W>,
    /// At least one and no more than lanes, by ascending `visible`.
    pub(super) rows: &'a [Row],
    pub(super) purpose: Purpose<'a, W>,
}

/// What one packet knows of its lanes. Lanes past the last row repeat it.
struct Known<W: Width> {
    /// Lanes with a row of their own.
    own: u64,
    visible: [u32; LANES],
    /// Some token is not seen by some lane.
    blind: bool,
    /// Lanes whose scores are all 0: everything they see attains their maximum.
    idle: u64,
    /// A float not below |q|.
    norm: [W; LANES],
    width: [W::Wide; LANES],
    max: [W::Wide; LANES],
    argmax: [u32; LANES],
}

impl<W: Width> Job<W, W::Int> for Search<'_, W> {
    type Output = Tally;

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(mut self, lanes: L) -> Tally {
        let width = VECTORS * L::WIDTH;
        let mut tally = Tally::default();
        self.scratch.sums.clear();
        let mut known = self.gather(width);
        let attained = self.first_pass(lanes, &known, &mut tally);
        self.find_candidates(lanes, &known, &attained, &mut tally);
        let hardmax = self.plan.step.width == StripWidth::Constant(0);
        self.decide_maxima(width, hardmax, &mut known, &mut tally);
        let active = if hardmax { known.idle } else { u64::MAX >> (LANES - width) };
        if active != 0 {
            self.second_pass(lanes, &known, active, &mut tally);
        }
        self.finish(lanes, &known, &mut tally);
        tally
    }
}

impl<W: Width> Search<'_, W> {
    #[inline(always)]
    fn gather(&mut self, lanes: usize) -> Known<W> {
        let (cloud, plan) = (self.keys.cloud, self.plan);
        let Scratch { query, query_floats, sizes, own, .. } = self.scratch;
        let count = self.rows.len();
        let mut visible = [0; LANES];
        for l in 0..lanes {
            let row = self.rows[l.min(count - 1)];
            visible[l] = row.visible;
            for (k, &x) in cloud.row(row.key as usize).iter().enumerate() {
                own[k * lanes + l] = x;
            }
        }
        let weight = queries(cloud, plan, lanes, own, query, query_floats);
        let mut square = [0.0; LANES];
        for (k, q) in query_floats.chunks_exact(lanes).enumerate() {
            for (l, &q) in q.iter().enumerate() {
                let size = q.to_f64().abs();
                sizes[k * lanes + l] = W::nearest(size);
                square[l] += size * size;
            }
        }
        // As for the norms in the tree, and once more for the rounding of a query.
        let slack = 1.0 + (cloud.d + 16) as f64 * 2.0 * W::ROUNDING;
        let mut known = Known {
            own: u64::MAX >> (LANES - count),
            visible,
            blind: (visible[0] as usize) < self.keys.tree.weight()[1] as usize,
            idle: (0..lanes).map(|l| u64::from(weight[l] == 0.0) << l).sum(),
            norm: square.map(|square: f64| W::nearest(square.sqrt() * slack)),
            width: [W::Wide::default(); LANES],
            max: [W::SMALLEST; LANES],
            argmax: [0; LANES],
        };
        if let StripWidth::Constant(width) = plan.step.width {
            known.width = [W::wide(width); LANES];
        } else {
            for l in 0..lanes {
                known.width[l] = W::wide(strip_width::<W>(plan.step, lanes, l, query, own));
            }
        }
        if self.keys.order == Order::Space {
            let at = self.scratch.next_origin.min(cloud.n as u32 - 1);
            self.scratch.origin_key = at;
            let row = &cloud.floats[at as usize * cloud.d..][..cloud.d];
            self.scratch.origin.copy_from_slice(row);
        }
        known
    }

    /// Lanes that see a token, by its index.
    #[inline(always)]
    fn seeing(known: &Known<W>, lanes: usize, token: u32) -> usize {
        known.visible[..lanes].partition_point(|&visible| visible <= token)
    }

    #[inline(always)]
    fn seen(known: &Known<W>, lanes: usize, token: u32) -> u64 {
        if !known.blind {
            return u64::MAX;
        }
        match Self::seeing(known, lanes, token) {
            LANES.. => 0,
            first => u64::MAX << first,
        }
    }

    /// κ.
    fn slack(&self) -> W {
        W::nearest(1.01 * (self.keys.cloud.d + 8) as f64 * W::ROUNDING)
    }

    fn origin(&self) -> Origin<'_, W> {
        Origin { at: &self.scratch.origin, slack: self.slack() }
    }

    /// Keys of a leaf, whose floats are then at hand from the origin, and the error of their scores.
    #[inline(always)]
    fn approach<L: Lanes<W, W::Int>>(&mut self, lanes: L, leaf: usize) -> (std::ops::Range<usize>, [L::Floats; VECTORS]) {
        let (cloud, tree) = (self.keys.cloud, self.keys.tree);
        let keys = &cloud.floats[leaf * LEAF * cloud.d..][..LEAF * cloud.d];
        let Scratch { near, origin, .. } = &mut *self.scratch;
        for (near, key) in near.chunks_exact_mut(cloud.d).zip(keys.chunks_exact(cloud.d)) {
            for ((near, &x), &origin) in near.iter_mut().zip(key).zip(&origin[..]) {
                *near = x - origin;
            }
        }
        let around = &tree.boxes()[(tree.first_leaf() + leaf) * 2 * cloud.d..][..2 * cloud.d];
        let (sizes, origin) = (&self.scratch.sizes[..], self.origin());
        let error = unrolled!(cloud.d, |d| errors(lanes, sizes, around, origin, d));
        (leaf * LEAF..(leaf * LEAF + LEAF).min(cloud.n), error)
    }

    /// Scores that are certainly attained, near the row maxima, and the leaves that matter to them.
    #[inline(always)]
    fn first_pass<L: Lanes<W, W::Int>>(&mut self, lanes: L, known: &Known<W>, tally: &mut Tally) -> [L::Floats; VECTORS] {
        self.scratch.leaves.clear();
        self.scratch.maxima.clear();
        let mut start = [W::LOWEST; LANES];
        for l in places(known.idle) {
            start[l] = W::LOWEST.size(); // nothing is of use to it
        }
        let (mut max, norm) = (load::<W, L>(lanes, &start), load::<W, L>(lanes, &known.norm));
        self.scratch.open.clear();
        self.scratch.uppers.clear();
        self.leave_open(lanes, 1, &[lanes.splat(W::LOWEST.size()); VECTORS]);
        for turn in 0.. {
            let leaf = match self.keys.order {
                Order::Space => self.nearest_leaf(lanes, known, &max, tally),
                Order::Norm => self.next_leaf(lanes, turn, &norm, &max),
            };
            let Some(leaf) = leaf else { break };
            self.see_leaf(lanes, leaf, known, &mut max, tally);
        }
        max
    }

    /// Leaf `turn` in the order of norms, if any key from there on may reach some lane's limit.
    #[inline(always)]
    fn next_leaf<L: Lanes<W, W::Int>>(
        &self,
        lanes: L,
        turn: usize,
        norm: &[L::Floats; VECTORS],
        limit: &[L::Floats; VECTORS],
    ) -> Option<usize> {
        let reach = self.keys.tree.reach().get(turn)?;
        (at_least(lanes, &scaled(lanes, norm, *reach), limit) != 0).then_some(turn)
    }

    /// Puts a box aside, with its upper bounds.
    #[inline(always)]
    fn leave_open<L: Lanes<W, W::Int>>(&mut self, lanes: L, node: usize, upper: &[L::Floats; VECTORS]) {
        self.scratch.open.push(node as u32);
        store(lanes, upper, &mut self.scratch.uppers);
    }

    /// The nearest leaf below the boxes left open that may hold a better key; boxes that cannot are dropped.
    #[inline(always)]
    fn nearest_leaf<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &Known<W>,
        limit: &[L::Floats; VECTORS],
        tally: &mut Tally,
    ) -> Option<usize> {
        let (tree, d, width) = (self.keys.tree, self.keys.cloud.d, VECTORS * L::WIDTH);
        let one = lanes.splat(W::of_one());
        loop {
            let mut node = self.scratch.open.pop()? as usize;
            let at = self.scratch.uppers.len() - width;
            let upper = load::<W, L>(lanes, &self.scratch.uppers[at..]);
            self.scratch.uppers.truncate(at);
            if at_least(lanes, &upper, limit) & Self::seen(known, width, tree.span()[node][0]) == 0 {
                continue;
            }
            loop {
                if node >= tree.first_leaf() {
                    return Some(node - tree.first_leaf());
                }
                let mut uppers = [[lanes.splat(W::LOWEST); VECTORS]; 2];
                let mut need = [0; 2];
                for side in 0..2 {
                    let child = 2 * node + side;
                    if tree.weight()[child] == 0 {
                        continue;
                    }
                    let around = &tree.boxes()[child * 2 * d..][..2 * d];
                    let (query, sizes, origin) = (&self.scratch.query_floats[..], &self.scratch.sizes[..], self.origin());
                    let (middle, reach) = unrolled!(d, |d| bounds(lanes, query, sizes, around, origin, d));
                    for r in 0..VECTORS {
                        uppers[side][r] = lanes.mul_add(one, middle[r], reach[r]);
                    }
                    need[side] = at_least(lanes, &uppers[side], limit) & Self::seen(known, width, tree.span()[child][0]);
                    tally.nodes += self.rows.len() as u64;
                }
                // The half that more lanes of those in need find better.
                let left = at_least(lanes, &uppers[0], &uppers[1]);
                let near = usize::from((left & need[0]).count_ones() < (!left & need[1]).count_ones());
                let near = match need {
                    [0, 0] => break,
                    [_, 0] => 0,
                    [0, _] => 1,
                    _ => near,
                };
                if need[1 - near] != 0 {
                    self.leave_open(lanes, 2 * node + 1 - near, &uppers[1 - near]);
                }
                node = 2 * node + near;
            }
        }
    }

    /// Scans a leaf for maxima.
    #[inline(always)]
    fn see_leaf<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        leaf: usize,
        known: &Known<W>,
        max: &mut [L::Floats; VECTORS],
        tally: &mut Tally,
    ) {
        let (d, width) = (self.keys.cloud.d, VECTORS * L::WIDTH);
        let (range, error) = self.approach(lanes, leaf);
        let (query, keys) = (&self.scratch.query_floats[..], &self.scratch.near[..]);
        tally.scores += (range.len() * self.rows.len()) as u64;
        let best = if known.blind {
            let mut seeing = [0; LEAF];
            for (seeing, &first) in seeing.iter_mut().zip(&self.keys.first[range.clone()]) {
                *seeing = Self::seeing(known, width, first);
            }
            let (blinds, seeing) = (&self.scratch.blinds, &seeing[..range.len()]);
            leaf_maxima_seen(lanes, query, keys, d, blinds, seeing)
        } else {
            let count = range.len();
            unrolled!(d, |d| leaf_maxima(lanes, query, keys, d, count))
        };
        self.scratch.leaves.push(leaf as u32);
        let (one, minus_one) = (lanes.splat(W::of_one()), lanes.splat(W::of_one().negated()));
        let mut most = best;
        for r in 0..VECTORS {
            max[r] = lanes.max(max[r], lanes.mul_add(minus_one, error[r], best[r]));
            most[r] = lanes.mul_add(one, error[r], best[r]);
        }
        store(lanes, &most, &mut self.scratch.maxima);
    }

    /// Keys that may attain the maximum of some lane.
    #[inline(always)]
    fn find_candidates<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &Known<W>,
        attained: &[L::Floats; VECTORS],
        tally: &mut Tally,
    ) {
        let (d, width) = (self.keys.cloud.d, VECTORS * L::WIDTH);
        let minus_one = lanes.splat(W::of_one().negated());
        self.scratch.candidates.clear();
        for seen in 0..self.scratch.leaves.len() {
            let most = load::<W, L>(lanes, &self.scratch.maxima[seen * width..]);
            if at_least(lanes, &most, attained) & !known.idle == 0 {
                continue;
            }
            let (range, error) = self.approach(lanes, self.scratch.leaves[seen] as usize);
            let mut top = *attained;
            for r in 0..VECTORS {
                top[r] = lanes.mul_add(minus_one, error[r], top[r]);
            }
            let (query, keys) = (&self.scratch.query_floats[..], &self.scratch.near[..]);
            let [sets, _] = unrolled!(d, |d| leaf_sets(lanes, query, keys, d, [&top, &top]));
            tally.scores += (range.len() * self.rows.len()) as u64;
            for (key, bits) in range.zip(sets) {
                let bits = bits & !known.idle & Self::seen(known, width, self.keys.first[key]);
                if bits != 0 {
                    self.scratch.candidates.push((key as u32, bits));
                }
            }
        }
    }

    /// Exact maxima and the least token that attains each; in hardmax also the strips. A lane with one candidate needs
    /// no exact score to know its argmax.
    #[inline(always)]
    fn decide_maxima(&mut self, lanes: usize, hardmax: bool, known: &mut Known<W>, tally: &mut Tally) {
        let keys = self.keys;
        let mut candidates = std::mem::take(&mut self.scratch.candidates);
        let (mut once, mut twice) = (0, 0);
        for &(_, bits) in &candidates {
            twice |= once & bits;
            once |= bits;
        }
        let asked = if hardmax { twice } else { u64::MAX };
        // Where the maximum last rose, as a place in the list: earlier candidates do not attain it.
        let mut risen = [0u32; LANES];
        let mut scores = [W::Wide::default(); LANES];
        for (place, (key, bits)) in candidates.iter_mut().enumerate() {
            let first = keys.first[*key as usize];
            let of = *bits & asked;
            tally.redone += u64::from((*bits & twice & known.own).count_ones());
            if of != 0 {
                let row = keys.cloud.row(*key as usize);
                exact::<W>(&self.scratch.query, lanes, row, of, &mut scores);
            }
            for l in places(*bits) {
                if of >> l & 1 == 0 || scores[l] > known.max[l] {
                    known.max[l] = scores[l];
                    known.argmax[l] = first;
                    risen[l] = place as u32;
                } else if scores[l] == known.max[l] {
                    known.argmax[l] = known.argmax[l].min(first);
                } else {
                    *bits &= !(1 << l);
                }
            }
        }
        for l in places(known.idle) {
            // Everything is a maximiser, and token 0 is seen by all.
            (known.max[l], known.argmax[l]) = (W::Wide::default(), 0);
        }
        if hardmax {
            for (place, (_, bits)) in candidates.iter_mut().enumerate() {
                for l in 0..lanes {
                    *bits &= !(u64::from((place as u32) < risen[l]) << l);
                }
            }
        }
        if let Some((key, _)) = candidates.iter().rev().find(|(_, bits)| bits & 1 == 1) {
            self.scratch.next_origin = *key;
        }
        self.scratch.candidates = candidates;
    }

    /// Adds up the strips: boxes first, keys where they must be.
    #[inline(always)]
    fn second_pass<L: Lanes<W, W::Int>>(&mut self, lanes: L, known: &Known<W>, active: u64, tally: &mut Tally) {
        let width = VECTORS * L::WIDTH;
        let mut threshold = [W::SMALLEST; LANES];
        let mut limits = [[W::default(); LANES]; 2];
        let mut from = [W::Wide::default(); LANES];
        if self.keys.order == Order::Space {
            let origin = self.keys.cloud.row(self.scratch.origin_key as usize);
            W::dots(width, &self.scratch.query, origin, &mut from);
        }
        for l in 0..width {
            threshold[l] = W::threshold(known.max[l], known.width[l]);
            // Rounded three times, and once more in every leaf.
            let limit = W::approximate(W::threshold(threshold[l], from[l]));
            let slack = 8.0 * W::ROUNDING * limit.abs();
            (limits[0][l], limits[1][l]) = (W::nearest(limit - slack), W::nearest(limit + slack));
        }
        let [low, high] = limits.each_ref().map(|limits| load::<W, L>(lanes, limits));
        let norm = load::<W, L>(lanes, &known.norm);
        self.scratch.undecided.clear();
        self.scratch.undecided.push((1, active));
        for turn in 0.. {
            let leaf = match self.keys.order {
                Order::Space => self.undecided_leaf(lanes, known, [&low, &high], tally),
                Order::Norm => self.next_leaf(lanes, turn, &norm, &low).map(|leaf| (leaf, active)),
            };
            let Some((leaf, active)) = leaf else { break };
            self.decide_leaf(lanes, leaf, active, known, &threshold, [&low, &high], tally);
        }
    }

    /// The next leaf that is neither inside nor outside the strips of some lanes. Boxes that are, on the way to it, are
    /// added or dropped.
    #[inline(always)]
    fn undecided_leaf<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &Known<W>,
        [low, high]: [&[L::Floats; VECTORS]; 2],
        tally: &mut Tally,
    ) -> Option<(usize, u64)> {
        let (tree, d, width) = (self.keys.tree, self.keys.cloud.d, VECTORS * L::WIDTH);
        let (one, minus_one) = (lanes.splat(W::of_one()), lanes.splat(W::of_one().negated()));
        loop {
            let (node, active) = self.scratch.undecided.pop()?;
            let node = node as usize;
            if tree.weight()[node] == 0 {
                continue;
            }
            let around = &tree.boxes()[node * 2 * d..][..2 * d];
            let (query, sizes, origin) = (&self.scratch.query_floats[..], &self.scratch.sizes[..], self.origin());
            let (mut upper, reach) = unrolled!(d, |d| bounds(lanes, query, sizes, around, origin, d));
            let mut lower = upper;
            for r in 0..VECTORS {
                lower[r] = lanes.mul_add(minus_one, reach[r], lower[r]);
                upper[r] = lanes.mul_add(one, reach[r], upper[r]);
            }
            tally.nodes += self.rows.len() as u64;
            let [least, most] = tree.span()[node];
            let some = at_least(lanes, &upper, low) & active & Self::seen(known, width, least);
            let whole = at_least(lanes, &lower, high) & some & Self::seen(known, width, most);
            if whole != 0 {
                self.take_box(node, whole);
            }
            let rest = some & !whole;
            if rest == 0 {
                continue;
            }
            if node >= tree.first_leaf() {
                return Some((node - tree.first_leaf(), rest));
            }
            self.scratch.undecided.extend([(2 * node as u32 + 1, rest), (2 * node as u32, rest)]);
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
        known: &Known<W>,
        threshold: &[W::Wide; LANES],
        limits: [&[L::Floats; VECTORS]; 2],
        tally: &mut Tally,
    ) {
        let (d, width) = (self.keys.cloud.d, VECTORS * L::WIDTH);
        let (range, error) = self.approach(lanes, leaf);
        let (one, minus_one) = (lanes.splat(W::of_one()), lanes.splat(W::of_one().negated()));
        let (mut low, mut high) = (*limits[0], *limits[1]);
        for r in 0..VECTORS {
            low[r] = lanes.mul_add(minus_one, error[r], low[r]);
            high[r] = lanes.mul_add(one, error[r], high[r]);
        }
        let (query, keys) = (&self.scratch.query_floats[..], &self.scratch.near[..]);
        let [some, sure] = unrolled!(d, |d| leaf_sets(lanes, query, keys, d, [&low, &high]));
        tally.scores += (range.len() * self.rows.len()) as u64;
        let (mut list, mut length) = ([(0, 0); LEAF], 0);
        let mut scores = [W::Wide::default(); LANES];
        for (key, (some, sure)) in range.zip(some.into_iter().zip(sure)) {
            let some = some & active;
            if some == 0 {
                continue;
            }
            let some = some & Self::seen(known, width, self.keys.first[key]);
            let band = some & !sure;
            let mut inside = some & sure;
            if band != 0 {
                tally.redone += u64::from((band & known.own).count_ones());
                exact::<W>(&self.scratch.query, width, self.keys.cloud.row(key), band, &mut scores);
                for l in places(band) {
                    inside |= u64::from(scores[l] >= threshold[l]) << l;
                }
            }
            list[length] = (key as u32, inside);
            length += usize::from(inside != 0);
        }
        self.take(lanes, &list[..length]);
    }

    /// Keys (no more than a leaf has) that are in the strips of the lanes given with them.
    #[inline(always)]
    fn take<L: Lanes<W, W::Int>>(&mut self, lanes: L, list: &[(u32, u64)]) {
        let keys = self.keys;
        if let Purpose::Members(members) = &mut self.purpose {
            for &(key, bits) in list {
                for l in places(bits) {
                    if let Some(members) = members.get_mut(l) {
                        members.push(key);
                    }
                }
            }
        } else if keys.weighted {
            for &(key, bits) in list {
                let weight = keys.weight[key as usize];
                let sum = keys.cloud.row(key as usize).iter().map(|x| x.times(weight));
                self.scratch.sums.add_whole(bits, sum, weight);
            }
        } else {
            self.scratch.sums.add(lanes, &keys.cloud.x, list);
        }
    }

    /// Step 4 of the contract.
    #[inline(always)]
    fn finish<L: Lanes<W, W::Int>>(&mut self, lanes: L, known: &Known<W>, tally: &mut Tally) {
        let width = VECTORS * L::WIDTH;
        let (keys, d) = (self.keys, self.keys.cloud.d);
        if self.plan.step.width == StripWidth::Constant(0) {
            let list = std::mem::take(&mut self.scratch.candidates);
            for part in list.chunks(LEAF) {
                self.take(lanes, part);
            }
            self.scratch.candidates = list;
        }
        let Purpose::Move { base, x, argmax, count } = &mut self.purpose else { return };
        let Scratch { sums, own, .. } = self.scratch;
        let total = sums.total();
        for (l, row) in self.rows.iter().enumerate() {
            let at = (row.key - *base) as usize;
            let size = W::narrow(total[d * width + l]) as u32;
            let x = &mut x[at * d..][..d];
            for (k, x) in x.iter_mut().enumerate() {
                *x = W::moved(own[k * width + l], total[k * width + l], size, self.plan.step.gain);
            }
            argmax[at] = known.argmax[l];
            count[at] = size;
            let moved = x.iter().enumerate().any(|(k, &x)| x != own[k * width + l]);
            tally.moved += u64::from(moved) * u64::from(keys.weight[row.key as usize]);
        }
    }
}

/// Places of the bits that are set.
#[inline(always)]
fn places(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros() as usize;
        (bits != 0).then(|| {
            bits &= bits - 1;
            place
        })
    })
}

/// Puts a packet's vectors behind what is there.
#[inline(always)]
fn store<W: Width, L: Lanes<W, W::Int>>(lanes: L, vectors: &[L::Floats; VECTORS], to: &mut Vec<W>) {
    let at = to.len();
    to.resize(at + VECTORS * L::WIDTH, W::default());
    for r in 0..VECTORS {
        lanes.store(vectors[r], &mut to[at + r * L::WIDTH..]);
    }
}

/// A packet's vectors from `[lane]`.
#[inline(always)]
fn load<W: Width, L: Lanes<W, W::Int>>(lanes: L, from: &[W]) -> [L::Floats; VECTORS] {
    let mut vectors = [lanes.splat(W::default()); VECTORS];
    for r in 0..VECTORS {
        vectors[r] = lanes.load(&from[r * L::WIDTH..]);
    }
    vectors
}

#[inline(always)]
fn scaled<W: Width, L: Lanes<W, W::Int>>(lanes: L, x: &[L::Floats; VECTORS], by: W) -> [L::Floats; VECTORS] {
    let mut product = *x;
    for r in 0..VECTORS {
        product[r] = lanes.mul_add(product[r], lanes.splat(by), lanes.splat(W::default()));
    }
    product
}
