//! Buffers that stay on a device from step to step, and dispatches over them.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::device::Device;
use crate::gpu::memory::{Line, Memory, Name};
use crate::gpu::queue::{Dispatch, Queue};
use crate::gpu::read_back::Reading;
use crate::gpu::report::{REPORT_WORDS, REPORTS, fresh};
use crate::gpu::table::{Kernel, LANES, Span};
use crate::gpu::wgsl::Parameters;
use crate::tokens::Precision;

/// The buffer that a kernel's variable is bound to, whole or in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bound {
    name: Name,
    /// The window's index, and the bytes of a window. A buffer that ends before the window is bound
    /// whole.
    window: Option<(u32, u64)>,
}

impl Bound {
    pub(crate) fn whole(name: Name) -> Self {
        Self { name, window: None }
    }

    /// The window at `index` of windows of so many lines.
    pub(crate) fn window(name: Name, index: u32, lines: u32, line: u64) -> Self {
        Self { name, window: Some((index, u64::from(lines) * line)) }
    }

    /// The window at `index` of a buffer that is bound in windows, or a buffer that is bound whole.
    pub(crate) fn part(name: Name, index: u32, line: &Line) -> Self {
        if line.window < line.bytes { Self { name, window: Some((index, line.window)) } } else { Self::whole(name) }
    }
}

/// The buffers of n tokens in R^d, and the queue of their dispatches.
pub(crate) struct Resident<J> {
    pub(crate) device: Device,
    pub(crate) queue: Queue<J>,
    precision: Precision,
    d: usize,
    /// The parts of each buffer, all but the last of one size.
    buffers: HashMap<Name, Vec<wgpu::Buffer>>,
    /// Bind groups by the entry point of a kernel and what it binds.
    bindings: HashMap<(&'static str, Vec<Bound>), wgpu::BindGroup>,
}

impl<J: Parameters> Resident<J> {
    /// Allocates the buffers of a memory and those of reports.
    ///
    /// # Errors
    /// [`Error::Memory`] before anything is allocated; device failures.
    pub(crate) async fn new(device: &Device, precision: Precision, memory: &Memory) -> Result<Self> {
        device.adapter().memory().map_or(Ok(()), |available| memory.check_total(available))?;
        let (device, queue) = (device.clone(), Queue::new(device).await?);
        let (buffers, bindings) = (HashMap::new(), HashMap::new());
        let mut resident = Self { device, queue, precision, d: memory.d, buffers, bindings };
        resident.hold_all(memory).await?;
        resident.hold(Line::new(("reports", 0), "reports", REPORTS as u64 * u64::from(REPORT_WORDS) * 4)).await?;
        Ok(resident)
    }

    /// Allocates those buffers of a memory that are not there yet.
    pub(crate) async fn hold_all(&mut self, memory: &Memory) -> Result<()> {
        for &line in &memory.lines {
            self.hold(line).await?;
        }
        Ok(())
    }

    /// Allocates a buffer unless there is one of at least this size; one that is too small is
    /// dropped. It is in parts where one allocation does not hold it.
    pub(crate) async fn hold(&mut self, line: Line) -> Result<()> {
        let Some(name) = line.name else { return Ok(()) };
        let size: u64 = self.buffers.get(&name).map_or(0, |parts| parts.iter().map(wgpu::Buffer::size).sum());
        if size < line.bytes {
            let largest = self.device.limits().max_buffer_size;
            let part = if line.bytes <= largest { line.bytes } else { largest / line.window * line.window };
            let mut parts = Vec::new();
            for first in (0..line.bytes).step_by(part as usize) {
                let bytes = part.min(line.bytes - first);
                parts.push(self.device.buffer(line.what, bytes, wgpu::BufferUsages::STORAGE).await?);
            }
            self.buffers.insert(name, parts);
            self.bindings.retain(|(_, bounds), _| bounds.iter().all(|bound| bound.name != name));
        }
        Ok(())
    }

    /// Fills a buffer from its start.
    pub(crate) async fn write(&self, name: Name, words: &[u32]) -> Result<()> {
        self.write_some(name, 0, words).await
    }

    /// Fills a buffer from one of its words on.
    pub(crate) async fn write_some(&self, name: Name, first: usize, words: &[u32]) -> Result<()> {
        let mut start = 0;
        for part in &self.buffers[&name] {
            let end = start + part.size() as usize / 4;
            let inside = first.max(start)..(first + words.len()).min(end);
            if !inside.is_empty() {
                let words = &words[inside.start - first..inside.end - first];
                self.device.write_from(part, inside.start - start, words).await?;
            }
            start = end;
        }
        Ok(())
    }

    /// The first words of a buffer.
    pub(crate) async fn read(&self, name: Name, words: usize) -> Result<Vec<u32>> {
        self.read_some(name, 0..words).await
    }

