//! One packet of rows against keys in order: the same strips and sums as [`crate::cpu::exact::brute::packet`], most keys unseen.
//!
//! 0. [`group`]: the boxes where packets of neighbouring rows begin, or the keys in a [`list`], found once for all of them.
//! 1. [`first`]: the candidates for each row's maximum; most leaves cannot hold one and are not scanned.
//! 2. [`exact`]: exact scores decide among the candidates. Of equal maximisers the one with the least first index wins,
//!    as in brute force. A strip of width 0 needs no more: its members are among the candidates.
//! 3. [`second`]: the strip; boxes wholly outside are dropped, boxes wholly inside added whole.
//!
//! **What floats cost.** Scores are measured from an origin o, one for the packet: the key that won in the packet before.
//! So they err in proportion to the distance from there, and late in a run, when clusters are a few lattice units wide,
//! floats still tell keys apart. With r the relative error of one rounding, `Σ q_k (x_k − o_k)` meets at most d + 2 of
//! them in each term (the query, the difference, the product, the sums), and a bound `q·(c − o) ± |q|·h` two more at the
//! end. `κ = 1.01 (d + 8) r`, d ≤ 2^13, pays for them, for the rounding of the error terms themselves and of limits
//! that are compared with: a score of a key in a box is off by at most `e = κ Σ|q_k| (|c_k − o_k| + h_k)`, and with
//! `h + κ (h + |c − o|)` in place of h a computed bound is a bound. Bounds over all queries of a packet or a group meet
//! four roundings more, and take 2κ. In the order of norms the origin is 0.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

mod decide;
mod first;
pub(crate) mod group;
pub(crate) mod keys;
mod list;
mod scan;
mod second;

use crate::cpu::aligned::Aligned;
use crate::cpu::exact::query::{queries, strip_width};
use crate::cpu::exact::scores::{at_least, unrolled};
use crate::cpu::exact::step::{PreparedStep, Tally};
use crate::cpu::exact::sums::Sums;
use crate::cpu::exact::tree::search::group::{Around, Enter, Group, Inside, Level};
use crate::cpu::exact::tree::search::keys::Searched;
use crate::cpu::exact::tree::search::list::Parts;
use crate::cpu::exact::tree::search::scan::{Blinds, Fan, Limits, Origin, errors};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{InstructionSet, Job, LANES, Lanes, VECTORS, Vectors};
use crate::exact::StripWidth;
use crate::space::{LEAF, Order};

/// A row to be computed: the key whose coordinates it has, how many tokens it sees, and its place in what is computed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) key: u32,
    pub(crate) visible: u32,
    pub(crate) place: u32,
}

