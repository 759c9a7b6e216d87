//! Every rule beyond the integer contract on the GPU, in f32 ([`crate::field`]).
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

mod kernels;
mod plan;

use std::collections::HashMap;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};

pub use plan::{AttentionPlan, Needs};

use super::device::{Device, Module};
use super::queue::{Dispatch, Queue};
use crate::error::{Error, Result};
use crate::field::{Head, Linear, Motion, Stage, Step, Weights};
use crate::model::{Geometry, Integrator, Mask, Matrix, Model, StripForm};
use crate::num;
use crate::outcome::{StepReport, Strips};
use crate::tokens::{Coordinates, Precision, Tokens};
use kernels::{Kernel, LANES, NARROW, ROWS, TILE};
use mode::{DRAW, MAXIMUM, SCALE, STRIP, WEIGH};
use motion::{ADVANCE, DIRECT, ELLIPSOID, FINISH, FIRST, LAST, PRODUCT, RETRACT, ROUND, SUMMED, TANGENT, WEIGHTED};
use product::{ADDED, CHOSEN, RELATIVE};

/// Steps whose reports are read back together, and the words of a report.
const REPORTS: usize = 256;
const REPORT_WORDS: usize = 8;
/// Stages of a step.
const STAGES: usize = 4;
const TRACE_WORDS: usize = 4;
const ROW_WORDS: usize = 8;

/// What rows attend to, as in frame.wgsl.
mod mode {
    pub(super) const WEIGH: u32 = 0;
    pub(super) const SCALE: u32 = 1;
    pub(super) const MAXIMUM: u32 = 2;
    pub(super) const STRIP: u32 = 3;
    pub(super) const DRAW: u32 = 4;
}

/// What a row does in `moves`, as in moves.wgsl.
mod motion {
    pub(super) const DIRECT: u32 = 1;
    pub(super) const TANGENT: u32 = 2;
    pub(super) const ROUND: u32 = 4;
    pub(super) const ELLIPSOID: u32 = 8;
    pub(super) const ADVANCE: u32 = 16;
    pub(super) const PRODUCT: u32 = 32;
    pub(super) const SUMMED: u32 = 64;
    pub(super) const FIRST: u32 = 128;
    pub(super) const LAST: u32 = 256;
    pub(super) const FINISH: u32 = 512;
    pub(super) const RETRACT: u32 = 1024;
    pub(super) const WEIGHTED: u32 = 2048;
}

/// What `apply` and `means` do beside their product: add it, take it relative to the row's token, of the key it chose.
mod product {
    pub(super) const ADDED: u32 = 1;
    pub(super) const RELATIVE: u32 = 2;
    pub(super) const CHOSEN: u32 = 4;
}

/// The parameters of one dispatch, as `Job` in frame.wgsl.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
struct Job {
    n: u32,
    d: u32,
    row_first: u32,
    row_end: u32,
    slice_first: u32,
    row_base: u32,
    key_base: u32,
    key_first: u32,
    key_end: u32,
    chunks: u32,
    width: u32,
    group_first: u32,
    causal: u32,
    mode: u32,
    flags: u32,
    report: u32,
    stage: u32,
    source_base: u32,
    form: u32,
    zero: u32,
    t: [u32; 2],
    seed: [u32; 2],
    beta: f32,
    beta_exponent: i32,
    delta: f32,
    delta_exponent: i32,
    origin: f32,
    origin_exponent: i32,
    factor: f32,
    gain: f32,
    weight: f32,
    radius: f32,
}

/// Whose matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Role {
    Scores(usize),
    Values(usize),
    Preconditioner,
    Weight,
}

/// A buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Slot {
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
type Bound = (Slot, Option<u32>);

/// A matrix on the device: `matrix · 2^−exponent`.
struct Loaded {
    matrix: Matrix,
    exponent: i32,
}

/// n tokens on a device, in real numbers.
pub struct Attention {
    device: Device,
    n: u32,
    d: u32,
    plan: AttentionPlan,
    buffers: HashMap<Slot, wgpu::Buffer>,
    current: usize,
    bindings: HashMap<(Kernel, Vec<Bound>), wgpu::BindGroup>,
    queue: Queue<Job>,
    matrices: HashMap<Role, Loaded>,
    taken: bool,
}

