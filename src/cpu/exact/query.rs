//! Queries, and the widths of their strips, for the lanes of a packet.
// Must be inlined into loops that are compiled for an instruction set.
#![allow(clippy::inline_always)]

use crate::exact::{Step, StripWidth, TokenMatrix};

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
pub(crate) fn strip_width<W: Width>(step: &Step, lanes: usize, lane: usize, query: &[W::Int], own: &[W::Int]) -> i128 {
    let clamp = 1i128 << W::PRECISION.clamp_bits();
    let dot = |x: &[W::Int]| -> i128 {
        let at = (lane..query.len()).step_by(lanes);
        at.map(|k| W::narrow(W::product(query[k], x[k]))).sum()
    };
    match step.width {
        StripWidth::Constant(width) => width,
        StripWidth::Argmax => 0,
        StripWidth::QueryNorm { factor } => factor.saturating_mul(root(dot(query))).min(clamp),
        StripWidth::ANorm { factor, parity } => factor.saturating_mul(root(dot(own).max(0) << parity)).min(clamp),
    }
}

/// The integer square root, in 64 bits where they suffice.
#[inline]
fn root(square: i128) -> i128 {
    u64::try_from(square).map_or_else(|_| square.isqrt(), |square| i128::from(square.isqrt()))
}
