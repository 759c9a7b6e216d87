//! The three loops that a search spends its time in: bounds of a box, the best of a leaf, the sets
//! of a leaf.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

use crate::cpu::exact::scores::{FEW_DIMENSIONS, at_least, scores};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{LANES, Lanes, VECTORS};
use crate::space::LEAF;

/// Penalties that hide a key from the lanes that do not see it: as many −∞ as there are lanes, then
/// as many zeros.
pub(crate) struct Penalties<W> {
    penalties: Vec<W>,
    lanes: usize,
}

impl<W: Width> Penalties<W> {
    pub(crate) fn new(lanes: usize) -> Self {
        let mut penalties = vec![W::LOWEST; lanes];
        penalties.resize(2 * lanes, W::default());
        Self { penalties, lanes }
    }

    /// The penalties of a key that the lanes from `first` on see.
    fn from(&self, first: usize) -> &[W] {
        &self.penalties[self.lanes - first..][..self.lanes]
    }
}

/// The point that a packet measures from, as floats, and κ (see the module above).
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a, W> {
    pub(crate) at: &'a [W],
    pub(crate) slack: W,
}

/// `q·(c − o)` and `|q|·h` of every lane, for a box `[c.., h..]`, the latter widened by the
/// rounding of both.
#[inline(always)]
pub(crate) fn bounds<W: Width, L: Lanes<W, W::Int>>(
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

/// The box around some queries: `[k][centre, half-width, largest |q_k|]`.
pub(crate) type Fan<W> = [W; 3];

/// The limits that scores from an origin are compared with.
#[derive(Clone, Copy)]
pub(crate) struct Cutoffs<W> {
    /// The outer limit: a score below it is of no use.
    pub(crate) outside: W,
    /// The inner limit: a score not below it needs no more decision.
    pub(crate) inside: W,
}

impl<W: Width> Cutoffs<W> {
    /// An outer limit alone: every score that reaches it is still to be decided.
    pub(crate) fn above(outside: W) -> Self {
        Self { outside, inside: W::LOWEST.size() }
    }
}

/// Bounds as [`bounds`] gives, once for all queries of a fan: `q·(x − o)` is within
/// `Σ q̄_k (c_k − o_k) ± Σ (ρ_k |c_k − o_k| + |q|_k h_k)` for each of them and every key x of the
/// box. Measured from a key near all their maxima this is tight, and it costs a scalar where bounds
/// by lane cost a packet. It meets four roundings more, which twice the slack has room for.
#[inline(always)]
pub(crate) fn fan_bounds<W: Width>(fan: &[Fan<W>], around: &[W], origin: Origin<'_, W>, d: usize) -> (W, W) {
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

/// `e = κ|q|·(|c − o| + h)` of every lane: a bound on the rounding of a score of a key in the box.
#[inline(always)]
pub(crate) fn errors<W: Width, L: Lanes<W, W::Int>>(
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
pub(crate) fn leaf_maxima<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    count: usize,
) -> [L::Floats; VECTORS] {
    let mut max = [lanes.splat(W::LOWEST); VECTORS];
    for j in (0..count).step_by(L::KEYS) {
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

/// The largest float score of each lane among the keys of a leaf that it sees: the lanes from
/// `seeing[key]` on see a key.
#[inline(always)]
pub(crate) fn leaf_maxima_seen<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    penalties: &Penalties<W>,
    seeing: &[usize],
) -> [L::Floats; VECTORS] {
    let one = W::of_one();
    let mut max = [lanes.splat(W::LOWEST); VECTORS];
    for j in (0..LEAF).step_by(L::KEYS) {
        for (c, score) in scores(lanes, query, keys, d, j)[..L::KEYS].iter().enumerate() {
            if j + c < seeing.len() {
                let blind = penalties.from(seeing[j + c]);
                for r in 0..VECTORS {
                    let seen = lanes.mul_add(lanes.splat(one), score[r], lanes.load(&blind[r * L::WIDTH..]));
                    max[r] = lanes.max(max[r], seen);
                }
            }
        }
    }
    max
}

/// Adds the keys of a leaf to the sums of the active lanes whose score reaches `high`; returns for
/// each key the active lanes whose score only reaches `low`.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "what a leaf is scored with stays in registers")]
pub(crate) fn add_leaf<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    floats: &[W],
    keys: &[W::Int],
    d: usize,
    active: u64,
    [low, high]: [&[L::Floats; VECTORS]; 2],
    sums: &mut [W::Int],
) -> [u64; LEAF] {
    let width = VECTORS * L::WIDTH;
    let count = (keys.len() / d).min(LEAF);
    assert!(
        d <= FEW_DIMENSIONS
            && keys.len() >= count * d
            && query.len() >= d * width
            && floats.len() >= d * LEAF
            && sums.len() >= (d + 1) * width
    );
    let one = lanes.splat_int(W::Int::one());
    let mut bands = [0; LEAF];
    for r in 0..VECTORS {
        let active = active >> (r * L::WIDTH) & (u64::MAX >> (64 - L::WIDTH));
        if active == 0 {
            continue;
        }
        let mut q = [lanes.splat(W::default()); FEW_DIMENSIONS];
        let mut sum = [lanes.splat_int(W::Int::default()); FEW_DIMENSIONS];
        for k in 0..d {
            q[k] = lanes.load(&query[k * width + r * L::WIDTH..]);
            sum[k] = lanes.load_ints(&sums[k * width + r * L::WIDTH..]);
        }
        let mut total = lanes.load_ints(&sums[d * width + r * L::WIDTH..]);
        let [low, high] = [only(lanes, low[r], active), only(lanes, high[r], active)];
        let mut any = 0;
        for key in 0..count {
            let score = score(lanes, &q, floats, key, d);
            let sure = lanes.at_least(score, high);
            any |= lanes.at_least(score, low) & !sure;
            let mask = lanes.mask(sure);
            for k in 0..d {
                sum[k] = lanes.add_where(mask, sum[k], lanes.splat_int(keys[key * d + k]));
            }
            total = lanes.add_where(mask, total, one);
        }
        if any != 0 {
            for (key, band) in bands.iter_mut().enumerate().take(count) {
                let score = score(lanes, &q, floats, key, d);
                *band |= (lanes.at_least(score, low) & !lanes.at_least(score, high)) << (r * L::WIDTH);
            }
        }
        for k in 0..d {
            lanes.store_ints(sum[k], &mut sums[k * width + r * L::WIDTH..]);
        }
        lanes.store_ints(total, &mut sums[d * width + r * L::WIDTH..]);
    }
    bands
}

/// The limit of the active lanes; no score reaches that of the others.
#[inline(always)]
fn only<W: Width, L: Lanes<W, W::Int>>(lanes: L, limit: L::Floats, active: u64) -> L::Floats {
    let mut entries = [W::LOWEST.size(); LANES];
    lanes.store(limit, &mut entries);
    for l in 0..L::WIDTH {
        if active >> l & 1 == 0 {
            entries[l] = W::LOWEST.size();
        }
    }
    lanes.load(&entries)
}

#[inline(always)]
fn score<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    q: &[L::Floats; FEW_DIMENSIONS],
    floats: &[W],
    key: usize,
    d: usize,
) -> L::Floats {
    let mut score = lanes.splat(W::default());
    for k in 0..d {
        score = lanes.mul_add(q[k], lanes.splat(floats[key * d + k]), score);
    }
    score
}

/// For each of the first `count` keys of a leaf the lanes whose score reaches `low`, and those
/// whose score reaches `high`.
#[inline(always)]
pub(crate) fn leaf_sets<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    count: usize,
    [low, high]: [&[L::Floats; VECTORS]; 2],
) -> [[u64; LEAF]; 2] {
    let mut sets = [[0; LEAF]; 2];
    for j in (0..count).step_by(L::KEYS) {
        for (c, score) in scores(lanes, query, keys, d, j)[..L::KEYS].iter().enumerate() {
            sets[0][j + c] = at_least(lanes, score, low);
            sets[1][j + c] = at_least(lanes, score, high);
        }
    }
    sets
}
