//! One packet of rows against keys in order: the same strips and sums as [`super::packet`], most keys unseen.
//!
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
//! `h + κ (h + |c − o|)` in place of h a computed bound is a bound. In the order of norms the origin is 0.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

mod exact;
mod first;
mod scan;
mod second;

use super::aligned::Aligned;
use super::lanes::{Job, LANES, Lanes, VECTORS};
use super::packet::{Cloud, Plan, Tally, queries, strip_width, unrolled};
use super::sums::Sums;
use super::width::Width;
use crate::contract::StripWidth;
use crate::space::{LEAF, Order, Tree};
use scan::{Blinds, Origin, errors};

/// Keys in order, with all that is known of them.
pub(super) struct Searched<'a, W: Width> {
    /// Coordinates of the keys.
    pub(super) cloud: &'a Cloud<W>,
    /// Tokens that each key stands for.
    pub(super) weight: &'a [u32],
    /// The least index among them.
    pub(super) first: &'a [u32],
    /// The key of token 0.
    pub(super) first_key: u32,
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

/// What a strip holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strip {
    /// All that is near the maximum.
    Wide,
    /// All that attains it.
    Maximisers,
    /// The first that attains it.
    Argmax,
}

/// What one packet knows of its lanes. Lanes past the last row repeat it.
struct Known<W: Width> {
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
        let mut known = self.gather(width);
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
            strip: match plan.step.width {
                StripWidth::Constant(0) => Strip::Maximisers,
                StripWidth::Argmax => Strip::Argmax,
                _ => Strip::Wide,
            },
            own: u64::MAX >> (LANES - count),
            visible,
            blind: (visible[0] as usize) < self.keys.tree.weight()[1] as usize,
            idle: (0..lanes).map(|l| u64::from(weight[l] == 0.0) << l).sum(),
            norm: square.map(|square: f64| W::nearest(square.sqrt() * slack)),
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
            let at = self.scratch.next_origin.min(cloud.n as u32 - 1);
            self.scratch.origin_key = at;
            let row = &cloud.floats[at as usize * cloud.d..][..cloud.d];
            self.scratch.origin.copy_from_slice(row);
        }
        known
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
    fn approach<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        leaf: usize,
    ) -> (std::ops::Range<usize>, [L::Floats; VECTORS]) {
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

    /// Step 4 of the contract.
    #[inline(always)]
    fn finish(&mut self, width: usize, known: &Known<W>, tally: &mut Tally) {
        let (keys, d) = (self.keys, self.keys.cloud.d);
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
