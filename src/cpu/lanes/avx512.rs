//! 512-bit vectors.
#![allow(clippy::wildcard_imports)] // a page of intrinsics

use std::arch::x86_64::*;

use crate::cpu::lanes::table::lanes;

lanes! {
    /// Proof of AVX-512 F, BW, DQ and VL, AVX2 and FMA, for f32.
    Single: f32, i32, features: ["avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,popcnt"], WIDTH: 16, KEYS: 4,
    Floats: __m512, Ints: __m512i, Mask: __mmask16;
    splat(x) = _mm512_set1_ps(x);
    load(from) = _mm512_loadu_ps(from.as_ptr());
    store(x, to) = _mm512_storeu_ps(to.as_mut_ptr(), x);
    mul_add(a, b, c) = _mm512_fmadd_ps(a, b, c);
    max(a, b) = _mm512_max_ps(a, b);
    at_least(a, b) = u64::from(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b));
    where_at_least(a, b, x) = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GE_OQ>(a, b), x);
    shift_exponent(x, z) = {
        let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(z));
        _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), exponent))
    };
    mask(bits) = bits as __mmask16;
    splat_int(x) = _mm512_set1_epi32(x);
    load_ints(from) = _mm512_loadu_epi32(from.as_ptr());
    store_ints(x, to) = _mm512_storeu_epi32(to.as_mut_ptr(), x);
    add_where(mask, a, x) = _mm512_mask_add_epi32(a, mask, a, x);
}

lanes! {
    /// Proof of AVX-512 F, BW, DQ and VL, AVX2 and FMA, for f64.
    Double: f64, i64, features: ["avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,popcnt"], WIDTH: 8, KEYS: 4,
    Floats: __m512d, Ints: __m512i, Mask: __mmask8;
    splat(x) = _mm512_set1_pd(x);
    load(from) = _mm512_loadu_pd(from.as_ptr());
    store(x, to) = _mm512_storeu_pd(to.as_mut_ptr(), x);
    mul_add(a, b, c) = _mm512_fmadd_pd(a, b, c);
    max(a, b) = _mm512_max_pd(a, b);
    at_least(a, b) = u64::from(_mm512_cmp_pd_mask::<_CMP_GE_OQ>(a, b));
    where_at_least(a, b, x) = _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_GE_OQ>(a, b), x);
    shift_exponent(x, z) = {
        let exponent = _mm512_slli_epi64::<52>(_mm512_castpd_si512(z));
        _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(x), exponent))
    };
    mask(bits) = bits as __mmask8;
    splat_int(x) = _mm512_set1_epi64(x);
    load_ints(from) = _mm512_loadu_epi64(from.as_ptr());
    store_ints(x, to) = _mm512_storeu_epi64(to.as_mut_ptr(), x);
    add_where(mask, a, x) = _mm512_mask_add_epi64(a, mask, a, x);
}
