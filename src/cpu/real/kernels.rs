//! The inner loops, compiled for every instruction set; everything else about a packet is
//! plain code around them.
//!
//! A packet's queries lie `[coordinate][lane]`, a tile of scores or weights `[key][lane]`.
//!
//! **The exponential.** For t ≤ 0 let k = rne(t·log2 e) and f = t − k·ln 2, by Cody and Waite's two
//! parts, so that |f| ≤ ½ ln 2·1.001. Then e^t = 2^k·(1 + f + f²·g(f)), with g the Chebyshev
//! interpolant of `(e^f − 1 − f)/f²` of degree 4 (f32) or 9 (f64); its error is below 0.2 of half
//! an ulp of the result.
//! With the roundings of f, of the polynomial and of the last sum, e^t is within 2 ulps for every t
//! that is a float, fused or not (checked below). Where t is below [`Real::CUT`] the weight is 0
//! exactly, so that no product is subnormal, which costs a hundred times as much as others; NaN
//! weighs 0 too.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`
#![allow(clippy::excessive_precision)] // constants are written as the fractions that they are

use crate::cpu::exact::cloud::BLOCK;
use crate::cpu::exact::scores;
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{Job, LANES, Lanes, VECTORS};
use crate::model::Scoring;

/// Keys of a tile: the length of a sum in the stored width.
pub(crate) const KEYS: usize = 2 * BLOCK;

/// A stored width with its exponential.
pub(crate) trait Real: Width {
    /// e^t counts as 0 below; still normal, and at most 2^-115 of the largest weight.
    const CUT: Self;
    /// 1.5·2^(mantissa bits): x + MAGIC has rne(x) in its lowest bits.
    const MAGIC: Self;
    const LOG2_E: Self;
    /// −ln 2 in two parts, the first with so few bits that its multiples here are exact.
    const MINUS_LN_2: [Self; 2];
    /// Coefficients of g, highest first.
    const POLYNOMIAL: &'static [Self];
    const ONE: Self;
    /// The least finite float: below every score.
    const LEAST: Self;
}

macro_rules! real {
    ($float:ty, $cut:expr, $magic:expr, $ln_2:expr, $polynomial:expr) => {
        impl Real for $float {
            const CUT: Self = $cut;
            const MAGIC: Self = $magic;
            const LOG2_E: Self = std::f64::consts::LOG2_E as Self;
            const MINUS_LN_2: [Self; 2] = $ln_2;
            const POLYNOMIAL: &'static [Self] = &$polynomial;
            const ONE: Self = 1.0;
            const LEAST: Self = <$float>::MIN;
        }
    };
}
real!(
    f32,
    -80.0,
    1.5 * 8_388_608.0,
    [-0.693_359_375, 2.121_944_4e-4],
    [0.001_392_625, 0.008_363_233, 0.041_666_552, 0.166_665_76, 0.5]
);
real!(
    f64,
    -700.0,
    1.5 * 4_503_599_627_370_496.0,
    [-0.693_145_751_953_125, -1.428_606_820_309_417_3e-6],
    [
        2.510_047_250_569_499_6e-8,
        2.762_020_159_103_154_7e-7,
        2.755_726_827_690_569_6e-6,
        2.480_152_105_786_820_4e-5,
        1.984_126_986_317_155_7e-4,
        1.388_888_891_736_708_1e-3,
        8.333_333_333_330_039e-3,
        4.166_666_666_662_382_4e-2,
        0.166_666_666_666_666_69,
        0.500_000_000_000_000_1
    ]
);

/// Computes the scores of a packet against a tile of keys, and the largest of every lane.
pub(crate) struct Score<'a, W> {
    pub(crate) query: &'a [W],
    /// `[key][coordinate]`, whole blocks.
    pub(crate) keys: &'a [W],
    pub(crate) d: usize,
    pub(crate) scoring: Scoring,
    /// Room for a multiple of the keys scored side by side, and for no more than there are.
    pub(crate) tile: &'a mut [W],
    pub(crate) largest: &'a mut [W],
}

impl<W: Real> Job<W, W::Int> for Score<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, lanes: L) {
        let width = VECTORS * L::WIDTH;
        let mut largest = [lanes.splat(W::LOWEST); VECTORS];
        let (zero, minus_half) = (lanes.splat(W::default()), lanes.splat(W::nearest(-0.5)));
        let blocks = self.keys.chunks_exact(BLOCK * self.d).zip(self.tile.chunks_mut(BLOCK * width));
        for (keys, tile) in blocks {
            for (step, tile) in tile.chunks_exact_mut(L::KEYS * width).enumerate() {
                let scores = match self.scoring {
                    Scoring::Inner => scores::scores(lanes, self.query, keys, self.d, step * L::KEYS),
                    Scoring::Distance => {
                        let squares = scores::squared_distances(lanes, self.query, keys, self.d, step * L::KEYS);
                        squares.map(|lane| lane.map(|square| lanes.mul_add(square, minus_half, zero)))
                    }
                };
                for (score, row) in scores[..L::KEYS].iter().zip(tile.chunks_exact_mut(width)) {
                    for r in 0..VECTORS {
                        largest[r] = lanes.max(largest[r], score[r]);
                        lanes.store(score[r], &mut row[r * L::WIDTH..]);
                    }
                }
            }
        }
        for r in 0..VECTORS {
            lanes.store(largest[r], &mut self.largest[r * L::WIDTH..]);
        }
    }
}

