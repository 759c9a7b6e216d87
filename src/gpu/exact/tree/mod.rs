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
//! and before some of them, when it pays (`sorting`), the keys are put in Morton order (`coding`) and merged:
//! `sort_counts`, `scan_counts`, `scan_blocks` and `sort_scatter` for each digit, then `merge_starts`, `merge_keys` and
//! `merge_owners`. All of it stays on the device; the host reads a few words, and everything only when asked for tokens.
//!
//! Under a causal mask coincident tokens see different keys, so none are merged, and a box tells the first and the last token
//! in it.
//!
//! Every buffer is bound whole: an adapter whose bindings are too small for a cloud refuses the plan.

mod coding;
mod layout;
mod sorting;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::exact::{Grid, Step, StripWidth, TokenMatrix};
use crate::gpu::device::{Device, Pipeline};
use crate::gpu::exact::job::Job;
use crate::gpu::exact::kernels::{BLOCK, HASHED, Kernel, LANES, LEVELS, REPORT_WORDS, RUN, Slot};
use crate::gpu::exact::layout::element_bytes;
use crate::gpu::exact::report::{REPORTS, Tests, fresh, report};
use crate::gpu::exact::tree::coding::Coding;
use crate::gpu::exact::tree::layout::LINES;
pub(crate) use crate::gpu::exact::tree::layout::memory;
use crate::gpu::exact::tree::sorting::Sorting;
use crate::gpu::memory::Memory;
use crate::gpu::queue::{Dispatch, Queue};
use crate::gpu::words::{coordinates, pair, words};
use crate::model::Mask;
use crate::outcome::{StepReport, Strips};
use crate::space::{LEAF, Upkeep};
use crate::tokens::Tokens;

/// Largest d of the kernels, which hold a token a thread; boxes say little beyond.
pub(crate) const WIDEST: usize = 64;

/// Most bytes of the bits of masks at a time.
const BITS_BYTES: u64 = 64 << 20;

/// Whether the buffers of each pair are exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Sides {
    state: bool,
    marks: bool,
    order: bool,
}

/// Tokens on a device, as keys in order.
pub(crate) struct TreeSearch {
    device: Device,
    grid: Grid,
    n: u32,
    d: u32,
    upkeep: Upkeep,
    coding: Coding,
    /// Of two that are exchanged, either may lie in the other's place: `sides` says.
    buffers: HashMap<Slot, wgpu::Buffer>,
    sides: Sides,
    /// What the last step's rows saw.
    mask: Mask,
    bindings: HashMap<(Kernel, Sides, bool), wgpu::BindGroup>,
    queue: Queue<Job>,
    /// The Ã that is loaded, and whether the step at hand does without: Q = X.
    matrix: Option<TokenMatrix>,
    own_queries: bool,
    /// Distinct tokens, as far as they have been merged, and the one that token 0 is.
    keys: u32,
    first_key: u32,
    /// Whether the argmaxes of the last step are of the keys as they are now.
    warm: bool,
    sorting: Sorting,
    /// Of the last step, and over how many keys.
    tests: Tests,
    rows: u32,
}

impl TreeSearch {
    /// Moves tokens to the device and sorts them; `matrix` is whether A will be anything but the identity.
    ///
    /// # Errors
    /// [`Error::Memory`] before anything is allocated; device failures.
    pub(crate) fn new(device: &Device, tokens: &Tokens, grid: Grid, matrix: bool, upkeep: Upkeep) -> Result<Self> {
        let (n, d) = (tokens.n() as u32, tokens.d() as u32);
        let memory = memory(tokens.n(), tokens.d(), grid.precision, matrix, device.limits())?;
        device.adapter().memory().map_or(Ok(()), |available| memory.check_total(available))?;
        let reports = device.buffer("reports", (REPORTS * REPORT_WORDS * 4) as u64, wgpu::BufferUsages::STORAGE)?;
        let buffers = HashMap::from([(Slot::Reports, reports)]);
        let lattice = grid.coordinates(tokens);
        let coding = Coding::of(&lattice, tokens.d());
        let mut state = Self {
            device: device.clone(),
            grid,
            n,
            d,
            upkeep,
            coding,
            buffers,
            sides: Sides::default(),
            mask: Mask::Full,
            bindings: HashMap::new(),
            queue: Queue::new(device)?,
            matrix: None,
            own_queries: true,
            keys: n,
            first_key: 0,
            warm: false,
            sorting: Sorting::new(n, upkeep.sort_every),
            tests: Tests::default(),
            rows: n,
        };
        state.hold(&memory)?;
        state.write(Slot::Coding, &state.coding.words())?;
        state.write(Slot::Lowest, &words(&state.coding.lowest, grid.precision))?;
        state.load(&lattice)?;
        Ok(state)
    }

