//! The rows of a packet in 8 bits, with the bounds of what that loses.
// Must be inlined into what is compiled for an instruction set; lanes are best read by index.
#![allow(unsafe_code, clippy::inline_always, clippy::needless_range_loop)]

use crate::exact::TokenMatrix;

use crate::cpu::aligned::Aligned;
use crate::cpu::exact::cloud::Cloud;
use crate::cpu::exact::coarse::keys::{Bounds, ByteKeys, Rounded, SEGMENTS, largest, round, scale};
use crate::cpu::exact::coarse::rotation::PART;
use crate::cpu::exact::query::strip_width;
use crate::cpu::exact::step::PreparedStep;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::bytes::Bytes;
use crate::cpu::lanes::{LANES, VECTORS};

/// Below every sum of products of bytes, and far enough from the ends of 32 bits.
pub(super) const NOTHING: i32 = -(1 << 30);

/// Buffers that rows are computed in.
pub(super) struct RowBuffers<W: Width> {
    /// Queries, row-major.
    pub(super) query: Vec<W::Int>,
    /// Their bytes, `[quad of coordinates][lane]`.
    pub(super) quads: Aligned<i32>,
    /// 16 rows rotated, `[coordinate][row]`, and rounded, `[quad][row]`.
    rotated: Vec<[f32; PART]>,
    rounded: Vec<[i32; PART]>,
}

impl<W: Width> RowBuffers<W> {
    pub(super) fn new(keys: &ByteKeys, d: usize, lanes: usize) -> Self {
        let quads = keys.rotation.width() / 4;
        Self {
            query: vec![W::Int::default(); lanes * d],
            quads: Aligned::new(quads * lanes),
            rotated: vec![[0.0; PART]; 4 * quads],
            rounded: vec![[0; PART]; quads],
        }
    }
}

/// State of the lanes of one packet. Lanes past the last row repeat it.
pub(super) struct Rows<W: Width> {
    /// Lanes with a row of their own.
    pub(super) own: u64,
    /// Keys 0..visible are seen; ascending.
    pub(super) visible: [u32; LANES],
    /// τ and its inverse, |q|, e and what is left of |Rq| after each segment, in the letters of
    /// [`crate::cpu::exact::coarse`].
    pub(super) scale: [f32; LANES],
    inverse: [f32; LANES],
    norm: [f32; LANES],
    residual: [f32; LANES],
    pub(super) rest: [[f32; LANES]; SEGMENTS],
    /// The part of a sum of products, after each segment, that comes from the offset of the keys'
    /// bytes.
    pub(super) offset: [[i32; LANES]; SEGMENTS],
    pub(super) width: [W::Wide; LANES],
    /// Not above the row's maximum.
    pub(super) floor: [f32; LANES],
}

