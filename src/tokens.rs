//! The state: n tokens in R^d, row i the token x_i.

mod coordinates;
mod slices;

use std::io;

use crate::error::{Error, Result};
use crate::num;
pub use crate::tokens::coordinates::{Coordinates, Precision};
use crate::tokens::coordinates::{Hashing, not_finite};
pub use crate::tokens::slices::Slices;

/// n tokens in R^d; n and d at least 1, every coordinate finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    n: usize,
    d: usize,
    coordinates: Coordinates,
}

impl Tokens {
    /// n tokens in R^d from their n·d coordinates, token after token, as `Vec<f32>` or `Vec<f64>`;
    /// they are stored in that width.
    ///
    /// # Errors
    /// n or d of 0, a length that is not n·d, a coordinate that is not finite (named).
    pub fn from_flat(n: usize, d: usize, coordinates: impl Into<Coordinates>) -> Result<Self> {
        let coordinates = coordinates.into();
        if n == 0 || d == 0 {
            return Err(Error::input(format!("tokens of shape ({n}, {d}): n and d must be at least 1")));
        }
        let length = coordinates.len();
        if Some(length) != n.checked_mul(d) {
            return Err(Error::input(format!("tokens of shape ({n}, {d}) need {n}·{d} coordinates, got {length}")));
        }
        coordinates.require_finite(0, d)?;
        Ok(Self { n, d, coordinates })
    }

    /// Tokens of a shape and a width that `each` gives its argument, a slice after another.
    ///
    /// # Errors
    /// The errors of `each`; as [`Tokens::from_flat`]; no memory for them.
    pub(crate) fn from_slices(
        (n, d): (usize, usize),
        precision: Precision,
        each: impl FnOnce(&mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()>,
    ) -> Result<Self> {
        let (mut single, mut double) = (Vec::new(), Vec::new());
        let room = match precision {
            Precision::F32 => single.try_reserve_exact(n * d),
            Precision::F64 => double.try_reserve_exact(n * d),
        };
        let bytes = n * d * precision.bytes();
        room.map_err(|_| Error::input(format!("{bytes} bytes of memory for {n} tokens are not available")))?;
        let keep = &mut |slice: &Coordinates| {
            match slice {
                Coordinates::F32(x) => single.extend_from_slice(x),
                Coordinates::F64(x) => double.extend_from_slice(x),
            }
            Ok(())
        };
        each(keep).map_err(Error::through)?;
        match precision {
            Precision::F32 => Self::from_flat(n, d, single),
            Precision::F64 => Self::from_flat(n, d, double),
        }
    }

    /// Tokens from their rows, stored as f64.
    ///
    /// # Errors
    /// No rows, or rows without coordinates; a coordinate that is not finite (named).
    pub fn from_rows<const D: usize>(rows: &[[f64; D]]) -> Result<Self> {
        Self::from_flat(rows.len(), D, rows.concat())
    }

    /// Rounds the f64 state that a step made to its stored width, once.
    ///
    /// # Errors
    /// [`Error::NonFinite`] at `step` for a stored coordinate that is not finite; a shape that does
    /// not fit.
    pub fn stepped(x: &[f64], d: usize, precision: Precision, step: u64) -> Result<Self> {
        let coordinates = match precision {
            Precision::F32 => Coordinates::F32(x.iter().map(|&x| x as f32).collect()),
            Precision::F64 => Coordinates::F64(x.to_vec()),
        };
        let bad = match &coordinates {
            Coordinates::F32(v) => not_finite(v, f32::is_finite).map(|at| (at, f64::from(v[at]))),
            Coordinates::F64(v) => not_finite(v, f64::is_finite).map(|at| (at, v[at])),
        };
        if let Some((at, value)) = bad {
            let is_single = precision == Precision::F32;
            return Err(Error::NonFinite { step, token: at / d, coordinate: at % d, value, is_single });
        }
        Self::from_flat(x.len() / d, d, coordinates)
    }

    /// The tokens of clouds of one shape and width, cloud after cloud.
    ///
    /// # Errors
    /// No clouds, or clouds of unequal shape or width.
    pub fn stacked(clouds: Vec<Self>) -> Result<Self> {
        let Some(first) = clouds.first() else { return Err(Error::input("no clouds; at least 1")) };
        let (shape, precision) = ((first.n, first.d), first.precision());
        let unlike = |cloud: &Self| (cloud.n, cloud.d, cloud.precision()) != (shape.0, shape.1, precision);
        if let Some(c) = clouds.iter().position(unlike) {
            let found = (clouds[c].n, clouds[c].d);
            return Err(Error::input(format!("cloud {c} has the shape {found:?} and cloud 0 {shape:?}; all need one")));
        }
        let (n, d) = (shape.0 * clouds.len(), shape.1);
        let coordinates = match precision {
            Precision::F32 => Coordinates::F32(
                clouds
                    .into_iter()
                    .flat_map(|c| if let Coordinates::F32(x) = c.coordinates { x } else { Vec::new() })
                    .collect(),
            ),
            Precision::F64 => Coordinates::F64(clouds.iter().flat_map(Self::to_f64).collect()),
        };
        Ok(Self { n, d, coordinates })
    }

    /// Cloud c of m, which share the tokens evenly, cloud after cloud.
    #[must_use]
    pub fn cloud(&self, c: usize, m: usize) -> Self {
        let n = self.n / m;
        let range = c * n * self.d..(c + 1) * n * self.d;
        let coordinates = match &self.coordinates {
            Coordinates::F32(x) => Coordinates::F32(x[range].to_vec()),
            Coordinates::F64(x) => Coordinates::F64(x[range].to_vec()),
        };
        Self { n, d: self.d, coordinates }
    }

    /// Number of tokens.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Dimension.
    pub fn d(&self) -> usize {
        self.d
    }

    /// Stored width.
    pub fn precision(&self) -> Precision {
        self.coordinates.precision()
    }

    /// The coordinates, row-major.
    pub fn coordinates(&self) -> &Coordinates {
        &self.coordinates
    }

    /// Takes the coordinates out, row-major, in their stored width.
    pub fn into_coordinates(self) -> Coordinates {
        self.coordinates
    }

    /// The coordinates of some tokens, row-major.
    pub fn stretch(&self, rows: std::ops::Range<usize>) -> Coordinates {
        let within = rows.start * self.d..rows.end * self.d;
        match &self.coordinates {
            Coordinates::F32(all) => Coordinates::F32(all[within].to_vec()),
            Coordinates::F64(all) => Coordinates::F64(all[within].to_vec()),
        }
    }

    /// Coordinate k of token i.
    pub fn get(&self, i: usize, k: usize) -> f64 {
        self.coordinates.get(i * self.d + k)
    }

    /// Token i, widened to f64.
    pub fn row(&self, i: usize) -> Vec<f64> {
        (0..self.d).map(|k| self.get(i, k)).collect()
    }

    /// Every token in order, widened.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Vec<f64>> + '_ {
        (0..self.n).map(|i| self.row(i))
    }

