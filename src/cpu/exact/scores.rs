//! Scores of a packet: floats against a block of keys, exact ones against a key.
// The score loop reads without bounds checks and must be inlined; lanes are best read by index.
#![allow(unsafe_code, clippy::inline_always, clippy::needless_range_loop)]

use crate::cpu::exact::cloud::BLOCK;
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{LANES, Lanes, MOST_KEYS, VECTORS};

/// The most lanes whose exact scores are computed one by one instead of for the whole packet.
pub(crate) const FEW_LANES: u32 = 2;

/// Computes exact scores of the lanes `of` (and maybe others) against a key.
#[inline(always)]
pub(crate) fn exact<W: Width>(query: &[W::Int], lanes: usize, row: &[W::Int], of: u64, into: &mut [W::Wide; LANES]) {
    if of.count_ones() <= FEW_LANES {
        for lane in (0..lanes).filter(|l| of >> l & 1 == 1) {
            into[lane] = W::dot(query, lanes, lane, row);
        }
    } else {
        W::dots(lanes, query, row, into);
    }
}

/// The lanes of a packet with a ≥ b.
#[inline(always)]
pub(crate) fn at_least<F, I, L: Lanes<F, I>>(lanes: L, a: &[L::Floats; VECTORS], b: &[L::Floats; VECTORS]) -> u64 {
    let mut bits = 0;
    for r in 0..VECTORS {
        bits |= lanes.at_least(a[r], b[r]) << (r * L::WIDTH);
    }
    bits
}

/// Loads a packet's vectors from `[lane]`.
#[inline(always)]
pub(crate) fn load<W: Width, L: Lanes<W, W::Int>>(lanes: L, from: &[W]) -> [L::Floats; VECTORS] {
    let mut vectors = [lanes.splat(W::default()); VECTORS];
    for r in 0..VECTORS {
        vectors[r] = lanes.load(&from[r * L::WIDTH..]);
    }
    vectors
}

/// The most dimensions that [`unrolled!`] makes constants of.
pub(crate) const FEW_DIMENSIONS: usize = 4;

/// Calls a loop over a block with few dimensions as constants: its loop over coordinates unrolls
/// and queries stay in registers. The call is compiled five times; keep it small. After `few`, for
/// a call that is made in few dimensions only, it is compiled four times.
macro_rules! unrolled {
    ($d:expr, |$name:ident| $call:expr) => {
        unrolled!($d, |$name| $call, else {
            #[allow(clippy::redundant_locals)] // callers name the variable that they have
            let $name = $d;
            $call
        })
    };
    (few $d:expr, |$name:ident| $call:expr) => {
        unrolled!($d, |$name| $call, else unreachable!("only in few dimensions"))
    };
    ($d:expr, |$name:ident| $call:expr, else $other:expr) => {
        match $d {
            1 => {
                let $name = 1;
                $call
            }
            2 => {
                let $name = 2;
                $call
            }
            3 => {
                let $name = 3;
                $call
            }
            4 => {
                let $name = 4;
                $call
            }
            _ => $other,
        }
    };
}
pub(crate) use unrolled;

/// The largest float score of each lane in a block.
#[inline(always)]
pub(crate) fn block_maxima<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
) -> [L::Floats; VECTORS] {
    let mut max = [lanes.splat(W::LOWEST); VECTORS];
    for j in (0..BLOCK).step_by(L::KEYS) {
        for score in &scores(lanes, query, keys, d, j)[..L::KEYS] {
            for r in 0..VECTORS {
                max[r] = lanes.max(max[r], score[r]);
            }
        }
    }
    max
}

