//! Numbers: the comparison with a bound, powers of two, the roundings of the exact rules, and plain
//! arithmetic on rows of f64.

use std::cmp::Ordering;

/// True if an error is inside its bound. NaN never passes.
pub fn within(error: f64, bound: f64) -> bool {
    error <= bound
}

/// A number for a reader: its shortest digits, with an exponent and three digits where it is very
/// large, very small or long, as in `0.1`, `-1e300` and `-2.45e-16`.
pub fn short(x: f64) -> String {
    let exact = format!("{x:?}");
    match exact.split_once('e') {
        Some((digits, _)) if digits.len() > 5 => format!("{x:.2e}"),
        _ => exact.trim_end_matches(".0").to_owned(),
    }
}

/// The whole number of at least 0 that a text says, be it as `1e3`.
pub fn whole(text: &str) -> Option<u64> {
    text.parse().ok().or_else(|| text.parse().ok().and_then(whole_of))
}

/// The whole number of at least 0 that a float is, if no neighbour of it could have been meant.
pub fn whole_of(x: f64) -> Option<u64> {
    (x.fract() == 0.0 && (0.0..=MOST_EXACT).contains(&x)).then_some(x as u64)
}

/// 2^53: up to here every whole number is a float.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// `x · 2^k`, exact unless the result leaves the range of f64.
#[inline]
pub fn scale(x: f64, k: i32) -> f64 {
    // By a normal number it is one product, which rounds as the function does.
    if (-1022..=1023).contains(&k) { x * f64::from_bits(((k + 1023) as u64) << 52) } else { libm::scalbn(x, k) }
}

/// `x · 2^k` as [`scale`] has it, for many x that are integers or have integers for results: two
/// products, which vectors do.
pub(crate) fn scaling(k: i32) -> impl Fn(f64) -> f64 + Copy {
    // |k| is below 2200, so both factors are normal. The first product is exact: what it could lose
    // to underflow is far below a half in the result.
    let (first, second) = (scale(1.0, k / 2), scale(1.0, k - k / 2));
    move |x| x * first * second
}

/// The nearest integer, half to even.
pub(crate) fn nearest_even(x: f64) -> i64 {
    // From 2^52 on every float is an integer; below, this sum has no other place to round to.
    let shift = 4_503_599_627_370_496f64.copysign(x);
    (if x.abs() < 4_503_599_627_370_496.0 { (x + shift) - shift } else { x }) as i64
}

/// The least integer e with `magnitude <= 2^e`; 0 for a magnitude of 0.
#[inline]
pub fn exponent_above(magnitude: f64) -> i32 {
    if magnitude == 0.0 {
        return 0;
    }
    if magnitude.is_normal() {
        let bits = magnitude.to_bits();
        let is_power = bits << 12 == 0;
        return ((bits >> 52 & 0x7ff) as i32 - 1023) + i32::from(!is_power);
    }
    let (mantissa, exponent) = libm::frexp(magnitude);
    if mantissa == 0.5 { exponent - 1 } else { exponent }
}

/// `numerator / denominator` to the nearest integer, half to even.
///
/// # Panics
/// If `denominator` is not positive.
pub fn divide_to_nearest_even(numerator: i128, denominator: i128) -> i128 {
    assert!(denominator > 0, "a mean of no tokens");
    let quotient = numerator.div_euclid(denominator);
    let twice = 2 * numerator.rem_euclid(denominator);
    match twice.cmp(&denominator) {
        Ordering::Less => quotient,
        Ordering::Greater => quotient + 1,
        Ordering::Equal => quotient + (quotient & 1),
    }
}

/// Units in the last place between two finite f64 of any sign; `u64::MAX` if either is NaN.
pub fn ulps(a: f64, b: f64) -> u64 {
    if a.is_nan() || b.is_nan() {
        return u64::MAX;
    }
    let rank = |x: f64| {
        let bits = x.to_bits() as i64;
        if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
    };
    rank(a).abs_diff(rank(b))
}

/// Inner product in plain f64, summed from the first component on.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Inner product as if summed in twice the precision and rounded once (Dot2 of Ogita, Rump and
/// Oishi, 2005).
pub fn dot_exactly(a: &[f64], b: &[f64]) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for (&a, &b) in a.iter().zip(b) {
        let product = a * b;
        let rest = a.mul_add(b, -product);
        let next = sum + product;
        let kept = next - sum;
        lost += ((sum - (next - kept)) + (product - kept)) + rest;
        sum = next;
    }
    sum + lost
}

