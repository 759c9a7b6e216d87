//! Queries, and the widths of their strips, for the lanes of a packet.
// Must be inlined into loops that are compiled for an instruction set.
#![allow(clippy::inline_always)]

use crate::exact::{StripWidth, TokenMatrix};

use crate::cpu::exact::cloud::Cloud;
use crate::cpu::exact::step::PreparedStep;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::LANES;

/// Computes the queries of a packet's rows from their own coordinates.
#[inline(always)]
pub(crate) fn queries<W: Width>(
    cloud: &Cloud<W>,
    plan: &PreparedStep<'_, W>,
    lanes: usize,
    own: &[W::Int],
    query: &mut [W::Int],
    query_floats: &mut [W],
) {
    match &plan.step.matrix {
        TokenMatrix::Identity => query.copy_from_slice(own),
        TokenMatrix::Multiple(a) => {
            let a = W::Int::of(*a);
            for (q, &x) in query.iter_mut().zip(own.iter()) {
                *q = W::query(W::product(a, x));
            }
        }
        TokenMatrix::Dense(_) => {
            let mut sums = [W::Wide::default(); LANES];
            for (q, row) in query.chunks_exact_mut(lanes).zip(plan.dense.chunks_exact(cloud.d)) {
                W::dots(lanes, own, row, &mut sums);
                for (q, &sum) in q.iter_mut().zip(&sums) {
                    *q = W::query(sum);
                }
            }
        }
    }
    for (float, &q) in query_floats.iter_mut().zip(query.iter()) {
        *float = W::of(q);
    }
}

/// `Σ_k |q_k| max_j |x_jk|` of every lane.
pub(crate) fn weights<W: Width>(cloud: &Cloud<W>, lanes: usize, query_floats: &[W]) -> [f64; LANES] {
    let mut weight = [0.0; LANES];
    for (q, largest) in query_floats.chunks_exact(lanes).zip(&cloud.largest) {
        for (weight, q) in weight.iter_mut().zip(q) {
            *weight += q.to_f64().abs() * largest;
        }
    }
    weight
}

/// `D_i` of a lane: step 3 of the contract.
pub(crate) fn strip_width<W: Width>(
    width: StripWidth,
    lanes: usize,
    lane: usize,
    query: &[W::Int],
    own: &[W::Int],
) -> i128 {
    let clamp = 1i128 << W::PRECISION.clamp_bits();
    let dot = |x: &[W::Int]| -> i128 {
        let at = (lane..query.len()).step_by(lanes);
        at.map(|k| W::narrow(W::product(query[k], x[k]))).sum()
    };
    match width {
        StripWidth::Constant(width) => width,
        StripWidth::Argmax => 0,
        StripWidth::QueryNorm { factor } => factor.saturating_mul(root(dot(query))).min(clamp),
        StripWidth::ANorm { factor, parity } => factor.saturating_mul(root(dot(own).max(0) << parity)).min(clamp),
    }
}

/// The integer square root, in floats where 64 bits suffice.
#[inline]
fn root(square: i128) -> i128 {
    u64::try_from(square).map_or_else(|_| square.isqrt(), |square| i128::from(root_of_64(square)))
}

/// isqrt(v), from the float root of v.
///
/// Let s = isqrt(v) < 2^32. Where s is a power of 2, s² is a float. Else the float of v is at least s² (1 − 2^-53),
/// whose root is above s (1 − 2^-54 − 2^-106): nearer to s than half the step to the float below, 2^(e − 54) for the
/// power 2^e ≥ s (1 + 2^-32) next to s. So the float root is at least s. It is below s + 1 + 2^-19, so its floor is s
/// or s + 1.
#[inline]
fn root_of_64(square: u64) -> u64 {
    let root = ((square as f64).sqrt() as u64).min(u64::from(u32::MAX));
    root - u64::from(root * root > square)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A root that is off by one would be another strip: squares of 2^16 roots and their neighbours, from 0 on, around
    /// 2^26.5 and 2^31, where floats lose bits of squares, and up to 2^32.
    #[test]
    fn roots_are_exact_beside_squares() {
        let half = 1u64 << 15;
        for middle in [half, 94_906_265, 1 << 31, (1 << 32) - half] {
            for root in middle - half..middle + half {
                let square = root * root;
                assert_eq!(root_of_64(square), root);
                assert!(root == 0 || root_of_64(square - 1) == root - 1, "{root}");
                assert_eq!(root_of_64(square + 2 * root), root);
            }
        }
        for square in [1 << 53, 1 << 62, u64::MAX].into_iter().flat_map(|v: u64| v - (1 << 12)..=v) {
            assert_eq!(root_of_64(square), square.isqrt());
        }
    }

    proptest! {
        /// A root off by one would be another width, wherever the square lies.
        #[test]
        fn roots_are_exact(square in any::<u64>(), shift in 0u32..64) {
            prop_assert_eq!(root_of_64(square >> shift), (square >> shift).isqrt());
        }
    }
}
