//! Scores in 8 bits: a filter that rules out most keys of many dimensions, four products at a time.
//!
//! Queries q and keys x are rotated by one orthogonal map ([`rotation`]), which leaves scores as they
//! are, and then rounded to bytes: z = Rx becomes σ·k, with k whole and of at most 127, and Rq
//! becomes τ·p. Then `s = q·x` obeys
//!
//! `|s − στ p·k| = |Rq·(z − σk) + (Rq − τp)·σk| ≤ |q|·r + e·a =: E`
//!
//! with the residuals r = |Rx − σk| and e = |Rq − τp|, which are measured, and a = |x| + r ≥ |σk|.
//! p·k is exact. A part of 16 keys has one σ, and the largest r and a of its keys.
//!
//! What is measured is measured in f32, with u = 2^-24. The rotation makes at most 14 sums and three
//! products of each coordinate, so the vector it gives is off by at most 18u·|x|; a residual's
//! differences are off by 2u·|x| together, and sums of up to 2^14 squares by a factor of 1 + 2^-9.
//! Hence norms and residuals are taken times 1.002, and residuals get 2^-19·|x| more. Finally E and
//! what is compared with it meet at most eight roundings of numbers that are no larger than
//! (|q| + e)·a + E: e gets 2^-18·(|q| + e) more.
//!
//! The first passes run over segments of coordinates, those of most energy first. What is left of
//! a score after a segment is at most the product of what is left of both norms (Cauchy and
//! Schwarz), and keys that cannot reach the strip even so are left there. A row is compared with
//! itself first, exactly, so there is a limit from the start.
//!
//! Exact integers decide every entry that is not ruled out, and all that is not ruled in.

mod keys;
pub(crate) mod packet;
mod rotation;
mod rows;

pub(crate) use keys::ByteKeys;
pub(crate) use rotation::PART;

/// The least number of dimensions in which scores in 8 bits are worth a look.
pub(crate) const LEAST_DIMENSION: usize = 16;

#[cfg(test)]
mod tests {
    use super::keys::{SEGMENTS, largest, round, scale};
    use super::*;
    use crate::cpu::exact::cloud::{BLOCK, Cloud};
    use crate::cpu::exact::width::{Integer, Width};
    use crate::cpu::lanes::InstructionSet;
    use proptest::prelude::*;

    /// Checks the bounds of all pairs of a cloud, rows against keys, after every segment. Returns the
    /// largest share of E that an error takes.
    fn check<W: Width>(rows: &[i64], d: usize) -> f64 {
        let n = rows.len() / d;
        let mut x: Vec<W::Int> = rows.iter().map(|&x| W::Int::of(x)).collect();
        x.resize(n.next_multiple_of(BLOCK) * d, W::Int::default());
        let cloud = Cloud { n, d, x, floats: Vec::<W>::new(), largest: Vec::new(), twins: Vec::new() };
        let keys = ByteKeys::of(&cloud, InstructionSet::Portable);
        let quads = keys.rotation.width() / 4;
        let ends: Vec<usize> = keys.rotation.ends().map(|end| end / 4).chain([quads]).collect();
        let (mut rotated, mut bytes) = (vec![[0.0; PART]; 4 * quads], vec![[0; PART]; quads]);
        let mut share = 0.0f64;
        for first in (0..n).step_by(PART) {
            keys.rotation.apply(|row| cloud.row(first + row), &mut rotated);
            let scales = largest(&rotated).map(|most| scale(most, 127));
            let rounded = round(&rotated, &keys.rotation, scales, 127, &mut bytes);
            for key in 0..n {
                let (part, bounds) = keys.part(key / PART);
                for row in 0..PART.min(n - first) {
                    let score = W::narrow(W::dot_rows(cloud.row(first + row), cloud.row(key))) as f64;
                    let error = f64::from(rounded.norm[row]) * f64::from(bounds.residual)
                        + f64::from(rounded.residual[row]) * f64::from(bounds.norm);
                    let mut sum = 0;
                    for (segment, &end) in ends.iter().enumerate() {
                        let start = if segment == 0 { 0 } else { ends[segment - 1] };
                        for quad in start..end {
                            let (k, r) = (part[quad][key % PART].to_le_bytes(), bytes[quad][row].to_le_bytes());
                            sum += (0..4).map(|b| (i64::from(k[b]) - 127) * i64::from(r[b] as i8)).sum::<i64>();
                        }
                        let whole = end == quads;
                        let rest = |of: &[f32; SEGMENTS]| if whole { 0.0 } else { f64::from(of[segment]) };
                        let left = rest(&bounds.rest) * rest(&rounded.rest.map(|rest| rest[row]));
                        let off = (score - sum as f64 * f64::from(bounds.scale) * f64::from(scales[row])).abs();
                        // Scores are rounded to f64 here.
                        let slack = 1e-15 * score.abs();
                        assert!(off <= error + left + slack, "row {row}, key {key}: {off} of {error} + {left}");
                        if whole && error > 0.0 {
                            share = share.max(off / error);
                        }
                    }
                }
            }
        }
        share
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// A score outside its bound is a key that was ruled out and belonged to the strip: at any
        /// dimension, and with coordinates and rows of any size side by side.
        #[test]
        fn scores_stay_within_their_bounds(
            d in 1usize..140, seeds in proptest::collection::vec((any::<i64>(), 0u32..54, 0u32..54), 1..40), wide in any::<bool>(),
        ) {
            let bits = if wide { 10 } else { 39 };
            let row = |&(seed, own, other): &(i64, u32, u32)| {
                (0..d as i64).map(move |k| {
                    let x = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(k.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64));
                    let x = (x ^ (x >> 29)).wrapping_mul(0x5851_F42D_4C95_7F2D) >> bits;
                    if k % 7 == 3 { x >> other } else { x >> own }
                })
            };
            let rows: Vec<i64> = seeds.iter().flat_map(row).collect();
            if wide { check::<f64>(&rows, d) } else { check::<f32>(&rows, d) };
        }
    }

    /// Bounds that nothing comes near would rule out less than they could: where all coordinates lie
    /// halfway between two bytes, errors of both kinds add up.
    #[test]
    fn bounds_are_taken_up() {
        let d = 32;
        let rows: Vec<i64> = (0..40 * d).map(|at| if at % (d + 1) == 0 { 127 << 10 } else { 1 << 9 }).collect();
        let share = check::<f32>(&rows, d as usize);
        assert!(share > 0.1, "errors take up {share} of their bounds at most");
    }
}
