//! The contract's integers at each precision: coordinates, exact scores, and the arithmetic that is
//! needed once a row.
//!
//! | precision | coordinate | float | score, sum |
//! |---|---|---|---|
//! | f32 | i32, ≤ 2^24 | f32 | i64: d·2^48 ≤ 2^62 |
//! | f64 | i64, ≤ 2^53 | f64 | i128: d·2^106 ≤ 2^120 |
//!
//! A square of a distance, where scores are distances, is at most d·2^(2b+2), and d at most 2^12: 2^62
//! and 2^120 as well.
//!
//! A query may exceed a coordinate's bound by d/2 units (contract, step 2), which every bound here
//! has room for.
#![allow(clippy::inline_always)] // kernels belong into the function of their instruction set

use std::ops::{Add, BitOr, BitXor, Mul, Sub};

use crate::num;
use crate::space::Coordinate;
use crate::tokens::Precision;

use crate::cpu::lanes::{LANES, Vectors};
use crate::cpu::share::Word;

/// Arithmetic of a precision, which is named by its float. Arrays of a packet are laid out
/// `[coordinate][lane]`.
pub(crate) trait Width:
    Vectors<Int: Integer + Coordinate<Float = Self>>
    + Copy
    + PartialOrd
    + Default
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Send
    + Sync
    + 'static
{
    /// Exact scores and sums.
    type Wide: Copy + Ord + Default + Send + Sync + 'static;
    const PRECISION: Precision;
    /// The number of keys whose coordinates can be added in the width of one coordinate.
    const ADDITIONS: usize;
    /// A float below every score.
    const LOWEST: Self;
    /// Half the distance from 1 to the next float.
    const ROUNDING: f64;
    const SMALLEST: Self::Wide;

    fn of(x: Self::Int) -> Self;
    fn of_one() -> Self {
        Self::of(Integer::of(1))
    }
    /// The nearest float.
    fn nearest(x: f64) -> Self;
    /// |x|.
    fn size(self) -> Self;
    /// The nearest f64.
    fn approximate(x: Self::Wide) -> f64;
    fn to_f64(self) -> f64;
    /// The least float that is certainly at least x.
    fn above(x: f64) -> Self;
    /// Floats below and above x.
    fn around(x: Self::Wide) -> (Self, Self);
    /// A float not above a − b.
    fn minus_down(self, b: Self) -> Self;
    fn negated(self) -> Self;
    /// A float not below a + b.
    fn plus_up(self, b: Self) -> Self;

    fn wide(x: i128) -> Self::Wide;
    fn narrow(x: Self::Wide) -> i128;
    /// m − D; scores never reach the ends of the range, so that saturation decides nothing.
    fn threshold(max: Self::Wide, width: Self::Wide) -> Self::Wide;
    /// Computes Q·X for every lane.
    fn dots(lanes: usize, q: &[Self::Int], x: &[Self::Int], into: &mut [Self::Wide; LANES]);
    /// Q·X for one lane.
    fn dot(q: &[Self::Int], lanes: usize, lane: usize, x: &[Self::Int]) -> Self::Wide;
    /// Q·X of two rows.
    fn dot_rows(q: &[Self::Int], x: &[Self::Int]) -> Self::Wide;
    /// |Q − X|² for one lane.
    fn squared_distance(q: &[Self::Int], lanes: usize, lane: usize, x: &[Self::Int]) -> Self::Wide;
    /// The part of a sum after another.
    fn between(before: <Self::Int as Coordinate>::Sum, sum: <Self::Int as Coordinate>::Sum) -> Self::Wide;
    /// Adds a row to a sum of few.
    fn add_rows(sum: &mut [Self::Int], x: &[Self::Int]);
    /// `a·b` of two coordinates.
    fn product(a: Self::Int, b: Self::Int) -> Self::Wide;
    /// `floor((sum + 2^(b−1))/2^b)`.
    fn query(sum: Self::Wide) -> Self::Int;
    /// Adds and clears partial sums.
    fn fold(partial: &mut [Self::Int], total: &mut [Self::Wide]);
    /// Adds a sum of coordinates to the lanes of a mask.
    fn add_sum(total: &mut [Self::Wide], bits: u64, sum: <Self::Int as Coordinate>::Sum);
    /// Adds a number of tokens to the lanes of a mask.
    fn add_count(total: &mut [Self::Wide], bits: u64, count: u32);
    /// Step 4 of the contract for one coordinate.
    fn moved(x: Self::Int, sum: Self::Wide, count: u32, gain: u64) -> Self::Int;
    /// Step 4 of the contract for one coordinate of every lane.
    fn moved_lanes(x: &[Self::Int], sum: &[Self::Wide], count: &[Self::Wide], gain: u64, into: &mut [Self::Int]);
    /// Step 4 of the contract for coordinates of strips of one token each.
    fn moved_to(x: &[Self::Int], to: &[Self::Int], gain: u64, into: &mut [Self::Int]);
}

