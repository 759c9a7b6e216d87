//! Every rule beyond the integer contract on the GPU, in f32 ([`crate::real`]).
//!
//! The state lives on the device from step to step. A stage of a step scales all tokens into [−1, 1] by a power of two, and
//! then goes over slices of rows, head by head:
//!
//! | kernel | computes |
//! |---|---|
//! | `extent`, `scale` | max|x_jk|, keys x_j·2^−e |
//! | `apply` | a matrix by rows: queries, values, P, W |
//! | `queries` | A x_i scaled by its own power of two, β and δ·s_i in those units |
//! | `attend` | d ≤ 16: maxima, weights and sums of chunks of 1024 keys, in registers |
//! | `score`, `weigh`, `values` | the same by 64×64 tiles, through scores of a slice; strips, argmax and draws too |
//! | `merge` | maximum, argmax, total; the strip's end; the chunk of the key drawn |
//! | `draw`, `means` | that key; means over the chunks |
//! | `moves` | projection, integrator, retraction, the report |
//!
//! No buffer grows with n². A sum runs over keys of a chunk in index order, 8 or 128 at a time, and over chunks with what
//! rounding lost carried along: an order that slices, windows and submissions do not touch, so that one binary on one adapter
//! and driver gives one result. `verify` derives how far it may be from f64.

mod advance;
mod head;
mod job;
mod kernels;
mod layout;
mod matrices;

use std::collections::HashMap;
use std::ops::Range;

pub use crate::gpu::real::layout::{Needs, RealLayout};

use crate::error::{Error, Result};
use crate::gpu::device::{Device, Module};
use crate::gpu::queue::{Dispatch, Queue};
use crate::gpu::real::job::mode::STRIP;
use crate::gpu::real::job::{Job, pair};
use crate::gpu::real::kernels::{Kernel, LANES, NARROW, ROWS, TILE};
use crate::gpu::real::matrices::{Loaded, Role};
use crate::model::{Mask, Model};
use crate::outcome::{StepReport, Strips};
use crate::real::{Stage, Step, Weights};
use crate::tokens::{Coordinates, Precision, Tokens};

/// Steps whose reports are read back together, and the words of a report.
const REPORTS: usize = 256;
const REPORT_WORDS: usize = 8;
/// Stages of a step.
const STAGES: usize = 4;
const TRACE_WORDS: usize = 4;
const ROW_WORDS: usize = 8;

/// A buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    /// X and X', exchanged by every step.
    Tokens(usize),
    /// The states that the later stages of a step start from, in turn.
    Stages(usize),
    Keys,
    Extents,
    Traces,
    Reports,
    Rows,
    Queries,
    Products,
    Means,
    Outputs,
    Partials,
    Sums,
    Scores,
    Slopes,
    Matrix(Role),
}

/// A buffer, whole or one window of it.
pub(crate) type Bound = (Slot, Option<u32>);

/// n tokens on a device, in real numbers.
pub struct RealGpu {
    device: Device,
    n: u32,
    d: u32,
    plan: RealLayout,
    buffers: HashMap<Slot, wgpu::Buffer>,
    current: usize,
    bindings: HashMap<(Kernel, Vec<Bound>), wgpu::BindGroup>,
    queue: Queue<Job>,
    matrices: HashMap<Role, Loaded>,
    taken: bool,
}

