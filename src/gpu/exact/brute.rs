//! The resident tokens, and steps as lists of dispatches.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::exact::{Grid, Step, TokenMatrix};
use crate::gpu::device::{Device, Pipeline};
use crate::gpu::exact::job::Job;
use crate::gpu::exact::kernels::{Kernel, LANES, REPORT_WORDS, SUPERTILE, Slot, TILES};
use crate::gpu::exact::layout::{Layout, element_bytes};
use crate::gpu::exact::report::{REPORTS, fresh, report};
use crate::gpu::queue::{Dispatch, Queue};
use crate::gpu::words::{coordinates, pair, words};
use crate::outcome::{StepReport, Strips};
use crate::tokens::{Precision, Tokens};

/// n tokens on a device.
pub struct BruteForce {
    device: Device,
    grid: Grid,
    plan: Layout,
    supertiles: u32,
    buffers: HashMap<Slot, wgpu::Buffer>,
    /// X and X', exchanged by every step; `current` says which is X.
    states: [wgpu::Buffer; 2],
    current: usize,
    /// By kernel, `current`, `own_queries`, and the indices of the windows of rows and keys.
    bindings: HashMap<(Kernel, usize, bool, u32, u32), wgpu::BindGroup>,
    queue: Queue<Job>,
    /// The Ã that is loaded, and whether the step at hand does without: Q = X.
    matrix: Option<TokenMatrix>,
    own_queries: bool,
    taken: bool,
    strips: Option<Strips>,
}

