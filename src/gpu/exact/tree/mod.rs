//! The state as keys in order, searched by a tree of boxes: coincident tokens once, with a weight.
//!
//! A step is
//!
//! | kernel | computes |
//! |---|---|
//! | `multiple`, `dense` | Q of the keys, unless A is the identity |
//! | `fit_leaves`, `fit_nodes` | boxes, weights and exact sums of keys that moved, their order kept |
//! | `search_step` | m_i, argmax, C_i, X' and the report, a thread a key |
//!
//! and before some of them, when it pays ([`SortSchedule`]), the keys are put in Morton order (`coding`)
//! and merged: `sort_counts`, `scan_counts`, `scan_blocks` and `sort_scatter` for each digit, then
//! `merge_starts`, `merge_keys` and `merge_owners`. All of it stays on the device; the host reads a
//! few words, and everything only when asked for tokens.
//!
//! What a step cost decides on a sort one step late, so that the device has the next step by the time
//! the host knows. The lag is always the same, whenever the words come back. Only a sort is waited
//! for: the number of keys sizes all that follows.
//!
//! Under a causal mask coincident tokens see different keys, so none are merged, and a box tells
//! the first and the last token in it.
//!
//! Every buffer is bound whole: an adapter whose bindings are too small for a cloud refuses the
//! plan.

mod coding;
mod layout;
mod share;
mod sort;
mod steps;

use std::ops::Range;

use crate::error::Result;
use crate::exact::{Grid, Step, StripWidth, TokenMatrix};
use crate::gpu::device::Device;
use crate::gpu::exact::job::Job;
use crate::gpu::exact::kernels::{self, LEVELS};
use crate::gpu::exact::layout::element_bytes;
use crate::gpu::exact::matrix::StepMatrix;
use crate::gpu::exact::tree::coding::MortonCode;
pub(crate) use crate::gpu::exact::tree::layout::memory;
use crate::gpu::memory::Line;
use crate::gpu::report::{REPORT_BOXES, REPORT_KEYS, counter};
use crate::gpu::resident::{Bound, Resident};
use crate::gpu::table::{Kernel, LANES, Span, compile};
use crate::gpu::words::{coordinates, pair, tokens, words};
use crate::interrupt::Interrupt;
use crate::model::Mask;
use crate::outcome::Strips;
use crate::space::{LEAF, SortSchedule, Upkeep};
use crate::tokens::Tokens;

/// Largest d of the kernels, which hold a token a thread; boxes say little beyond.
pub(crate) const WIDEST: usize = 64;

/// Most bytes of the bits of masks at a time.
const BITS_BYTES: u64 = 64 << 20;

/// The most keys for which the tests of most steps are not read.
const FEW: u32 = 1 << 14;

/// Keys scored and boxes bounded by a search, of all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tests {
    pub(crate) keys: u64,
    pub(crate) boxes: u64,
}

impl Tests {
    /// The tests in the words of a report.
    fn of(words: &[u32]) -> Self {
        Self { keys: counter(words, REPORT_KEYS), boxes: counter(words, REPORT_BOXES) }
    }

    pub(crate) fn total(self) -> f64 {
        (self.keys + self.boxes) as f64
    }
}

/// Which buffer of each pair that is exchanged comes first.
#[derive(Clone, Copy, Debug, Default)]
struct Sides {
    tokens: usize,
    marks: usize,
    order: usize,
}

/// Tokens on a device, as keys in order.
pub(crate) struct TreeSearch {
    resident: Resident<Job>,
    grid: Grid,
    n: u32,
    d: u32,
    upkeep: Upkeep,
    code: MortonCode,
    sides: Sides,
    /// The mask of the last step.
    mask: Mask,
    matrix: StepMatrix,
    /// Distinct tokens, as far as they have been merged, and the one that token 0 is.
    keys: u32,
    first_key: u32,
    /// Whether the argmaxes of the last step are of the keys as they are now.
    warm: bool,
    schedule: SortSchedule,
    /// The tests of the last step, and over how many keys.
    tests: Tests,
    rows: u32,
    /// The keys that this device took in the last step.
    own: Range<u32>,
    /// Sorts, and steps that were left.
    #[cfg(test)]
    counts: [u32; 2],
}