/// A coordinate on the lattice.
pub(crate) trait Integer:
    Copy + Default + Eq + std::hash::Hash + BitXor<Output = Self> + BitOr<Output = Self> + Word + Send + Sync + 'static
{
    fn of(x: i64) -> Self;
    fn to_i64(self) -> i64;
    fn one() -> Self {
        Self::of(1)
    }
}

impl Integer for i32 {
    fn of(x: i64) -> Self {
        x as Self
    }
    fn to_i64(self) -> i64 {
        i64::from(self)
    }
}

impl Integer for i64 {
    fn of(x: i64) -> Self {
        x
    }
    fn to_i64(self) -> i64 {
        self
    }
}

macro_rules! width {
    ($float:ty, $int:ty, $wide:ty, $precision:ident, $additions:literal, $dots:path, $moved:path, $moved_to:path) => {
        impl Width for $float {
            type Wide = $wide;
            const PRECISION: Precision = Precision::$precision;
            const ADDITIONS: usize = $additions;
            const LOWEST: Self = <$float>::NEG_INFINITY;
            const ROUNDING: f64 = (<$float>::EPSILON / 2.0) as f64;
            const SMALLEST: $wide = <$wide>::MIN;

            fn of(x: $int) -> Self {
                x as $float
            }

            fn to_f64(self) -> f64 {
                self as f64
            }

            fn nearest(x: f64) -> Self {
                x as $float
            }

            fn size(self) -> Self {
                self.abs()
            }

            fn approximate(x: $wide) -> f64 {
                x as f64
            }

            fn above(x: f64) -> Self {
                (x as $float).next_up()
            }

            fn around(x: $wide) -> (Self, Self) {
                ((x as $float).next_down(), (x as $float).next_up())
            }

            fn minus_down(self, b: Self) -> Self {
                (self - b).next_down()
            }

            fn negated(self) -> Self {
                -self
            }

            fn plus_up(self, b: Self) -> Self {
                (self + b).next_up()
            }

            fn wide(x: i128) -> $wide {
                x as $wide
            }

            fn narrow(x: $wide) -> i128 {
                x as i128
            }

            fn threshold(max: $wide, width: $wide) -> $wide {
                max.saturating_sub(width)
            }

            #[inline(always)]
            fn dots(lanes: usize, q: &[$int], x: &[$int], into: &mut [$wide; LANES]) {
                $dots(lanes, q, x, into);
            }

            #[inline(always)]
            fn dot(q: &[$int], lanes: usize, lane: usize, x: &[$int]) -> $wide {
                x.iter().enumerate().map(|(k, &x)| Self::product(q[k * lanes + lane], x)).sum()
            }

            #[inline(always)]
            fn dot_rows(q: &[$int], x: &[$int]) -> $wide {
                q.iter().zip(x).map(|(&q, &x)| Self::product(q, x)).sum()
            }

            #[inline(always)]
            fn squared_distance(q: &[$int], lanes: usize, lane: usize, x: &[$int]) -> $wide {
                let square = |(k, x): (usize, &$int)| {
                    // |Q − X| ≤ 2^(b+1)
                    let apart = q[k * lanes + lane] - x;
                    Self::product(apart, apart)
                };
                x.iter().enumerate().map(square).sum()
            }

            fn between(before: $wide, sum: $wide) -> $wide {
                sum - before
            }

            #[inline(always)]
            fn add_rows(sum: &mut [$int], x: &[$int]) {
                sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
            }

            #[inline(always)]
            fn product(a: $int, b: $int) -> $wide {
                a as $wide * b as $wide
            }

            #[inline(always)]
            fn query(sum: $wide) -> $int {
                let bits = Precision::$precision.state_bits();
                ((sum + (1 << (bits - 1))) >> bits) as $int
            }

            #[inline(always)]
            fn fold(partial: &mut [$int], total: &mut [$wide]) {
                for (total, partial) in total.iter_mut().zip(partial) {
                    *total += std::mem::take(partial) as $wide;
                }
            }

            #[inline(always)]
            fn add_sum(total: &mut [$wide], bits: u64, sum: $wide) {
                for (l, total) in total.iter_mut().enumerate() {
                    *total += sum & -((bits >> l & 1) as $wide);
                }
            }

            #[inline(always)]
            fn add_count(total: &mut [$wide], bits: u64, count: u32) {
                Self::add_sum(total, bits, <$wide>::from(count));
            }

            #[inline(always)]
            fn moved(x: $int, sum: $wide, count: u32, gain: u64) -> $int {
                let towards = nearest_even(sum as i128, count) as $wide - x as $wide;
                if towards == 0 {
                    return x;
                }
                let bits = Precision::$precision.gain_bits();
                let length = (towards.abs() * gain as $wide + (1 << (bits - 1))) >> bits;
                (x as $wide + towards.signum() * length.max(1)) as $int
            }

            #[inline(always)]
            fn moved_lanes(x: &[$int], sum: &[$wide], count: &[$wide], gain: u64, into: &mut [$int]) {
                $moved(x, sum, count, gain, into);
            }

            #[inline(always)]
            fn moved_to(x: &[$int], to: &[$int], gain: u64, into: &mut [$int]) {
                $moved_to(x, to, gain, into);
            }
        }
    };
}
width!(f32, i32, i64, F32, 127, dots_i64, moved_i32, moved_to_i32);
width!(f64, i64, i128, F64, 1023, dots_i128, moved_i64, moved_to_i64);