impl std::fmt::Debug for BruteForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BruteForce")
            .field("device", &self.device)
            .field("grid", &self.grid)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl BruteForce {
    /// Moves tokens to the device; `matrix` is whether A will be anything but the identity, for the plan.
    ///
    /// # Errors
    /// [`Error::Memory`] before anything is allocated; device failures.
    pub fn new(device: &Device, tokens: &Tokens, grid: Grid, matrix: bool) -> Result<Self> {
        let (n, d) = (tokens.n(), tokens.d());
        let plan = Layout::new(n, d, grid.precision, matrix, device.limits())?;
        if let Some(available) = device.adapter().memory() {
            plan.memory.check_total(available)?;
        }
        let storage = |what| device.buffer(what, plan.memory.bytes(what).unwrap_or(0), wgpu::BufferUsages::STORAGE);
        let states = [storage("tokens")?, storage("next tokens")?];
        let extent = device.buffer("extent", d as u64 * 4, wgpu::BufferUsages::STORAGE)?;
        let reports = device.buffer("reports", (REPORTS * REPORT_WORDS * 4) as u64, wgpu::BufferUsages::STORAGE)?;
        let buffers = HashMap::from([
            (Slot::RowFilter, storage("tokens as f32")?),
            (Slot::Rows, storage("rows")?),
            (Slot::Maxima, storage("supertile maxima")?),
            (Slot::Sums, storage("strip sums")?),
            (Slot::Extent, extent),
            (Slot::Reports, reports),
        ]);
        let lattice = grid.coordinates(tokens);
        device.write(&states[0], &words(&lattice, grid.precision))?;
        device.write(&buffers[&Slot::Extent], &extents(&lattice, d))?;
        Ok(Self {
            device: device.clone(),
            grid,
            supertiles: plan.n.div_ceil(SUPERTILE),
            plan,
            buffers,
            states,
            current: 0,
            bindings: HashMap::new(),
            queue: Queue::new(device)?,
            matrix: None,
            own_queries: true,
            taken: false,
            strips: None,
        })
    }

    /// The device it lives on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Its memory.
    pub fn plan(&self) -> &Layout {
        &self.plan
    }

    /// Time that submissions have taken so far, from submitting to their end.
    pub fn busy(&self) -> Duration {
        self.queue.busy()
    }

    /// Applies the steps in order.
    ///
    /// # Errors
    /// Device failures. The state is then undefined.
    pub fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        for group in steps.chunks(REPORTS) {
            let fresh = fresh(group.len());
            self.device.write(&self.buffers[&Slot::Reports], &fresh)?;
            for (index, step) in (0..).zip(group) {
                self.one_step(step, index)?;
            }
            self.queue.submit()?;
            self.taken = true;
            self.strips = None;
            let read = self.device.read(&self.buffers[&Slot::Reports], group.len() * REPORT_WORDS)?;
            reports.extend(group.iter().zip(read.chunks_exact(REPORT_WORDS)).map(|(step, words)| report(step, words)));
        }
        Ok(reports)
    }

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// Device failures.
    pub fn tokens(&mut self) -> Result<Tokens> {
        let (n, d) = (self.plan.n as usize, self.plan.d as usize);
        let [bytes, ..] = element_bytes(self.grid.precision);
        let words = self.device.read(&self.states[self.current], n * d * bytes as usize / 4)?;
        self.grid.tokens(n, d, &coordinates(&words, self.grid.precision))
    }

    /// Argmax and strip size of every row in the last step taken.
    ///
    /// # Errors
    /// Device failures; no step taken yet.
    pub fn strips(&mut self) -> Result<Strips> {
        if !self.taken {
            return Err(Error::input("no step has been taken yet"));
        }
        if let Some(strips) = &self.strips {
            return Ok(strips.clone());
        }
        let [.., record] = element_bytes(self.grid.precision);
        let line = record as usize / 4;
        // best, width, error, argmax, count, peak: the last three words before the record's end.
        let rows = self.device.read(&self.buffers[&Slot::Rows], self.plan.n as usize * line)?;
        let column = |back: usize| rows.chunks_exact(line).map(|row| row[line - back]).collect();
        let strips = Strips { argmax: column(3), count: column(2) };
        self.strips = Some(strips.clone());
        Ok(strips)
    }

    /// C_i of the given rows in the current state, by the decisions a step would take.
    ///
    /// # Errors
    /// Device failures; a row that is not there.
    pub fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let n = self.plan.n;
        if let Some(row) = rows.iter().find(|&&row| row >= n as usize) {
            return Err(Error::input(format!("token {row} was asked for; there are {n}, counted from 0")));
        }
        if self.taken {
            // The rows' records are about to be written anew.
            self.strips()?;
        }
        let line = self.supertiles as usize * SUPERTILE as usize / 32;
        let batch = (self.plan.memory.slice_rows as usize).min(rows.len().max(1));
        if self.buffers.get(&Slot::Bits).is_none_or(|bits| bits.size() < (batch * line * 4) as u64) {
            let bits = self.device.buffer("masks", (batch * line * 4) as u64, wgpu::BufferUsages::STORAGE)?;
            self.buffers.insert(Slot::Bits, bits);
            self.bindings.retain(|key, _| key.0 != Kernel::Masks);
        }
        let base = self.prepare(step, 0)?;
        let mut masks = Vec::with_capacity(rows.len());
        for part in rows.chunks(batch) {
            let mut at = 0;
            while at < part.len() {
                let first = part[at] as u32;
                let window = first / self.plan.window_rows;
                let mut end = first + 1;
                let start = at;
                at += 1;
                while at < part.len() && part[at] as u32 == end && end / self.plan.window_rows == window {
                    end += 1;
                    at += 1;
                }
                let slice_first = first.wrapping_sub(start as u32);
                let job = Job { row_first: first, row_end: end, slice_first, ..base };
                self.over_keys(Kernel::Scores, &job, self.supertiles)?;
                self.over_keys(Kernel::Peaks, &job, self.plan.dispatch_tiles)?;
                self.over_keys(Kernel::Masks, &job, self.plan.dispatch_tiles)?;
                self.queue.charge(f64::from(end - first) * self.row_cost())?;
            }
            self.queue.submit()?;
            let words = self.device.read(&self.buffers[&Slot::Bits], part.len() * line)?;
            masks.extend(words.chunks_exact(line).map(members));
        }
        Ok(masks)
    }

    fn one_step(&mut self, step: &Step, report: u32) -> Result<()> {
        let base = self.prepare(step, report)?;
        let mut row = 0;
        while row < self.plan.n {
            let range = self.next_rows(row, self.row_cost(), self.plan.memory.slice_rows);
            row = range.end;
            let job = Job { row_first: range.start, row_end: range.end, slice_first: range.start, ..base };
            self.over_keys(Kernel::Scores, &job, self.supertiles)?;
            self.over_keys(Kernel::Peaks, &job, self.plan.dispatch_tiles)?;
            self.over_keys(Kernel::Strips, &job, self.plan.dispatch_tiles)?;
            self.push(Kernel::Moves, job, 0)?;
            self.queue.charge(f64::from(range.end - range.start) * self.row_cost())?;
        }
        self.current = 1 - self.current;
        Ok(())
    }

    /// Queries, filters and widths of all rows; returns what the step's jobs share.
    fn prepare(&mut self, step: &Step, report: u32) -> Result<Job> {
        let (d, wide) = (f64::from(self.plan.d), self.grid.precision == Precision::F64);
        let (kernel, cost) = match step.matrix {
            TokenMatrix::Identity => (Kernel::Identity, d),
            TokenMatrix::Multiple(_) => (Kernel::Multiple, 10.0 * d),
            TokenMatrix::Dense(_) => (Kernel::Dense, if wide { 60.0 } else { 12.0 } * d * d),
        };
        self.load_matrix(&step.matrix)?;
        self.own_queries = step.matrix == TokenMatrix::Identity;
        let base = Job { n: self.plan.n, supertiles: self.supertiles, report, ..Job::of(step) };
        let mut row = 0;
        while row < self.plan.n {
            let range = self.next_rows(row, cost + d, u32::MAX);
            row = range.end;
            let job = Job { row_first: range.start, row_end: range.end, ..base };
            self.push(kernel, job, 0)?;
            self.push(Kernel::Widths, job, 0)?;
            self.queue.charge(f64::from(range.end - range.start) * (cost + d))?;
        }
        Ok(base)
    }

    /// Buffers for queries, and Ã on the device, when they are first needed or change.
    fn load_matrix(&mut self, matrix: &TokenMatrix) -> Result<()> {
        if *matrix == TokenMatrix::Identity || self.matrix.as_ref() == Some(matrix) {
            return Ok(());
        }
        if !self.buffers.contains_key(&Slot::Query) {
            let (n, d) = (self.plan.n as usize, self.plan.d as usize);
            self.plan = Layout::new(n, d, self.grid.precision, true, self.device.limits())?;
            for (slot, what) in
                [(Slot::Query, "queries"), (Slot::QueryFilter, "queries as f32"), (Slot::Matrix, "matrix")]
            {
                let buffer =
                    self.device.buffer(what, self.plan.memory.bytes(what).unwrap_or(0), wgpu::BufferUsages::STORAGE)?;
                self.buffers.insert(slot, buffer);
            }
        }
        if let TokenMatrix::Dense(entries) = matrix {
            self.queue.submit()?;
            let words: Vec<u32> = entries.iter().flat_map(|&a| pair(a)).collect();
            self.device.write(&self.buffers[&Slot::Matrix], &words)?;
        }
        self.matrix = Some(matrix.clone());
        Ok(())
    }

    /// Cost of one row's scores, in multiply-adds and their like.
    fn row_cost(&self) -> f64 {
        f64::from(self.plan.n) * (f64::from(self.plan.d) + 8.0)
    }

    /// Rows from `row` on: no more than the budget still holds, `most`, and the row's window.
    fn next_rows(&self, row: u32, cost: f64, most: u32) -> Range<u32> {
        let [fit, whole] = self.queue.fit(cost);
        // Whole workgroups of every kernel, unless so few rows are too long for a submission of their own.
        let group = Kernel::Scores.rows_a_group(self.plan.d as usize);
        let block = if whole < group / 4 { LANES } else { group };
        let rows = (fit / block * block).max(block);
        let window_end = (row / self.plan.window_rows + 1).saturating_mul(self.plan.window_rows);
        row..row.saturating_add(rows.min(most)).min(window_end).min(self.plan.n)
    }

    /// A kernel over all keys: window by window, and at most `most` supertiles a dispatch.
    fn over_keys(&mut self, kernel: Kernel, job: &Job, most: u32) -> Result<()> {
        let window_tiles = self.plan.window_keys / SUPERTILE;
        // Supertiles past the last row's own are invisible to a causal slice, but their maxima must be set.
        let end = self.supertiles;
        let mut tile = 0;
        while tile < end {
            let window = tile / window_tiles;
            let tile_end = tile.saturating_add(most).min((window + 1).saturating_mul(window_tiles)).min(end);
            let key_base = window * self.plan.window_keys;
            self.push(kernel, Job { tile_first: tile, tile_end, key_base, ..*job }, window)?;
            tile = tile_end;
        }
        Ok(())
    }

    fn push(&mut self, kernel: Kernel, mut job: Job, key_window: u32) -> Result<()> {
        let d = self.plan.d as usize;
        let row_window = job.row_first / self.plan.window_rows;
        job.dims = self.plan.d;
        job.row_base = row_window * self.plan.window_rows;
        let rows = job.row_end - job.row_first;
        let groups = match kernel {
            Kernel::Identity | Kernel::Multiple | Kernel::Dense => {
                (u64::from(rows) * d as u64).div_ceil(u64::from(LANES))
            }
            Kernel::Scores => {
                let across = (job.tile_end - job.tile_first).div_ceil(TILES);
                u64::from(rows.div_ceil(kernel.rows_a_group(d))) * u64::from(across)
            }
            _ => u64::from(rows.div_ceil(kernel.rows_a_group(d))),
        };
        let groups = self.device.spread(groups);
        let pipeline = kernel.pipeline(&self.device, self.grid.precision, d)?;
        let binding = self.binding(kernel, &pipeline, row_window, key_window)?;
        self.queue.push(Dispatch { pipeline, binding, groups, job })
    }

    fn binding(
        &mut self,
        kernel: Kernel,
        pipeline: &Pipeline,
        row_window: u32,
        key_window: u32,
    ) -> Result<wgpu::BindGroup> {
        let key = (kernel, self.current, self.own_queries, row_window, key_window);
        if let Some(binding) = self.bindings.get(&key) {
            return Ok(binding.clone());
        }
        let slots = kernel.slots().into_iter();
        let buffers = slots.map(|(_, slot, _)| self.window(slot, row_window, key_window)).collect();
        let binding = self.device.bind(kernel.entry(), pipeline, buffers)?;
        self.bindings.insert(key, binding.clone());
        Ok(binding)
    }

    /// The part of a slot's buffer that a window of rows or keys reaches.
    fn window(&self, slot: Slot, row_window: u32, key_window: u32) -> wgpu::BufferBinding<'_> {
        let [coordinate, _, record] = element_bytes(self.grid.precision);
        let d = u64::from(self.plan.d);
        let rows = Some((row_window, self.plan.window_rows));
        let keys = Some((key_window, self.plan.window_keys));
        let state = &self.states[self.current];
        let held = |slot| &self.buffers[&slot];
        let (buffer, line, window) = match slot {
            Slot::RowState => (state, d * coordinate, rows),
            Slot::KeyState => (state, d * coordinate, keys),
            Slot::NextState => (&self.states[1 - self.current], d * coordinate, rows),
            Slot::Query if self.own_queries => (state, d * coordinate, rows),
            Slot::Query => (held(slot), d * coordinate, rows),
            Slot::QueryFilter if !self.own_queries => (held(slot), d * 4, rows),
            Slot::QueryFilter | Slot::RowFilter => (held(Slot::RowFilter), d * 4, rows),
            Slot::KeyFilter => (held(Slot::RowFilter), d * 4, keys),
            Slot::Rows => (held(slot), record, rows),
            _ => (held(slot), 0, None),
        };
        let Some((index, lines)) = window else { return buffer.as_entire_buffer_binding() };
        let offset = u64::from(index) * u64::from(lines) * line;
        let size = (u64::from(lines) * line).min(buffer.size() - offset);
        wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) }
    }
}

/// max_j |x_jk| for each k, rounded up to an f32, as bits.
fn extents(coordinates: &[i64], d: usize) -> Vec<u32> {
    let mut most = vec![0u64; d];
    for row in coordinates.chunks_exact(d) {
        for (most, x) in most.iter_mut().zip(row) {
            *most = (*most).max(x.unsigned_abs());
        }
    }
    most.iter().map(|&x| if x == 0 { 0 } else { (x as f32).next_up().to_bits() }).collect()
}

/// Indices of the bits that are set.
fn members(words: &[u32]) -> Vec<u32> {
    (0u32..)
        .zip(words)
        .flat_map(|(w, bits)| (0..32).filter(move |i| bits >> i & 1 == 1).map(move |i| 32 * w + i))
        .collect()
}
