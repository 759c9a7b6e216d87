//! The device's own f32 peak, measured in the same run as the engine it is compared with.

use crate::error::Result;
use crate::gpu::arithmetic::MULTIPLY_ADD;
use crate::gpu::device::Device;

/// A measured peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// f32 operations a second, a multiply-add counting two, in units of 10^9.
    pub gflops: f64,
}

/// Measures chains of independent multiply-adds; about half a second.
///
/// # Errors
/// Device failures.
pub fn fma_peak(device: &Device) -> Result<Peak> {
    const REPEATS: u32 = 5;
    const OPERATIONS_A_GROUP: f64 = 2.0 * 64.0 * 512.0 * 16.0 * 4.0;
    let buffer = device.buffer("multiply-add", 48, wgpu::BufferUsages::STORAGE)?;
    let constants = [0.999_f32; 4].into_iter().chain([1e-3; 4]).chain([0.0; 4]).map(f32::to_bits);
    device.write(&buffer, &constants.collect::<Vec<_>>())?;
    let time = |groups| -> Result<f64> {
        Ok(device.run_alone(MULTIPLY_ADD, "multiply_add", &[&buffer], groups)?.as_secs_f64())
    };
    // Drivers compile at the first run, and devices wake up; so the size is found first, then timed.
    let mut groups = 16u32;
    time(groups)?;
    while time(groups)? < 0.05 && groups < 32_000 {
        groups *= 2;
    }
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        best = best.min(time(groups)?);
    }
    Ok(Peak { gflops: f64::from(groups) * OPERATIONS_A_GROUP / best * 1e-9 })
}