/// What a packet is computed for.
pub(crate) enum Purpose<'a, W: Width> {
    /// New coordinates, argmax (a token) and strip size.
    Move { x: &'a mut [W::Int], argmax: &'a mut [u32], count: &'a mut [u32] },
    /// The keys in the strips of its rows.
    Members(&'a mut [Vec<u32>]),
    /// Nothing but the time it takes.
    Trial,
}

/// Buffers that a thread keeps from packet to packet. `[coordinate][lane]` where not said otherwise.
pub(crate) struct Scratch<W: Width> {
    query: Aligned<W::Int>,
    query_floats: Aligned<W>,
    sizes: Aligned<W>,
    fan: Vec<Fan<W>>,
    own: Aligned<W::Int>,
    sums: Sums<W>,
    blinds: Blinds<W>,
    /// κ.
    slack: W,
    /// The origin, once for every key of a leaf, and the key it is at.
    origins: Vec<W>,
    origin_key: u32,
    next_origin: u32,
    /// Keys of a leaf or of a part of those listed, and where they are from the origin.
    part: Vec<u32>,
    near: Vec<W>,
    rows: Vec<W::Int>,
    /// What the packet was listed, if it takes the keys from there.
    parts: Parts<W>,
    listed: bool,
    /// What was listed and needs no more decision.
    inside: Inside<W>,
    /// What the packet before found near its maxima, and the box around that.
    winners: Vec<u32>,
    around_winners: Vec<W>,
    /// Leaves seen by the first pass, and `[leaf seen][lane]` the most that they may hold.
    leaves: Vec<u32>,
    maxima: Vec<W>,
    /// Where to begin.
    group: Group<W>,
    /// Boxes to be opened, and what no score in them exceeds.
    open: Vec<(u32, W)>,
    /// Boxes to be decided, for these lanes.
    undecided: Vec<(u32, u64)>,
    /// (key, lanes as bits).
    candidates: Vec<(u32, u64)>,
}

impl<W: Width> Scratch<W> {
    pub(crate) fn new(d: usize, lanes: usize) -> Self {
        Self {
            query: Aligned::new(d * lanes),
            query_floats: Aligned::new(d * lanes),
            sizes: Aligned::new(d * lanes),
            fan: vec![[W::default(); 3]; d],
            own: Aligned::new(d * lanes),
            sums: Sums::new(d, lanes),
            blinds: Blinds::new(lanes),
            slack: W::nearest(1.01 * (d + 8) as f64 * W::ROUNDING),
            origins: vec![W::default(); LEAF * d],
            origin_key: 0,
            next_origin: 0,
            part: Vec::new(),
            near: vec![W::default(); LEAF * d],
            rows: Vec::new(),
            parts: Parts::new(d),
            listed: false,
            inside: Inside::none(d),
            winners: Vec::new(),
            around_winners: vec![W::default(); 2 * d],
            leaves: Vec::new(),
            maxima: Vec::new(),
            group: Group::root(d),
            open: Vec::new(),
            undecided: Vec::new(),
            candidates: Vec::new(),
        }
    }
}

impl<W: Width> Scratch<W> {
    /// Prepares for packets of rows among the keys below a node: a group's, or those of a part of the group at hand.
    pub(crate) fn enter(
        &mut self,
        set: InstructionSet,
        keys: &Searched<'_, W>,
        plan: &PreparedStep<'_, W>,
        node: usize,
        level: usize,
    ) {
        let (near, slack) = (self.next_origin, self.slack);
        let enter = Enter { group: &mut self.group, keys, plan, node, level, near, slack };
        if let Some(origin) = <W as Vectors>::run(set, enter) {
            self.next_origin = origin;
            if self.winners.is_empty() {
                self.winners.push(origin);
            }
        }
    }
}

/// One packet's work.
pub(crate) struct Search<'a, W: Width> {
    pub(crate) keys: &'a Searched<'a, W>,
    pub(crate) plan: &'a PreparedStep<'a, W>,
    pub(crate) scratch: &'a mut Scratch<W>,
    /// At least one and no more than lanes, by ascending `visible`.
    pub(crate) rows: &'a [Row],
    pub(crate) purpose: Purpose<'a, W>,
}

/// What a strip holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strip {
    /// All that is near the maximum.
    Wide,
    /// All that attains it.
    Maximisers,
    /// The first that attains it.
    Argmax,
}

/// What one packet knows of its lanes. Lanes past the last row repeat it.
pub(crate) struct Known<W: Width> {
    strip: Strip,
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
    /// A token, and the key that stands for it.
    argmax: [u32; LANES],
    argmax_key: [u32; LANES],
}

impl<W: Width> Known<W> {
    /// Of this many lanes the first that sees a token, and with it all after it.
    #[inline(always)]
    fn seeing(&self, lanes: usize, token: u32) -> usize {
        self.visible[..lanes].partition_point(|&visible| visible <= token)
    }

