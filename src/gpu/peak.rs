//! The device's own f32 peak, measured in the same run as the engine it is compared with.

use super::Device;
use super::kernels;
use crate::error::Result;

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
    const OPERATIONS_A_GROUP: f64 = 2.0 * 64.0 * 512.0 * 16.0 * 4.0;
    let buffer = device.buffer("multiply-add", 48, wgpu::BufferUsages::STORAGE)?;
    let constants = [0.999_f32; 4].into_iter().chain([1e-3; 4]).chain([0.0; 4]).map(f32::to_bits);
    device.write(&buffer, &constants.collect::<Vec<_>>())?;
    let (mut groups, mut best) = (16u32, 0.0f64);
    loop {
        let seconds = device.run_alone(kernels::MULTIPLY_ADD, "multiply_add", &[&buffer], groups)?.as_secs_f64();
        best = best.max(f64::from(groups) * OPERATIONS_A_GROUP / seconds);
        if seconds > 0.1 || groups > 32_000 {
            return Ok(Peak { gflops: best * 1e-9 });
        }
        groups *= 2;
    }
}
