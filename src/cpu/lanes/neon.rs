//! 128-bit vectors of 64-bit Arm.
#![allow(clippy::wildcard_imports)] // a page of intrinsics

use std::arch::aarch64::*;

use crate::cpu::lanes::table::lanes;

lanes! {
    /// Proof of NEON, for f32.
    Single: f32, i32, features: ["neon"], WIDTH: 4, KEYS: 4,
    Floats: float32x4_t, Ints: int32x4_t, Mask: uint32x4_t;
    splat(x) = vdupq_n_f32(x);
    load(from) = vld1q_f32(from.as_ptr());
    store(x, to) = vst1q_f32(to.as_mut_ptr(), x);
    mul_add(a, b, c) = vfmaq_f32(c, a, b);
    max(a, b) = vmaxq_f32(a, b);
    at_least(a, b) = u64::from(vaddvq_u32(vandq_u32(vcgeq_f32(a, b), vld1q_u32([1, 2, 4, 8].as_ptr()))));
    where_at_least(a, b, x) = vreinterpretq_f32_u32(vandq_u32(vcgeq_f32(a, b), vreinterpretq_u32_f32(x)));
    shift_exponent(x, z) = {
        let exponent = vshlq_n_u32::<23>(vreinterpretq_u32_f32(z));
        vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(x), exponent))
    };
    mask(bits) = vtstq_u32(vdupq_n_u32(bits as u32), vld1q_u32([1, 2, 4, 8].as_ptr()));
    splat_int(x) = vdupq_n_s32(x);
    load_ints(from) = vld1q_s32(from.as_ptr());
    store_ints(x, to) = vst1q_s32(to.as_mut_ptr(), x);
    add_where(mask, a, x) = vaddq_s32(a, vandq_s32(vreinterpretq_s32_u32(mask), x));
}

lanes! {
    /// Proof of NEON, for f64.
    Double: f64, i64, features: ["neon"], WIDTH: 2, KEYS: 4,
    Floats: float64x2_t, Ints: int64x2_t, Mask: uint64x2_t;
    splat(x) = vdupq_n_f64(x);
    load(from) = vld1q_f64(from.as_ptr());
    store(x, to) = vst1q_f64(to.as_mut_ptr(), x);
    mul_add(a, b, c) = vfmaq_f64(c, a, b);
    max(a, b) = vmaxq_f64(a, b);
    at_least(a, b) = vaddvq_u64(vandq_u64(vcgeq_f64(a, b), vld1q_u64([1, 2].as_ptr())));
    where_at_least(a, b, x) = vreinterpretq_f64_u64(vandq_u64(vcgeq_f64(a, b), vreinterpretq_u64_f64(x)));
    shift_exponent(x, z) = {
        let exponent = vshlq_n_u64::<52>(vreinterpretq_u64_f64(z));
        vreinterpretq_f64_u64(vaddq_u64(vreinterpretq_u64_f64(x), exponent))
    };
    mask(bits) = vtstq_u64(vdupq_n_u64(bits), vld1q_u64([1, 2].as_ptr()));
    splat_int(x) = vdupq_n_s64(x);
    load_ints(from) = vld1q_s64(from.as_ptr());
    store_ints(x, to) = vst1q_s64(to.as_mut_ptr(), x);
    add_where(mask, a, x) = vaddq_s64(a, vandq_s64(vreinterpretq_s64_u64(mask), x));
}
