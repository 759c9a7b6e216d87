//! Step 0 of the contract: the lattice that the state lives on.

use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::num;
use crate::pages::zeros;
use crate::tokens::{Coordinates, Precision, Tokens};

/// Coordinates that one thread takes at once, at least.
const PART: usize = 1 << 13;

/// The lattice u·Z^d with u = 2^(exponent − b), fixed by the first state of a run and never
/// rescaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// e: no coordinate exceeds 2^e in magnitude.
    pub exponent: i32,
    /// Stored width, and with it b, K and L.
    pub precision: Precision,
}

/// What becomes of numbers, on all threads.
fn each<X: Copy + Sync, Y: Send>(all: &[X], of: impl Fn(X) -> Y + Sync) -> Vec<Y> {
    all.par_iter().with_min_len(PART).map(|&x| of(x)).collect()
}

impl Grid {
    /// The lattice of a cloud, at the precision that its run stores.
    pub fn of(tokens: &Tokens, precision: Precision) -> Self {
        Self::above(tokens.largest_magnitude(), precision)
    }

    /// The lattice of tokens whose largest coordinate has this magnitude.
    pub fn above(largest: f64, precision: Precision) -> Self {
        Self { exponent: num::exponent_above(largest), precision }
    }

    /// Checks that nothing on the lattice leaves the range of floats.
    ///
    /// At f32 the unit 2^(e−24) must be a normal number, and 2^e itself finite: −102 ≤ e ≤ 127. At
    /// f64 the scores must be normal numbers too, from the square of the unit, 2^(2e−106), to 2^13
    /// products of two coordinates, 2^(2e+13):
    /// |e| ≤ 458 does it, and leaves a factor of 2^94 to the matrix.
    ///
    /// # Errors
    /// `largest`, the largest magnitude of a coordinate, with the range that works.
    pub fn require_range(self, largest: f64) -> Result<()> {
        let (least, most) = match self.precision {
            Precision::F32 => (-102, 127),
            Precision::F64 => (-458, 458),
        };
        if (least..=most).contains(&self.exponent) {
            return Ok(());
        }
        let (low, high) = (num::scale(1.0, least - 1), num::scale(1.0, most));
        Err(Error::input(format!(
            "the largest coordinate is {} in magnitude; precision {} needs it above {low:.1e} and up to \
             {high:.1e}, so scale the tokens",
            num::short(largest),
            self.precision.name()
        )))
    }

    /// log2 of the unit.
    pub fn unit_exponent(self) -> i32 {
        self.exponent - self.precision.state_bits()
    }

    /// u, the resolution of a coordinate in the tokens' own unit.
    pub fn unit(self) -> f64 {
        num::scale(1.0, self.unit_exponent())
    }

    /// `rne(x/u)`.
    pub fn coordinate(self, x: f64) -> i64 {
        num::scale(x, -self.unit_exponent()).round_ties_even() as i64
    }

    /// `X·u`; exact in the stored width.
    pub fn real(self, coordinate: i64) -> f64 {
        num::scale(coordinate as f64, self.unit_exponent())
    }

    /// [`Grid::real`], for many.
    pub(crate) fn reals(self) -> impl Fn(i64) -> f64 + Copy {
        let scaled = num::scaling(self.unit_exponent());
        move |coordinate| scaled(coordinate as f64)
    }

    /// Every coordinate on the lattice, row-major.
    pub fn coordinates(self, tokens: &Tokens) -> Vec<i64> {
        self.coordinates_as(tokens.coordinates(), |x| x)
    }

    /// Every coordinate on the lattice, row-major, in the integers that `narrow` makes.
    pub(crate) fn coordinates_as<I: Send>(self, x: &Coordinates, narrow: impl Fn(i64) -> I + Sync) -> Vec<I> {
        let of = self.nearest();
        match x {
            Coordinates::F32(v) => each(v, |x| narrow(of(f64::from(x)))),
            Coordinates::F64(v) => each(v, |x| narrow(of(x))),
        }
    }

    /// [`Grid::coordinate`], for many.
    fn nearest(self) -> impl Fn(f64) -> i64 + Copy {
        let scaled = num::scaling(-self.unit_exponent());
        move |x| num::nearest_even(scaled(x))
    }

    /// Tokens in the stored width from lattice coordinates, row-major.
    ///
    /// # Errors
    /// A shape that does not fit.
    pub fn tokens(self, n: usize, d: usize, coordinates: &[i64]) -> Result<Tokens> {
        if d == 0 || coordinates.len() != n * d {
            return Err(Error::input(format!(
                "{} coordinates are not those of {n} tokens in R^{d}",
                coordinates.len()
            )));
        }
        self.flat_tokens(n, d, coordinates, |x| x)
    }

    /// Tokens in the stored width from a function that gives the lattice coordinates of each.
    ///
    /// # Errors
    /// n or d of 0.
    pub(crate) fn tokens_of<R>(self, n: usize, d: usize, row: impl Fn(usize) -> R + Sync) -> Result<Tokens>
    where
        R: Iterator<Item = i64>,
    {
        let real = self.reals();
        let coordinates = match self.precision {
            Precision::F32 => Coordinates::F32(filled(n, d, |i| row(i).map(|x| real(x) as f32))),
            Precision::F64 => Coordinates::F64(filled(n, d, |i| row(i).map(real))),
        };
        Tokens::from_flat(n, d, coordinates)
    }