impl std::fmt::Debug for Attention {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attention").field("device", &self.device).field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Attention {
    /// Moves tokens to the device.
    ///
    /// # Errors
    /// Tokens in f64; [`Error::Memory`] before anything is allocated; device failures.
    pub fn new(device: &Device, tokens: &Tokens, model: &Model) -> Result<Self> {
        let (n, d) = (tokens.n(), tokens.d());
        Self::with_plan(device, tokens, model, AttentionPlan::new(n, d, Needs::of(model), device.limits())?)
    }

    /// Moves tokens to the device, in the slices of a plan: no bit of a result depends on them.
    ///
    /// # Errors
    /// As [`Attention::new`].
    pub fn with_plan(device: &Device, tokens: &Tokens, model: &Model, plan: AttentionPlan) -> Result<Self> {
        Self::require_single(tokens.precision(), model)?;
        let Coordinates::F32(x) = tokens.coordinates() else { return Err(Error::input("tokens in f64")) };
        let (n, d) = (tokens.n(), tokens.d());
        device.adapter().memory().map_or(Ok(()), |available| plan.check_total(n, d, available))?;
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

    /// The coordinates of tokens in f32.
    ///
    /// # Errors
    /// Tokens in f64.
    pub fn require_single(precision: Precision, model: &Model) -> Result<()> {
        match precision {
            Precision::F32 => Ok(()),
            Precision::F64 => Err(Error::input(format!(
                "the gpu engine runs rule {} at precision f32 alone; take --precision f32 or --engine cpu",
                model.name()
            ))),
        }
    }

    /// The device it lives on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Its memory.
    pub fn plan(&self) -> &AttentionPlan {
        &self.plan
    }

    /// The current tokens.
    ///
    /// # Errors
    /// Device failures.
    pub fn tokens(&self) -> Result<Tokens> {
        let (n, d) = (self.n as usize, self.d as usize);
        let words = self.device.read(&self.buffers[&Slot::Tokens(self.current)], n * d)?;
        Tokens::new(n, d, Coordinates::F32(words.into_iter().map(f32::from_bits).collect()))
    }

    /// Argmax and number of keys attended to of every row in the last step (first head, first stage).
    ///
    /// # Errors
    /// Device failures; no step taken yet.
    pub fn strips(&self) -> Result<Strips> {
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
    pub fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
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
    pub fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
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
            let most = self.rows_at(first, 1.0, self.plan.slice_rows).end;
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
                let range = self.rows_at(row, self.row_cost(stage), self.plan.slice_rows);
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

    /// What one head gives to the outputs of a slice.
    fn attend(&mut self, job: &Job, step: &Step, stage: &Stage, head: &Head, h: usize, s: usize) -> Result<()> {
        let record = u32::from(h == 0 && s == 0);
        let job = self.query(job, head, h, stage.weights)?;
        match stage.weights {
            Weights::Softmax { .. } | Weights::Exponential { .. } => {
                self.over_keys(&job, true)?;
                self.run(Kernel::Merge, &Job { flags: record, ..job })?;
            }
            Weights::Strip { .. } => {
                self.choose(&job, stage.weights)?;
                let job = Job { mode: STRIP, ..job };
                self.over_keys(&job, true)?;
                self.run(Kernel::Merge, &Job { flags: record, ..job })?;
            }
            Weights::Argmax | Weights::Drawn { .. } => self.choose(&Job { flags: record, ..job }, stage.weights)?,
        }
        let chosen = matches!(stage.weights, Weights::Argmax | Weights::Drawn { .. });
        let relative = is_relative(step, stage);
        let flags = if relative { RELATIVE } else { 0 } | if chosen { CHOSEN } else { 0 };
        let added = if h > 0 { ADDED } else { 0 };
        let (factor, matrix) = self.load(Role::Values(h), &head.values)?;
        if matrix {
            self.means(&Job { flags, factor: 1.0, ..job }, Slot::Means)?;
            let job = Job { flags: added, factor: factor as f32, source_base: job.slice_first, ..job };
            self.apply(job, (Slot::Means, None), Role::Values(h), Slot::Outputs)
        } else {
            self.means(&Job { flags: flags | added, factor: factor as f32, ..job }, Slot::Outputs)
        }
    }

    /// Queries of a slice; returns the job with the numbers of its rule and head.
    fn query(&mut self, job: &Job, head: &Head, h: usize, weights: Weights) -> Result<Job> {
        let (factor, matrix) = self.load(Role::Scores(h), &head.scores)?;
        // Scores that are all 0 have any factor.
        let (sign, size) = if factor == 0.0 { (0.0, 1.0) } else { (factor.signum(), factor.abs()) };
        let mut job = Job { factor: sign as f32, ..*job };
        let mut beta_of = |beta: f64| (job.beta, job.beta_exponent) = product(beta, size);
        match weights {
            Weights::Softmax { beta } => {
                beta_of(beta);
                job.mode = WEIGH;
            }
            Weights::Exponential { beta, origin } => {
                beta_of(beta);
                (job.origin, job.origin_exponent) = product(origin, 1.0 / size);
                job.mode = SCALE;
            }
            Weights::Drawn { beta, seed } => {
                beta_of(beta);
                job.seed = pair(seed);
                job.mode = DRAW;
            }
            Weights::Strip { delta, form } => {
                let (form, unit) = match form {
                    StripForm::Score => (0, 1.0 / size),
                    StripForm::Width => (1, 1.0),
                    StripForm::ANorm => (2, 1.0 / size.sqrt()),
                };
                (job.delta, job.delta_exponent) = product(delta, unit);
                (job.form, job.mode) = (form, MAXIMUM);
            }
            Weights::Argmax => job.mode = MAXIMUM,
        }
        let window = Some(job.row_first / self.plan.window);
        if matrix {
            let row_base = job.row_first / self.plan.window * self.plan.window;
            let apply = Job { source_base: row_base, flags: 0, ..job };
            self.apply(apply, (Slot::Keys, window), Role::Scores(h), Slot::Products)?;
        }
        let slots = [
            (Slot::Keys, window),
            (Slot::Products, None),
            (Slot::Extents, None),
            (Slot::Queries, None),
            (Slot::Rows, None),
        ];
        self.push(Kernel::Queries, Job { flags: u32::from(matrix), ..job }, &slots)?;
        Ok(job)
    }

    /// The key that every row of a slice chooses, or the end of its strip.
    fn choose(&mut self, job: &Job, weights: Weights) -> Result<()> {
        self.over_keys(job, false)?;
        self.run(Kernel::Merge, job)?;
        if let Weights::Drawn { .. } = weights {
            for window in self.windows(job) {
                self.run(Kernel::Draw, &Job { key_first: window.start, key_end: window.end, ..*job })?;
            }
        }
        Ok(())
    }

    /// Partial results of a slice over all keys that it sees, with sums of the keys if asked for.
    fn over_keys(&mut self, job: &Job, sums: bool) -> Result<()> {
        let in_registers = self.d as usize <= NARROW && matches!(job.mode, WEIGH | SCALE);
        for keys in self.groups(job, !in_registers) {
            let job = Job { key_first: keys.start, key_end: keys.end, group_first: keys.start, ..*job };
            if in_registers {
                self.run(Kernel::Attend, &job)?;
            } else {
                self.run(Kernel::Score, &job)?;
                self.run(Kernel::Weigh, &job)?;
                if sums && job.mode != MAXIMUM {
                    self.run(Kernel::Values, &job)?;
                }
            }
            let pairs = f64::from(job.row_end - job.row_first) * f64::from(keys.end - keys.start);
            self.queue.charge(pairs * self.pair_cost())?;
        }
        Ok(())
    }

    /// Means of a slice, of what it attends to or of the keys that it chose.
    fn means(&mut self, job: &Job, target: Slot) -> Result<()> {
        let rows = Some(job.row_first / self.plan.window);
        // A chosen key lies in one of the windows; means over chunks need none.
        let windows = if job.flags & CHOSEN == 0 { 1 } else { usize::MAX };
        for window in self.windows(job).into_iter().take(windows) {
            let keys = Some(window.start / self.plan.window);
            let slots = [
                (Slot::Partials, None),
                (Slot::Sums, None),
                (Slot::Rows, None),
                (Slot::Keys, rows),
                (Slot::Keys, keys),
                (Slot::Extents, None),
                (target, None),
            ];
            self.push(Kernel::Means, Job { key_first: window.start, key_end: window.end, ..*job }, &slots)?;
        }
        Ok(())
    }

    /// A matrix by the rows of a slice.
    fn apply(&mut self, job: Job, source: Bound, role: Role, target: Slot) -> Result<()> {
        self.push(Kernel::Apply, job, &[source, (Slot::Matrix(role), None), (target, None)])
    }

    /// From the outputs of a slice at stage s to the next stage, or to the next step.
    fn advance(&mut self, job: &Job, step: &Step, s: usize, source: Slot, target: Slot) -> Result<()> {
        let (window, last) = (Some(job.row_first / self.plan.window), s + 1 == step.stages.len());
        let windowed = Job { source_base: job.row_first / self.plan.window * self.plan.window, ..*job };
        let finish = if last { FINISH } else { 0 };
        let slots = [
            (Slot::Tokens(self.current), window),
            (source, window),
            (Slot::Outputs, None),
            (Slot::Products, None),
            (Slot::Slopes, (self.plan.bytes("sums over stages") > 16).then_some(window).flatten()),
            (target, window),
            (Slot::Traces, window),
            (Slot::Reports, None),
        ];
        match &step.motion {
            Motion::Average { gamma, preconditioner } => {
                let direct = if is_relative(step, &step.stages[s]) { 0 } else { DIRECT };
                let (factor, matrix) = self.load(Role::Preconditioner, preconditioner)?;
                if matrix {
                    self.push(Kernel::Moves, Job { flags: direct, ..*job }, &slots)?;
                    let apply = Job { flags: 0, factor: factor as f32, source_base: job.slice_first, ..*job };
                    self.apply(apply, (Slot::Outputs, None), Role::Preconditioner, Slot::Products)?;
                    let flags = ADVANCE | PRODUCT | FINISH;
                    self.push(Kernel::Moves, Job { flags, gain: *gamma as f32, ..*job }, &slots)
                } else {
                    let (flags, gain) = (direct | ADVANCE | FINISH, (gamma * factor) as f32);
                    self.push(Kernel::Moves, Job { flags, gain, ..*job }, &slots)
                }
            }
            Motion::Flow { dt, integrator, geometry } => {
                let (sums, gain, weight) = match integrator {
                    Integrator::Rk4 => {
                        let place = if s == 0 { FIRST } else { 0 } | if last { LAST } else { 0 };
                        (SUMMED | place, [0.5, 0.5, 1.0, 1.0 / 6.0][s] * dt, [1.0, 2.0, 2.0, 1.0][s])
                    }
                    _ => (0, *dt, 1.0),
                };
                let projected = *integrator != Integrator::EulerRenorm;
                let job = Job { gain: gain as f32, weight, radius: 1.0, ..*job };
                let mut flags = ADVANCE | sums;
                match geometry {
                    Geometry::Flat | Geometry::Rescaled => flags |= finish,
                    Geometry::Sphere => {
                        flags |= if projected { DIRECT | TANGENT } else { 0 };
                        flags |= if last { FINISH | RETRACT } else { 0 };
                    }
                    Geometry::Ellipsoid(w) => {
                        let (size, matrix) = self.load(Role::Weight, &Linear { factor: 1.0, matrix: w.clone() })?;
                        let job = Job { radius: size.sqrt().recip() as f32, ..job };
                        if !matrix {
                            flags |= if projected { DIRECT | ROUND } else { 0 };
                            flags |= if last { FINISH | RETRACT } else { 0 };
                            return self.push(Kernel::Moves, Job { flags, ..job }, &slots);
                        }
                        let apply = Job { flags: 0, factor: 1.0, ..windowed };
                        if projected {
                            flags |= DIRECT | ELLIPSOID;
                            self.apply(apply, (source, window), Role::Weight, Slot::Products)?;
                        }
                        self.push(Kernel::Moves, Job { flags, ..job }, &slots)?;
                        if last {
                            self.apply(apply, (target, window), Role::Weight, Slot::Products)?;
                            self.push(Kernel::Moves, Job { flags: FINISH | WEIGHTED, ..job }, &slots)?;
                        }
                        return Ok(());
                    }
                }
                self.push(Kernel::Moves, Job { flags, ..job }, &slots)
            }
        }
    }

    /// The number that a map multiplies by, beside its matrix on the device if it is dense.
    fn load(&mut self, role: Role, map: &Linear) -> Result<(f64, bool)> {
        let Matrix::Dense { entries, .. } = &map.matrix else {
            return Ok((map.factor * map.matrix.entry(0, 0), false));
        };
        if let Some(loaded) = self.matrices.get(&role).filter(|loaded| is_same(&loaded.matrix, &map.matrix)) {
            return Ok((num::scale(map.factor, loaded.exponent), true));
        }
        let largest = entries.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let exponent = num::exponent_above(largest);
        let words: Vec<u32> = entries.iter().map(|&v| (num::scale(v, -exponent) as f32).to_bits()).collect();
        // What waits may still read the one before.
        self.queue.submit()?;
        if !self.buffers.contains_key(&Slot::Matrix(role)) {
            let bytes = words.len() as u64 * 4;
            self.buffers.insert(Slot::Matrix(role), self.device.buffer("matrix", bytes, wgpu::BufferUsages::STORAGE)?);
        }
        self.device.write(&self.buffers[&Slot::Matrix(role)], &words)?;
        self.matrices.insert(role, Loaded { matrix: map.matrix.clone(), exponent });
        Ok((num::scale(map.factor, exponent), true))
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
        let across = groups.min(u64::from(self.device.limits().max_compute_workgroups_per_dimension)).max(1);
        let groups = [across as u32, groups.div_ceil(across) as u32];
        let module = Module { entry: kernel.entry(), writes: kernel.writes(), trusted: kernel.is_hot() };
        let constant = if kernel == Kernel::Attend { d } else { 0 };
        let pipeline = self.device.pipeline(&module, Precision::F32, constant, || kernel.source(d))?;
        let key = (kernel, slots.to_vec());
        let binding = if let Some(binding) = self.bindings.get(&key) {
            binding.clone()
        } else {
            let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
                .zip(slots)
                .map(|(binding, &bound)| {
                    let resource = wgpu::BindingResource::Buffer(self.window(bound));
                    wgpu::BindGroupEntry { binding, resource }
                })
                .collect();
            let binding = self.device.guarded(kernel.entry(), 0, |raw| {
                raw.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some(kernel.entry()),
                    layout: &pipeline.layout,
                    entries: &entries,
                })
            })?;
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

/// Whether means are taken relative to the row's own token: where tokens are averaged as they are, and in rescaled flows.
fn is_relative(step: &Step, stage: &Stage) -> bool {
    match (&step.motion, &stage.heads[..]) {
        (Motion::Average { .. }, [head]) => {
            head.values.matrix.dimension().is_none() && head.values.factor * head.values.matrix.entry(0, 0) == 1.0
        }
        (Motion::Flow { geometry, .. }, _) => *geometry == Geometry::Rescaled,
        _ => false,
    }
}

/// Equality at no cost where the entries are shared, as they are from step to step.
fn is_same(a: &Matrix, b: &Matrix) -> bool {
    match (a, b) {
        (Matrix::Dense { entries: a, .. }, Matrix::Dense { entries: b, .. }) => std::sync::Arc::ptr_eq(a, b) || a == b,
        _ => a == b,
    }
}

fn pair(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// a·b as m·2^e with m = 0 or 1 ≤ |m| < 2 in f32: no product can leave the range of numbers.
fn product(a: f64, b: f64) -> (f32, i32) {
    let ((m, e), (n, f)) = (libm::frexp(a), libm::frexp(b));
    if m == 0.0 || n == 0.0 {
        return (0.0, 0);
    }
    // 1/4 ≤ |m·n| < 1.
    let (m, shift) = libm::frexp(m * n);
    let mantissa = (2.0 * m) as f32;
    (mantissa.clamp(-2f32.next_down(), 2f32.next_down()), e + f + shift - 1)
}
