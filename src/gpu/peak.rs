//! The device's own f32 peak, measured in the same run as the engine it is compared with.

use crate::error::Result;
use crate::gpu::device::Device;

/// The chains of multiply-adds.
const MULTIPLY_ADD: &str = include_str!("../../shaders/arithmetic/multiply_add.wgsl");

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
pub(crate) async fn measure(device: &Device) -> Result<Peak> {
    const REPEATS: u32 = 5;
    const OPERATIONS_A_GROUP: f64 = 2.0 * 64.0 * 512.0 * 16.0 * 4.0;
    let buffer = device.buffer("multiply-add", 48, wgpu::BufferUsages::STORAGE).await?;
    let constants = [0.999_f32; 4].into_iter().chain([1e-3; 4]).chain([0.0; 4]).map(f32::to_bits);
    device.write(&buffer, &constants.collect::<Vec<_>>()).await?;
    let time = async |groups| -> Result<f64> {
        Ok(device.run_alone(MULTIPLY_ADD, "multiply_add", &[&buffer], groups).await?.as_secs_f64())
    };
    // Drivers compile at the first run, and devices wake up; so the size is found first, then
    // timed.
    let mut groups = 16u32;
    time(groups).await?;
    while time(groups).await? < 0.05 && groups < 32_000 {
        groups *= 2;
    }
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        best = best.min(time(groups).await?);
    }
    Ok(Peak { gflops: f64::from(groups) * OPERATIONS_A_GROUP / best * 1e-9 })
}

#[cfg(test)]
mod tests {
    use crate::gpu::table::validate;

    /// A program that does not validate would only be seen on a machine with a GPU.
    #[test]
    fn programs_without_parameters_validate() {
        validate("multiply_add", super::MULTIPLY_ADD);
        validate("probe", crate::gpu::device::PROBE);
    }
}
