//! 128-bit vectors of 64-bit Arm.
#![allow(clippy::inline_always, clippy::wildcard_imports)] // see the parent module; a page of intrinsics

use std::arch::aarch64::*;

use crate::cpu::lanes::{Job, Lanes};

macro_rules! neon {
    ($name:ident, $float:ty, $int:ty, $unsigned:ty, $width:literal, $floats:ty, $ints:ty, $mask:ty, $splat:ident,
     $load:ident, $store:ident, $fma:ident, $max:ident, $ge:ident, $sum:ident, $and_bits:ident, $load_bits:ident,
     $splat_bits:ident, $test:ident, $splat_int:ident, $load_int:ident, $store_int:ident, $add:ident, $and_int:ident,
     $as_int:ident, $bits:expr, $shift:ident, $mantissa:literal, $add_bits:ident, $to_bits:ident,
     $of_bits:ident) => {
        /// Proof of NEON.
        #[derive(Clone, Copy)]
        pub(in crate::cpu) struct $name(());

        impl $name {
            /// Runs a job compiled for NEON.
            ///
            /// # Safety
            /// The processor has NEON.
            #[target_feature(enable = "neon")]
            pub(crate) unsafe fn run<J: Job<$float, $int>>(job: J) -> J::Output {
                job.run(Self(()))
            }
        }

        // SAFETY of every block below: a value of this type exists only inside `run`; slices are at least WIDTH long.
        impl Lanes<$float, $int> for $name {
            type Floats = $floats;
            type Ints = $ints;
            type Mask = $mask;
            const WIDTH: usize = $width;
            const KEYS: usize = 4;

            #[inline(always)]
            fn splat(self, x: $float) -> Self::Floats {
                unsafe { $splat(x) }
            }

            #[inline(always)]
            fn load(self, from: &[$float]) -> Self::Floats {
                assert!(from.len() >= $width);
                unsafe { $load(from.as_ptr()) }
            }

            #[inline(always)]
            fn store(self, x: Self::Floats, to: &mut [$float]) {
                assert!(to.len() >= $width);
                unsafe { $store(to.as_mut_ptr(), x) }
            }

            #[inline(always)]
            fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
                unsafe { $fma(c, a, b) }
            }

            #[inline(always)]
            fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
                unsafe { $max(a, b) }
            }

            #[inline(always)]
            fn at_least(self, a: Self::Floats, b: Self::Floats) -> u64 {
                let each: [$unsigned; $width] = $bits;
                unsafe { u64::from($sum($and_bits($ge(a, b), $load_bits(each.as_ptr())))) }
            }

            #[inline(always)]
            fn where_at_least(self, a: Self::Floats, b: Self::Floats, x: Self::Floats) -> Self::Floats {
                unsafe { $of_bits($and_bits($ge(a, b), $to_bits(x))) }
            }

            #[inline(always)]
            fn shift_exponent(self, x: Self::Floats, z: Self::Floats) -> Self::Floats {
                unsafe { $of_bits($add_bits($to_bits(x), $shift::<$mantissa>($to_bits(z)))) }
            }

            #[inline(always)]
            fn mask(self, bits: u64) -> Self::Mask {
                let each: [$unsigned; $width] = $bits;
                unsafe { $test($splat_bits(bits as $unsigned), $load_bits(each.as_ptr())) }
            }

            #[inline(always)]
            fn splat_int(self, x: $int) -> Self::Ints {
                unsafe { $splat_int(x) }
            }

            #[inline(always)]
            fn load_ints(self, from: &[$int]) -> Self::Ints {
                assert!(from.len() >= $width);
                unsafe { $load_int(from.as_ptr()) }
            }

            #[inline(always)]
            fn store_ints(self, x: Self::Ints, to: &mut [$int]) {
                assert!(to.len() >= $width);
                unsafe { $store_int(to.as_mut_ptr(), x) }
            }

            #[inline(always)]
            fn add_where(self, mask: Self::Mask, a: Self::Ints, x: Self::Ints) -> Self::Ints {
                unsafe { $add(a, $and_int($as_int(mask), x)) }
            }
        }
    };
}
neon!(
    Single,
    f32,
    i32,
    u32,
    4,
    float32x4_t,
    int32x4_t,
    uint32x4_t,
    vdupq_n_f32,
    vld1q_f32,
    vst1q_f32,
    vfmaq_f32,
    vmaxq_f32,
    vcgeq_f32,
    vaddvq_u32,
    vandq_u32,
    vld1q_u32,
    vdupq_n_u32,
    vtstq_u32,
    vdupq_n_s32,
    vld1q_s32,
    vst1q_s32,
    vaddq_s32,
    vandq_s32,
    vreinterpretq_s32_u32,
    [1, 2, 4, 8],
    vshlq_n_u32,
    23,
    vaddq_u32,
    vreinterpretq_u32_f32,
    vreinterpretq_f32_u32
);
neon!(
    Double,
    f64,
    i64,
    u64,
    2,
    float64x2_t,
    int64x2_t,
    uint64x2_t,
    vdupq_n_f64,
    vld1q_f64,
    vst1q_f64,
    vfmaq_f64,
    vmaxq_f64,
    vcgeq_f64,
    vaddvq_u64,
    vandq_u64,
    vld1q_u64,
    vdupq_n_u64,
    vtstq_u64,
    vdupq_n_s64,
    vld1q_s64,
    vst1q_s64,
    vaddq_s64,
    vandq_s64,
    vreinterpretq_s64_u64,
    [1, 2],
    vshlq_n_u64,
    52,
    vaddq_u64,
    vreinterpretq_u64_f64,
    vreinterpretq_f64_u64
);