/// The largest float score of each lane among the keys of a block that it sees.
#[inline(always)]
pub(crate) fn block_maxima_seen<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    seen: &[u64; BLOCK],
) -> [L::Floats; VECTORS] {
    let (mut one, mut most) = ([W::default(); LANES], [W::LOWEST; LANES]);
    for j in (0..BLOCK).step_by(L::KEYS) {
        for (c, score) in scores(lanes, query, keys, d, j)[..L::KEYS].iter().enumerate() {
            for r in 0..VECTORS {
                lanes.store(score[r], &mut one[r * L::WIDTH..]);
            }
            for l in 0..VECTORS * L::WIDTH {
                let better = seen[j + c] >> l & 1 == 1 && one[l] > most[l];
                most[l] = if better { one[l] } else { most[l] };
            }
        }
    }
    load::<W, L>(lanes, &most)
}

/// For each key of a block the lanes in which it is inside the strip, in the band, and a candidate,
/// by the limits `[low, high, top]`.
#[inline(always)]
pub(crate) fn block_sets<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    [low, high, top]: [&[L::Floats; VECTORS]; 3],
) -> [[u64; BLOCK]; 3] {
    let (mut inside, mut band, mut candidates) = ([0; BLOCK], [0; BLOCK], [0; BLOCK]);
    for j in (0..BLOCK).step_by(L::KEYS) {
        for (c, score) in scores(lanes, query, keys, d, j)[..L::KEYS].iter().enumerate() {
            let (above_low, above_high) = (at_least(lanes, score, low), at_least(lanes, score, high));
            inside[j + c] = above_high;
            band[j + c] = above_low & !above_high;
            candidates[j + c] = at_least(lanes, score, top);
        }
    }
    [inside, band, candidates]
}

/// Float scores of a packet against the keys j, j+1, … (`L::KEYS` of them) of a block.
#[inline(always)]
pub(crate) fn scores<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    j: usize,
) -> [[L::Floats; VECTORS]; MOST_KEYS] {
    assert!(query.len() == d * VECTORS * L::WIDTH && (j + L::KEYS) * d <= keys.len());
    let mut sums = [[lanes.splat(W::default()); VECTORS]; MOST_KEYS];
    for k in 0..d {
        for c in 0..L::KEYS {
            // SAFETY: (j + c)·d + k < (j + KEYS)·d, as c < KEYS and k < d.
            let x = lanes.splat(unsafe { *keys.get_unchecked((j + c) * d + k) });
            for r in 0..VECTORS {
                let at = (k * VECTORS + r) * L::WIDTH;
                // SAFETY: the slice ends at (k·VECTORS + r + 1)·WIDTH ≤ d·VECTORS·WIDTH.
                let q = lanes.load(unsafe { query.get_unchecked(at..at + L::WIDTH) });
                sums[c][r] = lanes.mul_add(q, x, sums[c][r]);
            }
        }
    }
    sums
}

/// Float squares of the distances of a packet from the keys j, j+1, … (`L::KEYS` of them) of a block.
#[inline(always)]
pub(crate) fn squared_distances<W: Width, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[W],
    keys: &[W],
    d: usize,
    j: usize,
) -> [[L::Floats; VECTORS]; MOST_KEYS] {
    assert!(query.len() == d * VECTORS * L::WIDTH && (j + L::KEYS) * d <= keys.len());
    let one = lanes.splat(W::of_one());
    let mut sums = [[lanes.splat(W::default()); VECTORS]; MOST_KEYS];
    for k in 0..d {
        for c in 0..L::KEYS {
            // SAFETY: (j + c)·d + k < (j + KEYS)·d, as c < KEYS and k < d.
            let minus = lanes.splat(unsafe { *keys.get_unchecked((j + c) * d + k) }.negated());
            for r in 0..VECTORS {
                let at = (k * VECTORS + r) * L::WIDTH;
                // SAFETY: the slice ends at (k·VECTORS + r + 1)·WIDTH ≤ d·VECTORS·WIDTH.
                let q = lanes.load(unsafe { query.get_unchecked(at..at + L::WIDTH) });
                let apart = lanes.mul_add(q, one, minus);
                sums[c][r] = lanes.mul_add(apart, apart, sums[c][r]);
            }
        }
    }
    sums
}
