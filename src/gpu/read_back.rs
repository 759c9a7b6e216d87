//! Reading buffers of a device: through staging buffers that are kept, two under way at a time.

use std::ops::Range;
use std::sync::PoisonError;

use crate::error::{Error, Result};
use crate::gpu::device::{COPY_BYTES, Device, Submission};

/// Words on their way from the device, which goes on with what is submitted later.
pub(crate) struct Reading {
    pub(crate) submission: Submission,
    staging: wgpu::Buffer,
    bytes: u64,
}

/// Bytes of the smallest staging buffer.
const LEAST_STAGING: u64 = 64 << 10;

impl Device {
    /// The first words of a buffer.
    pub(crate) async fn read(&self, buffer: &wgpu::Buffer, words: usize) -> Result<Vec<u32>> {
        let mut read = Vec::with_capacity(words);
        self.read_into(&mut read, buffer, 0..words).await?;
        Ok(read)
    }

    /// Appends some words of a buffer: one part is copied on the device while the host takes the
    /// part before.
    pub(crate) async fn read_into(
        &self,
        read: &mut Vec<u32>,
        buffer: &wgpu::Buffer,
        words: Range<usize>,
    ) -> Result<()> {
        let bytes = words.start as u64 * 4..words.end as u64 * 4;
        let mut flying = None;
        let most = COPY_BYTES.min(self.limits().max_buffer_size / 4 * 4);
        for offset in bytes.clone().step_by(most as usize) {
            let length = most.min(bytes.end - offset);
            let reading = self.start_reading(None, buffer, offset, length).await?;
            if let Some(before) = flying.replace(reading) {
                self.take(read, before).await?;
            }
        }
        match flying {
            Some(last) => self.take(read, last).await,
            None => Ok(()),
        }
    }

    /// Submits commands, and after them a copy of some bytes of a buffer, at most [`COPY_BYTES`].
    pub(crate) async fn start_reading(
        &self,
        commands: Option<wgpu::CommandBuffer>,
        buffer: &wgpu::Buffer,
        offset: u64,
        bytes: u64,
    ) -> Result<Reading> {
        let staging = self.staging(bytes).await?;
        let mut encoder = self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, bytes);
        let submission = self.submit(commands.into_iter().chain([encoder.finish()]));
        // An error here is a lost device, which `wait` reports.
        staging.slice(..bytes).map_async(wgpu::MapMode::Read, |_| ());
        Ok(Reading { submission, staging, bytes })
    }

    /// A buffer of at least so many bytes that the host reads from: one that was read before, if it is
    /// large enough.
    async fn staging(&self, bytes: u64) -> Result<wgpu::Buffer> {
        {
            let mut free = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = free.iter().position(|buffer| buffer.size() >= bytes) {
                return Ok(free.swap_remove(at));
            }
        }
        let size = bytes.next_power_of_two().clamp(LEAST_STAGING, COPY_BYTES).min(self.limits().max_buffer_size);
        self.guarded("read-back", size, |raw| {
            raw.create_buffer(&wgpu::BufferDescriptor {
                label: Some("read-back"),
                size,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        })
        .await
    }

    /// Waits for a copy, appends its words, and keeps its buffer for the next.
    pub(crate) async fn take(
        &self,
        read: &mut Vec<u32>,
        Reading { submission, staging, bytes }: Reading,
    ) -> Result<()> {
        self.wait(submission).await?;
        let mapped = staging
            .slice(..bytes)
            .get_mapped_range()
            .map_err(|error| Error::device(format!("{}: results cannot be read: {error}", self.adapter().name())))?;
        read.extend_from_slice(bytemuck::cast_slice(&mapped));
        drop(mapped);
        staging.unmap();
        self.staging.lock().unwrap_or_else(PoisonError::into_inner).push(staging);
        Ok(())
    }
}
