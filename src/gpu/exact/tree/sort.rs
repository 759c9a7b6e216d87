//! Sorting and merging of keys.

use crate::error::Result;
use crate::gpu::exact::job::Job;
use crate::gpu::exact::kernels::{self, BLOCK, HASHED, RADIX, RUN};
use crate::gpu::exact::tree::layout::SORTED_BYTES;
use crate::gpu::exact::tree::{FEW, TreeSearch};
use crate::model::Mask;

/// The cost of a sort in tests of a box or a key: for each key, and in all.
const SORT_A_KEY: f64 = 100.0;
const SORT: f64 = 2e5;

impl TreeSearch {
    /// Puts the keys in order and merges those that are equal; all steps before are known of.
    pub(super) async fn sort(&mut self) -> Result<()> {
        self.sort_keys().await?;
        self.note_sort();
        Ok(())
    }

    pub(super) fn note_sort(&mut self) {
        self.schedule.note_sort(SORT_A_KEY.mul_add(f64::from(self.keys()), SORT), self.keys() > FEW);
    }

    pub(super) async fn sort_keys(&mut self) -> Result<()> {
        #[cfg(test)]
        {
            self.counts[0] += 1;
        }
        for part in 0..self.parts.count() {
            self.sort_part(part).await?;
            if self.parts.count() > 1 {
                // All of them in one submission may be too long for it.
                self.resident.queue.submit().await?;
            }
        }
        self.sides.tokens ^= 1;
        self.sides.marks ^= 1;
        let words = SORTED_BYTES as usize / 4;
        let reading = self.resident.start_reading(("sorted", 0), 0..words * self.parts.keys.len()).await?;
        let mut sorted = Vec::new();
        self.resident.device.take(&mut sorted, reading).await?;
        self.resident.queue.finish().await?;
        self.parts.keys = sorted.iter().step_by(words).copied().collect();
        self.first_key = sorted[1];
        self.warm = false;
        Ok(())
    }

    /// Puts the keys of a part in order and merges those that are equal.
    async fn sort_part(&mut self, part: u32) -> Result<()> {
        let (n, keys) = (self.parts.tokens(part, self.n), self.parts.keys[part as usize]);
        let parts = [part; 2];
        let base = Job { n: keys, apart: u32::from(!self.upkeep.merge || self.mask == Mask::CAUSAL), ..Job::default() };
        self.push(&kernels::NUMBER, keys, base, parts).await?;
        let hashed = if self.code.exact { 0..0 } else { HASHED..HASHED + 2 };
        for digit in hashed.chain(0..self.code.digits) {
            let base = Job { digit, ..base };
            self.push(&kernels::SORT_COUNTS, keys, base, parts).await?;
            self.scan(RADIX * keys.div_ceil(RUN), base).await?;
            self.push(&kernels::SORT_SCATTER, keys, base, parts).await?;
            self.sides.order ^= 1;
        }
        self.push(&kernels::MERGE_STARTS, keys, base, parts).await?;
        self.scan(keys, base).await?;
        self.push(&kernels::MERGE_KEYS, keys, base, parts).await?;
        self.push(&kernels::MERGE_OWNERS, n, Job { row_end: n, ..base }, parts).await
    }

    /// Sums up the first `length` counts.
    async fn scan(&mut self, length: u32, base: Job) -> Result<()> {
        let job = Job { row_end: length, ..base };
        self.push(&kernels::SCAN_COUNTS, length, job, [0; 2]).await?;
        self.push(&kernels::SCAN_BLOCKS, length.div_ceil(BLOCK), job, [0; 2]).await
    }
}
