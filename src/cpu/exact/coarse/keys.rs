//! Tokens rounded to bytes, with the bounds of what that loses.
#![allow(clippy::inline_always)] // belongs into the function of an instruction set

use rayon::prelude::*;

use crate::cpu::exact::cloud::Cloud;
use crate::cpu::exact::coarse::rotation::{PART, ROTATION, Rotation};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::InstructionSet;
use crate::cpu::lanes::bytes::{ByteJob, Bytes};

/// The most segments of coordinates: 32, 32, 64, ... up to 2^14.
pub(crate) const SEGMENTS: usize = 10;

/// Parts that a thread rounds at once.
const PARTS: usize = 16;

/// The keys as bytes.
pub(crate) struct ByteKeys {
    pub(crate) rotation: Rotation,
    /// `[part][quad of coordinates][key]`, four bytes each.
    quads: Vec<[i32; PART]>,
    bounds: Vec<Bounds>,
}

/// Bounds of the keys of a part.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// σ.
    pub(crate) scale: f32,
    /// At least |x| + r, of each.
    pub(crate) norm: f32,
    /// At least r, of each.
    pub(crate) residual: f32,
    /// At least what is left of |Rx| after each segment.
    pub(crate) rest: [f32; SEGMENTS],
}

impl ByteKeys {
    /// Rounds the tokens of a cloud.
    pub(crate) fn of<W: Width>(cloud: &Cloud<W>, set: InstructionSet) -> Self {
        let rotation = Rotation::of(cloud);
        let (parts, quads) = (cloud.n.div_ceil(PART), rotation.width() / 4);
        let mut keys = Self { rotation, quads: vec![[0; PART]; parts * quads], bounds: vec![Bounds::default(); parts] };
        let rotation = &keys.rotation;
        let parts = keys.quads.par_chunks_mut(PARTS * quads).zip(keys.bounds.par_chunks_mut(PARTS)).enumerate();
        parts.for_each_init(
            || vec![[0.0; PART]; rotation.width()],
            |rotated, (at, (into, bounds))| {
                set.run_bytes(RoundKeys { cloud, rotation, first: at * PARTS, rotated, into, bounds });
            },
        );
        keys
    }

    /// The bytes and bounds of a part.
    #[inline(always)]
    pub(crate) fn part(&self, part: usize) -> (&[[i32; PART]], &Bounds) {
        let quads = self.rotation.width() / 4;
        (&self.quads[part * quads..][..quads], &self.bounds[part])
    }
}

/// Some parts in a row.
struct RoundKeys<'a, W: Width> {
    cloud: &'a Cloud<W>,
    rotation: &'a Rotation,
    first: usize,
    rotated: &'a mut [[f32; PART]],
    into: &'a mut [[i32; PART]],
    bounds: &'a mut [Bounds],
}

impl<W: Width> ByteJob for RoundKeys<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<B: Bytes>(self, _: B) {
        let quads = self.rotation.width() / 4;
        let offsets = i32::from_le_bytes([B::RANGE as u8; 4]);
        for (at, (into, bounds)) in self.into.chunks_exact_mut(quads).zip(self.bounds).enumerate() {
            let first = (self.first + at) * PART;
            // The cloud is padded with zeros to more than whole parts.
            self.rotation.apply(|key| self.cloud.row(first + key), self.rotated);
            let largest = largest(self.rotated).into_iter().fold(0.0, f32::max);
            let scale = scale(largest, B::RANGE);
            let rounded = round(self.rotated, self.rotation, [scale; PART], B::RANGE, into);
            // No byte is negative once the offset is added, so none borrows from the next.
            into.iter_mut().flatten().for_each(|quad| *quad = add_bytes(*quad, offsets));
            let most = |of: [f32; PART]| of.into_iter().fold(0.0, f32::max);
            *bounds = Bounds {
                scale,
                norm: most(rounded.norm) + most(rounded.residual),
                residual: most(rounded.residual),
                rest: rounded.rest.map(most),
            };
        }
    }
}