impl TreeSearch {
    /// Moves tokens to the device and sorts them; `matrix` is whether A will be anything but the
    /// identity.
    ///
    /// # Errors
    /// [`crate::error::Error::Memory`] before anything is allocated; device failures.
    pub(crate) async fn new(
        device: &Device,
        tokens: &Tokens,
        grid: Grid,
        matrix: bool,
        upkeep: Upkeep,
    ) -> Result<Self> {
        let (n, d) = (tokens.n() as u32, tokens.d() as u32);
        let memory = memory(tokens.n(), tokens.d(), grid.precision, matrix, device.limits())?;
        let lattice = grid.coordinates(tokens);
        let mut search = Self {
            resident: Resident::new(device, grid.precision, &memory).await?,
            grid,
            n,
            d,
            upkeep,
            code: MortonCode::of(&lattice, tokens.d()),
            sides: Sides::default(),
            mask: Mask::Full,
            matrix: StepMatrix::default(),
            keys: n,
            first_key: 0,
            warm: false,
            schedule: SortSchedule::new(upkeep.sort_every, 0.0, n > FEW).lagging(1),
            tests: Tests::default(),
            rows: n,
            own: 0..n,
            #[cfg(test)]
            counts: [0; 2],
        };
        compile::<Job>(device, &kernels::of_search(matrix), grid.precision, tokens.d()).await?;
        search.resident.write(("coding", 0), &search.code.words()).await?;
        search.resident.write(("lowest", 0), &words(&search.code.lowest, grid.precision)).await?;
        search.load(&lattice).await?;
        Ok(search)
    }

    /// Makes every token a key, and sorts.
    async fn load(&mut self, lattice: &[i64]) -> Result<()> {
        self.keys = self.n;
        self.resident.write(("tokens", self.sides.tokens), &words(lattice, self.grid.precision)).await?;
        self.resident.write(("marks", self.sides.marks), &(0..self.n).flat_map(|i| [1, i]).collect::<Vec<_>>()).await?;
        self.resident.write(("owner", 0), &(0..self.n).collect::<Vec<_>>()).await?;
        self.sort().await
    }

    /// Makes the keys fit a mask: under a causal one coincident tokens see different keys, and come
    /// apart.
    pub(super) async fn turn_to(&mut self, mask: Mask) -> Result<()> {
        if mask == self.mask {
            return Ok(());
        }
        (self.mask, self.warm) = (mask, false);
        if mask == Mask::Causal && self.keys < self.n {
            let lattice = self.lattice().await?;
            self.load(&lattice).await?;
        }
        Ok(())
    }

    /// Looks at an interrupt from now on.
    pub(crate) fn heed(&mut self, interrupt: &Interrupt) {
        self.resident.queue.interrupt = interrupt.clone();
    }

    /// Distinct tokens searched in the last step, and the tests it took.
    pub(crate) fn effort(&self) -> (u32, Tests) {
        (self.rows, self.tests)
    }

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn tokens(&self) -> Result<Tokens> {
        let (rows, owner) = (self.rows_of_keys().await?, self.owners().await?);
        tokens(self.grid, (self.n as usize, self.d as usize), &rows, |i| owner[i] as usize)
    }

    /// The coordinates of every token.
    async fn lattice(&self) -> Result<Vec<i64>> {
        let d = self.d as usize;
        let rows = coordinates(&self.rows_of_keys().await?, self.grid.precision);
        let owner = self.owners().await?;
        Ok(owner.iter().flat_map(|&key| &rows[key as usize * d..][..d]).copied().collect())
    }

    /// The words of the coordinates of every key.
    async fn rows_of_keys(&self) -> Result<Vec<u32>> {
        let [bytes, ..] = element_bytes(self.grid.precision);
        let words = self.keys as usize * self.d as usize * bytes as usize / 4;
        self.resident.read(("tokens", self.sides.tokens), words).await
    }