impl<W: Width> Rows<W> {
    /// Computes queries, widths, bytes and bounds of the packet's rows.
    #[inline(always)]
    pub(super) fn of<B: Bytes>(
        cloud: &Cloud<W>,
        keys: &ByteKeys,
        plan: &PreparedStep<'_, W>,
        asked: &[u32],
        buffers: &mut RowBuffers<W>,
    ) -> Self {
        let (step, rotation) = (plan.step, &keys.rotation);
        let (d, lanes, count) = (cloud.d, VECTORS * B::WIDTH, asked.len());
        let RowBuffers { query, quads, rotated, rounded } = buffers;
        let token = |l: usize| asked[l.min(count - 1)] as usize;
        let mut rows = Self {
            own: u64::MAX >> (64 - count),
            visible: [0; LANES],
            scale: [1.0; LANES],
            inverse: [1.0; LANES],
            norm: [0.0; LANES],
            residual: [0.0; LANES],
            rest: [[0.0; LANES]; SEGMENTS],
            offset: [[0; LANES]; SEGMENTS],
            width: [W::Wide::default(); LANES],
            floor: [0.0; LANES],
        };
        match &step.matrix {
            TokenMatrix::Identity => {
                query.chunks_exact_mut(d).enumerate().for_each(|(l, q)| q.copy_from_slice(cloud.row(token(l))));
            }
            TokenMatrix::Multiple(a) => {
                let a = Integer::of(*a);
                for (l, query) in query.chunks_exact_mut(d).enumerate() {
                    let own = cloud.row(token(l));
                    query.iter_mut().zip(own).for_each(|(q, &x)| *q = W::query(W::product(a, x)));
                }
            }
            // The rows of a packet stay in a cache, which a matrix may not.
            TokenMatrix::Dense(_) => {
                for (k, row) in plan.dense.chunks_exact(d).enumerate() {
                    (0..lanes).for_each(|l| query[l * d + k] = W::query(W::dot_rows(row, cloud.row(token(l)))));
                }
            }
        }
        for (l, query) in query.chunks_exact(d).enumerate() {
            let own = cloud.row(token(l));
            rows.visible[l] = step.mask.range(token(l), cloud.n).end as u32;
            rows.width[l] = W::wide(strip_width::<W>(step.width, 1, 0, query, own));
            rows.floor[l] = below::<W>(W::dot_rows(query, own));
        }
        for first in (0..lanes).step_by(PART) {
            rotation.apply(|row| &query[(first + row) * d..][..d], rotated);
            let scales = largest(rotated).map(|largest| scale(largest, 127));
            let Rounded { norm, residual, rest, sums } = round(rotated, rotation, scales, 127, rounded);
            for (quad, rounded) in quads.chunks_exact_mut(lanes).zip(&*rounded) {
                quad[first..][..PART].copy_from_slice(rounded);
            }
            rows.scale[first..][..PART].copy_from_slice(&scales);
            rows.inverse[first..][..PART].copy_from_slice(&scales.map(f32::recip));
            for l in 0..PART {
                rows.norm[first + l] = norm[l];
                rows.residual[first + l] = residual[l] + (norm[l] + residual[l]) / (1 << 18) as f32;
                for s in 0..SEGMENTS {
                    rows.rest[s][first + l] = rest[s][l];
                    rows.offset[s][first + l] = B::RANGE * sums[s][l];
                }
            }
        }
        rows
    }

    /// E of a part, for a lane.
    #[inline(always)]
    pub(super) fn error(&self, l: usize, part: &Bounds) -> f32 {
        self.norm[l] * part.residual + self.residual[l] * part.norm
    }

    /// The least sum of products whose score may reach a limit, less `room`; of a segment's end.
    #[inline(always)]
    pub(super) fn thresholds(
        &self,
        part: &Bounds,
        segment: usize,
        limit: impl Fn(usize) -> f32,
        room: impl Fn(usize) -> f32,
    ) -> [i32; LANES] {
        let mut thresholds = [0; LANES];
        let inverse = part.scale.recip();
        for l in 0..LANES {
            let least = (limit(l) - room(l)) * (inverse * self.inverse[l]);
            // No sum is beyond these.
            let least = if least > NOTHING as f32 { least } else { NOTHING as f32 };
            let least = if least < -NOTHING as f32 { least } else { -NOTHING as f32 };
            // SAFETY: it lies between them, so it is a number, and fits.
            thresholds[l] = unsafe { least.floor().to_int_unchecked::<i32>() } + self.offset[segment][l];
        }
        thresholds
    }

    /// The lanes that see a key.
    #[inline(always)]
    pub(super) fn seen(&self, lanes: usize, key: usize) -> u64 {
        match self.visible[..lanes].partition_point(|&visible| visible as usize <= key) {
            LANES.. => 0,
            first => u64::MAX << first,
        }
    }
}

/// A float not above an integer, and one not below.
#[inline(always)]
pub(super) fn below<W: Width>(x: W::Wide) -> f32 {
    (W::narrow(x) as f32).next_down()
}

#[inline(always)]
pub(super) fn above<W: Width>(x: W::Wide) -> f32 {
    (W::narrow(x) as f32).next_up()
}
