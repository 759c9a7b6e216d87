//! An opened adapter: buffers with caught errors, submissions with a watchdog, reading back, the
//! driver probe.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::gpu::adapter::{Adapter, UNITS};
use crate::gpu::cache::{self, PipelineCache};
use crate::gpu::pipeline::{Key, Module, Pipeline, Pipelines, bind_group, compute_pipeline, layout};
use crate::gpu::timing::Timings;
use crate::gpu::wait;

/// Longest wait for one submission. They are cut to a fraction of a second, so this is a device
/// that hangs.
const PATIENCE: Duration = Duration::from_mins(2);

/// Bytes copied at a time between host and device.
pub(crate) const COPY_BYTES: u64 = 32 << 20;

/// Work that was handed to the device.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    index: wgpu::SubmissionIndex,
    /// Its place among all of the device.
    number: u64,
}

/// How many submissions there were, and how many of them the host knows to have ended: for counts alone.
#[derive(Debug, Default)]
struct Submitted {
    made: AtomicU64,
    ended: AtomicU64,
}

/// Scopes of the errors that a device finds in what is asked of it.
struct Watch {
    memory: wgpu::ErrorScopeGuard,
    validation: wgpu::ErrorScopeGuard,
}

/// Errors that a device found.
struct Refusal {
    memory: Option<wgpu::Error>,
    validation: Option<wgpu::Error>,
}

impl Watch {
    /// Ends the scopes at once; the errors in them are known when the future is ready.
    fn end(self) -> impl Future<Output = Refusal> {
        let (memory, validation) = (self.memory.pop(), self.validation.pop());
        async { Refusal { memory: memory.await, validation: validation.await } }
    }
}

/// An opened device. Cloning shares it, and the kernels compiled for it.
#[derive(Clone, Debug)]
pub struct Device {
    pub(crate) raw: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    adapter: Adapter,
    limits: wgpu::Limits,
    lost: Arc<Mutex<Option<String>>>,
    pipelines: Arc<Mutex<Pipelines>>,
    /// Kernels of other processes, where the driver hands them out.
    cache: Option<Arc<PipelineCache>>,
    submitted: Arc<Submitted>,
    /// Buffers that the host reads from, while none is read.
    pub(crate) staging: Arc<Mutex<Vec<wgpu::Buffer>>>,
    job_layout: wgpu::BindGroupLayout,
    /// The share of a hostile filter ([`crate::gpu::table`]), which tests alone have.
    pub(crate) hostile: Option<f32>,
    /// Whether kernels may ask other threads of their subgroup.
    pub(crate) has_subgroups: bool,
    /// Whether kernels may multiply matrices by units that are known to be right.
    pub(crate) has_units: bool,
    /// The counts of a device that is measured.
    timings: Option<Arc<Mutex<Timings>>>,
    /// Whether each dispatch is between two timestamps.
    pub(crate) is_marked: bool,
    /// A text of the shaders, and what stands in its place: a faulty compiler, which tests alone have.
    fault: Option<(&'static str, &'static str)>,
}

#[allow(unsafe_code)]
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: what wgpu does not promise of such features is that every fault in a shader is caught. One kernel
    // and a probe use them, both this crate's own; each loads and stores whole matrices inside its buffers.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

