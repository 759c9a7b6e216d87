//! Buffers that start on a cache line, so that no vector load straddles two.

use std::ops::{Deref, DerefMut};

const LINE: usize = 64;

/// A slice of fixed length on a 64-byte boundary.
pub(crate) struct Aligned<T> {
    buffer: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// Zeros.
    pub(crate) fn new(length: usize) -> Self {
        let buffer = vec![T::default(); length + LINE / size_of::<T>()];
        let start = buffer.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        Self { buffer, start, length }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.buffer[self.start..][..self.length]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.start..][..self.length]
    }
}
