//! C_i of single rows, by the decisions of a step.

use crate::error::Result;
use crate::exact::Step;
use crate::gpu::exact::brute::BruteForce;
use crate::gpu::exact::job::Job;
use crate::gpu::exact::kernels::{self, SUPERTILE};
use crate::gpu::memory::{Line, largest_binding};
use crate::gpu::resident::leading_run;
use crate::model::Mask;

impl BruteForce {
    /// C_i of the given rows in the current state, by the decisions a step would take.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let line = (self.layout.n.div_ceil(SUPERTILE) * (SUPERTILE / 32)) as usize;
        let bound = largest_binding(self.resident.device.limits()) as usize / (4 * line);
        let batch = (self.layout.memory.slice_rows as usize / 2).min(rows.len()).min(bound).max(1);
        self.resident.hold(Line::new(("bits", 0), "masks", (batch * line * 4) as u64)).await?;
        let base = self.prepare(step, 0, false).await?;
        let keys: Vec<usize> = rows.iter().map(|&token| self.order.key_of(token)).collect();
        let mut masks = Vec::with_capacity(rows.len());
        for part in keys.chunks(batch) {
            let mut at = 0;
            while at < part.len() {
                let run = leading_run(&part[at..], u32::MAX, self.layout.window);
                let slice_first = run.start.wrapping_sub(at as u32);
                at += run.len();
                let job = Job { row_first: run.start, row_end: run.end, slice_first, ..base };
                for kernel in [&kernels::SCORES, &kernels::PEAKS, &kernels::MASKS] {
                    self.over_keys(&[kernel], &job, 0..self.layout.n).await?;
                }
                self.resident.queue.charge(run.len() as f64 * self.row_cost(Mask::FULL)).await?;
            }
            self.resident.queue.finish().await?;
            let words = self.resident.read(("bits", 0), part.len() * line).await?;
            masks.extend(words.chunks_exact(line).map(|bits| self.members(bits)));
        }
        Ok(masks)
    }

    /// The tokens of the keys whose bits are set.
    fn members(&self, words: &[u32]) -> Vec<u32> {
        let keys = (0u32..)
            .zip(words)
            .flat_map(|(w, bits)| (0..32).filter(move |i| bits >> i & 1 == 1).map(move |i| 32 * w + i));
        let mut tokens: Vec<u32> = keys.map(|key| self.order.token_of(key)).collect();
        tokens.sort_unstable();
        tokens
    }
}
