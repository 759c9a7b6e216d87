//! The resident tokens of a run in real numbers.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::device::Device;
use crate::gpu::memory::Line;
use crate::gpu::memory::Name;
use crate::gpu::pairs::Pairs;
use crate::gpu::real::job::Job;
use crate::gpu::real::kernels::{self, CHUNK, NARROW, ROWS, TILE};
use crate::gpu::real::layout::{Needs, RealLayout};
use crate::gpu::real::matrices::{Matrices, Role};
use crate::gpu::report::REPORTS;
use crate::gpu::resident::{Bound, Resident, within};
use crate::gpu::seen::keys_a_row;
use crate::gpu::table::{Kernel, Span, compile};
use crate::interrupt::Interrupt;
use crate::model::{Mask, Model};
use crate::normal::TAILS;
use crate::outcome::Strips;
use crate::real::{Linear, Stage};
use crate::tokens::{Coordinates, Precision, Tokens};

/// Stages of a step.
pub(crate) const STAGES: usize = 4;
/// Words of a row's trace.
pub(crate) const TRACE_WORDS: usize = 4;
/// Words of a row's record.
pub(crate) const ROW_WORDS: usize = 8;

/// n tokens on a device, in real numbers.
pub struct RealGpu {
    pub(crate) resident: Resident<Job>,
    pub(crate) n: u32,
    pub(crate) d: u32,
    pub(crate) layout: RealLayout,
    /// X and X' are exchanged by every step; which of the buffers is X.
    pub(crate) current: usize,
    matrices: Matrices,
    /// The pairs of the step at hand.
    pub(crate) pairs: Pairs,
    pub(crate) mask: Mask,
    pub(crate) taken: bool,
    /// The rows that this device took in the last step.
    pub(crate) own: Range<u32>,
}

impl std::fmt::Debug for RealGpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealGpu")
            .field("device", &self.resident.device)
            .field("layout", &self.layout)
            .finish_non_exhaustive()
    }
}

impl RealGpu {
    /// Moves tokens to the device.
    ///
    /// # Errors
    /// Tokens in f64; [`Error::Memory`] before anything is allocated; device failures.
    pub async fn new(device: &Device, tokens: &Tokens, model: &Model) -> Result<Self> {
        let (n, d) = (tokens.n(), tokens.d());
        let layout = RealLayout::new(n, d, Needs::of(model), device.limits(), device.adapter().card_memory())?;
        Self::with_layout(device, tokens, model, layout).await
    }

    /// Moves tokens to the device, in the slices of a layout: no bit of a result depends on them.
    ///
    /// # Errors
    /// As [`RealGpu::new`].
    pub async fn with_layout(device: &Device, tokens: &Tokens, model: &Model, layout: RealLayout) -> Result<Self> {
        let Coordinates::F32(x) = tokens.coordinates() else { return Err(needs_single(model)) };
        let (n, d) = (tokens.n(), tokens.d());
        let mut resident = Resident::new(device, Precision::F32, &layout.memory).await?;
        resident.hold(Line::new(("extents", 0), "extents", (REPORTS * STAGES + 1) as u64 * 4)).await?;
        let pairs = Pairs::of(model.scoring, model.mask, model.terms.bias);
        let kernels: Vec<Kernel> = kernels_of(Needs::of(model), d).into_iter().map(|kernel| kernel.of(pairs)).collect();
        compile::<Job>(device, &kernels.iter().collect::<Vec<_>>(), Precision::F32, d).await?;
        // Kernels bind these even for a model that does without.
        for name in [("scores", 0), ("stages", 0), ("stages", 1), ("slopes", 0), ("product", 0), ("mean", 0)] {
            resident.hold(Line::new(name, name.0, 16)).await?;
        }
        if model.terms.noise.is_some() {
            let tails: Vec<u32> = TAILS.as_flattened().iter().map(|&c| (c as f32).to_bits()).collect();
            resident.hold(Line::new(("tails", 0), "coefficients of normal draws", tails.len() as u64 * 4)).await?;
            resident.write(("tails", 0), &tails).await?;
        }
        if let Some(perceptron) = &model.terms.perceptron {
            let units = perceptron.units(d).flat_map(|(omega, a)| std::iter::once(omega).chain(a.iter().copied()));
            let units: Vec<u32> = units.map(|v| (v as f32).to_bits()).collect();
            resident.hold(Line::new(("units", 0), "units of a perceptron", units.len() as u64 * 4)).await?;
            resident.write(("units", 0), &units).await?;
        }
        resident.write(("tokens", 0), bytemuck::cast_slice(x)).await?;
        resident.write(("traces", 0), &[0, 0, u32::MAX, 0].repeat(n)).await?;
        let (n, d) = (n as u32, d as u32);
        let (matrices, mask) = (Matrices::default(), model.mask);
        Ok(Self { resident, n, d, layout, pairs, mask, current: 0, matrices, taken: false, own: 0..n })
    }

    /// Whether there are kernels for a model at a precision.
    ///
    /// # Errors
    /// f64.
    pub fn require_single(precision: Precision, model: &Model) -> Result<()> {
        if precision == Precision::F32 { Ok(()) } else { Err(needs_single(model)) }
    }

    /// Looks at an interrupt from now on.
    pub(crate) fn heed(&mut self, interrupt: &Interrupt) {
        self.resident.queue.interrupt = interrupt.clone();
    }

    /// The device it lives on.
    pub fn device(&self) -> &Device {
        &self.resident.device
    }