    /// Argmax and strip size of every token in the last step taken, unless masks were asked for
    /// since; size 0 for those of other shares.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn strips(&self) -> Result<Strips> {
        let found = self.resident.read(("found", 0), 3 * self.keys as usize).await?;
        let owner = self.owners().await?;
        let is_own = |key: u32| u32::from(self.own.contains(&key));
        let column = |at: usize| owner.iter().map(|&key| is_own(key) * found[3 * key as usize + at]).collect();
        Ok(Strips { argmax: column(0), count: column(1) })
    }

    /// C_i of the given tokens in the current state, by the decisions a step would take.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.turn_to(step.mask).await?;
        let owner = self.owners().await?;
        let mut tokens = vec![Vec::new(); self.keys as usize];
        (0..).zip(&owner).for_each(|(token, &key)| tokens[key as usize].push(token));
        let base = self.prepare(step, 0, 0).await?;
        let line = self.keys.div_ceil(LEAF as u32) as usize;
        let batch = (BITS_BYTES as usize / (4 * line)).clamp(1, rows.len().max(1));
        self.resident.hold(Line::new(("wanted", 0), "masks", 4 * batch as u64)).await?;
        self.resident.hold(Line::new(("bits", 0), "masks", 4 * (batch * line) as u64)).await?;
        let mut masks = Vec::with_capacity(rows.len());
        for part in rows.chunks(batch) {
            self.resident.queue.submit().await?;
            self.resident.write(("wanted", 0), &part.iter().map(|&row| owner[row]).collect::<Vec<_>>()).await?;
            self.over_rows(&kernels::SEARCH_MEMBERS, 0..part.len() as u32, base).await?;
            self.resident.queue.finish().await?;
            let bits = self.resident.read(("bits", 0), part.len() * line).await?;
            masks.extend(bits.chunks_exact(line).map(|bits| {
                let keys = (0..self.keys as usize).filter(|key| bits[key / 32] >> (key % 32) & 1 == 1);
                let of_key = |key: usize| {
                    let all = &tokens[key];
                    if step.width == StripWidth::Argmax { &all[..1] } else { all }
                };
                let mut mask: Vec<u32> = keys.flat_map(of_key).copied().collect();
                mask.sort_unstable();
                mask
            }));
        }
        Ok(masks)
    }

    /// Some rows, as many a submission as its time allows. What a row costs is unknown beforehand: at
    /// first as much as a look at every key, then what the last ones did, since the queue measures.
    pub(super) async fn over_rows(&mut self, kernel: &Kernel, rows: Range<u32>, base: Job) -> Result<()> {
        let cost = f64::from(self.n) * (f64::from(self.d) + 8.0);
        let mut row = rows.start;
        while row < rows.end {
            let [fit, _] = self.resident.queue.fit(cost);
            let end = row.saturating_add((fit / LANES * LANES).max(LANES)).min(rows.end);
            self.push(kernel, end - row, Job { row_first: row, row_end: end, ..base }).await?;
            self.resident.queue.charge(f64::from(end - row) * cost).await?;
            row = end;
        }
        Ok(())
    }

    /// Makes queries and fits the tree; returns the parameters that the step's dispatches share.
    pub(super) async fn prepare(&mut self, step: &Step, index: u32, limit: i64) -> Result<Job> {
        let (n, d, precision) = (self.n as usize, self.d as usize, self.grid.precision);
        let memory = |device: &Device| memory(n, d, precision, true, device.limits());
        self.matrix.load(&step.matrix, &mut self.resident, memory).await?;
        let leaves = self.keys.div_ceil(LEAF as u32);
        let first_leaf = leaves.next_power_of_two();
        let (first_key, warm) = (self.first_key, u32::from(self.warm));
        let base =
            Job { n: self.keys, report: index, first_leaf, first_key, warm, limit: pair(limit), ..Job::of(step) };
        let all = Job { row_end: self.keys, ..base };
        match step.matrix {
            TokenMatrix::Identity => {}
            TokenMatrix::Multiple(_) => self.push(&kernels::MULTIPLE, self.keys, all).await?,
            TokenMatrix::Dense(_) => self.push(&kernels::DENSE, self.keys, all).await?,
        }
        self.push(&kernels::FIT_LEAVES, leaves, base).await?;
        let mut level = first_leaf;
        while level > 1 {
            let above = (level >> LEVELS).max(1);
            self.push(&kernels::FIT_NODES, level - above, Job { row_first: above, row_end: level, ..base }).await?;
            level = above;
        }
        Ok(base)
    }

    /// Adds a dispatch of a kernel over `items`: keys, tokens, nodes or counts.
    pub(super) async fn push(&mut self, kernel: &Kernel, items: u32, mut job: Job) -> Result<()> {
        job.dims = self.d;
        let Sides { tokens, marks, order } = self.sides;
        let own = self.matrix.is_identity;
        self.resident
            .push(kernel, Span::of(items, 0, self.d), job, |slot| {
                Bound::whole(match slot {
                    "row_state" => ("tokens", tokens),
                    // The floats that queries are made with lie where X' will.
                    "next_state" | "state_filter" => ("tokens", 1 - tokens),
                    "query" if own => ("tokens", tokens),
                    "marks" => ("marks", marks),
                    "next_marks" => ("marks", 1 - marks),
                    "order" => ("order", order),
                    "next_order" => ("order", 1 - order),
                    _ => (slot, 0),
                })
            })
            .await
    }

    /// The key of every token.
    async fn owners(&self) -> Result<Vec<u32>> {
        self.resident.read(("owner", 0), self.n as usize).await
    }
}

#[cfg(test)]
mod tests;
