//! Opening a device, and the probe of its driver.

use crate::error::{Error, Result};
use crate::gpu::adapter::Adapter;
use crate::gpu::cache;
use crate::gpu::device::Device;
use crate::gpu::marks;

/// The driver probe.
pub(crate) const PROBE: &str = include_str!("../../shaders/arithmetic/probe.wgsl");

impl Device {
    /// Opens an adapter and probes its driver. Limits below the adapter's own take a cloud in more
    /// slices and windows.
    ///
    /// # Errors
    /// The device cannot be opened, or its driver computes wrongly; limits above the adapter's.
    pub async fn request(adapter: &Adapter, limits: wgpu::Limits) -> Result<Self> {
        let device = Self::connect(adapter, limits, wgpu::Features::empty(), cache::folder().as_deref()).await?;
        device.probe().await?;
        Ok(device)
    }

    /// Opens an adapter as [`Device::request`] does, for measurements: what it does is counted, and it
    /// has timestamps.
    ///
    /// # Errors
    /// As [`Device::request`]; an adapter without timestamps.
    pub async fn request_timed(adapter: &Adapter) -> Result<Self> {
        marks::require(adapter)?;
        let device = Self::connect(adapter, adapter.limits(), marks::FEATURES, cache::folder().as_deref()).await?;
        device.probe().await?;
        Ok(device.counted())
    }

    /// Refuses a driver that cuts loops short.
    async fn probe(&self) -> Result<()> {
        let seeds: Vec<u32> = (1..=64).collect();
        let buffer = self.buffer("probe", 256, wgpu::BufferUsages::STORAGE).await?;
        self.write(&buffer, &seeds).await?;
        self.run_alone(PROBE, "probe", &[&buffer], 1, false).await?;
        let expected: Vec<u32> = seeds.iter().map(|&seed| probed(seed)).collect();
        if self.read(&buffer, 64).await? == expected {
            return Ok(());
        }
        Err(Error::device(format!(
            "the driver of {} ({}) computes a loop of 200,000 rounds wrongly (Mesa 22.3.6 stops loops after 65,535); \
             install a newer one (Debian 12: mesa-vulkan-drivers from bookworm-backports) or take --engine cpu",
            self.adapter().name(),
            self.adapter().driver()
        )))
    }
}

/// The result of [`PROBE`] for a seed: 200,000 rounds of xorshift.
fn probed(seed: u32) -> u32 {
    (0..200_000).fold(seed, |mut x, _| {
        x ^= x << 13;
        x ^= x >> 17;
        x ^ (x << 5)
    })
}
