//! Arrays of 256 bits; the compiler makes of them what the target has.
#![allow(clippy::inline_always)] // see the parent module

use crate::cpu::lanes::Lanes;

macro_rules! portable {
    ($name:ident, $float:ty, $int:ty, $width:literal, $mantissa:literal) => {
        /// Arrays of this width.
        #[derive(Clone, Copy)]
        pub(in crate::cpu) struct $name;

        impl Lanes<$float, $int> for $name {
            type Floats = [$float; $width];
            type Ints = [$int; $width];
            type Mask = [$int; $width];
            const WIDTH: usize = $width;
            const KEYS: usize = 1;

            #[inline(always)]
            fn splat(self, x: $float) -> Self::Floats {
                [x; $width]
            }

            #[inline(always)]
            fn load(self, from: &[$float]) -> Self::Floats {
                std::array::from_fn(|l| from[l])
            }

            #[inline(always)]
            fn store(self, x: Self::Floats, to: &mut [$float]) {
                to[..$width].copy_from_slice(&x);
            }

            #[inline(always)]
            fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats {
                std::array::from_fn(|l| a[l] * b[l] + c[l])
            }

            #[inline(always)]
            fn max(self, a: Self::Floats, b: Self::Floats) -> Self::Floats {
                std::array::from_fn(|l| if a[l] > b[l] { a[l] } else { b[l] })
            }

            #[inline(always)]
            fn at_least(self, a: Self::Floats, b: Self::Floats) -> u64 {
                (0..$width).map(|l| u64::from(a[l] >= b[l]) << l).sum()
            }

            #[inline(always)]
            fn where_at_least(self, a: Self::Floats, b: Self::Floats, x: Self::Floats) -> Self::Floats {
                std::array::from_fn(|l| if a[l] >= b[l] { x[l] } else { 0.0 })
            }

            #[inline(always)]
            fn shift_exponent(self, x: Self::Floats, z: Self::Floats) -> Self::Floats {
                std::array::from_fn(|l| <$float>::from_bits(x[l].to_bits().wrapping_add(z[l].to_bits() << $mantissa)))
            }

            #[inline(always)]
            fn mask(self, bits: u64) -> Self::Mask {
                std::array::from_fn(|l| -(((bits >> l) & 1) as $int))
            }

            #[inline(always)]
            fn splat_int(self, x: $int) -> Self::Ints {
                [x; $width]
            }

            #[inline(always)]
            fn load_ints(self, from: &[$int]) -> Self::Ints {
                std::array::from_fn(|l| from[l])
            }

            #[inline(always)]
            fn store_ints(self, x: Self::Ints, to: &mut [$int]) {
                to[..$width].copy_from_slice(&x);
            }

            #[inline(always)]
            fn add_where(self, mask: Self::Mask, a: Self::Ints, x: Self::Ints) -> Self::Ints {
                std::array::from_fn(|l| a[l] + (x[l] & mask[l]))
            }
        }
    };
}
portable!(Single, f32, i32, 8, 23);
portable!(Double, f64, i64, 4, 52);