impl std::fmt::Debug for RealGpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealGpu").field("device", &self.device).field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl RealGpu {
    /// Moves tokens to the device.
    ///
    /// # Errors
    /// Tokens in f64; [`Error::Memory`] before anything is allocated; device failures.
    pub fn new(device: &Device, tokens: &Tokens, model: &Model) -> Result<Self> {
        let (n, d) = (tokens.n(), tokens.d());
        Self::with_plan(device, tokens, model, RealLayout::new(n, d, Needs::of(model), device.limits())?)
    }

    /// Moves tokens to the device, in the slices of a plan: no bit of a result depends on them.
    ///
    /// # Errors
    /// As [`RealGpu::new`].
    pub fn with_plan(device: &Device, tokens: &Tokens, model: &Model, plan: RealLayout) -> Result<Self> {
        let Coordinates::F32(x) = tokens.coordinates() else { return Err(needs_single(model)) };
        let (n, d) = (tokens.n(), tokens.d());
        device.adapter().memory().map_or(Ok(()), |available| plan.memory.check_total(available))?;
        let words = |count: usize| count as u64 * 4;
        let sizes = [
            (Slot::Tokens(0), "tokens", plan.bytes("tokens")),
            (Slot::Tokens(1), "next tokens", plan.bytes("next tokens")),
            (Slot::Stages(0), "tokens of a stage", plan.bytes("tokens of a stage")),
            (Slot::Stages(1), "tokens of the next stage", plan.bytes("tokens of the next stage")),
            (Slot::Keys, "keys", plan.bytes("keys")),
            (Slot::Extents, "extents", words(REPORTS * STAGES + 1)),
            (Slot::Traces, "traces", plan.bytes("traces")),
            (Slot::Reports, "reports", words(REPORTS * REPORT_WORDS)),
            (Slot::Rows, "rows of a slice", plan.bytes("rows of a slice")),
            (Slot::Queries, "queries of a slice", plan.bytes("queries of a slice")),
            (Slot::Products, "products of a slice", plan.bytes("products of a slice")),
            (Slot::Means, "means of a slice", plan.bytes("means of a slice")),
            (Slot::Outputs, "outputs of a slice", plan.bytes("outputs of a slice")),
            (Slot::Partials, "partial weights", plan.bytes("partial weights")),
            (Slot::Sums, "partial sums", plan.bytes("partial sums")),
            (Slot::Scores, "scores", plan.bytes("scores")),
            (Slot::Slopes, "sums over stages", plan.bytes("sums over stages")),
        ];
        let mut buffers = HashMap::new();
        for (slot, what, bytes) in sizes {
            buffers.insert(slot, device.buffer(what, bytes, wgpu::BufferUsages::STORAGE)?);
        }
        device.write(&buffers[&Slot::Tokens(0)], bytemuck::cast_slice(x))?;
        device.write(&buffers[&Slot::Traces], &[0, 0, u32::MAX, 0].repeat(n))?;
        Ok(Self {
            device: device.clone(),
            n: n as u32,
            d: d as u32,
            plan,
            buffers,
            current: 0,
            bindings: HashMap::new(),
            queue: Queue::new(device)?,
            matrices: HashMap::new(),
            taken: false,
        })
    }

    /// Whether there are kernels for a model at a precision.
    ///
    /// # Errors
    /// f64.
    pub fn require_single(precision: Precision, model: &Model) -> Result<()> {
        if precision == Precision::F32 { Ok(()) } else { Err(needs_single(model)) }
    }

    /// The device it lives on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Its memory.
    pub fn plan(&self) -> &RealLayout {
        &self.plan
    }

    /// The current tokens.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) fn tokens(&self) -> Result<Tokens> {
        let (n, d) = (self.n as usize, self.d as usize);
        let words = self.device.read(&self.buffers[&Slot::Tokens(self.current)], n * d)?;
        Tokens::from_flat(n, d, Coordinates::F32(words.into_iter().map(f32::from_bits).collect()))
    }

    /// Argmax and number of keys attended to of every row in the last step (first head, first stage).
    ///
    /// # Errors
    /// Device failures; no step taken yet.
    pub(crate) fn strips(&self) -> Result<Strips> {
        if !self.taken {
            return Err(Error::input("no step has been taken yet"));
        }
        let traces = self.device.read(&self.buffers[&Slot::Traces], self.n as usize * TRACE_WORDS)?;
        let column = |at: usize| traces.chunks_exact(TRACE_WORDS).map(|trace| trace[at]).collect();
        Ok(Strips { argmax: column(0), count: column(1) })
    }

    /// Applies the steps in order.
    ///
    /// # Errors
    /// A token that stops being finite, at the step that makes it; device failures. The state is then undefined.
    pub(crate) fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        for group in steps.chunks(REPORTS) {
            let fresh: Vec<u32> = group.iter().flat_map(|_| [0, u32::MAX, 0, 0, 0, u32::MAX, 0, 0]).collect();
            self.device.write(&self.buffers[&Slot::Reports], &fresh)?;
            self.device.write(&self.buffers[&Slot::Extents], &vec![0; group.len() * STAGES])?;
            for (report, step) in (0..).zip(group) {
                self.one_step(step, report)?;
            }
            self.queue.submit()?;
            self.taken = true;
            let read = self.device.read(&self.buffers[&Slot::Reports], group.len() * REPORT_WORDS)?;
            for (words, step) in read.chunks_exact(REPORT_WORDS).zip(group) {
                if words[5] != u32::MAX {
                    return Err(self.lost(step.t, words[5] as usize)?);
                }
                reports.push(StepReport {
                    t: step.t,
                    moved: u64::from(words[0]),
                    strip_min: words[1],
                    strip_max: words[2],
                    strip_total: u64::from(words[4]) << 32 | u64::from(words[3]),
                    redone: 0,
                });
            }
        }
        Ok(reports)
    }

    /// What a token became when it stopped being finite.
    fn lost(&self, step: u64, token: usize) -> Result<Error> {
        let traces = self.device.read(&self.buffers[&Slot::Traces], (token + 1) * TRACE_WORDS)?;
        let trace = &traces[token * TRACE_WORDS..];
        Ok(Error::NonFinite { step, token, coordinate: trace[2] as usize, value: f64::from(f32::from_bits(trace[3])) })
    }

    /// The keys that the first head attends to at the first stage, of the given rows in the current state, ascending, by the
    /// decisions that a step would take.
    ///
    /// # Errors
    /// Device failures; a row past the last token.
    pub(crate) fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let n = self.n as usize;
        if let Some(row) = rows.iter().find(|&&row| row >= n) {
            return Err(Error::input(format!("token {row} was asked for; there are {n}, counted from 0")));
        }
        let stage = &step.stages[0];
        if let Weights::Softmax { .. } | Weights::Exponential { .. } = stage.weights {
            return Ok(rows.iter().map(|&i| (0..step.mask.visible(i, n) as u32).collect()).collect());
        }
        self.device.write(&self.buffers[&Slot::Extents], &[0])?;
        let source = Slot::Tokens(self.current);
        let base = self.prepare(step, 0, source)?;
        let mut masks = Vec::with_capacity(rows.len());
        let mut at = 0;
        while at < rows.len() {
            let first = rows[at] as u32;
            let most = self.rows_at(first, 1.0, self.plan.memory.slice_rows).end;
            let mut end = first + 1;
            at += 1;
            while at < rows.len() && rows[at] as u32 == end && end < most {
                end += 1;
                at += 1;
            }
            let job = Job { row_first: first, row_end: end, slice_first: first, ..base };
            let job = self.query(&job, &stage.heads[0], 0, stage.weights)?;
            self.choose(&job, stage.weights)?;
            if let Weights::Strip { .. } = stage.weights {
                masks.extend(self.strip_members(&job)?);
            } else {
                self.queue.submit()?;
                let count = (end - first) as usize;
                let records = self.device.read(&self.buffers[&Slot::Rows], count * ROW_WORDS)?;
                masks.extend(records.chunks_exact(ROW_WORDS).map(|record| vec![record[5]]));
            }
        }
        Ok(masks)
    }

    /// The members of the strips of a slice, whose ends are known.
    fn strip_members(&mut self, job: &Job) -> Result<Vec<Vec<u32>>> {
        let count = (job.row_end - job.row_first) as usize;
        let mut members = vec![Vec::new(); count];
        let job = Job { mode: STRIP, ..*job };
        for keys in self.groups(&job, true) {
            let job = Job { key_first: keys.start, key_end: keys.end, group_first: keys.start, ..job };
            self.run(Kernel::Score, &job)?;
            self.run(Kernel::Weigh, &job)?;
            self.queue.submit()?;
            let width = self.plan.width as usize;
            let weights = self.device.read(&self.buffers[&Slot::Scores], count * width)?;
            for (i, (members, line)) in (job.row_first..).zip(members.iter_mut().zip(weights.chunks_exact(width))) {
                let end = if job.causal == 1 { keys.end.min(i + 1) } else { keys.end };
                members.extend((keys.start..end).filter(|j| line[(j - keys.start) as usize] != 0));
            }
        }
        Ok(members)
    }

    fn one_step(&mut self, step: &Step, report: u32) -> Result<()> {
        let last = step.stages.len() - 1;
        for (s, stage) in step.stages.iter().enumerate() {
            let source = if s == 0 { Slot::Tokens(self.current) } else { Slot::Stages((s - 1) % 2) };
            let target = if s == last { Slot::Tokens(1 - self.current) } else { Slot::Stages(s % 2) };
            let base = self.prepare(step, report * STAGES as u32 + s as u32, source)?;
            let base = Job { report, ..base };
            let mut row = 0;
            while row < self.n {
                let range = self.rows_at(row, self.row_cost(stage), self.plan.memory.slice_rows);
                row = range.end;
                let job = Job { row_first: range.start, row_end: range.end, slice_first: range.start, ..base };
                for (h, head) in stage.heads.iter().enumerate() {
                    self.attend(&job, step, stage, head, h, s)?;
                }
                self.advance(&job, step, s, source, target)?;
                self.queue.charge(f64::from(range.end - range.start) * f64::from(self.d))?;
            }
        }
        self.current = 1 - self.current;
        Ok(())
    }

    /// Keys of all tokens of a stage; returns what its jobs share.
    fn prepare(&mut self, step: &Step, stage: u32, source: Slot) -> Result<Job> {
        let base = Job {
            n: self.n,
            d: self.d,
            chunks: self.plan.chunks,
            width: self.plan.width,
            causal: u32::from(step.mask == Mask::Causal),
            stage,
            t: pair(step.t),
            ..Job::default()
        };
        for kernel in [Kernel::Extent, Kernel::Scale] {
            let mut row = 0;
            while row < self.n {
                let range = self.rows_at(row, f64::from(self.d), u32::MAX);
                row = range.end;
                let window = Some(range.start / self.plan.window);
                let job = Job { row_first: range.start, row_end: range.end, ..base };
                self.push(kernel, job, &[(source, window), (Slot::Extents, None), (Slot::Keys, window)])?;
                self.queue.charge(f64::from(range.end - range.start) * f64::from(self.d))?;
            }
        }
        Ok(base)
    }

    /// Multiply-adds of a pair of tokens, or what takes as long.
    fn pair_cost(&self) -> f64 {
        let d = f64::from(self.d);
        if self.d as usize <= NARROW { 2.0 * d + 16.0 } else { 2.0 * d.max(f64::from(TILE)) + 24.0 }
    }

    fn row_cost(&self, stage: &Stage) -> f64 {
        stage.heads.len() as f64 * f64::from(self.n) * self.pair_cost()
    }

    /// Rows from `row` on: no more than the budget still holds, `most`, and the row's window.
    fn rows_at(&self, row: u32, cost: f64, most: u32) -> Range<u32> {
        let [fit, whole] = self.queue.fit(cost);
        let block = if whole < ROWS { LANES } else { ROWS };
        let rows = (fit / block * block).max(block);
        let window_end = (row / self.plan.window + 1).saturating_mul(self.plan.window);
        row..row.saturating_add(rows.min(most)).min(window_end).min(self.n)
    }

    /// Keys that a slice sees, a window at a time.
    fn windows(&self, job: &Job) -> Vec<Range<u32>> {
        self.ranges(job, self.plan.window)
    }

    /// Keys that a slice sees, a window at a time and no more than the scores hold.
    fn groups(&self, job: &Job, scores: bool) -> Vec<Range<u32>> {
        self.ranges(job, if scores { self.plan.width.min(self.plan.window) } else { self.plan.window })
    }

    fn ranges(&self, job: &Job, most: u32) -> Vec<Range<u32>> {
        let end = if job.causal == 1 { job.row_end } else { self.n };
        let mut ranges = Vec::new();
        let mut key = 0;
        while key < end {
            let window_end = (key / self.plan.window + 1).saturating_mul(self.plan.window);
            let stop = key.saturating_add(most).min(window_end).min(end);
            ranges.push(key..stop);
            key = stop;
        }
        ranges
    }

    /// A kernel over the keys of a job, with the buffers that it always has.
    fn run(&mut self, kernel: Kernel, job: &Job) -> Result<()> {
        let rows = Some(job.row_first / self.plan.window);
        let keys = (Slot::Keys, Some(job.key_first / self.plan.window));
        let (query, records, partials) = ((Slot::Queries, None), (Slot::Rows, None), (Slot::Partials, None));
        let (sums, scores) = ((Slot::Sums, None), (Slot::Scores, None));
        let slots: &[Bound] = match kernel {
            Kernel::Score => &[keys, query, scores],
            Kernel::Weigh => &[records, scores, partials],
            Kernel::Values => &[keys, scores, sums],
            Kernel::Attend => &[keys, query, records, partials, sums],
            Kernel::Merge => &[partials, records, (Slot::Traces, rows)],
            Kernel::Draw => &[keys, query, partials, records],
            other => unreachable!("{other:?} is given its buffers"),
        };
        self.push(kernel, *job, slots)
    }

    fn push(&mut self, kernel: Kernel, job: Job, slots: &[Bound]) -> Result<()> {
        let d = self.d as usize;
        let job = Job {
            row_base: job.row_first / self.plan.window * self.plan.window,
            key_base: job.key_first / self.plan.window * self.plan.window,
            ..job
        };
        let groups = kernel.groups(job.row_end - job.row_first, job.key_end.saturating_sub(job.key_first), self.d);
        let groups = self.device.spread(groups);
        let module = Module { entry: kernel.entry(), writes: kernel.writes(), trusted: kernel.is_hot() };
        let constant = if kernel == Kernel::Attend { d } else { 0 };
        let pipeline = self.device.pipeline(&module, Precision::F32, constant, || kernel.source(d))?;
        let key = (kernel, slots.to_vec());
        let binding = if let Some(binding) = self.bindings.get(&key) {
            binding.clone()
        } else {
            let buffers = slots.iter().map(|&bound| self.window(bound)).collect();
            let binding = self.device.bind(kernel.entry(), &pipeline, buffers)?;
            self.bindings.insert(key, binding.clone());
            binding
        };
        self.queue.push(Dispatch { pipeline, binding, groups, job })
    }

    fn window(&self, (slot, window): Bound) -> wgpu::BufferBinding<'_> {
        let buffer = &self.buffers[&slot];
        let Some(index) = window else { return buffer.as_entire_buffer_binding() };
        let line = if slot == Slot::Traces { 4 * TRACE_WORDS as u64 } else { u64::from(self.d) * 4 };
        let bytes = u64::from(self.plan.window) * line;
        let offset = u64::from(index) * bytes;
        wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(bytes.min(buffer.size() - offset)) }
    }
}

fn needs_single(model: &Model) -> Error {
    let name = model.name();
    Error::input(format!(
        "the gpu engine runs rule {name} at precision f32 alone; take --precision f32 or --engine cpu"
    ))
}
