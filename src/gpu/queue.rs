//! Dispatches on their way to the device: gathered into submissions of a measured length.

use std::time::{Duration, Instant};

use bytemuck::{Pod, Zeroable};

use super::device::{Device, Pipeline};
use super::words::pair;
use crate::contract::{Step, StripWidth, TokenMatrix};
use crate::error::Result;
use crate::model::Mask;

/// Seconds that a submission should take: short for a desktop's watchdog, long against its overhead.
const SUBMISSION: f64 = 0.1;
/// Most dispatches in a submission.
const JOBS: usize = 2048;
/// Bytes from one job's parameters to the next: the largest alignment that WebGPU asks for.
const JOB_STRIDE: u64 = 256;

/// The parameters of one dispatch, as `Job` in frame.wgsl.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Job {
    pub(super) n: u32,
    pub(super) supertiles: u32,
    pub(super) row_first: u32,
    pub(super) row_end: u32,
    pub(super) slice_first: u32,
    pub(super) row_base: u32,
    pub(super) key_base: u32,
    pub(super) tile_first: u32,
    pub(super) tile_end: u32,
    pub(super) causal: u32,
    pub(super) report: u32,
    pub(super) width_kind: u32,
    pub(super) matrix_exponent: i32,
    pub(super) dims: u32,
    pub(super) gain: [u32; 2],
    pub(super) multiple: [u32; 2],
    pub(super) apart: u32,
    pub(super) pad: u32,
    pub(super) width: [u32; 4],
    pub(super) first_leaf: u32,
    pub(super) first_key: u32,
    pub(super) warm: u32,
    pub(super) digit: u32,
}

impl Job {
    /// What the dispatches of a step share.
    pub(super) fn of(step: &Step) -> Self {
        let (width_kind, width) = match step.width {
            StripWidth::Constant(width) => (0, width),
            StripWidth::Argmax => (3, 0),
            StripWidth::QueryNorm { factor } => (1, factor),
            StripWidth::ANorm { factor } => (2, factor),
        };
        Self {
            causal: u32::from(step.mask == Mask::Causal),
            width_kind,
            matrix_exponent: step.matrix_exponent,
            gain: pair(step.gain as i64),
            multiple: if let TokenMatrix::Multiple(a) = step.matrix { pair(a) } else { [0; 2] },
            width: [0, 32, 64, 96].map(|shift| (width >> shift) as u32),
            ..Self::default()
        }
    }
}

/// A dispatch, ready to be encoded, with its parameters.
pub(super) struct Dispatch<J> {
    pub(super) pipeline: Pipeline,
    pub(super) binding: wgpu::BindGroup,
    pub(super) groups: [u32; 2],
    pub(super) job: J,
}

/// Dispatches not yet submitted, and what is known of the device's speed.
pub(super) struct Queue<J> {
    device: Device,
    jobs: wgpu::Buffer,
    binding: wgpu::BindGroup,
    waiting: Vec<Dispatch<J>>,
    cost: f64,
    /// Cost that should take [`SUBMISSION`]; measured by every submission.
    budget: f64,
    busy: Duration,
}

impl<J: Pod> Queue<J> {
    pub(super) fn new(device: &Device) -> Result<Self> {
        let jobs = device.buffer("jobs", JOBS as u64 * JOB_STRIDE, wgpu::BufferUsages::UNIFORM)?;
        let binding = device.job_binding(&jobs, size_of::<J>() as u64)?;
        let busy = Duration::ZERO;
        Ok(Self { device: device.clone(), jobs, binding, waiting: Vec::new(), cost: 0.0, budget: 1e9, busy })
    }

    /// Time that submissions have taken so far, from submitting to their end.
    pub(super) fn busy(&self) -> Duration {
        self.busy
    }

    /// Adds a dispatch.
    pub(super) fn push(&mut self, dispatch: Dispatch<J>) -> Result<()> {
        self.waiting.push(dispatch);
        if self.waiting.len() == JOBS { self.submit() } else { Ok(()) }
    }

    /// How many units of that cost the waiting submission has room for, out of a fresh one's.
    pub(super) fn fit(&self, cost: f64) -> [u32; 2] {
        [self.budget - self.cost, self.budget].map(|room| (room / cost).clamp(0.0, f64::from(u32::MAX)) as u32)
    }

    /// Adds to the cost of what waits, and submits when that nearly fills the budget: a small rest is not worth a slice.
    pub(super) fn charge(&mut self, cost: f64) -> Result<()> {
        self.cost += cost;
        if self.cost >= 0.75 * self.budget { self.submit() } else { Ok(()) }
    }

    /// Submits what waits, and waits for its end.
    pub(super) fn submit(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut parameters = vec![0u8; self.waiting.len() * JOB_STRIDE as usize];
        for (slot, dispatch) in parameters.chunks_exact_mut(JOB_STRIDE as usize).zip(&self.waiting) {
            slot[..size_of::<J>()].copy_from_slice(bytemuck::bytes_of(&dispatch.job));
        }
        self.device.queue.write_buffer(&self.jobs, 0, &parameters);
        let mut encoder = self.device.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            for (offset, dispatch) in (0..).step_by(JOB_STRIDE as usize).zip(&self.waiting) {
                pass.set_pipeline(&dispatch.pipeline.raw);
                pass.set_bind_group(0, &self.binding, &[offset]);
                pass.set_bind_group(1, &dispatch.binding, &[]);
                pass.dispatch_workgroups(dispatch.groups[0], dispatch.groups[1], 1);
            }
        }
        let commands = encoder.finish();
        let started = Instant::now();
        let index = self.device.queue.submit([commands]);
        self.device.wait(index)?;
        let took = started.elapsed();
        self.busy += took;
        // Short submissions say little about the rate; no measurement changes the budget more than fourfold.
        if self.cost > 0.0 {
            let measured = self.cost * SUBMISSION / took.as_secs_f64().max(1e-4);
            if took.as_secs_f64() > SUBMISSION || self.cost > self.budget / 4.0 {
                self.budget = measured.clamp(self.budget / 4.0, self.budget * 4.0);
            }
        }
        self.cost = 0.0;
        self.waiting.clear();
        Ok(())
    }
}