/// Finds the first key of a tile that attains the largest score of its lane.
pub(crate) struct Find<'a, W> {
    pub(crate) tile: &'a [W],
    pub(crate) largest: &'a [W],
    /// By lane: [`KEYS`] less the key.
    pub(crate) left: &'a mut [W],
}

impl<W: Real> Job<W, W::Int> for Find<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, lanes: L) {
        let mut left = [lanes.splat(W::default()); VECTORS];
        let mut largest = left;
        for r in 0..VECTORS {
            largest[r] = lanes.load(&self.largest[r * L::WIDTH..]);
        }
        // Numbers of keys left are exact in either width.
        for (row, keys) in self.tile.chunks_exact(VECTORS * L::WIDTH).zip((0..=KEYS).rev()) {
            let keys = lanes.splat(W::nearest(keys as f64));
            for r in 0..VECTORS {
                let score = lanes.load(&row[r * L::WIDTH..]);
                left[r] = lanes.max(left[r], lanes.where_at_least(score, largest[r], keys));
            }
        }
        for r in 0..VECTORS {
            lanes.store(left[r], &mut self.left[r * L::WIDTH..]);
        }
    }
}

/// Turns a tile of scores into weights, and sums them over its keys.
pub(crate) struct Weigh<'a, W> {
    pub(crate) tile: &'a mut [W],
    /// The score of every lane that weighs 1.
    pub(crate) origin: &'a [W],
    /// Inverse temperature of every lane; none for the uniform weights of a strip, all scores from
    /// `origin` on.
    pub(crate) beta: Option<&'a [W]>,
    pub(crate) sums: &'a mut [W],
}

impl<W: Real> Job<W, W::Int> for Weigh<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, lanes: L) {
        let (zero, one) = (lanes.splat(W::default()), lanes.splat(W::ONE));
        let mut origin = [zero; VECTORS];
        let (mut beta, mut sums) = (origin, origin);
        for r in 0..VECTORS {
            origin[r] = lanes.load(&self.origin[r * L::WIDTH..]);
            if let Some(values) = self.beta {
                beta[r] = lanes.load(&values[r * L::WIDTH..]);
            }
        }
        let rows = self.tile.chunks_exact_mut(VECTORS * L::WIDTH);
        if self.beta.is_some() {
            let minus = origin.map(|o| lanes.mul_add(o, lanes.splat(W::ONE.negated()), zero));
            for row in rows {
                for r in 0..VECTORS {
                    let score = lanes.load(&row[r * L::WIDTH..]);
                    let t = lanes.mul_add(lanes.mul_add(score, one, minus[r]), beta[r], zero);
                    let weight = exponential(lanes, t);
                    sums[r] = lanes.mul_add(weight, one, sums[r]);
                    lanes.store(weight, &mut row[r * L::WIDTH..]);
                }
            }
        } else {
            for row in rows {
                for r in 0..VECTORS {
                    let score = lanes.load(&row[r * L::WIDTH..]);
                    let weight = lanes.where_at_least(score, origin[r], one);
                    sums[r] = lanes.mul_add(weight, one, sums[r]);
                    lanes.store(weight, &mut row[r * L::WIDTH..]);
                }
            }
        }
        for r in 0..VECTORS {
            lanes.store(sums[r], &mut self.sums[r * L::WIDTH..]);
        }
    }
}

/// e^t for t ≤ 0.
#[inline(always)]
fn exponential<W: Real, L: Lanes<W, W::Int>>(lanes: L, t: L::Floats) -> L::Floats {
    let (one, magic) = (lanes.splat(W::ONE), lanes.splat(W::MAGIC));
    let z = lanes.mul_add(t, lanes.splat(W::LOG2_E), magic);
    let k = lanes.mul_add(z, one, lanes.splat(W::MAGIC.negated()));
    let f = lanes.mul_add(k, lanes.splat(W::MINUS_LN_2[0]), t);
    let f = lanes.mul_add(k, lanes.splat(W::MINUS_LN_2[1]), f);
    let mut g = lanes.splat(W::POLYNOMIAL[0]);
    for &c in &W::POLYNOMIAL[1..] {
        g = lanes.mul_add(g, f, lanes.splat(c));
    }
    let square = lanes.mul_add(f, f, lanes.splat(W::default()));
    let mantissa = lanes.mul_add(lanes.mul_add(square, g, f), one, one);
    lanes.where_at_least(t, lanes.splat(W::CUT), lanes.shift_exponent(mantissa, z))
}

