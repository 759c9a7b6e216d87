//! Coordinates of tokens on their lattice.

/// A lattice coordinate, of magnitude at most 2^24 (i32) or 2^53 (i64).
pub trait Coordinate: Copy + Default + Ord + Send + Sync + 'static {
    /// Holds every coordinate exactly.
    type Float: Copy + Default + Send + Sync + 'static;
    /// Holds sums of 2^32 coordinates.
    type Sum: Copy + Default + Send + Sync + std::ops::AddAssign + 'static;

    /// Widens the coordinate.
    fn to_i64(self) -> i64;
    /// Converts the coordinate, exactly.
    fn to_float(self) -> Self::Float;
    /// A float in `[low, high]`, near the middle, and one not below its distance from both ends.
    fn centre_and_half_width(low: Self, high: Self) -> (Self::Float, Self::Float);
    /// A float not below x, which is non-negative.
    fn float_above(x: f64) -> Self::Float;
    /// The product `weight · self`.
    fn times(self, weight: u32) -> Self::Sum;
    /// A coordinate from its value.
    fn of_i64(x: i64) -> Self;
    /// A sum in 128 bits.
    fn widened(sum: Self::Sum) -> i128;
    /// A sum from its value.
    fn sum_of(x: i128) -> Self::Sum;
}

macro_rules! coordinate {
    ($int:ty, $float:ty, $sum:ty) => {
        impl Coordinate for $int {
            type Float = $float;
            type Sum = $sum;

            fn to_i64(self) -> i64 {
                self.into()
            }

            fn to_float(self) -> $float {
                self as $float
            }

            fn centre_and_half_width(low: Self, high: Self) -> ($float, $float) {
                // Rounding is monotone, so the centre stays between low and high; it is an integer,
                // as both of them are or the distance of two floats this large is.
                let centre = (low + (high - low) / 2) as $float;
                let half = (high as $float - centre).max(centre - low as $float);
                (centre, if half == 0.0 { 0.0 } else { half.next_up() })
            }

            fn float_above(x: f64) -> $float {
                (x as $float).next_up()
            }

            fn times(self, weight: u32) -> $sum {
                self as $sum * weight as $sum
            }

            fn of_i64(x: i64) -> Self {
                x as Self
            }

            fn widened(sum: $sum) -> i128 {
                sum.into()
            }

            fn sum_of(x: i128) -> $sum {
                x as $sum
            }
        }
    };
}
coordinate!(i32, f32, i64);
coordinate!(i64, f64, i128);
