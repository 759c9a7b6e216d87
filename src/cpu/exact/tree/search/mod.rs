//! One packet of rows against keys in order: the same strips and sums as
//! [`crate::cpu::exact::brute::packet`], most keys unseen.
//!
//! 0. [`group`]: the boxes where packets of neighbouring rows begin, or the keys in a [`list`],
//!    found once for all of them.
//! 1. [`first`]: the candidates for each row's maximum; most leaves cannot hold one and are not
//!    scanned.
//! 2. [`decide`]: exact scores decide among the candidates. Of equal maximisers the one with the
//!    least first index wins, as in brute force. A strip of width 0 needs no more: its members are
//!    among the candidates.
//! 3. [`second`]: the strip; boxes wholly outside are dropped, boxes wholly inside added whole.
//!
//! **What floats cost.** Scores are measured from an origin o, one for the packet: the key that won
//! in the packet before. So they err in proportion to the distance from there, and late in a run,
//! when clusters are a few lattice units wide, floats still tell keys apart. With r the relative
//! error of one rounding, `Σ q_k (x_k − o_k)` meets at most d + 2 of them in each term (the query,
//! the difference, the product, the sums), and a bound `q·(c − o) ± |q|·h` two more at the end.
//! `κ = 1.01 (d + 8) r`, d ≤ 2^13, pays for them, for the rounding of the error terms themselves
//! and of limits that are compared with: a score of a key in a box is off by at most
//! `e = κ Σ|q_k| (|c_k − o_k| + h_k)`, and with `h + κ (h + |c − o|)` in place of h a computed
//! bound is a bound. Bounds over all queries of a packet or a group meet four roundings more, and
//! take 2κ. In the order of norms the origin is 0.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

mod decide;
pub(crate) mod fan;
mod first;
pub(crate) mod group;
pub(crate) mod keys;
mod list;
mod scan;
pub(crate) mod scratch;
mod second;
pub(crate) mod spare;

use crate::cpu::exact::query::{queries, strip_width};
use crate::cpu::exact::scores::{at_least, unrolled};
use crate::cpu::exact::step::{PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::sums::Moved;
use crate::cpu::exact::tree::search::group::{Frontier, Level};
use crate::cpu::exact::tree::search::keys::SortedKeys;
use crate::cpu::exact::tree::search::list::List;
use crate::cpu::exact::tree::search::scan::{Cutoffs, Fan, Origin, errors};
use crate::cpu::exact::tree::search::scratch::{Leaf, ListedKeys, Queries, SearchScratch};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{Job, LANES, Lanes, VECTORS};
use crate::exact::StripWidth;
use crate::space::{LEAF, Order};

/// A row to be computed: the key whose coordinates it has, the number of tokens that it sees, and
/// its place in the result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) key: u32,
    pub(crate) visible: u32,
    pub(crate) place: u32,
}

/// A packet of rows, to be searched for among keys in order.
pub(crate) struct Search<'a, W: Width> {
    pub(crate) keys: &'a SortedKeys<'a, W>,
    pub(crate) plan: &'a PreparedStep<'a, W>,
    pub(crate) scratch: &'a mut SearchScratch<W>,
    /// At least one and no more than lanes, by ascending `visible`.
    pub(crate) rows: &'a [Row],
    pub(crate) purpose: Purpose<'a, W>,
    /// Says when to leave the packet without a result.
    pub(crate) watch: &'a Watch<'a>,
}

/// The members of a strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strip {
    /// Every key near the maximum.
    Wide,
    /// Every key that attains it.
    Maximisers,
    /// The first token that attains it.
    Argmax,
}

/// State of the lanes of one packet. Lanes past the last row repeat it.
pub(crate) struct LaneState<W: Width> {
    strip: Strip,
    /// Lanes with a row of their own.
    own: u64,
    visible: [u32; LANES],
    /// True if some lane does not see some token.
    blind: bool,
    /// Lanes whose scores are all 0: every key that they see attains their maximum.
    idle: u64,
    /// A float not below |q|.
    norm: [W; LANES],
    width: [W::Wide; LANES],
    max: [W::Wide; LANES],
    /// The token that attains the maximum, and the key that stands for it.
    argmax: [u32; LANES],
    argmax_key: [u32; LANES],
}