    /// Every coordinate, row-major, widened to f64.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.coordinates {
            Coordinates::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Coordinates::F64(v) => v.clone(),
        }
    }

    /// Number of tokens of which some coordinate is another in `other`, of one shape and width.
    pub(crate) fn count_unlike(&self, other: &Self) -> usize {
        fn count<T: PartialEq>(a: &[T], b: &[T], d: usize) -> usize {
            a.chunks_exact(d).zip(b.chunks_exact(d)).filter(|(a, b)| a != b).count()
        }
        match (&self.coordinates, &other.coordinates) {
            (Coordinates::F32(a), Coordinates::F32(b)) => count(a, b, self.d),
            (Coordinates::F64(a), Coordinates::F64(b)) => count(a, b, self.d),
            _ => self.n,
        }
    }

    /// Half the longest side of the tokens' box.
    pub fn radius(&self) -> f64 {
        let side = |k: usize| {
            let (low, high) = num::range((0..self.n).map(|i| self.get(i, k)));
            0.5 * high - 0.5 * low
        };
        (0..self.d).map(side).fold(0.0, f64::max)
    }

    /// [`Tokens::radius`] of these tokens and of fixed keys together.
    pub(crate) fn radius_beside(&self, keys: Option<&Self>) -> f64 {
        let Some(keys) = keys else { return self.radius() };
        let side = |k: usize| {
            let all = [self, keys].into_iter().flat_map(|of| (0..of.n).map(move |i| of.get(i, k)));
            let (low, high) = num::range(all);
            0.5 * high - 0.5 * low
        };
        (0..self.d).map(side).fold(0.0, f64::max)
    }

    /// The largest magnitude of a coordinate, R.
    pub fn largest_magnitude(&self) -> f64 {
        self.coordinates.largest_magnitude()
    }

    /// blake3 of n, d, the width and the coordinates as little-endian bytes: one line that two
    /// people can compare.
    pub fn hash(&self) -> blake3::Hash {
        let mut hashing = Hashing::new((self.n, self.d), self.precision());
        hashing.add(&self.coordinates);
        hashing.end()
    }
}

impl Slices for &Tokens {
    fn shape(&self) -> (usize, usize) {
        (self.n, self.d)
    }

    fn precision(&self) -> Precision {
        Tokens::precision(self)
    }

    fn each(&mut self, take: &mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()> {
        take(&self.coordinates)
    }
}

#[cfg(test)]
mod tests {
    use super::coordinates::HASHED;
    use super::*;

    /// The hash is what two people compare: it must not depend on how many bytes are taken at once, by
    /// whom, or on the sign of a zero.
    #[test]
    fn a_hash_is_of_all_bytes_in_order() {
        for n in [1, 100, HASHED[1] / 24 + 1, HASHED[0] / 24 + 7] {
            let mut rows: Vec<f64> = (0..3 * n).map(|i| f64::from(i as u32).sin()).collect();
            for zero in [0.0, -0.0] {
                rows[2 * n] = zero;
                let hash = |precision: Precision, bytes: Vec<u8>| {
                    let head = [(n as u64).to_le_bytes(), 3u64.to_le_bytes()].concat();
                    blake3::hash(&[&head[..], precision.name().as_bytes(), &bytes].concat())
                };
                let single: Vec<f32> = rows.iter().map(|&x| x as f32).collect();
                let bytes = single.iter().flat_map(|x| (x + 0.0).to_le_bytes()).collect();
                assert_eq!(Tokens::from_flat(n, 3, single).unwrap().hash(), hash(Precision::F32, bytes), "n = {n}");
                let bytes = rows.iter().flat_map(|x| (x + 0.0).to_le_bytes()).collect();
                assert_eq!(Tokens::from_flat(n, 3, rows.clone()).unwrap().hash(), hash(Precision::F64, bytes));
            }
        }
    }
}
