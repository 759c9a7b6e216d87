//! C_i of single rows, by the decisions of a step.

use std::ops::Range;

use crate::error::Result;
use crate::exact::{Step, StripWidth};
use crate::gpu::exact::job::{ARGMAX, Job};
use crate::gpu::exact::kernels;
use crate::gpu::exact::tree::TreeSearch;
use crate::gpu::memory::{Line, largest_binding};
use crate::gpu::table::LANES;
use crate::space::LEAF;

/// Most bytes of the bits of masks at a time.
const BITS_BYTES: u64 = 64 << 20;

impl TreeSearch {
    /// C_i of the given tokens in the current state, by the decisions a step would take.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.turn_to(step.mask).await?;
        let owner = self.owners().await?;
        let mut tokens = vec![Vec::new(); self.keys() as usize];
        (0..).zip(&owner).for_each(|(token, &key)| tokens[key as usize].push(token));
        let base = self.prepare(step, 0, 0).await?;
        // A word a leaf of a part; lines begin so that those of the next part do at a multiple of 256 bytes.
        let parts = u64::from(self.parts.count());
        let leaves = u64::from(self.layout.part.div_ceil(LEAF as u32));
        let line = 4 * if parts == 1 { leaves } else { leaves.next_multiple_of(LANES.into()) };
        let most = BITS_BYTES.min(largest_binding(self.resident.device.limits())) / (line * parts);
        let batch = most.min(self.layout.slice_rows().into()).min(rows.len() as u64).max(1);
        let bits = Line::new(("bits", 0), "masks", parts * batch * line).in_windows(batch * line);
        self.resident.hold(Line::new(("wanted", 0), "masks", 4 * batch)).await?;
        self.resident.hold(bits).await?;
        self.bits = Some(bits);
        let mut masks = Vec::with_capacity(rows.len());
        for some in rows.chunks(batch as usize) {
            let wanted: Vec<u32> = some.iter().map(|&row| owner[row]).collect();
            let keys = if parts == 1 {
                self.members(base, &wanted).await?
            } else {
                self.members_by_parts(base, &wanted, &owner).await?
            };
            masks.extend(keys.into_iter().map(|keys| {
                let of_key = |key: u32| {
                    let all = &tokens[key as usize];
                    if step.width == StripWidth::Argmax { &all[..1] } else { all }
                };
                let mut mask: Vec<u32> = keys.into_iter().flat_map(of_key).copied().collect();
                mask.sort_unstable();
                mask
            }));
        }
        Ok(masks)
    }

    /// The keys of C_i of each wanted key, by one tree.
    async fn members(&mut self, base: Job, wanted: &[u32]) -> Result<Vec<Vec<u32>>> {
        self.resident.queue.submit().await?;
        self.resident.write(("wanted", 0), wanted).await?;
        let base = self.of_part(base, 0);
        let (mut row, count) = (0, wanted.len() as u32);
        while row < count {
            let end = (row + self.rows_that_fit()).min(count);
            let job = Job { row_first: row, row_end: end, ..base };
            self.push(&kernels::SEARCH_MEMBERS, end - row, job, [0; 2]).await?;
            self.resident.queue.charge(f64::from(end - row) * self.row_cost()).await?;
            row = end;
        }
        self.resident.queue.finish().await?;
        let line = base.n.div_ceil(LEAF as u32) as usize;
        let bits = self.resident.read(("bits", 0), wanted.len() * line).await?;
        Ok(bits.chunks_exact(line).map(|bits| members_of(bits, 0..base.n)).collect())
    }

    /// The keys of C_i of each wanted key, by the trees of all parts; `owner` has the key of each token.
    async fn members_by_parts(&mut self, base: Job, wanted: &[u32], owner: &[u32]) -> Result<Vec<Vec<u32>>> {
        self.resident.queue.submit().await?;
        for (record, &key) in (0..).zip(wanted) {
            for (part, rows) in self.parts.split(&(key..key + 1)) {
                let slice_first = rows.start.wrapping_sub(record);
                let job = Job { row_first: rows.start, row_end: rows.end, slice_first, ..base };
                self.find_peaks(job, part).await?;
                self.over_parts(&kernels::PART_MEMBERS, job, part).await?;
                self.resident.queue.charge(self.row_cost()).await?;
            }
        }
        self.resident.queue.finish().await?;
        let window = self.bits.map_or(0, |bits| bits.window as usize / 4);
        let mut members = vec![Vec::new(); wanted.len()];
        let mut first = 0;
        for (part, keys) in self.parts.keys.iter().enumerate() {
            let line = keys.div_ceil(LEAF as u32) as usize;
            let words = part * window..part * window + wanted.len() * line;
            let bits = self.resident.read_some(("bits", 0), words).await?;
            for ((members, bits), &key) in members.iter_mut().zip(bits.chunks_exact(line)).zip(wanted) {
                let is_seen = base.causal == 0 || first <= key;
                match base.width_kind {
                    ARGMAX if part == 0 => members.push(owner[bits[0] as usize]),
                    ARGMAX => {}
                    _ if is_seen => members.extend(members_of(bits, first..first + keys)),
                    _ => {}
                }
            }
            first += keys;
        }
        Ok(members)
    }
}

/// Those of some keys whose bits are set. In a last word that is not full there may be more.
fn members_of(bits: &[u32], keys: Range<u32>) -> Vec<u32> {
    let is_set = |at: usize| bits[at / 32] >> (at % 32) & 1 == 1;
    keys.enumerate().filter(|&(at, _)| is_set(at)).map(|(_, key)| key).collect()
}
