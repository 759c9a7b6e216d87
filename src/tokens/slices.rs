//! Tokens that need not be held all at once.

use std::io::{self, Write};

use crate::error::{Error, Result};
use crate::tokens::coordinates::{Coordinates, Hashing, Precision};

/// Tokens that come in their order, a slice at a time: who writes or hashes them need not hold all.
pub trait Slices {
    /// n and d.
    fn shape(&self) -> (usize, usize);

    /// The stored width.
    fn precision(&self) -> Precision;

    /// Gives `take` the coordinates of one slice after another, row-major. May be called again.
    ///
    /// # Errors
    /// The first error of `take`; an [`Error`] inside where tokens cannot be had.
    fn each(&mut self, take: &mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()>;

    /// Writes the coordinates row-major as little-endian bytes.
    ///
    /// # Errors
    /// Those of `out` and of [`Slices::each`].
    fn write_to(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.each(&mut |slice| slice.write_to(out))
    }

    /// The hash of [`Tokens::hash`](crate::tokens::Tokens::hash).
    ///
    /// # Errors
    /// Tokens that cannot be had.
    fn hash(&mut self) -> Result<blake3::Hash> {
        let mut hashing = Hashing::new(self.shape(), self.precision());
        let add = &mut |slice: &Coordinates| {
            hashing.add(slice);
            Ok(())
        };
        self.each(add).map_err(Error::through)?;
        Ok(hashing.end())
    }
}

impl<S: Slices + ?Sized> Slices for &mut S {
    fn shape(&self) -> (usize, usize) {
        (**self).shape()
    }

    fn precision(&self) -> Precision {
        (**self).precision()
    }

    fn each(&mut self, take: &mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()> {
        (**self).each(take)
    }
}
