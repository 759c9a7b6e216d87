//! [`Lanes`](super::Lanes) from a table with one line for each operation.

/// Implements [`Lanes`](super::Lanes) for a new type: a value of it proves that the processor has
/// the features.
///
/// The expressions may call whatever those features allow. A slice has been checked to hold WIDTH
/// entries.
macro_rules! lanes {
    (
        $(#[$doc:meta])*
        $name:ident: $float:ty, $int:ty, features: [$($features:literal)?], WIDTH: $width:literal, KEYS: $keys:literal,
        Floats: $floats:ty, Ints: $ints:ty, Mask: $mask:ty;
        splat($splat_x:ident) = $splat:expr;
        load($load_from:ident) = $load:expr;
        store($store_x:ident, $store_to:ident) = $store:expr;
        mul_add($mul_a:ident, $mul_b:ident, $mul_c:ident) = $mul_add:expr;
        max($max_a:ident, $max_b:ident) = $max:expr;
        at_least($least_a:ident, $least_b:ident) = $at_least:expr;
        where_at_least($where_a:ident, $where_b:ident, $where_x:ident) = $where_at_least:expr;
        shift_exponent($shift_x:ident, $shift_z:ident) = $shift_exponent:expr;
        mask($bits:ident) = $of_bits:expr;
        splat_int($splat_int_x:ident) = $splat_int:expr;
        load_ints($load_ints_from:ident) = $load_ints:expr;
        store_ints($store_ints_x:ident, $store_ints_to:ident) = $store_ints:expr;
        add_where($add_mask:ident, $add_a:ident, $add_x:ident) = $add_where:expr;
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name(());

        impl $name {
            /// Runs a job compiled for these features.
            ///
            /// # Safety
            /// The processor has them.
            $(#[target_feature(enable = $features)])?
            pub(crate) unsafe fn run<J: crate::cpu::lanes::Job<$float, $int>>(job: J) -> J::Output {
                job.run(Self(()))
            }
        }

        // SAFETY of every block below: a value of this type exists only inside `run`; slices are at
        // least WIDTH long.
        #[allow(clippy::inline_always)] // see the parent module
        #[allow(unused_unsafe)] // plain arrays need none
        impl crate::cpu::lanes::Lanes<$float, $int> for $name {
            type Floats = $floats;
            type Ints = $ints;
            type Mask = $mask;
            const WIDTH: usize = $width;
            const KEYS: usize = $keys;

            #[inline(always)]
            fn splat(self, $splat_x: $float) -> $floats {
                unsafe { $splat }
            }

            #[inline(always)]
            fn load(self, $load_from: &[$float]) -> $floats {
                assert!($load_from.len() >= $width);
                unsafe { $load }
            }

            #[inline(always)]
            fn store(self, $store_x: $floats, $store_to: &mut [$float]) {
                assert!($store_to.len() >= $width);
                unsafe { $store }
            }

            #[inline(always)]
            fn mul_add(self, $mul_a: $floats, $mul_b: $floats, $mul_c: $floats) -> $floats {
                unsafe { $mul_add }
            }

            #[inline(always)]
            fn max(self, $max_a: $floats, $max_b: $floats) -> $floats {
                unsafe { $max }
            }

            #[inline(always)]
            fn at_least(self, $least_a: $floats, $least_b: $floats) -> u64 {
                unsafe { $at_least }
            }

            #[inline(always)]
            fn where_at_least(self, $where_a: $floats, $where_b: $floats, $where_x: $floats) -> $floats {
                unsafe { $where_at_least }
            }

            #[inline(always)]
            fn shift_exponent(self, $shift_x: $floats, $shift_z: $floats) -> $floats {
                unsafe { $shift_exponent }
            }

            #[inline(always)]
            fn mask(self, $bits: u64) -> $mask {
                unsafe { $of_bits }
            }

            #[inline(always)]
            fn splat_int(self, $splat_int_x: $int) -> $ints {
                unsafe { $splat_int }
            }

            #[inline(always)]
            fn load_ints(self, $load_ints_from: &[$int]) -> $ints {
                assert!($load_ints_from.len() >= $width);
                unsafe { $load_ints }
            }

            #[inline(always)]
            fn store_ints(self, $store_ints_x: $ints, $store_ints_to: &mut [$int]) {
                assert!($store_ints_to.len() >= $width);
                unsafe { $store_ints }
            }

            #[inline(always)]
            fn add_where(self, $add_mask: $mask, $add_a: $ints, $add_x: $ints) -> $ints {
                unsafe { $add_where }
            }
        }
    };
}
pub(crate) use lanes;