/// `total ← total·factor + Σ_j weight_j x_j`, the sum over a tile in the stored width, the rest in
/// f64.
pub(crate) struct Accumulate<'a, W> {
    pub(crate) weights: &'a [W],
    pub(crate) keys: &'a [W],
    pub(crate) d: usize,
    /// Factor of every lane.
    pub(crate) factor: &'a [f64],
    /// `[coordinate][lane]`.
    pub(crate) total: &'a mut [f64],
}

impl<W: Real> Job<W, W::Int> for Accumulate<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(mut self, lanes: L) {
        let mut k = 0;
        // As many sums as have room in registers, as in the scores.
        if L::KEYS >= 4 {
            while k + 4 <= self.d {
                self.columns::<4, L>(lanes, k);
                k += 4;
            }
        }
        while k + 2 <= self.d {
            self.columns::<2, L>(lanes, k);
            k += 2;
        }
        if k < self.d {
            self.columns::<1, L>(lanes, k);
        }
    }
}

impl<W: Real> Accumulate<'_, W> {
    /// Adds the coordinates k..k+N.
    #[inline(always)]
    fn columns<const N: usize, L: Lanes<W, W::Int>>(&mut self, lanes: L, k: usize) {
        let width = VECTORS * L::WIDTH;
        let mut sums = [[lanes.splat(W::default()); VECTORS]; N];
        for (weights, key) in self.weights.chunks_exact(width).zip(self.keys.chunks_exact(self.d)) {
            let x: &[W; N] = key[k..].first_chunk().expect("a key holds its coordinates");
            let mut weight = [lanes.splat(W::default()); VECTORS];
            for r in 0..VECTORS {
                weight[r] = lanes.load(&weights[r * L::WIDTH..]);
            }
            for c in 0..N {
                let x = lanes.splat(x[c]);
                for r in 0..VECTORS {
                    sums[c][r] = lanes.mul_add(weight[r], x, sums[c][r]);
                }
            }
        }
        let mut one = [W::default(); LANES];
        for c in 0..N {
            for r in 0..VECTORS {
                lanes.store(sums[c][r], &mut one[r * L::WIDTH..]);
            }
            let totals = &mut self.total[(k + c) * width..][..width];
            for ((total, &factor), &sum) in totals.iter_mut().zip(&self.factor[..width]).zip(&one[..width]) {
                *total = *total * factor + sum.to_f64();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::lanes::{InstructionSet, Vectors};

    /// e^t of many t, lane by lane.
    fn weights<W: Real>(set: InstructionSet, t: &[W]) -> Vec<W> {
        let width = set.packet_rows(W::PRECISION);
        let mut tile = t.to_vec();
        tile.resize(t.len().next_multiple_of(width), W::default());
        let (origin, beta) = (vec![W::default(); width], vec![W::ONE; width]);
        let mut sums = vec![W::default(); width];
        <W as Vectors>::run(set, Weigh { tile: &mut tile, origin: &origin, beta: Some(&beta), sums: &mut sums });
        tile.truncate(t.len());
        tile
    }

    fn hold<W: Real>(set: InstructionSet, unit: impl Fn(f64) -> f64) {
        let cut = -W::CUT.to_f64();
        let uniform = (0..200_000).map(|i| -cut * f64::from(i) / 200_000.0);
        let small = (0..2000).map(|i| -(f64::from(-i) / 30.0).exp2());
        let t: Vec<W> = uniform.chain(small).map(W::nearest).collect();
        for (t, weight) in t.iter().zip(weights(set, &t)) {
            let want = t.to_f64().exp();
            let error = (weight.to_f64() - want).abs() / unit(want);
            assert!(error <= 2.0, "{}: e^{} is off by {error} ulps", set.name(), t.to_f64());
        }
        let edges: Vec<W> = [0.0, -cut - 0.01, f64::NEG_INFINITY, f64::NAN].into_iter().map(W::nearest).collect();
        let got: Vec<f64> = weights(set, &edges).into_iter().map(W::to_f64).collect();
        assert_eq!(got, [1.0, 0.0, 0.0, 0.0], "{}", set.name());
    }

    /// The bounds of every rule with an exponential rest on these 2 ulps, and masked keys on the
    /// exact zeros.
    #[test]
    fn the_exponential_is_within_two_ulps() {
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            hold::<f32>(set, |x| f64::from((x as f32).next_up() - x as f32));
            hold::<f64>(set, |x| x.next_up() - x);
        }
    }
}