    /// Takes every token for a key, and sorts.
    fn load(&mut self, lattice: &[i64]) -> Result<()> {
        self.keys = self.n;
        self.write(Slot::RowState, &words(lattice, self.grid.precision))?;
        self.write(Slot::Marks, &(0..self.n).flat_map(|i| [1, i]).collect::<Vec<_>>())?;
        self.write(Slot::Owner, &(0..self.n).collect::<Vec<_>>())?;
        self.sort()
    }

    /// Makes the keys fit a mask: under a causal one coincident tokens see different keys, and come apart.
    fn turn_to(&mut self, mask: Mask) -> Result<()> {
        if mask == self.mask {
            return Ok(());
        }
        (self.mask, self.warm) = (mask, false);
        if mask == Mask::Causal && self.keys < self.n {
            self.queue.submit()?;
            let lattice = self.lattice()?;
            self.load(&lattice)?;
        }
        Ok(())
    }

    /// Time that submissions have taken so far, from submitting to their end.
    pub(crate) fn busy(&self) -> Duration {
        self.queue.busy()
    }

    /// Distinct tokens searched in the last step, and the tests it took.
    pub(crate) fn effort(&self) -> (u32, Tests) {
        (self.rows, self.tests)
    }

    /// Applies the steps in order.
    ///
    /// # Errors
    /// Device failures. The state is then undefined.
    pub(crate) fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        for group in steps.chunks(REPORTS) {
            self.write(Slot::Reports, &fresh(group.len()))?;
            let mut known = 0;
            for (index, step) in group.iter().enumerate() {
                if self.sorting.is_asking(self.keys) {
                    self.learn(known..index)?;
                    known = index;
                }
                self.turn_to(step.mask)?;
                if self.sorting.is_due() {
                    self.sort()?;
                }
                self.one_step(step, index as u32)?;
                self.sorting.stepped();
            }
            let read = self.learn(known..group.len())?;
            reports.extend(group.iter().zip(read.chunks_exact(REPORT_WORDS)).map(|(step, words)| report(step, words)));
        }
        Ok(reports)
    }

    /// Waits for the steps so far and counts the tests of some; returns the words of their reports and all before.
    fn learn(&mut self, steps: std::ops::Range<usize>) -> Result<Vec<u32>> {
        self.queue.submit()?;
        let read = self.device.read(self.buffer(Slot::Reports), steps.end * REPORT_WORDS)?;
        for words in read.chunks_exact(REPORT_WORDS).skip(steps.start) {
            self.tests = Tests::of(words);
            self.sorting.learn(self.tests.total() as f64);
        }
        self.rows = self.keys;
        Ok(read)
    }

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) fn tokens(&self) -> Result<Tokens> {
        self.grid.tokens(self.n as usize, self.d as usize, &self.lattice()?)
    }

    /// The coordinates of every token.
    fn lattice(&self) -> Result<Vec<i64>> {
        let d = self.d as usize;
        let [bytes, ..] = element_bytes(self.grid.precision);
        let rows = self.device.read(self.buffer(Slot::RowState), self.keys as usize * d * bytes as usize / 4)?;
        let rows = coordinates(&rows, self.grid.precision);
        let owner = self.owners()?;
        Ok(owner.iter().flat_map(|&key| &rows[key as usize * d..][..d]).copied().collect())
    }

    /// Argmax and strip size of every token in the last step taken, unless masks were asked for since.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) fn strips(&self) -> Result<Strips> {
        let found = self.device.read(self.buffer(Slot::Found), 3 * self.keys as usize)?;
        let owner = self.owners()?;
        let column = |at: usize| owner.iter().map(|&key| found[3 * key as usize + at]).collect();
        Ok(Strips { argmax: column(0), count: column(1) })
    }

    /// C_i of the given tokens in the current state, by the decisions a step would take.
    ///
    /// # Errors
    /// Device failures; a token that is not there.
    pub(crate) fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let n = self.n;
        if let Some(row) = rows.iter().find(|&&row| row >= n as usize) {
            return Err(Error::input(format!("token {row} was asked for; there are {n}, counted from 0")));
        }
        self.turn_to(step.mask)?;
        let owner = self.owners()?;
        let mut tokens = vec![Vec::new(); self.keys as usize];
        (0..).zip(&owner).for_each(|(token, &key)| tokens[key as usize].push(token));
        let base = self.prepare(step, 0)?;
        let line = self.keys.div_ceil(LEAF as u32) as usize;
        let batch = (BITS_BYTES as usize / (4 * line)).clamp(1, rows.len().max(1));
        for (slot, bytes) in [(Slot::Wanted, 4 * batch), (Slot::Bits, 4 * batch * line)] {
            let usage = wgpu::BufferUsages::STORAGE;
            self.buffers.insert(slot, self.device.buffer("masks", bytes as u64, usage)?);
        }
        self.bindings.retain(|key, _| key.0 != Kernel::SearchMembers);
        let mut masks = Vec::with_capacity(rows.len());
        for part in rows.chunks(batch) {
            self.queue.submit()?;
            self.write(Slot::Wanted, &part.iter().map(|&row| owner[row]).collect::<Vec<_>>())?;
            self.over_rows(Kernel::SearchMembers, part.len() as u32, base)?;
            self.queue.submit()?;
            let bits = self.device.read(self.buffer(Slot::Bits), part.len() * line)?;
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

    fn one_step(&mut self, step: &Step, index: u32) -> Result<()> {
        let base = self.prepare(step, index)?;
        self.over_rows(Kernel::SearchStep, self.keys, base)?;
        self.sides.state ^= true;
        self.warm = true;
        Ok(())
    }

    /// Rows from 0 to `count`, as many a submission as its time allows. What a row costs is unknown beforehand: at first
    /// as much as a look at every key, then what the last ones did, since the queue measures.
    fn over_rows(&mut self, kernel: Kernel, count: u32, base: Job) -> Result<()> {
        let cost = f64::from(self.n) * (f64::from(self.d) + 8.0);
        let mut row = 0;
        while row < count {
            let [fit, _] = self.queue.fit(cost);
            let end = row.saturating_add((fit / LANES * LANES).max(LANES)).min(count);
            self.push(kernel, end - row, Job { row_first: row, row_end: end, ..base })?;
            self.queue.charge(f64::from(end - row) * cost)?;
            row = end;
        }
        Ok(())
    }

    /// Queries and the tree; returns what the step's jobs share.
    fn prepare(&mut self, step: &Step, index: u32) -> Result<Job> {
        self.load_matrix(&step.matrix)?;
        self.own_queries = step.matrix == TokenMatrix::Identity;
        let leaves = self.keys.div_ceil(LEAF as u32);
        let first_leaf = leaves.next_power_of_two();
        let (first_key, warm) = (self.first_key, u32::from(self.warm));
        let base = Job { n: self.keys, report: index, first_leaf, first_key, warm, ..Job::of(step) };
        let coordinates = self.keys * self.d;
        let all = Job { row_end: self.keys, ..base };
        match step.matrix {
            TokenMatrix::Identity => {}
            TokenMatrix::Multiple(_) => self.push(Kernel::Multiple, coordinates, all)?,
            TokenMatrix::Dense(_) => self.push(Kernel::Dense, coordinates, all)?,
        }
        self.push(Kernel::FitLeaves, leaves * self.d, base)?;
        let mut level = first_leaf;
        while level > 1 {
            let above = (level >> LEVELS).max(1);
            self.push(Kernel::FitNodes, (level - above) * self.d, Job { row_first: above, row_end: level, ..base })?;
            level = above;
        }
        Ok(base)
    }

    /// Buffers of a memory that are not there yet.
    fn hold(&mut self, memory: &Memory) -> Result<()> {
        for (what, slot) in LINES {
            if let (Some(bytes), Entry::Vacant(place)) = (memory.bytes(what), self.buffers.entry(slot)) {
                place.insert(self.device.buffer(what, bytes, wgpu::BufferUsages::STORAGE)?);
            }
        }
        Ok(())
    }

    /// Ã on the device when it changes, with buffers for queries when they are first needed.
    fn load_matrix(&mut self, matrix: &TokenMatrix) -> Result<()> {
        if *matrix == TokenMatrix::Identity || self.matrix.as_ref() == Some(matrix) {
            return Ok(());
        }
        let (n, d) = (self.n as usize, self.d as usize);
        self.hold(&memory(n, d, self.grid.precision, true, self.device.limits())?)?;
        if let TokenMatrix::Dense(entries) = matrix {
            self.queue.submit()?;
            self.write(Slot::Matrix, &entries.iter().flat_map(|&a| pair(a)).collect::<Vec<_>>())?;
        }
        self.matrix = Some(matrix.clone());
        Ok(())
    }

    /// Puts the keys in order and merges those that are equal.
    fn sort(&mut self) -> Result<()> {
        let (n, keys) = (self.n, self.keys);
        let base = Job { n: keys, apart: u32::from(!self.upkeep.merge || self.mask == Mask::Causal), ..Job::default() };
        self.push(Kernel::Number, keys, base)?;
        let hashed = if self.coding.exact { 0..0 } else { HASHED..HASHED + 2 };
        for digit in hashed.chain(0..self.coding.digits) {
            let base = Job { digit, ..base };
            self.push(Kernel::SortCounts, keys, base)?;
            self.scan(256 * keys.div_ceil(RUN), base)?;
            self.push(Kernel::SortScatter, keys, base)?;
            self.sides.order ^= true;
        }
        self.push(Kernel::MergeStarts, keys, base)?;
        self.scan(keys, base)?;
        self.push(Kernel::MergeKeys, keys, base)?;
        self.push(Kernel::MergeOwners, n, Job { row_end: n, ..base })?;
        self.sides.state ^= true;
        self.sides.marks ^= true;
        self.queue.submit()?;
        let sorted = self.device.read(self.buffer(Slot::Sorted), 2)?;
        (self.keys, self.first_key) = (sorted[0], sorted[1]);
        self.warm = false;
        self.sorting.sorted(self.keys);
        Ok(())
    }

    /// Running sums of the first `length` counts.
    fn scan(&mut self, length: u32, base: Job) -> Result<()> {
        let job = Job { row_end: length, ..base };
        self.push(Kernel::ScanCounts, length, job)?;
        self.push(Kernel::ScanBlocks, BLOCK.min(length), job)
    }

    /// A kernel over `items`: keys, tokens, coordinates, counts.
    fn push(&mut self, kernel: Kernel, items: u32, mut job: Job) -> Result<()> {
        job.dims = self.d;
        let d = self.d as usize;
        let group = match kernel {
            Kernel::FitLeaves | Kernel::FitNodes | Kernel::Multiple | Kernel::Dense => LANES,
            Kernel::ScanBlocks => items,
            _ => kernel.rows_a_group(d),
        };
        let groups = items.div_ceil(group);
        let groups = self.device.spread(groups.into());
        let pipeline = kernel.pipeline(&self.device, self.grid.precision, d)?;
        let binding = self.binding(kernel, &pipeline)?;
        self.queue.push(Dispatch { pipeline, binding, groups, job })
    }

    fn binding(&mut self, kernel: Kernel, pipeline: &Pipeline) -> Result<wgpu::BindGroup> {
        let key = (kernel, self.sides, self.own_queries);
        if let Some(binding) = self.bindings.get(&key) {
            return Ok(binding.clone());
        }
        let slots = kernel.slots().into_iter();
        let buffers = slots.map(|(_, slot, _)| self.buffer(slot).as_entire_buffer_binding()).collect();
        let binding = self.device.bind(kernel.entry(), pipeline, buffers)?;
        self.bindings.insert(key, binding.clone());
        Ok(binding)
    }

    /// The buffer that is in a slot at present. The floats that queries are made with lie where X' will.
    fn buffer(&self, slot: Slot) -> &wgpu::Buffer {
        let Sides { state, marks, order } = self.sides;
        let slot = match slot {
            Slot::Query if self.own_queries => Slot::RowState,
            Slot::RowFilter => Slot::NextState,
            slot => slot,
        };
        let slot = match slot {
            Slot::RowState if state => Slot::NextState,
            Slot::NextState if state => Slot::RowState,
            Slot::Marks if marks => Slot::NextMarks,
            Slot::NextMarks if marks => Slot::Marks,
            Slot::Order if order => Slot::NextOrder,
            Slot::NextOrder if order => Slot::Order,
            slot => slot,
        };
        &self.buffers[&slot]
    }

    fn write(&self, slot: Slot, words: &[u32]) -> Result<()> {
        self.device.write(self.buffer(slot), words)
    }

    /// The key of every token.
    fn owners(&self) -> Result<Vec<u32>> {
        self.device.read(self.buffer(Slot::Owner), self.n as usize)
    }
}

#[cfg(test)]
mod tests;
