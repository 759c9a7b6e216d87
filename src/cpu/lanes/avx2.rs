//! 256-bit vectors with fused multiply-adds.
#![allow(clippy::inline_always, clippy::wildcard_imports)] // see the parent module; a page of intrinsics

use std::arch::x86_64::*;

use crate::cpu::lanes::{Job, Lanes};

macro_rules! avx2 {
    ($name:ident, $float:ty, $int:ty, $width:literal, $floats:ty, $splat:ident, $load:ident, $store:ident, $fma:ident,
     $max:ident, $cmp:ident, $movemask:ident, $splat_int:ident, $add:ident, $cmpeq:ident, $bits:expr, $and:ident,
     $shift:ident, $mantissa:literal, $to_bits:ident, $of_bits:ident) => {
        /// Proof of AVX2 and FMA.
        #[derive(Clone, Copy)]
        pub(in crate::cpu) struct $name(());

        impl $name {
            /// Runs a job compiled for AVX2.
            ///
            /// # Safety
            /// The processor has AVX2 and FMA.
            #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt")]
            pub(crate) unsafe fn run<J: Job<$float, $int>>(job: J) -> J::Output {
                job.run(Self(()))
            }
        }

        // SAFETY of every block below: a value of this type exists only inside `run`; slices are at least WIDTH long.
        impl Lanes<$float, $int> for $name {
            type Floats = $floats;
            type Ints = __m256i;
            type Mask = __m256i;
            const WIDTH: usize = $width;
            const KEYS: usize = 2;

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
                unsafe { $fma(a, b, c) }
            }

            #[inline(always)]
            fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
                unsafe { $max(a, b) }
            }

            #[inline(always)]
            fn at_least(self, a: Self::Floats, b: Self::Floats) -> u64 {
                unsafe { u64::from($movemask($cmp::<_CMP_GE_OQ>(a, b)) as u32) }
            }

            #[inline(always)]
            fn where_at_least(self, a: Self::Floats, b: Self::Floats, x: Self::Floats) -> Self::Floats {
                unsafe { $and($cmp::<_CMP_GE_OQ>(a, b), x) }
            }

            #[inline(always)]
            fn shift_exponent(self, x: Self::Floats, z: Self::Floats) -> Self::Floats {
                unsafe { $of_bits($add($to_bits(x), $shift::<$mantissa>($to_bits(z)))) }
            }

            #[inline(always)]
            fn mask(self, bits: u64) -> Self::Mask {
                let each: [$int; $width] = $bits;
                unsafe {
                    let each = _mm256_loadu_si256(each.as_ptr().cast());
                    $cmpeq(_mm256_and_si256($splat_int(bits as $int), each), each)
                }
            }

            #[inline(always)]
            fn splat_int(self, x: $int) -> Self::Ints {
                unsafe { $splat_int(x) }
            }

            #[inline(always)]
            fn load_ints(self, from: &[$int]) -> Self::Ints {
                assert!(from.len() >= $width);
                unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
            }

            #[inline(always)]
            fn store_ints(self, x: Self::Ints, to: &mut [$int]) {
                assert!(to.len() >= $width);
                unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), x) }
            }

            #[inline(always)]
            fn add_where(self, mask: Self::Mask, a: Self::Ints, x: Self::Ints) -> Self::Ints {
                unsafe { $add(a, _mm256_and_si256(mask, x)) }
            }
        }
    };
}
avx2!(
    Single,
    f32,
    i32,
    8,
    __m256,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_fmadd_ps,
    _mm256_max_ps,
    _mm256_cmp_ps,
    _mm256_movemask_ps,
    _mm256_set1_epi32,
    _mm256_add_epi32,
    _mm256_cmpeq_epi32,
    [1, 2, 4, 8, 16, 32, 64, 128],
    _mm256_and_ps,
    _mm256_slli_epi32,
    23,
    _mm256_castps_si256,
    _mm256_castsi256_ps
);
avx2!(
    Double,
    f64,
    i64,
    4,
    __m256d,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_fmadd_pd,
    _mm256_max_pd,
    _mm256_cmp_pd,
    _mm256_movemask_pd,
    _mm256_set1_epi64x,
    _mm256_add_epi64,
    _mm256_cmpeq_epi64,
    [1, 2, 4, 8],
    _mm256_and_pd,
    _mm256_slli_epi64,
    52,
    _mm256_castpd_si256,
    _mm256_castsi256_pd
);
