//! The state: n tokens in R^d, row i the token x_i.

use std::convert::Infallible;
use std::io::{self, Write};

use crate::choice::named;
use crate::error::{Error, Result};
use crate::num;

/// Width of the stored tokens. It also sets the lattice of the exact rules (24 or 53 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision: 4 bytes a coordinate.
    F32,
    /// Double precision: 8 bytes a coordinate.
    F64,
}

named!(Precision, "precision", [F32 = "f32", F64 = "f64"]);

impl Precision {
    /// Bytes of one stored coordinate.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// The coordinates, row-major, in their stored width.
#[derive(Clone, Debug, PartialEq)]
pub enum Coordinates {
    /// f32 storage.
    F32(Vec<f32>),
    /// f64 storage.
    F64(Vec<f64>),
}

impl From<Vec<f32>> for Coordinates {
    fn from(coordinates: Vec<f32>) -> Self {
        Self::F32(coordinates)
    }
}

impl From<Vec<f64>> for Coordinates {
    fn from(coordinates: Vec<f64>) -> Self {
        Self::F64(coordinates)
    }
}

impl Coordinates {
    /// The number of coordinates.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(all) => all.len(),
            Self::F64(all) => all.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The stored width.
    pub fn precision(&self) -> Precision {
        match self {
            Self::F32(_) => Precision::F32,
            Self::F64(_) => Precision::F64,
        }
    }

    /// A coordinate, widened.
    pub fn get(&self, at: usize) -> f64 {
        match self {
            Self::F32(all) => f64::from(all[at]),
            Self::F64(all) => all[at],
        }
    }

    /// The largest magnitude; 0 of none.
    pub fn largest_magnitude(&self) -> f64 {
        match self {
            Self::F32(all) => f64::from(all.iter().fold(0.0f32, |m, x| m.max(x.abs()))),
            Self::F64(all) => all.iter().fold(0.0f64, |m, x| m.max(x.abs())),
        }
    }

    /// Checks the coordinates of tokens in R^d from token `first` on.
    ///
    /// # Errors
    /// The first that is not finite, by its token.
    pub(crate) fn require_finite(&self, first: usize, d: usize) -> Result<()> {
        let bad = match self {
            Self::F32(all) => not_finite(all, f32::is_finite),
            Self::F64(all) => not_finite(all, f64::is_finite),
        };
        let Some(at) = bad else { return Ok(()) };
        let (i, k, x) = (first + at / d, at % d, self.get(at));
        Err(Error::input(format!("token {i} coordinate {k} is {x}; every coordinate must be finite")))
    }

    /// Writes the coordinates row-major as little-endian bytes.
    ///
    /// # Errors
    /// The errors of `out`.
    pub(crate) fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::F32(all) => in_parts(all, f32::to_le_bytes, |bytes| out.write_all(bytes)),
            Self::F64(all) => in_parts(all, f64::to_le_bytes, |bytes| out.write_all(bytes)),
        }
    }
}

/// Hands coordinates over as bytes, many at a time: writers and hashes take long over four.
fn in_parts<T: Copy, const N: usize, E>(
    all: &[T],
    bytes: impl Fn(T) -> [u8; N],
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    // Small states are hashed by the million: a buffer of a part's size would be most of the work.
    let mut buffer = vec![0; PART.min(all.len()) * N];
    all.chunks(PART).try_for_each(|part| {
        let (into, _) = buffer[..part.len() * N].as_chunks_mut();
        into.iter_mut().zip(part).for_each(|(into, &x)| *into = bytes(x));
        take(into.as_flattened())
    })
}

/// Coordinates handled at a time.
const PART: usize = 1 << 13;

/// Bytes that are hashed at a time, and those from which threads share them.
const HASHED: [usize; 2] = [8 << 20, 256 << 10];

/// Adds coordinates as little-endian bytes to a hash: as they lie, where that is what they are. The
/// lattice has one zero: what `is_negative_zero` finds is hashed by `bytes`, as the positive one.
fn add<T: bytemuck::Pod, const N: usize>(
    hasher: &mut blake3::Hasher,
    all: &[T],
    is_negative_zero: impl Fn(T) -> bool,
    bytes: impl Fn(T) -> [u8; N] + Copy,
) {
    for part in all.chunks(HASHED[0] / N) {
        // No branch inside: vectors look through all of it.
        if cfg!(target_endian = "little") && !part.iter().fold(false, |any, &x| any | is_negative_zero(x)) {
            let lying: &[u8] = bytemuck::cast_slice(part);
            if lying.len() < HASHED[1] {
                hasher.update(lying)
            } else {
                hasher.update_rayon(lying)
            };
        } else {
            let Ok(()) = in_parts(part, bytes, |bytes| {
                hasher.update(bytes);
                Ok::<_, Infallible>(())
            });
        }
    }
}

/// The place of the first coordinate that is not finite.
fn not_finite<T: Copy>(all: &[T], is_finite: impl Fn(T) -> bool) -> Option<usize> {
    // Whole parts without a branch inside, which vectors look through.
    let part = all.chunks(PART).position(|part| !part.iter().fold(true, |all, &x| all & is_finite(x)))?;
    all[part * PART..].iter().position(|&x| !is_finite(x)).map(|at| part * PART + at)
}

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
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.n as u64).to_le_bytes());
        hasher.update(&(self.d as u64).to_le_bytes());
        hasher.update(self.precision().name().as_bytes());
        match &self.coordinates {
            Coordinates::F32(v) => {
                add(&mut hasher, v, |x| x.to_bits() == (-0.0f32).to_bits(), |x| (x + 0.0).to_le_bytes());
            }
            Coordinates::F64(v) => {
                add(&mut hasher, v, |x| x.to_bits() == (-0.0f64).to_bits(), |x| (x + 0.0).to_le_bytes());
            }
        }
        hasher.finalize()
    }
}

#[cfg(test)]
mod tests {
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