impl<W: Width> LaneState<W> {
    /// The first of this many lanes that sees a token; all lanes after it do too.
    #[inline(always)]
    fn seeing(&self, lanes: usize, token: u32) -> usize {
        self.visible[..lanes].partition_point(|&visible| visible <= token)
    }

    /// The lanes that see a token.
    #[inline(always)]
    fn seen(&self, lanes: usize, token: u32) -> u64 {
        if !self.blind {
            return u64::MAX;
        }
        match self.seeing(lanes, token) {
            LANES.. => 0,
            first => u64::MAX << first,
        }
    }
}

impl<W: Width> Job<W, W::Int> for Search<'_, W> {
    type Output = Tally;

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(mut self, lanes: L) -> Tally {
        let width = VECTORS * L::WIDTH;
        let mut tally = Tally { rows: self.rows.len() as u64, ..Tally::default() };
        self.scratch.sums.clear();
        let mut known = self.gather(lanes);
        if let Purpose::Answer { thresholds, .. } = &self.purpose {
            known.strip = Strip::Wide;
            known.width = [W::Wide::default(); LANES];
            for l in 0..width {
                known.max[l] = thresholds[l.min(self.rows.len() - 1)];
            }
            self.scratch.needs.clear();
        } else {
            let attained = self.first_pass(lanes, &known, &mut tally);
            self.find_candidates(lanes, &known, &attained, &mut tally);
            self.decide_maxima(width, &mut known, &mut tally);
        }
        if self.watch.is_left() {
            return tally;
        }
        // Rows whose scores are all 0 have every key in their strip, and no candidates.
        let wide = match known.strip {
            Strip::Wide => u64::MAX >> (LANES - width),
            Strip::Maximisers => known.idle,
            Strip::Argmax => 0,
        };
        // A strip begins at a maximum.
        self.scratch.maxless = self.unsettled(width);
        let wide = wide & !self.scratch.maxless;
        if wide != 0 {
            self.second_pass(lanes, &known, wide, &mut tally);
        }
        if known.strip != Strip::Wide {
            self.take_maximisers(lanes, &known);
        }
        if self.watch.is_left() {
            return tally;
        }
        self.finish(width, &known, &mut tally);
        tally
    }
}