    /// The current tokens.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) async fn tokens(&self) -> Result<Tokens> {
        let (n, d) = (self.n as usize, self.d as usize);
        let words = self.resident.read(("tokens", self.current), n * d).await?;
        Tokens::from_flat(n, d, Coordinates::F32(words.into_iter().map(f32::from_bits).collect()))
    }

    /// Argmax and number of keys attended to of every row in the last step (first head, first
    /// stage); number 0 for rows of other shares.
    ///
    /// # Errors
    /// Device failures; no step taken yet.
    pub(crate) async fn strips(&self) -> Result<Strips> {
        if !self.taken {
            return Err(Error::input("no step has been taken yet"));
        }
        let traces = self.resident.read(("traces", 0), self.n as usize * TRACE_WORDS).await?;
        let is_own = |row: u32| u32::from(self.own.contains(&row));
        let rows = || (0..).zip(traces.chunks_exact(TRACE_WORDS));
        let count: Vec<u32> = rows().map(|(i, trace)| is_own(i) * trace[1]).collect();
        // A row without keys is its own argmax.
        let argmax = rows().zip(&count).map(|((i, trace), &count)| if count == 0 { i } else { trace[0] }).collect();
        Ok(Strips { argmax, count })
    }

    /// The number that a map multiplies by, and whether it also has a matrix, which then is on the
    /// device.
    pub(crate) async fn load(&mut self, role: Role, map: &Linear) -> Result<(f64, bool)> {
        self.matrices.load(&mut self.resident, role, map).await
    }

    /// Multiply-adds of a pair of tokens, or what takes as long.
    pub(crate) fn pair_cost(&self) -> f64 {
        let d = f64::from(self.d);
        if self.d as usize <= NARROW { 2.0 * d + 16.0 } else { 2.0 * d.max(f64::from(TILE)) + 24.0 }
    }

    /// Cost of a row of a stage.
    pub(crate) fn row_cost(&self, stage: &Stage) -> f64 {
        stage.heads.len() as f64 * keys_a_row(self.mask, self.n) * self.pair_cost()
    }

    /// Rows from `row` on, before `end`: no more than the budget still holds, `most`, and the row's window.
    pub(crate) fn rows_at(&self, row: u32, cost: f64, most: u32, end: u32) -> Range<u32> {
        within(row, self.resident.rows_that_fit(cost, ROWS, ROWS).min(most), self.layout.window, end)
    }

    /// Keys that a slice sees, from the first of a chunk on, at most `most` at a time and in one window.
    pub(crate) fn keys_in_parts(&self, job: &Job, most: u32) -> Vec<Range<u32>> {
        let [first, last] = [job.row_first, job.row_end - 1].map(|row| self.mask.range(row as usize, self.n as usize));
        let end = last.end as u32;
        let mut parts = Vec::new();
        let mut key = first.start as u32 / CHUNK * CHUNK;
        while key < end {
            parts.push(within(key, most, self.layout.window, end));
            key = parts.last().map_or(end, |part| part.end);
        }
        parts
    }

    /// Keys that a slice sees, at a time as many as the scores hold.
    pub(crate) fn keys_by_scores(&self, job: &Job) -> Vec<Range<u32>> {
        self.keys_in_parts(job, self.layout.width)
    }

    /// The window of a buffer with a token in each line that holds a row.
    pub(crate) fn window_of(&self, name: Name, row: u32) -> Bound {
        Bound::window(name, row / self.layout.window, self.layout.window, u64::from(self.d) * 4)
    }

    /// Adds a dispatch of a kernel; `given` are the variables that it does not always bind to the
    /// same buffers.
    pub(crate) async fn push(&mut self, kernel: &Kernel, job: Job, given: &[(&str, Bound)]) -> Result<()> {
        let window = self.layout.window;
        let (rows, keys) = (job.row_first / window, job.key_first / window);
        let job = Job { row_base: rows * window, key_base: keys * window, ..job };
        let span = Span::of(job.row_end - job.row_first, job.key_end.saturating_sub(job.key_first), self.d);
        let token = u64::from(self.d) * 4;
        self.resident
            .push(&kernel.of(self.pairs), span, job, |slot| {
                if let Some((_, bound)) = given.iter().find(|(name, _)| *name == slot) {
                    return *bound;
                }
                match slot {
                    "keys" => Bound::window(("keys", 0), keys, window, token),
                    "own_keys" => Bound::window(("keys", 0), rows, window, token),
                    "slopes" => Bound::window(("slopes", 0), rows, window, token),
                    "traces" => Bound::window(("traces", 0), rows, window, 4 * TRACE_WORDS as u64),
                    "weights" => Bound::whole(("scores", 0)),
                    _ => Bound::whole((slot, 0)),
                }
            })
            .await
    }
}

fn needs_single(model: &Model) -> Error {
    let name = model.name();
    Error::input(format!(
        "the gpu engine runs rule {name} at precision f32 alone; take --precision f32 or --engine cpu"
    ))
}

/// The kernels that a step takes, but for rare ones, which are compiled where they are met.
fn kernels_of(needs: Needs, d: usize) -> Vec<&'static Kernel> {
    let scores: &[&Kernel] = match (needs.choice, d <= NARROW) {
        _ if needs.whole => &[&kernels::SCORE, &kernels::WHOLE, &kernels::VALUES],
        (true, _) => &[&kernels::SCORE, &kernels::WEIGH, &kernels::DRAW],
        (false, true) => &[&kernels::ATTEND],
        (false, false) => &[&kernels::SCORE, &kernels::WEIGH, &kernels::VALUES],
    };
    let matrices: &[&Kernel] = if needs.matrices > 0 { &[&kernels::APPLY] } else { &[] };
    let all = [&kernels::EXTENT, &kernels::SCALE, &kernels::QUERIES, &kernels::MERGE, &kernels::MEANS, &kernels::MOVES];
    [scores, matrices, &all].concat()
}
