//! Opening a device, and the probe of its driver.

use crate::error::{Error, Result};
use crate::gpu::adapter::Adapter;
use crate::gpu::cache;
use crate::gpu::device::Device;
use crate::gpu::marks;

/// The driver probe.
pub(crate) const PROBE: &str = include_str!("../../shaders/arithmetic/probe.wgsl");
/// The probe of the unit for matrices.
pub(crate) const UNITS: &str = include_str!("../../shaders/arithmetic/units.wgsl");

/// Rows, and keys, of the probe of the unit, and their coordinates.
const SIDE: usize = 16;
const DEEP: usize = 64;

impl Device {
    /// Opens an adapter and probes its driver. Limits below the adapter's own take a cloud in more
    /// slices and windows.
    ///
    /// # Errors
    /// The device cannot be opened, or its driver computes wrongly; limits above the adapter's.
    pub async fn request(adapter: &Adapter, limits: wgpu::Limits) -> Result<Self> {
        let device = Self::connect(adapter, limits, wgpu::Features::empty(), cache::folder().as_deref()).await?;
        device.probed().await
    }

    /// Opens an adapter as [`Device::request`] does, for measurements: what it does is counted, and it
    /// has timestamps.
    ///
    /// # Errors
    /// As [`Device::request`]; an adapter without timestamps.
    pub async fn request_timed(adapter: &Adapter) -> Result<Self> {
        marks::require(adapter)?;
        let device = Self::connect(adapter, adapter.limits(), marks::FEATURES, cache::folder().as_deref()).await?;
        Ok(device.probed().await?.counted())
    }

    /// This device, if its driver is right, with what its units turn out to be.
    async fn probed(mut self) -> Result<Self> {
        self.probe().await?;
        // One that computes something else, or a driver that refuses its text, does without.
        self.has_units = self.adapter().has_units() && self.are_units_right().await.unwrap_or(false);
        Ok(self)
    }

    /// Whether units multiply matrices of limbs without any rounding.
    async fn are_units_right(&self) -> Result<bool> {
        let [rows, keys] = [0, 1].map(limbs);
        let sums = self.buffer("sums", (SIDE * SIDE * 4) as u64, wgpu::BufferUsages::STORAGE).await?;
        let mut factors = Vec::new();
        for limbs in [&rows, &keys] {
            let buffer = self.buffer("limbs", (2 * limbs.len()) as u64, wgpu::BufferUsages::STORAGE).await?;
            let words = limbs.chunks_exact(2).map(|two| half_bits(two[0]) | half_bits(two[1]) << 16);
            self.write(&buffer, &words.collect::<Vec<_>>()).await?;
            factors.push(buffer);
        }
        self.run_alone(UNITS, "units", &[&factors[0], &factors[1], &sums], 1, false).await?;
        let expected = keys.chunks_exact(DEEP).flat_map(|key| {
            let sum = move |row: &[i32]| row.iter().zip(key).map(|(q, x)| q * x).sum::<i32>();
            rows.chunks_exact(DEEP).map(sum)
        });
        let expected: Vec<u32> = expected.map(|sum| (sum as f32).to_bits()).collect();
        Ok(self.read(&sums, SIDE * SIDE).await? == expected)
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

/// Limbs of some tokens, as large as those of tokens in R^64 may be: the first all are, so that their sum of
/// products is 2^24; half of the others' are, of either sign, so that sums rise and fall.
fn limbs(kind: u64) -> Vec<i32> {
    const MOST: i32 = 512;
    let limb = |i: usize| {
        let hash = (2 * i as u64 + kind + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let any = (hash % (2 * MOST as u64 + 1)) as i32 - MOST;
        match hash >> 20 & 3 {
            _ if i < DEEP => MOST,
            0 => MOST,
            1 => -MOST,
            _ => any,
        }
    };
    (0..SIDE * DEEP).map(limb).collect()
}

/// An integer of at most 11 bits as f16.
fn half_bits(limb: i32) -> u32 {
    let bits = (limb as f32).to_bits();
    // Their exponents begin at -127 and at -15.
    if limb == 0 { 0 } else { bits >> 16 & 0x8000 | ((bits >> 13 & 0x3_ffff) - (112 << 10)) }
}

/// The result of [`PROBE`] for a seed: 200,000 rounds of xorshift.
fn probed(seed: u32) -> u32 {
    (0..200_000).fold(seed, |mut x, _| {
        x ^= x << 13;
        x ^= x >> 17;
        x ^ (x << 5)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit that drops what f32 has no room for would be called right by small sums, or by wrong limbs.
    #[test]
    fn the_probe_goes_to_the_ends() {
        crate::gpu::table::validate("units", UNITS, false);
        assert_eq!([0, 1, -2, 3, 512, -2048, 1023].map(half_bits), [0, 0x3c00, 0xc000, 0x4200, 0x6000, 0xe800, 0x63fe]);
        let [rows, keys] = [0, 1].map(limbs);
        let sum: i32 = rows.iter().zip(&keys).take(DEEP).map(|(q, x)| q * x).sum();
        assert_eq!(sum, 1 << 24);
        assert!(rows.iter().chain(&keys).all(|limb| limb.abs() <= 512));
        assert!([-512, 512].iter().all(|most| rows[DEEP..].contains(most)) && rows.iter().any(|limb| limb.abs() < 99));
    }
}
