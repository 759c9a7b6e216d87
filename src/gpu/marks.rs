//! Timestamps around each dispatch, for the devices that are opened to be measured.

use crate::error::{Error, Result};
use crate::gpu::adapter::Adapter;
use crate::gpu::device::Device;
use crate::gpu::timing::Dispatches;

/// The features that timestamps need.
pub(crate) const FEATURES: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY;

/// Refuses an adapter without timestamps.
pub(crate) fn require(adapter: &Adapter) -> Result<()> {
    if adapter.handle.features().contains(FEATURES) { Ok(()) } else { Err(refusal(adapter.name(), &adapter.driver())) }
}

fn refusal(name: &str, driver: &str) -> Error {
    Error::device(format!(
        "{name} ({driver}) has no timestamps (feature timestamp-query), so its kernels cannot be timed: name another \
         adapter with --adapter (`localmax doctor` shows their features), or leave out --kernels"
    ))
}

/// Two timestamps for each dispatch of a submission.
pub(crate) struct Marks {
    set: wgpu::QuerySet,
    ticks: wgpu::Buffer,
}

impl Marks {
    /// For so many dispatches.
    pub(crate) async fn new(device: &Device, dispatches: u32) -> Result<Self> {
        let count = 2 * dispatches;
        let descriptor = wgpu::QuerySetDescriptor { label: Some("timestamps"), ty: wgpu::QueryType::Timestamp, count };
        let set = device.guarded("timestamps", 0, |raw| raw.create_query_set(&descriptor)).await?;
        let ticks = device.buffer("timestamps", u64::from(count) * 8, wgpu::BufferUsages::QUERY_RESOLVE).await?;
        Ok(Self { set, ticks })
    }

    /// The timestamps around a dispatch, which is a pass of its own.
    pub(crate) fn around(&self, dispatch: u32) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(2 * dispatch),
            end_of_pass_write_index: Some(2 * dispatch + 1),
        }
    }

    /// Puts those of the first dispatches where they are read from.
    pub(crate) fn resolve(&self, encoder: &mut wgpu::CommandEncoder, dispatches: u32) {
        encoder.resolve_query_set(&self.set, 0..2 * dispatches, &self.ticks, 0);
    }

    /// Reads those of a submission that has ended, whose dispatches are of these kernels.
    pub(crate) async fn read(&self, device: &Device, kernels: &[&'static str]) -> Result<()> {
        let words = device.read(&self.ticks, 4 * kernels.len()).await?;
        let tick = f64::from(device.queue.get_timestamp_period()) * 1e-9;
        let at = |words: &[u32]| u64::from(words[1]) << 32 | u64::from(words[0]);
        for (kernel, words) in kernels.iter().zip(words.chunks_exact(4)) {
            let seconds = at(&words[2..]).saturating_sub(at(words)) as f64 * tick;
            let dispatch = Dispatches { count: 1, seconds };
            device.count(|timings| *timings.kernels.entry(kernel).or_default() += dispatch);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who asks a card for what it lacks must read which card, and what to do.
    #[test]
    fn an_adapter_without_timestamps_is_named() {
        let text = refusal("Old Card", "its driver 1.2").to_string();
        for word in ["Old Card", "its driver 1.2", "--adapter", "--kernels", "timestamp-query"] {
            assert!(text.contains(word), "{text}");
        }
        assert!(!text.contains('\n'));
    }
}
