//! The parameters of one dispatch, and the numbers in them as the kernels take them.

use bytemuck::{Pod, Zeroable};

/// What rows attend to, as in frame.wgsl.
pub(crate) mod mode {
    pub(crate) const WEIGH: u32 = 0;
    pub(crate) const SCALE: u32 = 1;
    pub(crate) const MAXIMUM: u32 = 2;
    pub(crate) const STRIP: u32 = 3;
    pub(crate) const DRAW: u32 = 4;
}

/// What a row does in `moves`, as in moves.wgsl.
pub(crate) mod motion {
    pub(crate) const DIRECT: u32 = 1;
    pub(crate) const TANGENT: u32 = 2;
    pub(crate) const ROUND: u32 = 4;
    pub(crate) const ELLIPSOID: u32 = 8;
    pub(crate) const ADVANCE: u32 = 16;
    pub(crate) const PRODUCT: u32 = 32;
    pub(crate) const SUMMED: u32 = 64;
    pub(crate) const FIRST: u32 = 128;
    pub(crate) const LAST: u32 = 256;
    pub(crate) const FINISH: u32 = 512;
    pub(crate) const RETRACT: u32 = 1024;
    pub(crate) const WEIGHTED: u32 = 2048;
}

/// What `apply` and `means` do beside their product: add it, take it relative to the row's token, of the key it chose.
pub(crate) mod product {
    pub(crate) const ADDED: u32 = 1;
    pub(crate) const RELATIVE: u32 = 2;
    pub(crate) const CHOSEN: u32 = 4;
}

/// The parameters of one dispatch, as `Job` in frame.wgsl.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Job {
    pub(crate) n: u32,
    pub(crate) d: u32,
    pub(crate) row_first: u32,
    pub(crate) row_end: u32,
    pub(crate) slice_first: u32,
    pub(crate) row_base: u32,
    pub(crate) key_base: u32,
    pub(crate) key_first: u32,
    pub(crate) key_end: u32,
    pub(crate) chunks: u32,
    pub(crate) width: u32,
    pub(crate) group_first: u32,
    pub(crate) causal: u32,
    pub(crate) mode: u32,
    pub(crate) flags: u32,
    pub(crate) report: u32,
    pub(crate) stage: u32,
    pub(crate) source_base: u32,
    pub(crate) form: u32,
    pub(crate) zero: u32,
    pub(crate) t: [u32; 2],
    pub(crate) seed: [u32; 2],
    pub(crate) beta: f32,
    pub(crate) beta_exponent: i32,
    pub(crate) delta: f32,
    pub(crate) delta_exponent: i32,
    pub(crate) origin: f32,
    pub(crate) origin_exponent: i32,
    pub(crate) factor: f32,
    pub(crate) gain: f32,
    pub(crate) weight: f32,
    pub(crate) radius: f32,
}

pub(crate) fn pair(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// a·b as m·2^e with m = 0 or 1 ≤ |m| < 2 in f32: no product can leave the range of numbers.
pub(crate) fn product(a: f64, b: f64) -> (f32, i32) {
    let ((m, e), (n, f)) = (libm::frexp(a), libm::frexp(b));
    if m == 0.0 || n == 0.0 {
        return (0.0, 0);
    }
    // 1/4 ≤ |m·n| < 1.
    let (m, shift) = libm::frexp(m * n);
    let mantissa = (2.0 * m) as f32;
    (mantissa.clamp(-2f32.next_down(), 2f32.next_down()), e + f + shift - 1)
}
