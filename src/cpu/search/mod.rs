//! One packet of rows against keys in order: the same strips and sums as [`super::packet`], most keys unseen.
//!
//! **First pass**, the row maximum. A leaf is scanned only if for some lane its bound, plus what floats may have cost it,
//! reaches the lane's best score so far. Boxes are opened depth first, the half that more lanes prefer before the other
//! (or, in the order of norms, leaf after leaf until |q||x| no longer reaches). The leaves seen are noted with their
//! maxima; those that come within 2E of the row maximum hold the candidates, which exact scores decide. Of equal
//! maximisers the one with the least first index wins, as in brute force.
//!
//! **Second pass**, the strip, whose threshold is now exact. A box wholly below it is dropped, one wholly above it adds
//! its weight and its exact sum, any other is opened; in a leaf floats decide what they can and exact scores the rest.
//! A strip of width 0 needs no second pass: its members are among the candidates.
//!
//! What floats cost: a bound `q·c ± |q|·h` is a sum of 2d products and one addition, of terms that are at most
//! `Σ_k |q_k| max_j|x_jk|` in all, as box corners are coordinates of keys. So it errs by at most
//! `F = 1.001 (2d+8) r Σ_k |q_k| max_j|x_jk|` (see [`super::filter`]), with room for the rounding of the limits that it
//! is compared with.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

mod scan;

