//! Dispatches on their way to the device: gathered into submissions of a measured length.

use std::time::Duration;

use bytemuck::Pod;

use crate::clock::Instant;
use crate::error::Result;
use crate::gpu::device::{Device, Submission};
use crate::gpu::marks::Marks;
use crate::gpu::pipeline::Pipeline;
use crate::gpu::read_back::Reading;
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

/// What a submission holds.
struct Load {
    kernels: Vec<&'static str>,
    cost: f64,
    started: Instant,
}

/// A submission that the device may still be at.
struct Flight {
    submission: Submission,
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
    /// Timestamps around each dispatch, where they are asked for.
    marks: Option<Marks>,
    /// Dispatches so far.
    #[cfg(test)]
    pub(crate) count: u32,
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
            marks: if device.is_marked { Some(Marks::new(device, most as u32).await?) } else { None },
            #[cfg(test)]
            count: 0,
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
        if !self.waiting.is_empty() {
            let (commands, flight) = self.encoded();
            let submission = self.device.submit([commands]);
            self.fly(flight, submission).await?;
        }
        Ok(())
    }

    /// Submits the waiting dispatches, and a copy of some bytes of a buffer to be read after them.
    pub(crate) async fn read(&mut self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) -> Result<Reading> {
        if self.waiting.is_empty() {
            return self.device.start_reading(None, buffer, offset, bytes).await;
        }
        let (commands, flight) = self.encoded();
        let reading = self.device.start_reading(Some(commands), buffer, offset, bytes).await?;
        self.fly(flight, reading.submission.clone()).await?;
        Ok(reading)
    }

    /// The waiting dispatches as commands.
    fn encoded(&mut self) -> (wgpu::CommandBuffer, Load) {
        let mut parameters = vec![0u8; self.waiting.len() * JOB_STRIDE as usize];
        for (slot, dispatch) in parameters.chunks_exact_mut(JOB_STRIDE as usize).zip(&self.waiting) {
            slot[..size_of::<J>()].copy_from_slice(bytemuck::bytes_of(&dispatch.job));
        }
        self.device.queue.write_buffer(&self.jobs, 0, &parameters);
        let mut encoder = self.device.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut offsets = (0..).step_by(JOB_STRIDE as usize);
        let of_pass = if self.marks.is_some() { 1 } else { self.waiting.len() };
        for (number, dispatches) in (0..).zip(self.waiting.chunks(of_pass)) {
            let timestamp_writes = self.marks.as_ref().map(|marks| marks.around(number));
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
            for (dispatch, offset) in dispatches.iter().zip(&mut offsets) {
                pass.set_pipeline(&dispatch.pipeline.raw);
                pass.set_bind_group(0, &self.binding, &[offset]);
                pass.set_bind_group(1, &dispatch.binding, &[]);
                pass.dispatch_workgroups(dispatch.groups[0], dispatch.groups[1], 1);
            }
        }
        if let Some(marks) = &self.marks {
            marks.resolve(&mut encoder, self.waiting.len() as u32);
        }
        let commands = encoder.finish();
        #[cfg(test)]
        {
            self.count += self.waiting.len() as u32;
        }
        let kernels: Vec<_> = self.waiting.drain(..).map(|dispatch| dispatch.pipeline.entry).collect();
        (commands, Load { kernels, cost: std::mem::take(&mut self.cost), started: Instant::now() })
    }

    /// Waits for the submission before this one.
    async fn fly(&mut self, Load { kernels, cost, started }: Load, submission: Submission) -> Result<()> {
        if let Some(flight) = self.flying.replace(Flight { submission, cost, started }) {
            self.land(flight).await?;
        }
        self.read_marks(&kernels).await
    }

    /// The cost that a submission has room for, by what was measured so far.
    pub(crate) fn budget(&self) -> f64 {
        self.budget
    }

    /// Goes back to a budget of before: work that was left says nothing of the device.
    pub(crate) fn restore_budget(&mut self, budget: f64) {
        self.budget = budget;
    }

    /// Waits for the submission of some kernels and reads its timestamps, if it has any.
    async fn read_marks(&mut self, kernels: &[&'static str]) -> Result<()> {
        if self.marks.is_some()
            && let Some(flight) = self.flying.take()
        {
            self.land(flight).await?;
        }
        match &self.marks {
            Some(marks) => marks.read(&self.device, kernels).await,
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
        self.device.wait(flight.submission).await?;
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
