//! The rotation of tokens before they are rounded to bytes.
#![allow(clippy::inline_always)] // belongs into the function of an instruction set

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::exact::cloud::{BLOCK, Cloud};
use crate::cpu::exact::width::{Integer, Width};

/// Keys that share a scale and bounds.
pub(crate) const PART: usize = 16;

/// Coordinates of the first block, and of the first segment.
const FIRST: usize = 32;

/// Bound of what the rotation of x in f32, and the rounding of its residuals, are off by, in units
/// of |x|: see [`crate::cpu::exact::coarse`].
pub(crate) const ROTATION: f32 = 1.0 / (1 << 19) as f32;

/// An orthogonal map: coordinates in descending order of their energy, with random signs, and then
/// blocks of them by Hadamard's matrices. Every coordinate of a block has the energy of the
/// others, which wastes no bits of a byte; and the first blocks have most of it all.
pub(crate) struct Rotation {
    /// The coordinate of the tokens that comes to each place, and its sign.
    places: Vec<(u32, f32)>,
    /// Coordinates with room for whole quads.
    width: usize,
}

impl Rotation {
    /// The rotation for these keys.
    pub(crate) fn of<W: Width>(cloud: &Cloud<W>) -> Self {
        let d = cloud.d;
        let energies = cloud.x.par_chunks(BLOCK * d).with_min_len(16).map(|rows| {
            let mut energy = vec![0.0f64; d];
            for row in rows.chunks_exact(d) {
                energy.iter_mut().zip(row).for_each(|(energy, x)| *energy += (x.to_i64() as f64).powi(2));
            }
            energy
        });
        // Collected before they are added: the order of a sum must not depend on threads.
        let mut energy = vec![0.0f64; d];
        for part in energies.collect::<Vec<_>>() {
            energy.iter_mut().zip(part).for_each(|(energy, part)| *energy += part);
        }
        let mut order: Vec<u32> = (0..d as u32).collect();
        order.sort_by(|&a, &b| energy[b as usize].total_cmp(&energy[a as usize]));
        // The signs of a Weyl sequence: any that are not in step with the coordinates would do.
        let sign = |k: u32| if k.wrapping_mul(0x9E37_79B9) >> 31 == 0 { 1.0 } else { -1.0 };
        Self { places: order.into_iter().map(|k| (k, sign(k))).collect(), width: d.next_multiple_of(4) }
    }

    /// Coordinates after the rotation: a multiple of 4.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// The blocks of coordinates: 32, 32, 64, 128, ..., and then what is left by powers of two.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (width, mut start) = (self.width, 0);
        std::iter::from_fn(move || {
            let rest = (start < width).then(|| width - start)?;
            let block = start..start + start.max(FIRST).min(1 << rest.ilog2());
            start = block.end;
            Some(block)
        })
    }

    /// Where segments of coordinates end, the last one not named: after 32, 64, 128, ...
    pub(crate) fn ends(&self) -> impl Iterator<Item = usize> + use<> {
        let width = self.width;
        std::iter::successors(Some(FIRST), |end| Some(2 * end)).take_while(move |&end| end < width)
    }

    /// Rotates the rows of 16 tokens, into `[coordinate][token]`.
    #[inline(always)]
    pub(crate) fn apply<'a, I: Integer + 'a>(&self, row: impl Fn(usize) -> &'a [I], into: &mut [[f32; PART]]) {
        // All tokens of a place at once: a line of the cache is then written once.
        let rows: [&[I]; PART] = std::array::from_fn(row);
        for (into, &(k, sign)) in into.iter_mut().zip(&self.places) {
            *into = rows.map(|row| sign * row[k as usize].to_i64() as f32);
        }
        into[self.places.len()..].fill([0.0; PART]);
        for block in self.blocks() {
            let root = (block.len() as f32).sqrt().recip();
            let block = &mut into[block];
            let mut half = 1;
            while half < block.len() {
                for pair in block.chunks_exact_mut(2 * half) {
                    let (low, high) = pair.split_at_mut(half);
                    // Flat, so that vectors run along the tokens and not across them.
                    let high = high.as_flattened_mut();
                    for (a, b) in low.as_flattened_mut().iter_mut().zip(high) {
                        (*a, *b) = (*a + *b, *a - *b);
                    }
                }
                half *= 2;
            }
            block.as_flattened_mut().iter_mut().for_each(|x| *x *= root);
        }
    }
}