    /// Lanes that see a token.
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
        let mut tally = Tally::default();
        self.scratch.sums.clear();
        let mut known = self.gather(lanes);
        let attained = self.first_pass(lanes, &known, &mut tally);
        self.find_candidates(lanes, &known, &attained, &mut tally);
        self.decide_maxima(width, &mut known, &mut tally);
        // Rows whose scores are all 0 have everything in their strip, and no candidates.
        let wide = match known.strip {
            Strip::Wide => u64::MAX >> (LANES - width),
            Strip::Maximisers => known.idle,
            Strip::Argmax => 0,
        };
        if wide != 0 {
            self.second_pass(lanes, &known, wide, &mut tally);
        }
        if known.strip != Strip::Wide {
            self.take_maximisers(lanes, &known);
        }
        self.finish(width, &known, &mut tally);
        tally
    }
}

impl<W: Width> Search<'_, W> {
    #[inline(always)]
    fn gather<L: Lanes<W, W::Int>>(&mut self, set: L) -> Known<W> {
        let (cloud, plan, lanes) = (self.keys.cloud, self.plan, VECTORS * L::WIDTH);
        let Scratch { query, query_floats, sizes, fan, own, .. } = self.scratch;
        let count = self.rows.len();
        let mut visible = [0; LANES];
        for l in 0..lanes {
            let row = self.rows[l.min(count - 1)];
            visible[l] = row.visible;
            for (k, &x) in cloud.row(row.key as usize).iter().enumerate() {
                own[k * lanes + l] = x;
            }
        }
        queries(cloud, plan, lanes, own, query, query_floats);
        // |q|, and whether any score can be other than 0.
        let (zero, minus_one) = (set.splat(W::default()), set.splat(W::of_one().negated()));
        let mut weight = [zero; VECTORS];
        for k in 0..cloud.d {
            let largest = set.splat(W::nearest(cloud.largest[k]));
            let (mut up, mut down) = (set.splat(W::LOWEST), set.splat(W::LOWEST));
            for r in 0..VECTORS {
                let at = k * lanes + r * L::WIDTH;
                let q = set.load(&query_floats[at..]);
                let turned = set.mul_add(q, minus_one, zero);
                (up, down) = (set.max(up, q), set.max(down, turned));
                let size = set.max(q, turned);
                set.store(size, &mut sizes[at..]);
                weight[r] = set.mul_add(size, largest, weight[r]);
            }
            fan[k] = Self::around(largest_of::<W, L>(set, up), largest_of::<W, L>(set, down));
        }
        let mut known = Known {
            strip: match plan.step.width {
                StripWidth::Constant(0) => Strip::Maximisers,
                StripWidth::Argmax => Strip::Argmax,
                _ => Strip::Wide,
            },
            own: u64::MAX >> (LANES - count),
            visible,
            blind: (visible[0] as usize) < self.keys.tree.weight()[1] as usize,
            idle: at_least(set, &[zero; VECTORS], &weight),
            norm: if self.keys.order == Order::Norm { norms(lanes, query_floats) } else { [W::default(); LANES] },
            width: [W::Wide::default(); LANES],
            max: [W::SMALLEST; LANES],
            argmax: [0; LANES],
            argmax_key: [0; LANES],
        };
        if let StripWidth::Constant(width) = plan.step.width {
            known.width = [W::wide(width); LANES];
        } else {
            for l in 0..lanes {
                known.width[l] = W::wide(strip_width::<W>(plan.step, lanes, l, query, own));
            }
        }
        if self.keys.order == Order::Space {
            let listed = self.scratch.group.innermost().maxima.list.as_ref();
            let best =
                listed.and_then(|list| Some(list.keys()[unrolled!(cloud.d, |d| list.best(&self.scratch.fan[..d]))?]));
            let at = best.unwrap_or(self.scratch.next_origin).min(cloud.n as u32 - 1);
            self.scratch.origin_key = at;
            let row = &cloud.floats[at as usize * cloud.d..][..cloud.d];
            self.scratch.origins.chunks_exact_mut(cloud.d).for_each(|origin| origin.copy_from_slice(row));
        }
        known
    }

    /// From the largest and minus the least of a coordinate.
    #[inline(always)]
    fn around(most: W, least_turned: W) -> Fan<W> {
        let half = W::nearest(0.5);
        let centre = half * (most - least_turned);
        let (above, below) = (most - centre, centre + least_turned);
        let size = if most < least_turned { least_turned } else { most };
        [centre, if above < below { below } else { above }, size]
    }

    fn origin(&self) -> Origin<'_, W> {
        Origin { at: &self.scratch.origins[..self.keys.cloud.d], slack: self.scratch.slack }
    }

    /// Takes what a packet may need from the list of its group, if there is one, and sums what is inside for all of its rows.
    #[inline(always)]
    fn sift(&mut self, of: impl Fn(&Level<W>) -> &Around<W>, limits: Limits<W>) {
        let Scratch { parts, group, fan, origins, slack, listed, inside, .. } = &mut *self.scratch;
        let (keys, d) = (self.keys, self.keys.cloud.d);
        inside.clear();
        let origin = Origin { at: &origins[..d], slack: *slack };
        let list = of(group.innermost()).list.as_ref();
        *listed = list.is_some();
        if let Some(list) = list {
            unrolled!(d, |d| parts.take(list, &fan[..d], origin, limits, |key| inside.add_key(keys, key)));
        }
    }

    /// How many keys a leaf holds, or a part of those listed; their floats are then at hand from the origin, and the
    /// error of their scores.
    #[inline(always)]
    fn approach<L: Lanes<W, W::Int>>(&mut self, lanes: L, part: usize) -> (usize, [L::Floats; VECTORS]) {
        let (cloud, tree) = (self.keys.cloud, self.keys.tree);
        let Scratch { near, origins, parts, listed, part: keys, sizes, slack, .. } = &mut *self.scratch;
        keys.clear();
        let around = if *listed {
            let (listed, from) = parts.part(part);
            keys.extend_from_slice(listed);
            near[..from.len()].copy_from_slice(from);
            &parts.around[..]
        } else {
            let floats = &cloud.floats[part * LEAF * cloud.d..][..LEAF * cloud.d];
            for ((near, &x), &origin) in near.iter_mut().zip(floats).zip(&origins[..]) {
                *near = x - origin;
            }
            keys.extend((part * LEAF) as u32..(part * LEAF + LEAF).min(cloud.n) as u32);
            &tree.boxes()[(tree.first_leaf() + part) * 2 * cloud.d..][..2 * cloud.d]
        };
        let (sizes, origin) = (&sizes[..], Origin { at: &origins[..cloud.d], slack: *slack });
        (keys.len(), unrolled!(cloud.d, |d| errors(lanes, sizes, around, origin, d)))
    }

    /// Step 4 of the contract.
    #[inline(always)]
    fn finish(&mut self, width: usize, known: &Known<W>, tally: &mut Tally) {
        let (keys, d) = (self.keys, self.keys.cloud.d);
        let Purpose::Move { x, argmax, count } = &mut self.purpose else { return };
        let Scratch { sums, own, .. } = self.scratch;
        let (next, sizes) = sums.moved(own, self.plan.step.gain);
        let mut moved = [W::Int::default(); LANES];
        for (next, own) in next.chunks_exact(width).zip(own.chunks_exact(width)) {
            for (moved, (&next, &own)) in moved.iter_mut().zip(next.iter().zip(own)) {
                *moved = *moved | (next ^ own);
            }
        }
        for (l, row) in self.rows.iter().enumerate() {
            let at = row.place as usize;
            for (k, x) in x[at * d..][..d].iter_mut().enumerate() {
                *x = next[k * width + l];
            }
            argmax[at] = known.argmax[l];
            count[at] = W::narrow(sizes[l]) as u32;
            let weight = if keys.weighted { keys.weight[row.key as usize] } else { 1 };
            tally.moved += u64::from(moved[l] != W::Int::default()) * u64::from(weight);
        }
    }
}

/// A float not below |q| of every lane: as for the norms in the tree, and once more for the rounding of a query.
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
