//! The device's own f32 peak, measured in the same run as the engine it is compared with.

use crate::error::Result;
use crate::gpu::device::Device;

/// The chains of multiply-adds.
pub(crate) const MULTIPLY_ADD: &str = include_str!("../../shaders/arithmetic/multiply_add.wgsl");

/// Seconds that a run should take at least: a card's clock rises for tens of milliseconds, and a
/// submission costs a tenth of one.
const LEAST: f64 = 0.1;

/// A measured peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// f32 operations a second, a multiply-add counting two, in units of 10^9.
    pub gflops: f64,
    /// Seconds of the fastest run, which it is measured by.
    pub seconds: f64,
}

/// Measures chains of independent multiply-adds; about a second.
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
        Ok(device.run_alone(MULTIPLY_ADD, "multiply_add", &[&buffer], groups, true).await?.as_secs_f64())
    };
    // Drivers compile at the first run, and devices wake up; so the size is found first, then
    // timed. A clock that rises meanwhile makes runs shorter, and the size is found again.
    let mut groups = 16u64;
    let mut best = time(groups).await?;
    loop {
        while best < LEAST {
            groups *= if best < LEAST / 4.0 { 4 } else { 2 };
            best = time(groups).await?;
        }
        for _ in 0..REPEATS {
            best = best.min(time(groups).await?);
        }
        if best >= LEAST {
            return Ok(Peak { gflops: groups as f64 * OPERATIONS_A_GROUP / best * 1e-9, seconds: best });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::adapter::{Adapter, Wanted};
    use crate::gpu::table::validate;
    use pollster::block_on;

    /// If some lane of a vector counted for nothing, a compiler might leave its chains out, and every
    /// share of the peak would read up to four times too low; nor does a run of 2 ms say what a card
    /// can do.
    #[test]
    fn every_lane_counts_and_no_run_is_short() {
        let device = Device::open(&Adapter::choose(Wanted::Any).unwrap()).unwrap();
        for lane in 0..4 {
            // Chains that end in (0, 1.5/16, 0, 0), wherever the one is.
            let mut words = [0.0_f32; 12];
            words[4 + lane] = 1.5 / 16.0;
            let written = block_on(async {
                let buffer = device.buffer("multiply-add", 48, wgpu::BufferUsages::STORAGE).await?;
                device.write(&buffer, &words.map(f32::to_bits)).await?;
                device.run_alone(MULTIPLY_ADD, "multiply_add", &[&buffer], 1, true).await?;
                device.read(&buffer, 12).await
            });
            assert_eq!(f32::from_bits(written.unwrap()[8 + lane]), 1.5, "lane {lane}");
        }
        let peak = block_on(measure(&device)).unwrap();
        assert!(peak.seconds >= LEAST && peak.gflops > 0.0, "{peak:?}");
    }

    /// A program that does not validate would only be seen on a machine with a GPU.
    #[test]
    fn programs_without_parameters_validate() {
        validate("multiply_add", MULTIPLY_ADD, false);
        validate("probe", crate::gpu::probe::PROBE, false);
    }
}