/// `rne(sum/count)`, in 64 bits where they suffice.
#[inline(always)]
fn nearest_even(sum: i128, count: u32) -> i128 {
    if count == 1 {
        return sum;
    }
    match i64::try_from(sum) {
        Ok(sum) => {
            let count = i64::from(count);
            let (quotient, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
            let up = 2 * rest > count || (2 * rest == count && quotient & 1 == 1);
            i128::from(quotient + i64::from(up))
        }
        Err(_) => num::divide_to_nearest_even(sum, i128::from(count)),
    }
}

/// Moves lanes without branches or divisions of integers, so that vectors do it.
#[inline(always)]
fn moved_i32(x: &[i32], sum: &[i64], count: &[i64], gain: u64, into: &mut [i32]) {
    // Adding SHIFT rounds to an integer, which the low bits of the sum then hold.
    const SHIFT: f64 = 1.5 * (1u64 << 52) as f64;
    let bits = Precision::F32.gain_bits();
    let step = |x: i32, near: i64| {
        let towards = near - i64::from(x);
        // Both factors fit 32 bits.
        let product = u64::from(towards.unsigned_abs() as u32) * u64::from(gain as u32);
        let length = ((product + (1 << (bits - 1))) >> bits).max(1) as i64;
        (i64::from(x) + towards.signum() * length) as i32
    };
    if count.iter().all(|&count| count <= 1) {
        for ((into, &x), &sum) in into.iter_mut().zip(x).zip(sum) {
            *into = step(x, sum);
        }
        return;
    }
    for (((into, &x), &sum), &count) in into.iter_mut().zip(x).zip(sum).zip(count) {
        let count = count.max(1); // of a lane without a row
        // |sum| ≤ 2^24·count < 2^56: the quotient is below 2^25, and in floats off by less than
        // 2^-26.
        let near = (sum as f64 / count as f64 + SHIFT).to_bits() as i64 - SHIFT.to_bits() as i64;
        let rest = 2 * (sum - near * count);
        let odd = near & 1;
        let up = i64::from(rest > count) | (i64::from(rest == count) & odd);
        let down = i64::from(-rest > count) | (i64::from(-rest == count) & odd);
        *into = step(x, near + up - down);
    }
}

/// Moves lanes towards tokens: in 32 bits but for one product.
#[inline(always)]
fn moved_to_i32(x: &[i32], to: &[i32], gain: u64, into: &mut [i32]) {
    let bits = Precision::F32.gain_bits();
    for ((into, &x), &to) in into.iter_mut().zip(x).zip(to) {
        let size = x.abs_diff(to);
        // Both factors fit 32 bits.
        let length = (u64::from(size) * u64::from(gain as u32) + (1 << (bits - 1))) >> bits;
        let length = (length as u32).max(size.min(1)).cast_signed();
        *into = if to < x { x - length } else { x + length };
    }
}

#[inline(always)]
fn moved_to_i64(x: &[i64], to: &[i64], gain: u64, into: &mut [i64]) {
    for ((into, &x), &to) in into.iter_mut().zip(x).zip(to) {
        *into = f64::moved(x, i128::from(to), 1, gain);
    }
}

#[inline(always)]
fn moved_i64(x: &[i64], sum: &[i128], count: &[i128], gain: u64, into: &mut [i64]) {
    for (((into, &x), &sum), &count) in into.iter_mut().zip(x).zip(sum).zip(count) {
        *into = f64::moved(x, sum, count.max(1) as u32, gain);
    }
}

/// Exact scores with one 32×32→64 product a term.
#[inline(always)]
fn dots_i64(lanes: usize, q: &[i32], x: &[i32], into: &mut [i64; LANES]) {
    let into = &mut into[..lanes];
    into.fill(0);
    for (q, &x) in q.chunks_exact(lanes).zip(x) {
        for (sum, &q) in into.iter_mut().zip(q) {
            // |sum| < 2^63, as the table above says.
            *sum = sum.wrapping_add(i64::from(q) * i64::from(x));
        }
    }
}

/// Low bits of the split in [`dots_i128`].
const LOW: u32 = 27;

/// Terms after which the middle products, below 2^54 each, are folded.
const TERMS: usize = 256;

/// Exact scores by halves of 27 bits: four 32×32→64 products a term, which vectors have, where
/// 64×64→128 is scalar.
#[inline(always)]
fn dots_i128(lanes: usize, q: &[i64], x: &[i64], into: &mut [i128; LANES]) {
    let into = &mut into[..lanes];
    into.fill(0);
    let halves = |v: i64| (i64::from((v >> LOW) as i32), i64::from((v & ((1 << LOW) - 1)) as i32));
    for (q, x) in q.chunks(TERMS * lanes).zip(x.chunks(TERMS)) {
        let (mut high, mut middle, mut low) = ([0i64; LANES], [0i64; LANES], [0i64; LANES]);
        let (high, middle, low) = (&mut high[..lanes], &mut middle[..lanes], &mut low[..lanes]);
        for (q, &x) in q.chunks_exact(lanes).zip(x) {
            let (xh, xl) = halves(x);
            for l in 0..lanes {
                let (qh, ql) = halves(q[l]);
                high[l] = high[l].wrapping_add(qh * xh);
                middle[l] = middle[l].wrapping_add(qh * xl).wrapping_add(ql * xh);
                low[l] = low[l].wrapping_add(ql * xl);
            }
        }
        for l in 0..lanes {
            into[l] += (i128::from(high[l]) << (2 * LOW)) + (i128::from(middle[l]) << LOW) + i128::from(low[l]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The split products decide what floats cannot: a wrong carry would be a wrong strip.
        #[test]
        fn dots_are_exact(terms in proptest::collection::vec((-(1i64 << 53) - 8192..=(1i64 << 53) + 8192, -(1i64 << 53)..=1i64 << 53), 1..600)) {
            let q: Vec<i64> = terms.iter().flat_map(|t| [t.0, -t.0]).collect();
            let x: Vec<i64> = terms.iter().map(|t| t.1).collect();
            let exact: i128 = terms.iter().map(|t| i128::from(t.0) * i128::from(t.1)).sum();
            let mut got = [0; LANES];
            f64::dots(2, &q, &x, &mut got);
            prop_assert_eq!(&got[..2], &[exact, -exact][..]);
            prop_assert_eq!(f64::dot(&q, 2, 1, &x), -exact);
        }

        /// The lanes of a packet must move as one token does, ties of the mean and steps of a unit
        /// included.
        #[test]
        fn lanes_move_as_tokens_do(
            rows in proptest::collection::vec((-(1i32 << 24)..=1 << 24, 1u32.., any::<bool>(), any::<i64>()), 1..64),
            gain in 1u64..1 << 32,
        ) {
            let x: Vec<i32> = rows.iter().map(|row| row.0).collect();
            let count: Vec<i64> = rows.iter().map(|row| i64::from(if row.2 { row.1 % 8 + 1 } else { row.1 })).collect();
            let sum = rows.iter().zip(&count).map(|(row, &c)| row.3.rem_euclid((c << 25) + 1) - (c << 24));
            let sum: Vec<i64> = sum.collect();
            let mut got = vec![0; x.len()];
            f32::moved_lanes(&x, &sum, &count, gain, &mut got);
            for l in 0..x.len() {
                prop_assert_eq!(got[l], f32::moved(x[l], sum[l], count[l] as u32, gain));
            }
        }

        /// Rows alone in their cells move this way, all others by the contract.
        #[test]
        fn tokens_move_to_others_as_by_the_contract(
            x in proptest::collection::vec((-(1i64 << 53)..=1 << 53, -(1i64 << 53)..=1 << 53, 0u32..54), 1..40),
            gain in 0u64..1 << 32, part in any::<u64>(),
        ) {
            let near = |&(x, to, shift): &(i64, i64, u32)| (x, if shift > 53 { x } else { x + ((to - x) >> shift) });
            let (from, to): (Vec<i64>, Vec<i64>) = x.iter().map(near).unzip();
            let mut got = vec![0; from.len()];
            let wide = part >> (64 - Precision::F64.gain_bits());
            f64::moved_to(&from, &to, wide, &mut got);
            for l in 0..from.len() {
                let (x, apart) = (i128::from(from[l]), i128::from(to[l]) - i128::from(from[l]));
                let length = (apart.abs() * i128::from(wide) + (1 << 63)) >> 64;
                prop_assert_eq!(i128::from(got[l]), x + apart.signum() * length.max(1));
            }
            let [from, to]: [Vec<i32>; 2] = [from, to].map(|x| x.into_iter().map(|x| (x >> 29) as i32).collect());
            let mut got = vec![0; from.len()];
            f32::moved_to(&from, &to, gain, &mut got);
            for l in 0..from.len() {
                prop_assert_eq!(got[l], f32::moved(from[l], i64::from(to[l]), 1, gain));
            }
        }

        /// Means decide where groups merge.
        #[test]
        fn means_are_nearest_even(sum in any::<i64>(), count in 1u32..) {
            let sum = sum >> (sum & 31);
            prop_assert_eq!(nearest_even(i128::from(sum), count), num::divide_to_nearest_even(i128::from(sum), i128::from(count)));
        }
    }

    /// The extremes of the lattice at the largest dimension.
    #[test]
    fn the_largest_scores_fit() {
        let d = crate::model::MAX_DIMENSION;
        let mut single = [0; LANES];
        f32::dots(1, &vec![(1 << 24) + 8192; d], &vec![-(1 << 24); d], &mut single);
        assert_eq!(i128::from(single[0]), -((1 << 24) + 8192) * (1 << 24) * d as i128);
        let mut double = [0; LANES];
        f64::dots(1, &vec![-(1 << 53) - 8192; d], &vec![1 << 53; d], &mut double);
        assert_eq!(double[0], -((1i128 << 53) + 8192) * (1 << 53) * d as i128);
        let d = crate::model::MAX_DISTANCE_DIMENSION;
        assert_eq!(f32::squared_distance(&vec![1 << 24; d], 1, 0, &vec![-(1 << 24); d]), 1 << 62);
        assert_eq!(f64::squared_distance(&vec![1 << 53; d], 1, 0, &vec![-(1 << 53); d]), 1 << 120);
    }
}