impl<W: Width> Search<'_, W> {
    /// The lanes that need a closed box; those that repeat the last row need what it does.
    #[inline(always)]
    fn unsettled(&self, width: usize) -> u64 {
        let lanes = self.scratch.needs.iter().fold(0, |lanes, (_, of)| lanes | of);
        let last = self.rows.len() - 1;
        lanes | if lanes >> last & 1 == 1 { u64::MAX << last & (u64::MAX >> (LANES - width)) } else { 0 }
    }

    #[inline(always)]
    fn gather<L: Lanes<W, W::Int>>(&mut self, set: L) -> LaneState<W> {
        let (cloud, plan, lanes) = (self.keys.cloud, self.plan, VECTORS * L::WIDTH);
        let Queries { exact, floats, sizes, fan, own } = &mut self.scratch.queries;
        let count = self.rows.len();
        let mut visible = [0; LANES];
        for l in 0..lanes {
            let row = self.rows[l.min(count - 1)];
            visible[l] = row.visible;
            for (k, &x) in cloud.row(row.key as usize).iter().enumerate() {
                own[k * lanes + l] = x;
            }
        }
        queries(cloud, plan, lanes, own, exact, floats);
        // |q|, and the lanes in which a score can be other than 0.
        let (zero, minus_one) = (set.splat(W::default()), set.splat(W::of_one().negated()));
        let mut weight = [zero; VECTORS];
        for k in 0..cloud.d {
            let largest = set.splat(W::nearest(cloud.largest[k]));
            let (mut up, mut down) = (set.splat(W::LOWEST), set.splat(W::LOWEST));
            for r in 0..VECTORS {
                let at = k * lanes + r * L::WIDTH;
                let q = set.load(&floats[at..]);
                let turned = set.mul_add(q, minus_one, zero);
                (up, down) = (set.max(up, q), set.max(down, turned));
                let size = set.max(q, turned);
                set.store(size, &mut sizes[at..]);
                weight[r] = set.mul_add(size, largest, weight[r]);
            }
            fan[k] = Self::around(largest_of::<W, L>(set, up), largest_of::<W, L>(set, down));
        }
        let mut known = LaneState {
            strip: match plan.step.width {
                StripWidth::Constant(0) => Strip::Maximisers,
                StripWidth::Argmax => Strip::Argmax,
                _ => Strip::Wide,
            },
            own: u64::MAX >> (LANES - count),
            visible,
            blind: (visible[0] as usize) < self.keys.tree.weight()[1] as usize,
            idle: at_least(set, &[zero; VECTORS], &weight),
            norm: if self.keys.order == Order::Norm { norms(lanes, floats) } else { [W::default(); LANES] },
            width: [W::Wide::default(); LANES],
            max: [W::SMALLEST; LANES],
            argmax: [0; LANES],
            argmax_key: [0; LANES],
        };
        if let StripWidth::Constant(width) = plan.step.width {
            known.width = [W::wide(width); LANES];
        } else {
            for l in 0..lanes {
                known.width[l] = W::wide(strip_width::<W>(plan.step.width, lanes, l, exact, own));
            }
        }
        if self.keys.order == Order::Space {
            let listed = self.scratch.group.innermost().maxima.list.as_ref();
            let best = |list: &List<W>| Some(list.keys()[unrolled!(few cloud.d, |d| list.best(&fan[..d]))?]);
            let origin = &mut self.scratch.origin;
            origin.key = listed.and_then(best).unwrap_or(origin.next).min(cloud.n as u32 - 1);
            let row = &cloud.floats[origin.key as usize * cloud.d..][..cloud.d];
            origin.repeated.chunks_exact_mut(cloud.d).for_each(|origin| origin.copy_from_slice(row));
        }
        known
    }

    /// The fan of a coordinate, from its largest value and minus its least.
    #[inline(always)]
    fn around(most: W, least_turned: W) -> Fan<W> {
        let half = W::nearest(0.5);
        let centre = half * (most - least_turned);
        let (above, below) = (most - centre, centre + least_turned);
        let size = if most < least_turned { least_turned } else { most };
        [centre, if above < below { below } else { above }, size]
    }

    fn origin(&self) -> Origin<'_, W> {
        self.scratch.origin.in_dimension(self.keys.cloud.d)
    }

    /// Takes the keys that a packet may need from the list of its group, if there is one, and sums
    /// those that are in the strip of every row.
    #[inline(always)]
    fn sift(&mut self, of: impl Fn(&Level<W>) -> &Frontier<W>, cutoffs: Cutoffs<W>) {
        let SearchScratch { listed, group, queries, origin, .. } = &mut *self.scratch;
        let ListedKeys { parts, in_use, settled } = listed;
        let (keys, d, fan) = (self.keys, self.keys.cloud.d, &queries.fan);
        settled.clear();
        let origin = origin.in_dimension(d);
        let list = of(group.innermost()).list.as_ref();
        *in_use = list.is_some();
        if let Some(list) = list {
            unrolled!(few d, |d| parts.take(list, &fan[..d], origin, cutoffs, |key| settled.add_key(keys, key)));
        }
    }

    /// Lays out the keys of a leaf, or of a part of those listed, from the origin; returns their
    /// number and the error of their scores.
    #[inline(always)]
    fn approach<L: Lanes<W, W::Int>>(&mut self, lanes: L, part: usize) -> (usize, [L::Floats; VECTORS]) {
        let (cloud, tree) = (self.keys.cloud, self.keys.tree);
        let SearchScratch { leaf, listed, queries, origin, .. } = &mut *self.scratch;
        let Leaf { keys, near, .. } = leaf;
        keys.clear();
        let around = if listed.in_use {
            let (listed_keys, from) = listed.parts.part(part);
            keys.extend_from_slice(listed_keys);
            near[..from.len()].copy_from_slice(from);
            &listed.parts.around[..]
        } else {
            let range = tree.range(tree.first_leaf() + part);
            let floats = &cloud.floats[range.start * cloud.d..][..LEAF * cloud.d];
            for ((near, &x), &origin) in near.iter_mut().zip(floats).zip(&origin.repeated[..]) {
                *near = x - origin;
            }
            keys.extend(range.start as u32..range.end as u32);
            &tree.boxes()[(tree.first_leaf() + part) * 2 * cloud.d..][..2 * cloud.d]
        };
        let (sizes, origin) = (&queries.sizes[..], origin.in_dimension(cloud.d));
        (keys.len(), unrolled!(cloud.d, |d| errors(lanes, sizes, around, origin, d)))
    }

    /// Writes the result: step 4 of the contract.
    #[inline(always)]
    fn finish(&mut self, width: usize, known: &LaneState<W>, tally: &mut Tally) {
        let (keys, d) = (self.keys, self.keys.cloud.d);
        let unsettled = self.unsettled(width);
        if let Purpose::Answer { sums, .. } = &mut self.purpose {
            for (l, sums) in sums.chunks_exact_mut(d + 1).enumerate() {
                sums.iter_mut().zip(self.scratch.sums.of_lane(l)).for_each(|(into, sum)| *into = sum);
            }
        }
        let Purpose::Move { x, argmax, count } = &mut self.purpose else { return };
        let SearchScratch { sums, queries, .. } = &mut *self.scratch;
        let own = &queries.own;
        let Moved { x: next, counts: sizes, .. } = sums.moved(own, self.plan.step.gain);
        let mut moved = [W::Int::default(); LANES];
        for (next, own) in next.chunks_exact(width).zip(own.chunks_exact(width)) {
            for (moved, (&next, &own)) in moved.iter_mut().zip(next.iter().zip(own)) {
                *moved = *moved | (next ^ own);
            }
        }
        for (l, row) in self.rows.iter().enumerate() {
            let at = row.place as usize;
            argmax[at] = known.argmax[l];
            if unsettled >> l & 1 == 1 {
                continue;
            }
            for (k, x) in x[at * d..][..d].iter_mut().enumerate() {
                *x = next[k * width + l];
            }
            count[at] = W::narrow(sizes[l]) as u32;
            let weight = if keys.weighted { keys.weight[row.key as usize] } else { 1 };
            tally.moved += u64::from(moved[l] != W::Int::default()) * u64::from(weight);
        }
    }
}

