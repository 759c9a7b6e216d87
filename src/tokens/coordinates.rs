//! Coordinates of tokens in their stored width, as numbers, as bytes, and hashed.

use std::convert::Infallible;
use std::io::{self, Write};

use crate::choice::named;
use crate::error::{Error, Result};

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

/// blake3 of tokens whose coordinates come in slices: n, d, the width, and the coordinates as little-endian bytes.
pub(crate) struct Hashing(blake3::Hasher);

impl Hashing {
    pub(crate) fn new((n, d): (usize, usize), precision: Precision) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(n as u64).to_le_bytes());
        hasher.update(&(d as u64).to_le_bytes());
        hasher.update(precision.name().as_bytes());
        Self(hasher)
    }

    pub(crate) fn add(&mut self, slice: &Coordinates) {
        let hasher = &mut self.0;
        match slice {
            Coordinates::F32(v) => add(hasher, v, |x| x.to_bits() == (-0.0f32).to_bits(), |x| (x + 0.0).to_le_bytes()),
            Coordinates::F64(v) => add(hasher, v, |x| x.to_bits() == (-0.0f64).to_bits(), |x| (x + 0.0).to_le_bytes()),
        }
    }

    pub(crate) fn end(self) -> blake3::Hash {
        self.0.finalize()
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
pub(super) const HASHED: [usize; 2] = [8 << 20, 256 << 10];

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
pub(super) fn not_finite<T: Copy>(all: &[T], is_finite: impl Fn(T) -> bool) -> Option<usize> {
    // Whole parts without a branch inside, which vectors look through.
    let part = all.chunks(PART).position(|part| !part.iter().fold(true, |all, &x| all & is_finite(x)))?;
    all[part * PART..].iter().position(|&x| !is_finite(x)).map(|at| part * PART + at)
}
