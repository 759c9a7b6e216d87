//! Products of bytes: vectors of 32-bit sums to which four products are added at once.
#![allow(clippy::inline_always)] // see the parent module

use crate::cpu::lanes::{InstructionSet, VECTORS};

/// Operations on vectors of 32-bit integers, each a sum or four bytes of a row.
pub(crate) trait Bytes: Copy {
    /// WIDTH integers.
    type Ints: Copy;
    /// Lanes in a vector.
    const WIDTH: usize;
    /// Keys scored side by side; divides 16.
    const KEYS: usize;
    /// The largest magnitude of a key's coordinate, which is stored with this added; a row's is at
    /// most 127.
    const RANGE: i32;

    fn load(self, from: &[i32]) -> Self::Ints;
    fn store(self, x: Self::Ints, to: &mut [i32]);
    /// Adds the products of a key's four bytes, from 0 to 2·RANGE, and the four signed bytes of
    /// every lane.
    fn dot(self, sums: Self::Ints, key: i32, rows: Self::Ints) -> Self::Ints;
    fn max(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Bit l: `a[l] >= b[l]`.
    fn at_least(self, a: Self::Ints, b: Self::Ints) -> u64;
}

/// A computation that is generic over its vectors. `run` must be `#[inline(always)]`.
pub(crate) trait ByteJob {
    type Output;
    fn run<B: Bytes>(self, bytes: B) -> Self::Output;
}

impl InstructionSet {
    /// Whether products of bytes are worth more here than floats: four times as many in the time.
    pub(crate) fn has_byte_products(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self == Self::Avx512 && is_x86_feature_detected!("avx512vnni");
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// Rows in a packet of bytes.
    pub(crate) fn byte_rows(self) -> usize {
        VECTORS * if self == Self::Avx512 { 16 } else { 8 }
    }

    /// Runs a job compiled for this set, which this machine must have.
    pub(crate) fn run_bytes<J: ByteJob>(self, job: J) -> J::Output {
        debug_assert!(self.is_available());
        // SAFETY: an engine holds only sets that `choose` found on this machine.
        unsafe {
            match self {
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 if self.has_byte_products() => x86::Vnni::run(job),
                #[cfg(target_arch = "x86_64")]
                Self::Avx512 => x86::Wide::run(job),
                #[cfg(target_arch = "x86_64")]
                Self::Avx2 => x86::Narrow::run(job),
                _ => Plain::run(job),
            }
        }
    }
}

/// Implements [`Bytes`] for a new type: a value of it proves that the processor has the features.
macro_rules! bytes {
    (
        $(#[$doc:meta])*
        $name:ident: features: [$($features:literal)?], WIDTH: $width:literal, KEYS: $keys:literal, RANGE: $range:literal,
        Ints: $ints:ty;
        load($from:ident) = $load:expr;
        store($store_x:ident, $to:ident) = $store:expr;
        dot($sums:ident, $key:ident, $rows:ident) = $dot:expr;
        max($max_a:ident, $max_b:ident) = $max:expr;
        at_least($a:ident, $b:ident) = $at_least:expr;
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(super) struct $name(());

        impl $name {
            /// Runs a job compiled for these features.
            ///
            /// # Safety
            /// The processor has them.
            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn run<J: ByteJob>(job: J) -> J::Output {
                job.run(Self(()))
            }
        }

        // SAFETY of every block below: a value of this type exists only inside `run`; slices are at
        // least WIDTH long.
        #[allow(unused_unsafe)] // plain arrays need none
        impl Bytes for $name {
            type Ints = $ints;
            const WIDTH: usize = $width;
            const KEYS: usize = $keys;
            const RANGE: i32 = $range;

            #[inline(always)]
            fn load(self, $from: &[i32]) -> $ints {
                assert!($from.len() >= $width);
                unsafe { $load }
            }

            #[inline(always)]
            fn store(self, $store_x: $ints, $to: &mut [i32]) {
                assert!($to.len() >= $width);
                unsafe { $store }
            }

            #[inline(always)]
            fn dot(self, $sums: $ints, $key: i32, $rows: $ints) -> $ints {
                unsafe { $dot }
            }

            #[inline(always)]
            fn max(self, $max_a: $ints, $max_b: $ints) -> $ints {
                unsafe { $max }
            }

            #[inline(always)]
            fn at_least(self, $a: $ints, $b: $ints) -> u64 {
                unsafe { $at_least }
            }
        }
    };
}

bytes! {
    /// Arrays; the compiler makes of them what the target has.
    Plain: features: [], WIDTH: 8, KEYS: 1, RANGE: 127, Ints: [i32; 8];
    load(from) = std::array::from_fn(|l| from[l]);
    store(x, to) = to[..8].copy_from_slice(&x);
    dot(sums, key, rows) = std::array::from_fn(|l| {
        let products = key.to_le_bytes().into_iter().zip(rows[l].to_le_bytes());
        sums[l] + products.map(|(key, row)| i32::from(key) * i32::from(row as i8)).sum::<i32>()
    });
    max(a, b) = std::array::from_fn(|l| a[l].max(b[l]));
    at_least(a, b) = (0..8).map(|l| u64::from(a[l] >= b[l]) << l).sum();
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    #![allow(clippy::wildcard_imports)] // a page of intrinsics
    use std::arch::x86_64::*;

    use super::{ByteJob, Bytes};

    bytes! {
        /// Proof of AVX-512 F, BW, DQ, VL and VNNI.
        Vnni: features: ["avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,bmi1,bmi2,popcnt"],
        WIDTH: 16, KEYS: 4, RANGE: 127, Ints: __m512i;
        load(from) = _mm512_loadu_si512(from.as_ptr().cast());
        store(x, to) = _mm512_storeu_si512(to.as_mut_ptr().cast(), x);
        dot(sums, key, rows) = _mm512_dpbusd_epi32(sums, _mm512_set1_epi32(key), rows);
        max(a, b) = _mm512_max_epi32(a, b);
        at_least(a, b) = u64::from(_mm512_cmpge_epi32_mask(a, b));
    }

    // Two products of at most 126·127 are added in 16 bits, which hold 32,767.
    bytes! {
        /// Proof of AVX-512 F, BW, DQ and VL.
        Wide: features: ["avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,popcnt"],
        WIDTH: 16, KEYS: 4, RANGE: 63, Ints: __m512i;
        load(from) = _mm512_loadu_si512(from.as_ptr().cast());
        store(x, to) = _mm512_storeu_si512(to.as_mut_ptr().cast(), x);
        dot(sums, key, rows) = {
            let pairs = _mm512_maddubs_epi16(_mm512_set1_epi32(key), rows);
            _mm512_add_epi32(sums, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
        };
        max(a, b) = _mm512_max_epi32(a, b);
        at_least(a, b) = u64::from(_mm512_cmpge_epi32_mask(a, b));
    }

    bytes! {
        /// Proof of AVX2.
        Narrow: features: ["avx2,fma,bmi1,bmi2,popcnt"], WIDTH: 8, KEYS: 2, RANGE: 63, Ints: __m256i;
        load(from) = _mm256_loadu_si256(from.as_ptr().cast());
        store(x, to) = _mm256_storeu_si256(to.as_mut_ptr().cast(), x);
        dot(sums, key, rows) = {
            let pairs = _mm256_maddubs_epi16(_mm256_set1_epi32(key), rows);
            _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        };
        max(a, b) = _mm256_max_epi32(a, b);
        at_least(a, b) = {
            let below = _mm256_cmpgt_epi32(b, a);
            u64::from(!_mm256_movemask_ps(_mm256_castsi256_ps(below)) as u8)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys and rows from which sums of four products are made, added to 7.
    struct Products<'a>(&'a [[u8; 4]], &'a [[i8; 4]]);

    impl ByteJob for Products<'_> {
        type Output = ();

        #[inline(always)]
        fn run<B: Bytes>(self, b: B) {
            let most = 2 * B::RANGE as u8;
            for key in self.0.iter().map(|key| key.map(|x| x.min(most))) {
                for rows in self.1.chunks_exact(B::WIDTH) {
                    let quads: Vec<i32> = rows.iter().map(|row| i32::from_le_bytes(row.map(|x| x as u8))).collect();
                    let sums = b.dot(b.load(&[7; 16]), i32::from_le_bytes(key), b.load(&quads));
                    let largest = b.max(sums, b.load(&[0; 16]));
                    let (mut got, mut positive) = ([0; 16], [0; 16]);
                    b.store(sums, &mut got);
                    b.store(largest, &mut positive);
                    for (l, row) in rows.iter().enumerate() {
                        let sum = key.iter().zip(row).map(|(&k, &r)| i32::from(k) * i32::from(r)).sum::<i32>() + 7;
                        assert_eq!((got[l], positive[l]), (sum, sum.max(0)), "{key:?} · {row:?}");
                        assert_eq!(b.at_least(sums, b.load(&[0; 16])) >> l & 1 == 1, sum >= 0);
                    }
                }
            }
        }
    }

    /// An instruction that saturates, as one of them does at 2^15, would give a score that no bound
    /// covers.
    #[test]
    fn products_of_bytes_are_exact_on_every_set() {
        let mut state = 1u32;
        let mut byte = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let mut keys: Vec<[u8; 4]> = (0..40).map(|_| std::array::from_fn(|_| byte())).collect();
        let mut rows: Vec<[i8; 4]> =
            (0..46).map(|_| std::array::from_fn(|_| (byte() as i8).clamp(-127, 127))).collect();
        keys.extend([[0; 4], [255; 4]]);
        rows.extend([[127; 4], [-127; 4]]);
        for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
            set.run_bytes(Products(&keys, &rows));
        }
        #[cfg(target_arch = "x86_64")]
        if InstructionSet::Avx512.is_available() {
            // SAFETY: just asked for; processors with VNNI take the other type.
            unsafe { x86::Wide::run(Products(&keys, &rows)) };
        }
    }
}
