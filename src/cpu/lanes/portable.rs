//! Arrays of 256 bits; the compiler makes of them what the target has.

use crate::cpu::lanes::table::lanes;

macro_rules! portable {
    ($name:ident, $float:ty, $int:ty, $width:literal, $mantissa:literal) => {
        lanes! {
            /// Arrays of 256 bits.
            $name: $float, $int, features: [], WIDTH: $width, KEYS: 1,
            Floats: [$float; $width], Ints: [$int; $width], Mask: [$int; $width];
            splat(x) = [x; $width];
            load(from) = std::array::from_fn(|l| from[l]);
            store(x, to) = to[..$width].copy_from_slice(&x);
            mul_add(a, b, c) = std::array::from_fn(|l| a[l] * b[l] + c[l]);
            max(a, b) = std::array::from_fn(|l| if a[l] > b[l] { a[l] } else { b[l] });
            at_least(a, b) = (0..$width).map(|l| u64::from(a[l] >= b[l]) << l).sum();
            where_at_least(a, b, x) = std::array::from_fn(|l| if a[l] >= b[l] { x[l] } else { 0.0 });
            shift_exponent(x, z) = std::array::from_fn(|l| {
                <$float>::from_bits(x[l].to_bits().wrapping_add(z[l].to_bits() << $mantissa))
            });
            mask(bits) = std::array::from_fn(|l| -(((bits >> l) & 1) as $int));
            splat_int(x) = [x; $width];
            load_ints(from) = std::array::from_fn(|l| from[l]);
            store_ints(x, to) = to[..$width].copy_from_slice(&x);
            add_where(mask, a, x) = std::array::from_fn(|l| a[l] + (x[l] & mask[l]));
        }
    };
}
portable!(Single, f32, i32, 8, 23);
portable!(Double, f64, i64, 4, 52);
