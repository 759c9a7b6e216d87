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
//! A kernel reaches the keys of one binding. Of a larger cloud each part is a tree, with keys that are
//! sorted and merged among themselves: parts are of tokens that follow one another. Rows go through all
//! parts, twice, a slice of them at a time:
//!
//! | kernel | computes |
//! |---|---|
//! | `part_rows` | D_i, for rows that know nothing yet |
//! | `part_peaks` | m_i and argmax of the parts so far |
//! | `part_strips` | \|C_i\| and sums of the parts so far |
//! | `part_moves` | X' and the report |
//!
//! What is known of a row between two parts is its best key's place, from which the next part measures
//! scores: no score goes from one to the other. Weights and sums are integers, so that any parts give
//! the same bits.

mod coding;
mod layout;
mod masks;
mod parts;
mod share;
mod sort;
mod steps;

use std::ops::Range;

use crate::error::Result;
use crate::exact::{Grid, Step, TokenMatrix};
use crate::gpu::device::Device;
use crate::gpu::exact::job::{ARGMAX, Job};
use crate::gpu::exact::kernels::{self, LEVELS};
use crate::gpu::exact::layout::element_bytes;
use crate::gpu::exact::matrix::StepMatrix;
use crate::gpu::exact::tree::coding::MortonCode;
use crate::gpu::exact::tree::layout::Layout;
pub(crate) use crate::gpu::exact::tree::layout::memory;
use crate::gpu::exact::tree::parts::Parts;
use crate::gpu::memory::{Line, Name};
use crate::gpu::report::{REPORT_BOXES, REPORT_KEYS, counter};
use crate::gpu::resident::{Bound, Resident};
use crate::gpu::table::{Kernel, LANES, NOBODY, Span, compile};
use crate::gpu::words::{coordinates, pair, tokens, words};
use crate::interrupt::Interrupt;
use crate::model::Mask;
use crate::outcome::Strips;
use crate::space::{LEAF, SortSchedule, Upkeep};
use crate::tokens::Tokens;