/// The length |x|.
pub fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// |a − b|².
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// The largest magnitude of a component; 0 for none.
pub fn largest_magnitude(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |largest, x| largest.max(x.abs()))
}

/// Least and largest of some values, NaN left out; `(∞, −∞)` if there are none.
pub fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    values.into_iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
}

/// At most `most` of the indices `0..n`, ascending and evenly spread.
pub fn evenly(n: usize, most: usize) -> impl Iterator<Item = usize> + Clone {
    let count = n.min(most);
    (0..count).map(move |s| (s as u128 * n as u128 / count as u128) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message of three hundred digits is read by nobody, and one that rounds 0.1 misleads.
    #[test]
    fn numbers_in_messages_are_short() {
        for (x, shown) in [
            (0.5, "0.5"),
            (3.0, "3"),
            (-0.0, "-0"),
            (1e300, "1e300"),
            (-1e300, "-1e300"),
            ((2.0 * std::f64::consts::PI).sin(), "-2.45e-16"),
            (1.175_494_350_822_287_5e-38, "1.18e-38"),
            (1.5e-300, "1.5e-300"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(short(x), shown);
        }
    }

    /// `1e3` steps are a thousand; a number that no float holds, or a half, is no count.
    #[test]
    fn whole_numbers_have_two_spellings() {
        for (text, number) in [
            ("12", Some(12)),
            ("1e3", Some(1000)),
            ("2.0", Some(2)),
            ("18446744073709551615", Some(u64::MAX)),
            ("1.5", None),
            ("-1", None),
            ("1e17", None),
            ("nan", None),
            ("", None),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
    }
    use proptest::prelude::*;

    /// If NaN passed, a broken engine would be called verified.
    #[test]
    fn nan_is_never_within() {
        assert!(!within(f64::NAN, 1.0));
        assert!(!within(0.0, f64::NAN));
        assert!(within(1.0, 1.0));
    }

    /// A wrong exponent would put the largest token outside the lattice.
    #[test]
    fn exponent_is_the_least_power_above() {
        for (x, e) in [(1.0, 0), (1.1, 1), (0.5, -1), (0.75, 0), (2.0, 1), (0.0, 0), (f64::MIN_POSITIVE, -1022)] {
            assert_eq!(exponent_above(x), e, "{x}");
        }
    }

    /// If a cancelled sum lost what is left, a support function would seem to rise.
    #[test]
    fn cancellation_is_exact() {
        assert_eq!(dot_exactly(&[1e16, 1.0, -1e16], &[1.0, 1.0, 1.0]), 1.0);
        assert_eq!(dot_exactly(&[1.0 + f64::EPSILON, -1.0], &[1.0 - f64::EPSILON, 1.0]), -f64::EPSILON * f64::EPSILON);
    }

    proptest! {
        /// The lattice by products and sums must be the one by exponents: a token rounded another way
        /// would be another run.
        #[test]
        fn many_are_scaled_and_rounded_as_one(bits in any::<u64>(), k in -60i32..60, e in -1073i32..=1024) {
            let x = f64::from_bits(bits);
            prop_assert_eq!(nearest_even(x), x.round_ties_even() as i64);
            prop_assert_eq!(nearest_even(scale(x, k) / 2.0), (scale(x, k) / 2.0).round_ties_even() as i64);
            // A coordinate of a cloud with this exponent, to its lattice and back.
            let x = scale(f64::from_bits(bits >> 12 | 1023 << 52) - 1.0, e - (bits & 63) as i32);
            let there = scaling(53 - e)(x);
            prop_assert_eq!(nearest_even(there), scale(x, 53 - e).round_ties_even() as i64);
            prop_assert_eq!(scaling(e - 53)(there.round()), scale(there.round(), e - 53));
        }

        /// The mean's rounding decides where groups merge.
        #[test]
        fn division_is_nearest_even(a in -1_000_000i128..1_000_000, b in 1i128..1000) {
            let q = divide_to_nearest_even(a, b);
            let distance = (2 * (a - q * b)).abs();
            prop_assert!(distance <= b);
            prop_assert!(distance < b || q % 2 == 0);
        }

        /// Adjacent floats are one ulp apart, across zero too.
        #[test]
        fn ulps_count_neighbours(x in proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::SUBNORMAL) {
            if x.next_up().is_finite() { prop_assert_eq!(ulps(x, x.next_up()), u64::from(x != 0.0 || !x.is_sign_negative() || x.next_up() != 0.0)); }
            prop_assert_eq!(ulps(x, x), 0);
        }
    }
}