    /// Tokens in the stored width from what the lattice coordinates are of, row-major.
    ///
    /// # Errors
    /// n or d of 0.
    pub(crate) fn flat_tokens<X: Copy + Sync>(
        self,
        n: usize,
        d: usize,
        x: &[X],
        of: impl Fn(X) -> i64 + Sync,
    ) -> Result<Tokens> {
        let real = self.reals();
        let coordinates = match self.precision {
            Precision::F32 => Coordinates::F32(each(x, |x| real(of(x)) as f32)),
            Precision::F64 => Coordinates::F64(each(x, |x| real(of(x)))),
        };
        Tokens::from_flat(n, d, coordinates)
    }

    /// The cloud as the run sees it: moved to the lattice. Doing it twice changes nothing.
    ///
    /// # Errors
    /// As [`Grid::tokens`].
    pub fn snap(self, tokens: &Tokens) -> Result<Tokens> {
        Tokens::from_flat(tokens.n(), tokens.d(), self.rounded(tokens.coordinates()))
    }

    /// Coordinates moved to the lattice, in the stored width.
    pub fn rounded(self, x: &Coordinates) -> Coordinates {
        let (of, real) = (self.nearest(), self.reals());
        let moved = |x: f64| real(of(x));
        match (x, self.precision) {
            (Coordinates::F32(v), Precision::F32) => Coordinates::F32(each(v, |x| moved(f64::from(x)) as f32)),
            (Coordinates::F32(v), Precision::F64) => Coordinates::F64(each(v, |x| moved(f64::from(x)))),
            (Coordinates::F64(v), Precision::F32) => Coordinates::F32(each(v, |x| moved(x) as f32)),
            (Coordinates::F64(v), Precision::F64) => Coordinates::F64(each(v, moved)),
        }
    }

    /// True if every coordinate lies on this lattice, and none beyond 2^e: a run never leaves it.
    pub fn holds(self, tokens: &Tokens) -> bool {
        self.has(tokens.coordinates())
    }

    /// As [`Grid::holds`], of some coordinates.
    pub(crate) fn has(self, x: &Coordinates) -> bool {
        let largest = x.largest_magnitude();
        self.require_range(largest).is_ok()
            && largest <= num::scale(1.0, self.exponent)
            && self.coordinates_as(x, |x| x).iter().enumerate().all(|(at, &c)| self.real(c) == x.get(at))
    }
}

/// n rows of length d, filled in parallel.
fn filled<T: Copy + Default + Send, R: Iterator<Item = T>>(
    n: usize,
    d: usize,
    row: impl Fn(usize) -> R + Sync,
) -> Vec<T> {
    let mut all = zeros(n * d);
    all.par_chunks_mut(d.max(1)).with_min_len(PART.div_ceil(d.max(1))).enumerate().for_each(|(i, into)| {
        into.iter_mut().zip(row(i)).for_each(|(into, x)| *into = x);
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// If the lattice moved a token that is already on it, a resumed run would differ from an
        /// uninterrupted one.
        #[test]
        fn snapping_is_idempotent(v in proptest::collection::vec(-1e30f64..1e30, 1..20), wide in any::<bool>()) {
            let precision = if wide { Precision::F64 } else { Precision::F32 };
            let cloud = Tokens::from_flat(v.len(), 1, v).unwrap();
            let grid = Grid::of(&cloud, precision);
            let once = grid.snap(&cloud).unwrap();
            prop_assert_eq!(&once, &grid.snap(&once).unwrap());
            for i in 0..cloud.n() {
                prop_assert!(num::within((cloud.get(i, 0) - once.get(i, 0)).abs(), grid.unit() / 2.0));
            }
        }
    }

    /// Outside this range a strip would be decided by overflow, or a token be lost to underflow.
    #[test]
    fn extreme_scales_are_refused() {
        for (precision, least, most) in [(Precision::F32, -102, 127), (Precision::F64, -458, 458)] {
            for (exponent, fits) in [(least - 1, false), (least, true), (0, true), (most, true), (most + 1, false)] {
                assert_eq!(Grid { exponent, precision }.require_range(1.0).is_ok(), fits, "{exponent}");
            }
            for exponent in [least, most] {
                let grid = Grid { exponent, precision };
                let edge = num::scale(1.0, exponent);
                let cloud = Tokens::from_flat(2, 1, vec![edge, -grid.unit()]).unwrap();
                assert_eq!(grid.snap(&cloud).unwrap().to_f64(), cloud.to_f64());
                let least_score = if precision == Precision::F64 { grid.unit() * grid.unit() } else { grid.unit() };
                assert!(least_score.is_normal() && (8192.0 * edge * edge).is_finite());
            }
        }
        let line = Grid { exponent: 1024, precision: Precision::F64 }.require_range(1e308).unwrap_err().to_string();
        assert!(line.contains("is 1e308 in") && line.contains("7.4e137"), "{line}");
    }

    /// The largest coordinate must be representable: 2^b itself when it is a power of two.
    #[test]
    fn extremes_fit() {
        for precision in [Precision::F32, Precision::F64] {
            for r in [1.0, 0.75, 1e-300, 1e300, f64::MIN_POSITIVE] {
                if precision == Precision::F32 && !(1e-30..1e30).contains(&r) {
                    continue;
                }
                let cloud = Tokens::from_flat(2, 1, vec![r, -r]).unwrap();
                let grid = Grid::of(&cloud, precision);
                assert!(grid.coordinate(r) <= 1 << precision.state_bits());
                assert!(grid.coordinate(r) > 1 << (precision.state_bits() - 2));
                assert!(num::within((grid.real(grid.coordinate(r)) - r).abs(), grid.unit()));
            }
        }
    }
}