use super::aligned::Aligned;
use super::filter::{self, Limits};
use super::lanes::{Job, LANES, Lanes, VECTORS};
use super::packet::{Cloud, Plan, Tally, at_least, exact, queries, strip_width, unrolled};
use super::sums::Sums;
use super::width::Width;
use crate::contract::StripWidth;
use crate::space::{Coordinate, LEAF, Order, Tree};
use scan::{Blinds, bounds, leaf_maxima, leaf_maxima_seen, leaf_sets};

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
    /// Leaves seen by the first pass, and `[leaf seen][lane]` their maxima.
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
    /// E and F.
    error: [W; LANES],
    box_error: [W; LANES],
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
        let row_max = self.first_pass(lanes, &known, &mut tally);
        self.find_candidates(lanes, &known, &row_max, &mut tally);
        let hardmax = self.plan.step.width == StripWidth::Constant(0);
        self.decide_maxima(width, hardmax, &mut known, &mut tally);
        let active = if hardmax { known.idle } else { u64::MAX >> (LANES - width) };
        if active != 0 {
            self.second_pass(lanes, &known, active, &mut tally);
        }
        self.finish(width, &known, &mut tally);
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
            error: weight.map(|weight| filter::error_bound(cloud.d, weight)),
            box_error: weight.map(|weight| filter::error_bound(2 * cloud.d + 7, weight)),
            norm: square.map(|square: f64| W::above(square.sqrt() * slack)),
            width: [W::Wide::default(); LANES],
            max: [W::SMALLEST; LANES],
            argmax: [0; LANES],
        };
        for l in 0..lanes {
            known.width[l] = W::wide(strip_width::<W>(plan.step, lanes, l, query, own));
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

    /// Keys of a leaf, and their floats up to the end of the leaf.
    fn leaf(&self, leaf: usize) -> (std::ops::Range<usize>, &[W]) {
        let cloud = self.keys.cloud;
        (leaf * LEAF..(leaf * LEAF + LEAF).min(cloud.n), &cloud.floats[leaf * LEAF * cloud.d..][..LEAF * cloud.d])
    }

    /// The row maxima m̃ of the float scores, and the leaves that matter to them.
    #[inline(always)]
    fn first_pass<L: Lanes<W, W::Int>>(&mut self, lanes: L, known: &Known<W>, tally: &mut Tally) -> [W; LANES] {
        let width = VECTORS * L::WIDTH;
        self.scratch.leaves.clear();
        self.scratch.maxima.clear();
        let mut start = [W::LOWEST; LANES];
        let mut margin = [W::default(); LANES];
        for l in 0..width {
            margin[l] = known.error[l].plus_up(known.box_error[l]).negated();
            if known.idle >> l & 1 == 1 {
                start[l] = W::LOWEST.negated();
            }
        }
        let (mut max, margin) = (load::<W, L>(lanes, &start), load::<W, L>(lanes, &margin));
        match self.keys.order {
            Order::Space => self.open_boxes(lanes, known, &mut max, &margin, tally),
            Order::Norm => {
                let norm = load::<W, L>(lanes, &known.norm);
                for leaf in 0..self.keys.tree.leaves() {
                    let reach = scaled(lanes, &norm, self.keys.tree.reach()[leaf]);
                    if at_least(lanes, &reach, &lowered(lanes, &max, &margin)) == 0 {
                        break;
                    }
                    self.see_leaf(lanes, leaf, known, &mut max, tally);
                }
            }
        }
        let mut row_max = [W::default(); LANES];
        for r in 0..VECTORS {
            lanes.store(max[r], &mut row_max[r * L::WIDTH..]);
        }
        row_max
    }

    #[inline(always)]
    fn open_boxes<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &Known<W>,
        max: &mut [L::Floats; VECTORS],
        margin: &[L::Floats; VECTORS],
        tally: &mut Tally,
    ) {
        let (tree, d, width) = (self.keys.tree, self.keys.cloud.d, VECTORS * L::WIDTH);
        let first_leaf = tree.first_leaf();
        let one = lanes.splat(W::of_one());
        self.scratch.open.clear();
        self.scratch.uppers.clear();
        let mut node = 1;
        loop {
            if node >= first_leaf {
                self.see_leaf(lanes, node - first_leaf, known, max, tally);
            } else {
                let limit = lowered(lanes, max, margin);
                let mut uppers = [[lanes.splat(W::LOWEST); VECTORS]; 2];
                let mut use_of = [0; 2];
                for side in 0..2 {
                    let child = 2 * node + side;
                    if tree.weight()[child] == 0 {
                        continue;
                    }
                    let around = &tree.boxes()[child * 2 * d..][..2 * d];
                    let (query, sizes) = (&self.scratch.query_floats[..], &self.scratch.sizes[..]);
                    let (middle, reach) = unrolled!(d, |d| bounds(lanes, query, sizes, around, d));
                    for r in 0..VECTORS {
                        uppers[side][r] = lanes.mul_add(one, middle[r], reach[r]);
                    }
                    use_of[side] = at_least(lanes, &uppers[side], &limit) & Self::seen(known, width, tree.span()[child][0]);
                    tally.nodes += self.rows.len() as u64;
                }
                // The half that more lanes of those in need find better.
                let left = at_least(lanes, &uppers[0], &uppers[1]);
                let votes = (left & use_of[0]).count_ones() >= (!left & use_of[1]).count_ones();
                let near = match use_of {
                    [0, 0] => None,
                    [_, 0] => Some(0),
                    [0, _] => Some(1),
                    _ => Some(usize::from(!votes)),
                };
                if let Some(near) = near {
                    let far = 1 - near;
                    if use_of[far] != 0 {
                        self.scratch.open.push((2 * node + far) as u32);
                        let at = self.scratch.uppers.len();
                        self.scratch.uppers.resize(at + width, W::default());
                        for r in 0..VECTORS {
                            lanes.store(uppers[far][r], &mut self.scratch.uppers[at + r * L::WIDTH..]);
                        }
                    }
                    node = 2 * node + near;
                    continue;
                }
            }
            // The nearest box left over that is still of use.
            loop {
                let Some(next) = self.scratch.open.pop() else { return };
                let at = self.scratch.uppers.len() - width;
                let upper = load::<W, L>(lanes, &self.scratch.uppers[at..]);
                self.scratch.uppers.truncate(at);
                let useful = at_least(lanes, &upper, &lowered(lanes, max, margin));
                if useful & Self::seen(known, width, tree.span()[next as usize][0]) != 0 {
                    node = next as usize;
                    break;
                }
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
        let (range, keys) = self.leaf(leaf);
        let query = &self.scratch.query_floats[..];
        tally.scores += (range.len() * self.rows.len()) as u64;
        let best = if known.blind {
            let mut seeing = [0; LEAF];
            for (seeing, &first) in seeing.iter_mut().zip(&self.keys.first[range.clone()]) {
                *seeing = Self::seeing(known, width, first);
            }
            let (blinds, seeing) = (&self.scratch.blinds, &seeing[..range.len()]);
            unrolled!(d, |d| leaf_maxima_seen(lanes, query, keys, d, blinds, seeing))
        } else {
            let count = range.len();
            unrolled!(d, |d| leaf_maxima(lanes, query, keys, d, count))
        };
        self.scratch.leaves.push(leaf as u32);
        let at = self.scratch.maxima.len();
        self.scratch.maxima.resize(at + width, W::default());
        for r in 0..VECTORS {
            max[r] = lanes.max(max[r], best[r]);
            lanes.store(best[r], &mut self.scratch.maxima[at + r * L::WIDTH..]);
        }
    }

    /// Keys within 2E of the maximum of some lane.
    #[inline(always)]
    fn find_candidates<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        known: &Known<W>,
        row_max: &[W; LANES],
        tally: &mut Tally,
    ) {
        let (d, width) = (self.keys.cloud.d, VECTORS * L::WIDTH);
        let mut top = [W::default(); LANES];
        for l in 0..width {
            top[l] = Limits::new(row_max[l], W::Wide::default(), known.error[l]).top;
        }
        let top = load::<W, L>(lanes, &top);
        self.scratch.candidates.clear();
        for seen in 0..self.scratch.leaves.len() {
            let best = load::<W, L>(lanes, &self.scratch.maxima[seen * width..]);
            if at_least(lanes, &best, &top) & !known.idle == 0 {
                continue;
            }
            let (range, keys) = self.leaf(self.scratch.leaves[seen] as usize);
            let query = &self.scratch.query_floats[..];
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
            let each = *bits;
            for l in (0..lanes).filter(|l| each >> l & 1 == 1) {
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
        for l in (0..lanes).filter(|l| known.idle >> l & 1 == 1) {
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
        self.scratch.candidates = candidates;
    }

    /// Adds up the strips: boxes first, keys where they must be.
    #[inline(always)]
    fn second_pass<L: Lanes<W, W::Int>>(&mut self, lanes: L, known: &Known<W>, active: u64, tally: &mut Tally) {
        let (tree, d, width) = (self.keys.tree, self.keys.cloud.d, VECTORS * L::WIDTH);
        let mut threshold = [W::SMALLEST; LANES];
        let mut limits = [[W::default(); LANES]; 5];
        for l in 0..width {
            threshold[l] = W::threshold(known.max[l], known.width[l]);
            let (down, up) = W::around(threshold[l]);
            let idle = known.idle >> l & 1 == 1;
            let raised = |by: W| if idle { W::LOWEST } else { up.plus_up(by) };
            limits[0][l] = down;
            limits[1][l] = down.minus_down(known.error[l]);
            limits[2][l] = raised(known.error[l]);
            limits[3][l] = down.minus_down(known.box_error[l]);
            limits[4][l] = raised(known.box_error[l]);
        }
        let [down, low, high, box_low, box_high] = limits.each_ref().map(|limits| load::<W, L>(lanes, limits));
        if self.keys.order == Order::Norm {
            let norm = load::<W, L>(lanes, &known.norm);
            for leaf in 0..tree.leaves() {
                let live = at_least(lanes, &scaled(lanes, &norm, tree.reach()[leaf]), &down) & active;
                if live == 0 {
                    break;
                }
                self.decide_leaf(lanes, leaf, live, known, &threshold, [&low, &high], tally);
            }
            return;
        }
        let (one, minus_one) = (lanes.splat(W::of_one()), lanes.splat(W::of_one().negated()));
        let first_leaf = tree.first_leaf();
        self.scratch.undecided.clear();
        self.scratch.undecided.push((1, active));
        while let Some((node, active)) = self.scratch.undecided.pop() {
            let node = node as usize;
            let around = &tree.boxes()[node * 2 * d..][..2 * d];
            let (query, sizes) = (&self.scratch.query_floats[..], &self.scratch.sizes[..]);
            let (mut upper, reach) = unrolled!(d, |d| bounds(lanes, query, sizes, around, d));
            let mut lower = upper;
            for r in 0..VECTORS {
                lower[r] = lanes.mul_add(minus_one, reach[r], lower[r]);
                upper[r] = lanes.mul_add(one, reach[r], upper[r]);
            }
            tally.nodes += self.rows.len() as u64;
            let [least, most] = tree.span()[node];
            let some = at_least(lanes, &upper, &box_low) & active & Self::seen(known, width, least);
            let whole = at_least(lanes, &lower, &box_high) & some & Self::seen(known, width, most);
            if whole != 0 {
                self.take_box(node, whole);
            }
            let rest = some & !whole;
            if rest == 0 {
                continue;
            }
            if node >= first_leaf {
                self.decide_leaf(lanes, node - first_leaf, rest, known, &threshold, [&low, &high], tally);
                continue;
            }
            for child in [2 * node + 1, 2 * node] {
                if tree.weight()[child] > 0 {
                    self.scratch.undecided.push((child as u32, rest));
                }
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
        known: &Known<W>,
        threshold: &[W::Wide; LANES],
        limits: [&[L::Floats; VECTORS]; 2],
        tally: &mut Tally,
    ) {
        let (d, width) = (self.keys.cloud.d, VECTORS * L::WIDTH);
        let (range, keys) = self.leaf(leaf);
        let query = &self.scratch.query_floats[..];
        let [some, sure] = unrolled!(d, |d| leaf_sets(lanes, query, keys, d, limits));
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
                for l in (0..width).filter(|l| band >> l & 1 == 1) {
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
                for (l, members) in members.iter_mut().enumerate() {
                    if bits >> l & 1 == 1 {
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
    fn finish(&mut self, lanes: usize, known: &Known<W>, tally: &mut Tally) {
        let (keys, d) = (self.keys, self.keys.cloud.d);
        if self.plan.step.width == StripWidth::Constant(0) {
            let list = std::mem::take(&mut self.scratch.candidates);
            for &(key, bits) in list.iter().filter(|(_, bits)| *bits != 0) {
                if let Purpose::Members(members) = &mut self.purpose {
                    let of = members.iter_mut().enumerate().filter(|(l, _)| bits >> l & 1 == 1);
                    of.for_each(|(_, members)| members.push(key));
                } else {
                    let weight = keys.weight[key as usize];
                    let sum = keys.cloud.row(key as usize).iter().map(|x| x.times(weight));
                    self.scratch.sums.add_whole(bits, sum, weight);
                }
            }
            self.scratch.candidates = list;
        }
        let Purpose::Move { base, x, argmax, count } = &mut self.purpose else { return };
        let Scratch { sums, own, .. } = self.scratch;
        let total = sums.total();
        for (l, row) in self.rows.iter().enumerate() {
            let at = (row.key - *base) as usize;
            let size = W::narrow(total[d * lanes + l]) as u32;
            let x = &mut x[at * d..][..d];
            for (k, x) in x.iter_mut().enumerate() {
                *x = W::moved(own[k * lanes + l], total[k * lanes + l], size, self.plan.step.gain);
            }
            argmax[at] = known.argmax[l];
            count[at] = size;
            let moved = x.iter().enumerate().any(|(k, &x)| x != own[k * lanes + l]);
            tally.moved += u64::from(moved) * u64::from(keys.weight[row.key as usize]);
        }
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

/// `max + by`, where `by` is negative.
#[inline(always)]
fn lowered<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    max: &[L::Floats; VECTORS],
    by: &[L::Floats; VECTORS],
) -> [L::Floats; VECTORS] {
    let mut limit = *max;
    for r in 0..VECTORS {
        limit[r] = lanes.mul_add(lanes.splat(W::of_one()), limit[r], by[r]);
    }
    limit
}

#[inline(always)]
fn scaled<W: Width, L: Lanes<W, W::Int>>(lanes: L, x: &[L::Floats; VECTORS], by: W) -> [L::Floats; VECTORS] {
    let mut product = *x;
    for r in 0..VECTORS {
        product[r] = lanes.mul_add(product[r], lanes.splat(by), lanes.splat(W::default()));
    }
    product
}
