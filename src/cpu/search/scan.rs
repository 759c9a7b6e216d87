//! The three loops that a search spends its time in: bounds of a box, the best of a leaf, the sets of a leaf.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

use super::super::lanes::{Lanes, VECTORS};
use super::super::packet::{at_least, scores};
use super::super::width::Width;
use crate::space::LEAF;

/// Adds −∞ to the lanes that do not see a key: slices of this many −∞, then as many zeros, from where they start.
pub(super) struct Blinds<W> {
    penalties: Vec<W>,
    lanes: usize,
}

impl<W: Width> Blinds<W> {
    pub(super) fn new(lanes: usize) -> Self {
        let mut penalties = vec![W::LOWEST; lanes];
        penalties.resize(2 * lanes, W::default());
        Self { penalties, lanes }
    }

    /// For the lanes from `first` on seeing.
    fn from(&self, first: usize) -> &[W] {
        &self.penalties[self.lanes - first..][..self.lanes]
    }
}

/// Where a packet measures from, as floats, and κ (see the module above).
#[derive(Clone, Copy)]
pub(super) struct Origin<'a, W> {
    pub(super) at: &'a [W],
    pub(super) slack: W,
}

/// `q·(c − o)` and `|q|·h` of every lane, for a box `[c.., h..]`, the latter widened by what floats may cost both.
#[inline(always)]
pub(super) fn bounds<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    sizes: &[W],
    around: &[W],
    origin: Origin<'_, W>,
    d: usize,
) -> ([L::Floats; VECTORS], [L::Floats; VECTORS]) {
    let width = VECTORS * L::WIDTH;
    assert!(query.len() >= d * width && sizes.len() >= d * width && around.len() >= 2 * d && origin.at.len() >= d);
    let zero = lanes.splat(W::default());
    let (mut middle, mut reach) = ([zero; VECTORS], [zero; VECTORS]);
    for k in 0..d {
        let (centre, half) = (around[k] - origin.at[k], around[d + k]);
        let (centre, half) = (lanes.splat(centre), lanes.splat(half + origin.slack * (half + centre.size())));
        for r in 0..VECTORS {
            let at = k * width + r * L::WIDTH;
            middle[r] = lanes.mul_add(lanes.load(&query[at..]), centre, middle[r]);
            reach[r] = lanes.mul_add(lanes.load(&sizes[at..]), half, reach[r]);
        }
    }
    (middle, reach)
}

/// The box around a packet's queries: `[k][centre, half-width, largest |q_k|]`.
///
/// The same bounds as [`bounds`], once for all lanes: for every query in the box `q·(c − o)` is within
/// `Σ q̄_k (c_k − o_k) ± Σ (ρ_k |c_k − o_k| + |q|_k h_k)`. Measured from a key near the maxima of all lanes that is
/// tight, and it costs a scalar where bounds by lane cost a packet. It meets three roundings more than those, for which
/// twice their slack pays.
pub(super) type Fan<W> = [W; 3];

/// Middle and reach of a box's scores over all queries of a packet.
#[inline(always)]
pub(super) fn fan_bounds<W: Width>(fan: &[Fan<W>], around: &[W], origin: Origin<'_, W>, d: usize) -> (W, W) {
    assert!(fan.len() >= d && around.len() >= 2 * d && origin.at.len() >= d);
    let slack = origin.slack + origin.slack;
    let (mut middle, mut reach) = (W::default(), W::default());
    for k in 0..d {
        let [centre, half, largest] = fan[k];
        let distance = around[k] - origin.at[k];
        let size = distance.size();
        middle = middle + centre * distance;
        reach = reach + half * size + largest * (around[d + k] + slack * (around[d + k] + size));
    }
    (middle, reach)
}

/// `e = κ|q|·(|c − o| + h)` of every lane: what floats may cost a score of a key in the box.
#[inline(always)]
pub(super) fn errors<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    sizes: &[W],
    around: &[W],
    origin: Origin<'_, W>,
    d: usize,
) -> [L::Floats; VECTORS] {
    let width = VECTORS * L::WIDTH;
    assert!(sizes.len() >= d * width && around.len() >= 2 * d && origin.at.len() >= d);
    let mut error = [lanes.splat(W::default()); VECTORS];
    for k in 0..d {
        let extent = lanes.splat(origin.slack * (around[d + k] + (around[k] - origin.at[k]).size()));
        for r in 0..VECTORS {
            error[r] = lanes.mul_add(lanes.load(&sizes[k * width + r * L::WIDTH..]), extent, error[r]);
        }
    }
    error
}

/// The largest float score of each lane among the first `count` keys of a leaf.
#[inline(always)]
pub(super) fn leaf_maxima<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    count: usize,
) -> [L::Floats; VECTORS] {
    let mut max = [lanes.splat(W::LOWEST); VECTORS];
    for j in (0..LEAF).step_by(L::KEYS) {
        for (c, score) in scores(lanes, query, keys, d, j)[..L::KEYS].iter().enumerate() {
            if j + c < count {
                for r in 0..VECTORS {
                    max[r] = lanes.max(max[r], score[r]);
                }
            }
        }
    }
    max
}

/// The same where the lanes from `seeing(key)` on see a key.
#[inline(always)]
pub(super) fn leaf_maxima_seen<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    blinds: &Blinds<W>,
    seeing: &[usize],
) -> [L::Floats; VECTORS] {
    let one = W::of_one();
    let mut max = [lanes.splat(W::LOWEST); VECTORS];
    for j in (0..LEAF).step_by(L::KEYS) {
        for (c, score) in scores(lanes, query, keys, d, j)[..L::KEYS].iter().enumerate() {
            if j + c < seeing.len() {
                let blind = blinds.from(seeing[j + c]);
                for r in 0..VECTORS {
                    let seen = lanes.mul_add(lanes.splat(one), score[r], lanes.load(&blind[r * L::WIDTH..]));
                    max[r] = lanes.max(max[r], seen);
                }
            }
        }
    }
    max
}

/// For each key of a leaf the lanes whose score reaches `low`, and `high`.
#[inline(always)]
pub(super) fn leaf_sets<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    [low, high]: [&[L::Floats; VECTORS]; 2],
) -> [[u64; LEAF]; 2] {
    let mut sets = [[0; LEAF]; 2];
    for j in (0..LEAF).step_by(L::KEYS) {
        for (c, score) in scores(lanes, query, keys, d, j)[..L::KEYS].iter().enumerate() {
            sets[0][j + c] = at_least(lanes, score, low);
            sets[1][j + c] = at_least(lanes, score, high);
        }
    }
    sets
}