impl Device {
    /// Opens an adapter within limits, with features that it has; its compiled kernels are kept in a
    /// folder.
    ///
    /// # Errors
    /// The device cannot be opened; limits above the adapter's.
    pub(crate) async fn connect(
        adapter: &Adapter,
        limits: wgpu::Limits,
        features: wgpu::Features,
        folder: Option<&Path>,
    ) -> Result<Self> {
        let name = adapter.name();
        let file = folder.and_then(|folder| PipelineCache::path(adapter, folder));
        let features = if file.is_some() { features | cache::FEATURES } else { features };
        // Browsers' texts must say that they use subgroups, in words that other compilers refuse.
        let subgroups = if cfg!(target_family = "wasm") { wgpu::Features::empty() } else { wgpu::Features::SUBGROUP };
        let features = features | adapter.handle.features() & subgroups;
        // For units that multiply matrices.
        let (features, experimental_features) = if adapter.has_units() {
            (features | UNITS, experimental())
        } else {
            (features, wgpu::ExperimentalFeatures::default())
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("localmax"),
            required_features: features,
            required_limits: limits.clone(),
            experimental_features,
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (raw, queue) = adapter
            .handle
            .request_device(&descriptor)
            .await
            .map_err(|error| Error::device(format!("{name} cannot be opened: {error}; take --engine cpu")))?;
        let lost = Arc::new(Mutex::new(None));
        let (note, uncaught) = (Arc::clone(&lost), Arc::clone(&lost));
        let keep = |note: &Mutex<Option<String>>, text: String| {
            note.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
        };
        raw.set_device_lost_callback(move |_, message| keep(&note, format!("the device was lost: {message}")));
        raw.on_uncaptured_error(Arc::new(move |error: wgpu::Error| keep(&uncaught, one_line(&error))));
        let job_layout = layout(&raw, &[wgpu::BufferBindingType::Uniform]);
        let mut device = Self {
            raw,
            queue,
            adapter: adapter.clone(),
            limits,
            lost,
            pipelines: Arc::default(),
            cache: None,
            submitted: Arc::default(),
            staging: Arc::default(),
            job_layout,
            hostile: None,
            has_subgroups: features.contains(wgpu::Features::SUBGROUP),
            has_units: false,
            timings: None,
            is_marked: false,
            fault: None,
        };
        if let Some(file) = file {
            let kept = cache::read(&file);
            // Of another device, they are refused.
            for kept in [kept.as_deref(), None] {
                let make = |raw: &wgpu::Device| PipelineCache::new(raw, file.clone(), kept);
                if let Ok(made) = device.guarded("compiled kernels", 0, make).await {
                    device.cache = Some(Arc::new(made));
                    break;
                }
            }
        }
        Ok(device)
    }

    /// The adapter behind it.
    pub fn adapter(&self) -> &Adapter {
        &self.adapter
    }

    /// This device with kernels of its own, in which floats that filter are off by up to a share of
    /// their bounds: below 1 no bit of a result may change.
    #[must_use]
    pub fn with_hostile_filter(self, share: f32) -> Self {
        Self { pipelines: Arc::default(), hostile: Some(share), ..self }
    }

    /// This device with kernels of its own, whose threads do not ask others of their subgroup, as on a
    /// device that has none.
    #[must_use]
    pub fn without_subgroups(self) -> Self {
        Self { pipelines: Arc::default(), has_subgroups: false, ..self }
    }

    /// This device with kernels of its own, in whose texts `right` is replaced by `wrong`: what a
    /// self-test must find.
    #[must_use]
    pub fn with_fault(self, right: &'static str, wrong: &'static str) -> Self {
        Self { pipelines: Arc::default(), fault: Some((right, wrong)), ..self }
    }

    /// This device, and what it does is counted from now on, on any clone.
    #[must_use]
    pub(crate) fn counted(self) -> Self {
        Self { timings: Some(Arc::default()), ..self }
    }

    /// This device with timestamps around each dispatch of engines that are opened on it. They wait for
    /// each submission.
    #[must_use]
    pub fn marked(&self) -> Self {
        Self { is_marked: true, ..self.clone() }
    }

    /// Whether its units multiply matrices of f16 into f32, without rounding where sums are integers below 2^24.
    pub fn multiplies_matrices(&self) -> bool {
        self.has_units
    }

    /// Counts what the device did, if that is counted.
    pub(crate) fn count(&self, add: impl FnOnce(&mut Timings)) {
        if let Some(timings) = &self.timings {
            add(&mut timings.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// The counts since the last call.
    pub fn take_timings(&self) -> Timings {
        let mut taken = Timings::default();
        self.count(|timings| taken = std::mem::take(timings));
        taken
    }

    /// Submits commands.
    pub(crate) fn submit(&self, commands: impl IntoIterator<Item = wgpu::CommandBuffer>) -> Submission {
        self.count(|timings| timings.submissions += 1);
        let index = self.queue.submit(commands);
        Submission { index, number: self.submitted.made.fetch_add(1, Relaxed) + 1 }
    }

    /// Ends the device as a reset of the driver would: every later call fails, on any clone.
    pub fn destroy(&self) {
        self.raw.destroy();
    }

    /// An [`Error::Device`] if the device was lost or misused since it was opened.
    pub(crate) fn check(&self) -> Result<()> {
        match &*self.lost.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(text) => {
                Err(Error::device(format!("{}: {text}; start again, or take --engine cpu", self.adapter.name())))
            }
            None => Ok(()),
        }
    }

    /// Watches for errors until [`Watch::end`].
    fn watch(&self) -> Watch {
        let validation = self.raw.push_error_scope(wgpu::ErrorFilter::Validation);
        let memory = self.raw.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        Watch { memory, validation }
    }

    /// An error if the device refused `what`.
    fn require_accepted(&self, what: &str, bytes: u64, refusal: Refusal) -> Result<()> {
        let name = self.adapter.name();
        if refusal.memory.is_some() {
            return Err(Error::device(format!(
                "{name} has no memory left for {what} ({bytes} bytes); take fewer tokens or --engine cpu"
            )));
        }
        if let Some(error) = refusal.validation {
            return Err(Error::device(format!("{name}: {what}: {}", one_line(&error))));
        }
        self.check()
    }

    /// Runs `make`, turning a device's refusal into an error.
    pub(crate) async fn guarded<T>(&self, what: &str, bytes: u64, make: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        let watch = self.watch();
        let made = make(&self.raw);
        self.require_accepted(what, bytes, watch.end().await)?;
        Ok(made)
    }

    /// A zeroed buffer.
    pub(crate) async fn buffer(&self, what: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        let usage = usage | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        self.guarded(what, bytes, |raw| {
            raw.create_buffer(&wgpu::BufferDescriptor {
                label: Some(what),
                size: bytes,
                usage,
                mapped_at_creation: false,
            })
        })
        .await
    }

    /// Fills a buffer from its start, a part at a time.
    pub(crate) async fn write(&self, buffer: &wgpu::Buffer, words: &[u32]) -> Result<()> {
        self.write_from(buffer, 0, words).await
    }

    /// Fills a buffer from one of its words on.
    pub(crate) async fn write_from(&self, buffer: &wgpu::Buffer, first: usize, words: &[u32]) -> Result<()> {
        for (part, words) in words.chunks(COPY_BYTES as usize / 4).enumerate() {
            let start = first as u64 * 4 + part as u64 * COPY_BYTES;
            self.queue.write_buffer(buffer, start, bytemuck::cast_slice(words));
            if words.len() as u64 * 4 == COPY_BYTES {
                let submission = self.submit(None);
                self.wait(submission).await?;
            }
        }
        Ok(())
    }

    /// Waits for a submission.
    pub(crate) async fn wait(&self, Submission { index, number }: Submission) -> Result<()> {
        // It may have ended, but what was asked for since, such as a mapping, still has to be seen to.
        let has_ended = number <= self.submitted.ended.load(Relaxed);
        let is_last = number == self.submitted.made.load(Relaxed);
        let start = Instant::now();
        let waited = wait::end_of(&self.raw, &self.queue, index, PATIENCE).await;
        self.count(|timings| {
            timings.waits += u64::from(!has_ended);
            timings.stalls += u64::from(!has_ended && is_last);
            timings.waited += start.elapsed().as_secs_f64();
        });
        self.check()?;
        if waited.is_ok() {
            self.submitted.ended.fetch_max(number, Relaxed);
        }
        waited.map_err(|error| {
            Error::device(format!(
                "{} did not answer for {} s ({error}); start again, or take --engine cpu",
                self.adapter.name(),
                PATIENCE.as_secs()
            ))
        })
    }

    /// The pipeline of a module, compiled at its first use. Others may be compiled at the same time.
    pub(crate) async fn pipeline(&self, key: Key, module: impl FnOnce() -> Module) -> Result<Pipeline> {
        let known = || self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = known().get(&key) {
            return Ok(pipeline.clone());
        }
        let mut module = module();
        if let Some((right, wrong)) = self.fault {
            module.source = module.source.replace(right, wrong);
        }
        let watch = self.watch();
        let made = Pipeline::new(&self.raw, &self.job_layout, &module, self.cache.as_deref());
        self.require_accepted(module.entry, 0, watch.end().await)?;
        Ok(known().entry(key).or_insert(made).clone())
    }

    /// The number of pipelines compiled.
    pub(crate) fn pipelines(&self) -> usize {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Keeps the compiled kernels for other processes.
    pub(crate) fn keep_pipelines(&self) {
        if let Some(cache) = &self.cache {
            cache.store();
        }
    }

    /// Group 0 of every kernel: one job of a buffer of jobs, by a dynamic offset.
    pub(crate) async fn job_binding(&self, jobs: &wgpu::Buffer, bytes: u64) -> Result<wgpu::BindGroup> {
        let job = wgpu::BufferBinding { buffer: jobs, offset: 0, size: wgpu::BufferSize::new(bytes) };
        self.guarded("jobs", 0, |raw| bind_group(raw, "jobs", &self.job_layout, [job])).await
    }

    /// Group 1 of a kernel: its buffers, in the order of their bindings.
    pub(crate) async fn bind(
        &self,
        entry: &str,
        pipeline: &Pipeline,
        buffers: Vec<wgpu::BufferBinding<'_>>,
    ) -> Result<wgpu::BindGroup> {
        self.guarded(entry, 0, |raw| bind_group(raw, entry, &pipeline.layout, buffers)).await
    }

    /// Workgroups along x and y, as one dimension holds only so many; those past the end find
    /// nothing to do.
    pub(crate) fn spread(&self, groups: u64) -> [u32; 2] {
        let across = groups.min(u64::from(self.limits.max_compute_workgroups_per_dimension)).max(1);
        [across as u32, groups.div_ceil(across) as u32]
    }

    /// The limits that it was opened with; layouts are made for them.
    pub fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    /// A pipeline of its own layout, with its buffers in group 0, run once over `groups` workgroups;
    /// the time it took. One that is not trusted has a counter in every loop.
    pub(crate) async fn run_alone(
        &self,
        source: &str,
        entry: &str,
        buffers: &[&wgpu::Buffer],
        groups: u64,
        trusted: bool,
    ) -> Result<Duration> {
        let [across, down] = self.spread(groups);
        let checks =
            wgpu::ShaderRuntimeChecks { force_loop_bounding: !trusted, ..wgpu::ShaderRuntimeChecks::checked() };
        let (pipeline, binding) = self
            .guarded(entry, 0, |raw| {
                let pipeline = compute_pipeline(raw, entry, source, checks, None, self.cache.as_deref());
                let whole = buffers.iter().map(|buffer| buffer.as_entire_buffer_binding());
                let binding = bind_group(raw, entry, &pipeline.get_bind_group_layout(0), whole);
                (pipeline, binding)
            })
            .await?;
        let mut encoder = self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &binding, &[]);
            pass.dispatch_workgroups(across, down, 1);
        }
        let commands = encoder.finish();
        let started = Instant::now();
        let submission = self.submit([commands]);
        self.wait(submission).await?;
        Ok(started.elapsed())
    }
}

fn one_line(error: &wgpu::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