    /// Some words of a buffer.
    pub(crate) async fn read_some(&self, name: Name, words: Range<usize>) -> Result<Vec<u32>> {
        let mut read = Vec::with_capacity(words.len());
        let mut first = 0;
        for part in &self.buffers[&name] {
            let end = first + part.size() as usize / 4;
            let inside = words.start.max(first)..words.end.min(end);
            if !inside.is_empty() {
                self.device.read_into(&mut read, part, inside.start - first..inside.end - first).await?;
            }
            first = end;
        }
        Ok(read)
    }

    /// Empties the reports of the next steps.
    pub(crate) async fn start_reports(&self, steps: usize) -> Result<()> {
        self.write(("reports", 0), &fresh(steps)).await
    }

    /// The reports of the steps so far, once they have been taken.
    pub(crate) async fn reports(&mut self, steps: usize) -> Result<Vec<u32>> {
        if steps == 0 {
            return self.queue.finish().await.map(|()| Vec::new());
        }
        let reading = self.start_reading(("reports", 0), 0..steps * REPORT_WORDS as usize).await?;
        let mut words = Vec::new();
        self.device.take(&mut words, reading).await?;
        // Nothing is left to wait for, but the time is taken.
        self.queue.finish().await?;
        Ok(words)
    }

    /// Submits what is waiting, and after it a copy of some words of a small buffer.
    pub(crate) async fn start_reading(&mut self, name: Name, words: Range<usize>) -> Result<Reading> {
        self.queue.read(&self.buffers[&name][0], words.start as u64 * 4, words.len() as u64 * 4).await
    }

    /// Empties reports again, from one on, whatever is still under way.
    pub(crate) async fn restart_reports(&mut self, steps: Range<usize>) -> Result<()> {
        self.queue.finish().await?;
        let first = steps.start as u64 * u64::from(REPORT_WORDS) * 4;
        let words = fresh(steps.len());
        self.device.queue.write_buffer(&self.buffers[&("reports", 0)][0], first, bytemuck::cast_slice(&words));
        Ok(())
    }

    /// Adds a dispatch of a kernel over a span; `bound` binds each of its variables.
    pub(crate) async fn push(
        &mut self,
        kernel: &Kernel,
        span: Span,
        job: J,
        bound: impl Fn(&'static str) -> Bound,
    ) -> Result<()> {
        let pipeline = kernel.pipeline::<J>(&self.device, self.precision, self.d).await?;
        let key = (kernel.entry, pipeline.slots.iter().map(|slot| bound(slot.name)).collect());
        let binding = if let Some(binding) = self.bindings.get(&key) {
            binding.clone()
        } else {
            let buffers = key.1.iter().map(|&bound| self.part(bound)).collect();
            let binding = self.device.bind(kernel.entry, &pipeline, buffers).await?;
            self.bindings.insert(key, binding.clone());
            binding
        };
        let groups = self.device.spread((kernel.groups)(span));
        self.queue.push(Dispatch { pipeline, binding, groups, job }).await
    }

    fn part(&self, bound: Bound) -> wgpu::BufferBinding<'_> {
        let parts = &self.buffers[&bound.name];
        let (index, bytes) = bound.window.map_or((0, u64::MAX), |(index, bytes)| (u64::from(index), bytes));
        let windows = parts[0].size().div_ceil(bytes).max(1);
        match parts.get((index / windows) as usize) {
            Some(buffer) if index % windows * bytes < buffer.size() => {
                let offset = index % windows * bytes;
                wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(bytes.min(buffer.size() - offset)) }
            }
            _ => parts[0].as_entire_buffer_binding(),
        }
    }

    /// The number of rows of a cost that the budget still holds: whole blocks of `large` rows where
    /// a fresh budget holds `enough` of them, else of [`LANES`]; at least one block.
    pub(crate) fn rows_that_fit(&self, cost: f64, large: u32, enough: u32) -> u32 {
        let [fit, whole] = self.queue.fit(cost);
        let block = if whole < enough { LANES } else { large };
        (fit / block * block).max(block)
    }
}

/// At most `count` places from `first` on, below `end` and in one window.
pub(crate) fn within(first: u32, count: u32, window: u32, end: u32) -> Range<u32> {
    let window_end = (first / window + 1).saturating_mul(window);
    first..first.saturating_add(count).min(window_end).min(end)
}

/// The first rows of a list as a range: those that follow one another, at most `count`, in one
/// window.
pub(crate) fn leading_run(rows: &[usize], count: u32, window: u32) -> Range<u32> {
    let first = rows[0] as u32;
    let most = within(first, count, window, u32::MAX);
    let length = rows.iter().zip(most).take_while(|&(&row, next)| row == next as usize).count();
    first..first + length as u32
}

/// Refuses rows past the last of n tokens.
pub(crate) fn require_rows(rows: &[usize], n: usize) -> Result<()> {
    match rows.iter().find(|&&row| row >= n) {
        Some(row) => Err(Error::input(format!("token {row} was asked for; there are {n}, counted from 0"))),
        None => Ok(()),
    }
}