/// A float not below |q|, for every lane: with room for rounding as for the norms in the tree, and
/// for that of a query.
fn norms<W: Width>(lanes: usize, query_floats: &[W]) -> [W; LANES] {
    let d = query_floats.len() / lanes;
    let slack = 1.0 + (d + 16) as f64 * 2.0 * W::ROUNDING;
    let mut norms = [W::default(); LANES];
    for (l, norm) in norms.iter_mut().enumerate().take(lanes) {
        let square: f64 = (0..d).map(|k| query_floats[k * lanes + l].to_f64().powi(2)).sum();
        *norm = W::nearest(square.sqrt() * slack);
    }
    norms
}

/// The places of the bits that are set.
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

/// The largest entry of a vector.
#[inline(always)]
fn largest_of<W: Width, L: Lanes<W, W::Int>>(lanes: L, x: L::Floats) -> W {
    let mut entries = [W::LOWEST; LANES];
    lanes.store(x, &mut entries);
    let mut largest = entries[0];
    for &entry in &entries[1..L::WIDTH] {
        largest = if largest < entry { entry } else { largest };
    }
    largest
}

/// Appends a packet's vectors to a buffer.
#[inline(always)]
fn store<W: Width, L: Lanes<W, W::Int>>(lanes: L, vectors: &[L::Floats; VECTORS], to: &mut Vec<W>) {
    let at = to.len();
    to.resize(at + VECTORS * L::WIDTH, W::default());
    for r in 0..VECTORS {
        lanes.store(vectors[r], &mut to[at + r * L::WIDTH..]);
    }
}
