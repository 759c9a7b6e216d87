//! Dispatches on their way to the device: gathered into submissions of a measured length.

use std::time::Duration;

use bytemuck::Pod;

use crate::clock::Instant;
use crate::error::Result;
use crate::gpu::device::{Device, Pipeline};
use crate::interrupt::Interrupt;

/// Most dispatches in a submission, where a buffer holds their parameters.
const JOBS: u64 = 2048;
/// Bytes from one job's parameters to the next: the largest alignment that WebGPU asks for.
const JOB_STRIDE: u64 = 256;

/// A dispatch, ready to be encoded, with its parameters.
pub(crate) struct Dispatch<J> {
    pub(crate) pipeline: Pipeline,
    pub(crate) binding: wgpu::BindGroup,
    pub(crate) groups: [u32; 2],
    pub(crate) job: J,
}

/// A submission that the device may still be at.
struct Flight {
    index: wgpu::SubmissionIndex,
    cost: f64,
    started: Instant,
}

/// Dispatches not yet submitted, and the measured speed of the device.
pub(crate) struct Queue<J> {
    device: Device,
    jobs: wgpu::Buffer,
    binding: wgpu::BindGroup,
    waiting: Vec<Dispatch<J>>,
    cost: f64,
    /// Most dispatches in a submission, and the seconds that one should take.
    most: usize,
    seconds: f64,
    /// Cost that should take these seconds; measured by every submission.
    budget: f64,
    /// The last submission, while the next one is made: the device always has work.
    flying: Option<Flight>,
    /// When the last submission that was waited for had ended.
    landed: Instant,
    /// Dispatches and submissions so far.
    #[cfg(test)]
    pub(crate) counts: [u32; 2],
    /// Looked at between submissions.
    pub(crate) interrupt: Interrupt,
}

impl<J: Pod> Queue<J> {
    pub(crate) async fn new(device: &Device) -> Result<Self> {
        let most = JOBS.min(device.limits().max_buffer_size / JOB_STRIDE);
        let jobs = device.buffer("jobs", most * JOB_STRIDE, wgpu::BufferUsages::UNIFORM).await?;
        let binding = device.job_binding(&jobs, size_of::<J>() as u64).await?;
        Ok(Self {
            device: device.clone(),
            jobs,
            binding,
            waiting: Vec::new(),
            cost: 0.0,
            most: most as usize,
            seconds: device.adapter().submission_seconds(),
            budget: 1e9,
            flying: None,
            landed: Instant::now(),
            #[cfg(test)]
            counts: [0; 2],
            interrupt: Interrupt::default(),
        })
    }

    /// Adds a dispatch.
    pub(crate) async fn push(&mut self, dispatch: Dispatch<J>) -> Result<()> {
        self.waiting.push(dispatch);
        if self.waiting.len() == self.most { self.submit().await } else { Ok(()) }
    }

    /// The number of units of that cost that the waiting submission has room for, and that a fresh
    /// one has.
    pub(crate) fn fit(&self, cost: f64) -> [u32; 2] {
        [self.budget - self.cost, self.budget].map(|room| (room / cost).clamp(0.0, f64::from(u32::MAX)) as u32)
    }

    /// Adds to the cost of the waiting dispatches, and submits when that nearly fills the budget: a
    /// small rest is not worth a slice. True if it submitted.
    ///
    /// # Errors
    /// [`crate::error::Error::Interrupted`], with nothing left waiting; device failures.
    pub(crate) async fn charge(&mut self, cost: f64) -> Result<bool> {
        self.cost += cost;
        let is_full = self.cost >= 0.75 * self.budget;
        if is_full || self.interrupt.is_raised() {
            self.submit().await?;
            self.interrupt.check()?;
        }
        Ok(is_full)
    }

    /// Submits the waiting dispatches, and waits for the submission before them. What is written and
    /// read later comes after them on the device.
    pub(crate) async fn submit(&mut self) -> Result<()> {
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
        #[cfg(test)]
        {
            self.counts = [self.counts[0] + self.waiting.len() as u32, self.counts[1] + 1];
        }
        self.waiting.clear();
        let (cost, started) = (std::mem::take(&mut self.cost), Instant::now());
        let index = self.device.queue.submit([commands]);
        match self.flying.replace(Flight { index, cost, started }) {
            Some(flight) => self.land(flight).await,
            None => Ok(()),
        }
    }

    /// Submits the waiting dispatches, and waits for the end of everything.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        self.submit().await?;
        match self.flying.take() {
            Some(flight) => self.land(flight).await,
            None => Ok(()),
        }
    }

    /// Waits for a submission, and measures the device by it.
    async fn land(&mut self, flight: Flight) -> Result<()> {
        self.device.wait(flight.index).await?;
        let now = Instant::now();
        let took = now.duration_since(flight.started.max(self.landed)).max(Duration::from_micros(100)).as_secs_f64();
        self.landed = now;
        // Short submissions say little about the rate; no measurement changes the budget more than
        // fourfold.
        if flight.cost > 0.0 && (took > self.seconds || flight.cost > self.budget / 4.0) {
            let measured = flight.cost * self.seconds / took;
            self.budget = measured.clamp(self.budget / 4.0, self.budget * 4.0);
        }
        Ok(())
    }
}
