//! The tokens as the CPU's kernels read them.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::cpu::exact::width::Width;

/// Keys in a block.
pub(crate) const BLOCK: usize = 64;

/// The tokens as lattice integers and as the floats that are equal to them. Rows are padded with
/// zeros to whole blocks.
pub(crate) struct Cloud<W: Width> {
    pub(crate) n: usize,
    pub(crate) d: usize,
    pub(crate) x: Vec<W::Int>,
    pub(crate) floats: Vec<W>,
    /// `max_j |x_jk|`.
    pub(crate) largest: Vec<f64>,
    /// Lowest index of an equal token. Empty while equal tokens are not worth finding.
    pub(crate) twins: Vec<u32>,
}

impl<W: Width> Cloud<W> {
    /// Computes floats and their largest magnitudes from the integers.
    pub(crate) fn refloat(&mut self) {
        let d = self.d;
        let chunks = self.floats.par_chunks_mut(BLOCK * d).zip(self.x.par_chunks(BLOCK * d));
        let largest = chunks.with_min_len(16).map(|(floats, x)| {
            let mut largest = vec![0.0f64; d];
            for (floats, x) in floats.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                for ((float, &x), largest) in floats.iter_mut().zip(x).zip(&mut largest) {
                    *float = W::of(x);
                    *largest = largest.max(float.to_f64().abs());
                }
            }
            largest
        });
        self.largest = largest.reduce(
            || vec![0.0; d],
            |mut a, b| {
                a.iter_mut().zip(b).for_each(|(a, b)| *a = a.max(b));
                a
            },
        );
    }

    /// Finds equal tokens.
    pub(crate) fn find_twins(&mut self) {
        let mut first = HashMap::with_capacity(self.n);
        self.twins.clear();
        for (i, row) in self.x.chunks_exact(self.d).take(self.n).enumerate() {
            self.twins.push(*first.entry(row).or_insert(i as u32));
        }
    }

    /// The index that stands for all tokens known to be equal to this one.
    pub(crate) fn distinct(&self, key: u32) -> u32 {
        self.twins.get(key as usize).copied().unwrap_or(key)
    }

    pub(crate) fn row(&self, i: usize) -> &[W::Int] {
        &self.x[i * self.d..][..self.d]
    }
}