/// Largest d of the kernels, which hold a token a thread; boxes say little beyond.
pub(crate) const WIDEST: usize = 64;

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
    layout: Layout,
    grid: Grid,
    n: u32,
    d: u32,
    upkeep: Upkeep,
    code: MortonCode,
    sides: Sides,
    /// The mask of the last step.
    mask: Mask,
    matrix: StepMatrix,
    /// Distinct tokens, as far as they have been merged, and the one that token 0 is, in the first part.
    parts: Parts,
    first_key: u32,
    /// Whether the argmaxes of the last step are of the keys as they are now.
    warm: bool,
    schedule: SortSchedule,
    /// The tests of the last step, and over how many keys.
    tests: Tests,
    rows: u32,
    /// The keys that this device took in the last step.
    own: Range<u32>,
    /// The bits of masks, once some were asked for.
    bits: Option<Line>,
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
        let layout = Layout::new((tokens.n(), tokens.d()), grid.precision, device.limits())?;
        let lattice = grid.coordinates(tokens);
        let parts = Parts::of(n, layout.part);
        let mut search = Self {
            resident: Resident::new(device, grid.precision, &layout.memory(matrix)).await?,
            layout,
            grid,
            n,
            d,
            upkeep,
            code: MortonCode::of(&lattice, tokens.d()),
            sides: Sides::default(),
            mask: Mask::FULL,
            matrix: StepMatrix::default(),
            parts,
            first_key: 0,
            warm: false,
            schedule: SortSchedule::new(upkeep.sort_every, 0.0, n > FEW).lagging(1),
            tests: Tests::default(),
            rows: n,
            own: 0..n,
            bits: None,
            #[cfg(test)]
            counts: [0; 2],
        };
        let kernels = kernels::of_search(matrix, search.parts.count() > 1);
        compile::<Job>(device, &kernels, grid.precision, tokens.d()).await?;
        search.resident.write(("coding", 0), &search.code.words()).await?;
        search.resident.write(("lowest", 0), &words(&search.code.lowest, grid.precision)).await?;
        search.load(&lattice).await?;
        Ok(search)
    }

    /// Makes every token a key, and sorts.
    async fn load(&mut self, lattice: &[i64]) -> Result<()> {
        self.parts = Parts::of(self.n, self.layout.part);
        self.resident.write(("tokens", self.sides.tokens), &words(lattice, self.grid.precision)).await?;
        self.resident.write(("marks", self.sides.marks), &(0..self.n).flat_map(|i| [1, i]).collect::<Vec<_>>()).await?;
        let in_part = |token| token % self.layout.part;
        self.resident.write(("owner", 0), &(0..self.n).map(in_part).collect::<Vec<_>>()).await?;
        self.sort().await
    }

    /// Makes the keys fit a mask: under a causal one coincident tokens see different keys, and come
    /// apart.
    pub(super) async fn turn_to(&mut self, mask: Mask) -> Result<()> {
        if mask == self.mask {
            return Ok(());
        }
        (self.mask, self.warm) = (mask, false);
        if mask == Mask::CAUSAL && self.keys() < self.n {
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
        self.read_keys(("tokens", self.sides.tokens), self.words_of_row(), 0..self.keys()).await
    }

    /// Words of the coordinates of a key.
    fn words_of_row(&self) -> usize {
        let [bytes, ..] = element_bytes(self.grid.precision);
        self.d as usize * bytes as usize / 4
    }

    /// The lines, of so many words, of some keys, counted through the parts.
    async fn read_keys(&self, name: Name, line: usize, keys: Range<u32>) -> Result<Vec<u32>> {
        let mut read = Vec::with_capacity(keys.len() * line);
        for (part, keys) in self.parts.split(&keys) {
            let first = self.parts.first_place(part) as usize;
            let words = (first + keys.start as usize) * line..(first + keys.end as usize) * line;
            read.extend(self.resident.read_some(name, words).await?);
        }
        Ok(read)
    }

    /// Number of keys.
    fn keys(&self) -> u32 {
        self.parts.total()
    }

    /// Argmax and strip size of every token in the last step taken, unless masks were asked for
    /// since; size 0 for those of other shares.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn strips(&self) -> Result<Strips> {
        let found = self.read_keys(("found", 0), 3, 0..self.keys()).await?;
        let owner = self.owners().await?;
        let is_own = |key: u32| u32::from(self.own.contains(&key));
        let column = |at: usize| owner.iter().map(|&key| is_own(key) * found[3 * key as usize + at]).collect();
        Ok(Strips { argmax: column(0), count: column(1) })
    }

    /// A step of the keys that are this device's own, as many a submission as its time allows. What a row
    /// costs is unknown beforehand: at first as much as a look at every key, then what the last ones did,
    /// since the queue measures.
    pub(super) async fn over_own(&mut self, base: Job) -> Result<()> {
        for (part, rows) in self.parts.split(&self.own) {
            let mut row = rows.start;
            while row < rows.end {
                let end = row.saturating_add(self.rows_that_fit()).min(rows.end);
                let job = Job { row_first: row, row_end: end, slice_first: row, ..base };
                if self.parts.count() == 1 {
                    self.push(&kernels::SEARCH_STEP, end - row, self.of_part(job, part), [part; 2]).await?;
                } else {
                    self.find_peaks(job, part).await?;
                    if job.width_kind != ARGMAX {
                        self.over_parts(&kernels::PART_STRIPS, job, part).await?;
                    }
                    self.push(&kernels::PART_MOVES, end - row, job, [part; 2]).await?;
                }
                self.resident.queue.charge(f64::from(end - row) * self.row_cost()).await?;
                row = end;
            }
        }
        Ok(())
    }

    /// Rows that the next submission has time for.
    fn rows_that_fit(&self) -> u32 {
        let [fit, _] = self.resident.queue.fit(self.row_cost());
        (fit / LANES * LANES).max(LANES).min(self.layout.slice_rows())
    }

    /// The cost of a row.
    fn row_cost(&self) -> f64 {
        f64::from(self.n) * (f64::from(self.d) + 8.0)
    }

    /// Finds the champions of rows of a part.
    async fn find_peaks(&mut self, job: Job, part: u32) -> Result<()> {
        self.push(&kernels::PART_ROWS, job.row_end - job.row_first, job, [part; 2]).await?;
        self.over_parts(&kernels::PART_PEAKS, job, part).await
    }

    /// Takes rows of a part through every part that they see.
    async fn over_parts(&mut self, kernel: &Kernel, job: Job, part: u32) -> Result<()> {
        let end = if job.causal == 1 { part + 1 } else { self.parts.count() };
        for keys in 0..end {
            self.push(kernel, job.row_end - job.row_first, self.of_part(job, keys), [part, keys]).await?;
        }
        Ok(())
    }

    /// Makes queries and fits the trees; returns the parameters that the step's dispatches share.
    pub(super) async fn prepare(&mut self, step: &Step, index: u32, limit: i64) -> Result<Job> {
        self.matrix.load(&step.matrix, &mut self.resident, |_| Ok(self.layout.memory(true))).await?;
        let base = Job { report: index, warm: u32::from(self.warm), limit: pair(limit), ..Job::of(step) };
        for part in 0..self.parts.count() {
            self.prepare_part(step, base, part).await?;
        }
        Ok(base)
    }

    async fn prepare_part(&mut self, step: &Step, base: Job, part: u32) -> Result<()> {
        let base = self.of_part(base, part);
        let parts = [part; 2];
        let all = Job { row_end: base.n, ..base };
        match step.matrix {
            TokenMatrix::Identity => {}
            TokenMatrix::Multiple(_) => self.push(&kernels::MULTIPLE, base.n, all, parts).await?,
            TokenMatrix::Dense(_) => self.push(&kernels::DENSE, base.n, all, parts).await?,
        }
        self.push(&kernels::FIT_LEAVES, base.n.div_ceil(LEAF as u32), base, parts).await?;
        let mut level = base.first_leaf;
        while level > 1 {
            let above = (level >> LEVELS).max(1);
            let job = Job { row_first: above, row_end: level, ..base };
            self.push(&kernels::FIT_NODES, level - above, job, parts).await?;
            level = above;
        }
        Ok(())
    }

    /// The parameters of a dispatch over the keys of a part.
    fn of_part(&self, job: Job, part: u32) -> Job {
        let keys = self.parts.keys[part as usize];
        let first_leaf = keys.div_ceil(LEAF as u32).next_power_of_two();
        Job { n: keys, first_leaf, first_key: if part == 0 { self.first_key } else { NOBODY }, ..job }
    }

    /// Adds a dispatch of a kernel over `items`: keys, tokens, nodes or counts; of rows of one part, against
    /// keys of another or the same.
    pub(super) async fn push(
        &mut self,
        kernel: &Kernel,
        items: u32,
        mut job: Job,
        [rows, keys]: [u32; 2],
    ) -> Result<()> {
        job.dims = self.d;
        let Sides { tokens, marks, order } = self.sides;
        let (own, layout, bits) = (self.matrix.is_identity, &self.layout, self.bits.as_ref());
        self.resident
            .push(kernel, Span::of(items, 0, self.d), job, |slot| {
                let name = match slot {
                    "row_state" => ("tokens", tokens),
                    // The floats that queries are made with lie where X' will.
                    "next_state" | "state_filter" => ("tokens", 1 - tokens),
                    "query" if own => ("tokens", tokens),
                    "marks" => ("marks", marks),
                    "next_marks" => ("marks", 1 - marks),
                    "order" => ("order", order),
                    "next_order" => ("order", 1 - order),
                    _ => (slot, 0),
                };
                let part =
                    if matches!(slot, "row_state" | "marks" | "boxes" | "wholes" | "bits") { keys } else { rows };
                layout
                    .line(name)
                    .or(bits.filter(|_| slot == "bits"))
                    .map_or(Bound::whole(name), |line| Bound::part(name, part, line))
            })
            .await
    }

    /// The key of every token.
    async fn owners(&self) -> Result<Vec<u32>> {
        let mut owner = self.resident.read(("owner", 0), self.n as usize).await?;
        self.parts.among_all(&mut owner);
        Ok(owner)
    }
}

#[cfg(test)]
mod tests;
