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

    /// The adapters to work on one after another: [`Adapter::find_named`], those of a list one by one.
    ///
    /// # Errors
    /// One is named that is not there; the text lists those that are.
    pub fn all_named() -> Result<Vec<Self>> {
        Ok(Self::all_together()?.concat())
    }

    /// The adapters to work on one after another, those of a list as one: [`Adapter::find_named`].
    ///
    /// # Errors
    /// One is named that is not there; the text lists those that are.
    pub fn all_together() -> Result<Vec<Vec<Self>>> {
        block_on(Self::find_named())
    }

    /// The adapter to run on, where one is enough: [`Adapter::find`].
    ///
    /// # Errors
    /// None fits, or several are named; the text lists those there are.
    pub fn choose(wanted: Wanted) -> Result<Self> {
        let mut all = Self::choose_together(wanted)?;
        match (all.len(), choice::adapter()) {
            (2.., Some((by, name))) => {
                Err(Error::input(format!("{by} {name}: this takes one adapter; name one of them")))
            }
            _ => Ok(all.swap_remove(0)),
        }
    }

    /// The adapter of one of several processes of a machine, by its number there: of those that `--adapter` or
    /// `LOCALMAX_ADAPTER` names, else of all hardware, in turn; where there is none, the first adapter.
    ///
    /// # Errors
    /// As [`Adapter::find`].
    pub fn of_process(number: usize) -> Result<Self> {
        let mut all: Vec<Self> = match choice::adapter() {
            Some(_) => Vec::new(),
            None => block_on(Self::find_all()).into_iter().filter(|adapter| !adapter.is_software()).collect(),
        };
        if all.is_empty() {
            all = Self::choose_together(Wanted::Any)?;
        }
        let own = number % all.len();
        Ok(all.swap_remove(own))
    }

    /// The adapters to share a run out over: [`Adapter::find`].
    ///
    /// # Errors
    /// None fits; the text lists those there are.
    pub fn choose_together(wanted: Wanted) -> Result<Vec<Self>> {
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
    /// Opens some adapters with their own limits, one that is listed twice once.
    ///
    /// # Errors
    /// As [`Device::open`].
    pub fn open_all(adapters: &[Adapter]) -> Result<Vec<Self>> {
        let mut opened: Vec<Self> = Vec::with_capacity(adapters.len());
        for adapter in adapters {
            let same = opened.iter().find(|device| device.adapter().number() == adapter.number()).cloned();
            opened.push(same.map_or_else(|| Self::open(adapter), Ok)?);
        }
        Ok(opened)
    }

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
