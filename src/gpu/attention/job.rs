//! The parameters of one dispatch, and the numbers in them as the kernels take them.

use bytemuck::{Pod, Zeroable};

/// What rows attend to, as in frame.wgsl.
pub(super) mod mode {
    pub(in super::super) const WEIGH: u32 = 0;
    pub(in super::super) const SCALE: u32 = 1;
    pub(in super::super) const MAXIMUM: u32 = 2;
    pub(in super::super) const STRIP: u32 = 3;
    pub(in super::super) const DRAW: u32 = 4;
}

/// What a row does in `moves`, as in moves.wgsl.
pub(super) mod motion {
    pub(in super::super) const DIRECT: u32 = 1;
    pub(in super::super) const TANGENT: u32 = 2;
    pub(in super::super) const ROUND: u32 = 4;
    pub(in super::super) const ELLIPSOID: u32 = 8;
    pub(in super::super) const ADVANCE: u32 = 16;
    pub(in super::super) const PRODUCT: u32 = 32;
    pub(in super::super) const SUMMED: u32 = 64;
    pub(in super::super) const FIRST: u32 = 128;
    pub(in super::super) const LAST: u32 = 256;
    pub(in super::super) const FINISH: u32 = 512;
    pub(in super::super) const RETRACT: u32 = 1024;
    pub(in super::super) const WEIGHTED: u32 = 2048;
}

/// What `apply` and `means` do beside their product: add it, take it relative to the row's token, of the key it chose.
pub(super) mod product {
    pub(in super::super) const ADDED: u32 = 1;
    pub(in super::super) const RELATIVE: u32 = 2;
    pub(in super::super) const CHOSEN: u32 = 4;
}

/// The parameters of one dispatch, as `Job` in frame.wgsl.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Job {
    pub(super) n: u32,
    pub(super) d: u32,
    pub(super) row_first: u32,
    pub(super) row_end: u32,
    pub(super) slice_first: u32,
    pub(super) row_base: u32,
    pub(super) key_base: u32,
    pub(super) key_first: u32,
    pub(super) key_end: u32,
    pub(super) chunks: u32,
    pub(super) width: u32,
    pub(super) group_first: u32,
    pub(super) causal: u32,
    pub(super) mode: u32,
    pub(super) flags: u32,
    pub(super) report: u32,
    pub(super) stage: u32,
    pub(super) source_base: u32,
    pub(super) form: u32,
    pub(super) zero: u32,
    pub(super) t: [u32; 2],
    pub(super) seed: [u32; 2],
    pub(super) beta: f32,
    pub(super) beta_exponent: i32,
    pub(super) delta: f32,
    pub(super) delta_exponent: i32,
    pub(super) origin: f32,
    pub(super) origin_exponent: i32,
    pub(super) factor: f32,
    pub(super) gain: f32,
    pub(super) weight: f32,
    pub(super) radius: f32,
}

pub(super) fn pair(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// a·b as m·2^e with m = 0 or 1 ≤ |m| < 2 in f32: no product can leave the range of numbers.
pub(super) fn product(a: f64, b: f64) -> (f32, i32) {
    let ((m, e), (n, f)) = (libm::frexp(a), libm::frexp(b));
    if m == 0.0 || n == 0.0 {
        return (0.0, 0);
    }
    // 1/4 ≤ |m·n| < 1.
    let (m, shift) = libm::frexp(m * n);
    let mantissa = (2.0 * m) as f32;
    (mantissa.clamp(-2f32.next_down(), 2f32.next_down()), e + f + shift - 1)
}
