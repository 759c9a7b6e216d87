//! 512-bit vectors.
#![allow(clippy::inline_always, clippy::wildcard_imports)] // see the parent module; a page of intrinsics

use std::arch::x86_64::*;

use crate::cpu::lanes::{Job, Lanes};

macro_rules! avx512 {
    ($name:ident, $float:ty, $int:ty, $width:literal, $floats:ty, $mask:ty, $splat:ident, $load:ident, $store:ident,
     $fma:ident, $max:ident, $cmp:ident, $splat_int:ident, $add:ident, $load_int:ident, $store_int:ident,
     $keep:ident, $sum:ident, $shift:ident, $bits:literal, $to_bits:ident, $of_bits:ident) => {
        /// Proof of AVX-512.
        #[derive(Clone, Copy)]
        pub(in crate::cpu) struct $name(());

        impl $name {
            /// Runs a job compiled for AVX-512.
            ///
            /// # Safety
            /// The processor has AVX-512 F, BW, DQ and VL, AVX2 and FMA.
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,popcnt")]
            pub(crate) unsafe fn run<J: Job<$float, $int>>(job: J) -> J::Output {
                job.run(Self(()))
            }
        }

        // SAFETY of every block below: a value of this type exists only inside `run`; slices are at least WIDTH long.
        impl Lanes<$float, $int> for $name {
            type Floats = $floats;
            type Ints = __m512i;
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
                unsafe { $fma(a, b, c) }
            }

            #[inline(always)]
            fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
                unsafe { $max(a, b) }
            }

            #[inline(always)]
            fn at_least(self, a: Self::Floats, b: Self::Floats) -> u64 {
                unsafe { u64::from($cmp::<_CMP_GE_OQ>(a, b)) }
            }

            #[inline(always)]
            fn where_at_least(self, a: Self::Floats, b: Self::Floats, x: Self::Floats) -> Self::Floats {
                unsafe { $keep($cmp::<_CMP_GE_OQ>(a, b), x) }
            }

            #[inline(always)]
            fn shift_exponent(self, x: Self::Floats, z: Self::Floats) -> Self::Floats {
                unsafe { $of_bits($sum($to_bits(x), $shift::<$bits>($to_bits(z)))) }
            }

            #[inline(always)]
            fn mask(self, bits: u64) -> Self::Mask {
                bits as $mask
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
                unsafe { $add(a, mask, a, x) }
            }
        }
    };
}
avx512!(
    Single,
    f32,
    i32,
    16,
    __m512,
    __mmask16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_fmadd_ps,
    _mm512_max_ps,
    _mm512_cmp_ps_mask,
    _mm512_set1_epi32,
    _mm512_mask_add_epi32,
    _mm512_loadu_epi32,
    _mm512_storeu_epi32,
    _mm512_maskz_mov_ps,
    _mm512_add_epi32,
    _mm512_slli_epi32,
    23,
    _mm512_castps_si512,
    _mm512_castsi512_ps
);
avx512!(
    Double,
    f64,
    i64,
    8,
    __m512d,
    __mmask8,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_fmadd_pd,
    _mm512_max_pd,
    _mm512_cmp_pd_mask,
    _mm512_set1_epi64,
    _mm512_mask_add_epi64,
    _mm512_loadu_epi64,
    _mm512_storeu_epi64,
    _mm512_maskz_mov_pd,
    _mm512_add_epi64,
    _mm512_slli_epi64,
    52,
    _mm512_castpd_si512,
    _mm512_castsi512_pd
);
