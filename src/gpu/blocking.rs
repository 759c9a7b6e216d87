//! Doors for callers that do not await: each waits on the calling thread. In a browser, whose
//! thread must not wait, the functions behind them are awaited.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pollster::block_on;

use crate::choice;
use crate::clock::Instant;
use crate::error::{Error, Result};
use crate::gpu::adapter::{Adapter, Wanted};
use crate::gpu::device::Device;
use crate::gpu::modules;
use crate::gpu::peak::{self, Peak};

/// The time for which a machine without a hardware adapter is not asked again.
const LASTS: Duration = Duration::from_secs(10);

impl Adapter {
    /// Every adapter: [`Adapter::find_all`].
    pub fn all() -> Vec<Self> {
        block_on(Self::find_all())
    }

    /// The adapters to work on one after another: [`Adapter::find_named`].
    ///
    /// # Errors
    /// One is named that is not there; the text lists those that are.
    pub fn all_named() -> Result<Vec<Self>> {
        block_on(Self::find_named())
    }

    /// The adapter to run on: [`Adapter::find`].
    ///
    /// # Errors
    /// None fits; the text lists those there are.
    pub fn choose(wanted: Wanted) -> Result<Self> {
        // Looking at every driver takes some 10 ms, which many small runs would wait for.
        static NO_HARDWARE: Mutex<Option<(Instant, String)>> = Mutex::new(None);
        let mut none = NO_HARDWARE.lock().unwrap_or_else(PoisonError::into_inner);
        let is_usual = wanted == Wanted::Hardware && choice::adapter().is_none();
        match &*none {
            Some((seen, text)) if is_usual && seen.elapsed() < LASTS => return Err(Error::device(text.as_str())),
            _ => {}
        }
        let found = block_on(Self::find(wanted));
        if let (Err(Error::Device(text)), true) = (&found, is_usual) {
            *none = Some((Instant::now(), text.clone()));
        }
        found
    }
}

impl Device {
    /// Opens an adapter with its own limits: [`Device::request`].
    ///
    /// # Errors
    /// The device cannot be opened, or its driver computes wrongly.
    pub fn open(adapter: &Adapter) -> Result<Self> {
        Self::open_within(adapter, adapter.limits())
    }

    /// Opens an adapter for measurements: [`Device::request_timed`].
    ///
    /// # Errors
    /// As [`Device::open`]; an adapter without timestamps.
    pub fn open_timed(adapter: &Adapter) -> Result<Self> {
        block_on(Self::request_timed(adapter))
    }

    /// Opens an adapter within limits: [`Device::request`].
    ///
    /// # Errors
    /// As [`Device::open`]; limits above the adapter's.
    pub fn open_within(adapter: &Adapter, limits: wgpu::Limits) -> Result<Self> {
        block_on(Self::request(adapter, limits))
    }
}

/// Compiles the kernels of every rule for f32 and d; how many there are.
///
/// # Errors
/// Device failures.
pub fn compile(device: &Device, d: usize) -> Result<usize> {
    block_on(modules::compile(device, d))
}

/// Measures chains of independent multiply-adds; about a second.
///
/// # Errors
/// Device failures.
pub fn fma_peak(device: &Device) -> Result<Peak> {
    block_on(peak::measure(device))
}