/// The sums of four bytes each.
#[inline(always)]
fn add_bytes(a: i32, b: i32) -> i32 {
    const TOP: i32 = 0x8080_8080_u32 as i32;
    (a & !TOP).wrapping_add(b & !TOP) ^ ((a ^ b) & TOP)
}

/// The scale by which numbers up to `largest` become whole ones up to `range`.
#[inline(always)]
pub(crate) fn scale(largest: f32, range: i32) -> f32 {
    if largest == 0.0 { 1.0 } else { largest / range as f32 }
}

/// The largest magnitude of each of 16 rotated tokens.
#[inline(always)]
pub(crate) fn largest(rotated: &[[f32; PART]]) -> [f32; PART] {
    let mut most = [0.0f32; PART];
    for row in rotated {
        for (most, x) in most.iter_mut().zip(row) {
            *most = if x.abs() > *most { x.abs() } else { *most };
        }
    }
    most
}

/// Bounds of 16 tokens that were rounded.
pub(crate) struct Rounded {
    pub(crate) norm: [f32; PART],
    pub(crate) residual: [f32; PART],
    pub(crate) rest: [[f32; PART]; SEGMENTS],
    /// Sums of the bytes in each segment and all before it; of all bytes after the last end.
    pub(crate) sums: [[i32; PART]; SEGMENTS],
}

/// Rounds 16 rotated tokens to signed bytes, `[quad][token]`.
#[inline(always)]
pub(crate) fn round(
    rotated: &[[f32; PART]],
    rotation: &Rotation,
    scale: [f32; PART],
    range: i32,
    into: &mut [[i32; PART]],
) -> Rounded {
    let mut rounded = Rounded {
        norm: [0.0; PART],
        residual: [0.0; PART],
        rest: [[0.0; PART]; SEGMENTS],
        sums: [[0; PART]; SEGMENTS],
    };
    let (inverse, range) = (scale.map(f32::recip), range as f32);
    let (mut lost, mut total) = ([0.0f32; PART], [0i32; PART]);
    // Squares of the segments, which the rests are sums of.
    let mut squares = [[0.0f32; PART]; SEGMENTS];
    let (mut segment, mut ends) = (0, rotation.ends().peekable());
    for (quad, (into, rows)) in into.iter_mut().zip(rotated.chunks_exact(4)).enumerate() {
        if ends.next_if_eq(&(4 * quad)).is_some() {
            rounded.sums[segment] = total;
            segment += 1;
        }
        *into = [0; PART];
        for (byte, row) in rows.iter().enumerate() {
            for l in 0..PART {
                // Adding this rounds to a whole number, which the low bits then hold.
                const SHIFT: f32 = 12_582_912.0;
                let near = row[l] * inverse[l];
                let near = if near < range { near } else { range };
                let near = if near > -range { near } else { -range } + SHIFT;
                let whole = near.to_bits() as i32 - SHIFT.to_bits() as i32;
                let off = row[l] - scale[l] * (near - SHIFT);
                lost[l] += off * off;
                squares[segment][l] += row[l] * row[l];
                total[l] += whole;
                into[l] |= (whole & 255) << (8 * byte);
            }
        }
    }
    rounded.sums[segment] = total;
    let mut rest = [0.0f32; PART];
    for segment in (0..=segment).rev() {
        rounded.rest[segment] = rest;
        (0..PART).for_each(|l| rest[l] += squares[segment][l]);
    }
    for l in 0..PART {
        rounded.norm[l] = 1.002 * rest[l].sqrt();
        rounded.residual[l] = 1.002 * lost[l].sqrt() + ROTATION * rounded.norm[l];
    }
    for rest in &mut rounded.rest {
        (0..PART).for_each(|l| rest[l] = 1.002 * rest[l].sqrt() + ROTATION * rounded.norm[l]);
    }
    rounded
}
