//! 256-bit vectors with fused multiply-adds.
#![allow(clippy::wildcard_imports)] // a page of intrinsics

use std::arch::x86_64::*;

use crate::cpu::lanes::table::lanes;

lanes! {
    /// Proof of AVX2 and FMA, for f32.
    Single: f32, i32, features: ["avx2,fma,bmi1,bmi2,popcnt"], WIDTH: 8, KEYS: 2,
    Floats: __m256, Ints: __m256i, Mask: __m256i;
    splat(x) = _mm256_set1_ps(x);
    load(from) = _mm256_loadu_ps(from.as_ptr());
    store(x, to) = _mm256_storeu_ps(to.as_mut_ptr(), x);
    mul_add(a, b, c) = _mm256_fmadd_ps(a, b, c);
    max(a, b) = _mm256_max_ps(a, b);
    at_least(a, b) = u64::from(_mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a, b)) as u32);
    where_at_least(a, b, x) = _mm256_and_ps(_mm256_cmp_ps::<_CMP_GE_OQ>(a, b), x);
    shift_exponent(x, z) = {
        let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(z));
        _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), exponent))
    };
    mask(bits) = {
        let each: [i32; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
        let each = _mm256_loadu_si256(each.as_ptr().cast());
        _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(bits as i32), each), each)
    };
    splat_int(x) = _mm256_set1_epi32(x);
    load_ints(from) = _mm256_loadu_si256(from.as_ptr().cast());
    store_ints(x, to) = _mm256_storeu_si256(to.as_mut_ptr().cast(), x);
    add_where(mask, a, x) = _mm256_add_epi32(a, _mm256_and_si256(mask, x));
}

lanes! {
    /// Proof of AVX2 and FMA, for f64.
    Double: f64, i64, features: ["avx2,fma,bmi1,bmi2,popcnt"], WIDTH: 4, KEYS: 2,
    Floats: __m256d, Ints: __m256i, Mask: __m256i;
    splat(x) = _mm256_set1_pd(x);
    load(from) = _mm256_loadu_pd(from.as_ptr());
    store(x, to) = _mm256_storeu_pd(to.as_mut_ptr(), x);
    mul_add(a, b, c) = _mm256_fmadd_pd(a, b, c);
    max(a, b) = _mm256_max_pd(a, b);
    at_least(a, b) = u64::from(_mm256_movemask_pd(_mm256_cmp_pd::<_CMP_GE_OQ>(a, b)) as u32);
    where_at_least(a, b, x) = _mm256_and_pd(_mm256_cmp_pd::<_CMP_GE_OQ>(a, b), x);
    shift_exponent(x, z) = {
        let exponent = _mm256_slli_epi64::<52>(_mm256_castpd_si256(z));
        _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(x), exponent))
    };
    mask(bits) = {
        let each: [i64; 4] = [1, 2, 4, 8];
        let each = _mm256_loadu_si256(each.as_ptr().cast());
        _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(bits as i64), each), each)
    };
    splat_int(x) = _mm256_set1_epi64x(x);
    load_ints(from) = _mm256_loadu_si256(from.as_ptr().cast());
    store_ints(x, to) = _mm256_storeu_si256(to.as_mut_ptr().cast(), x);
    add_where(mask, a, x) = _mm256_add_epi64(a, _mm256_and_si256(mask, x));
}
