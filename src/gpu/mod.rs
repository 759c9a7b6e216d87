//! The GPU engine on any device that wgpu reaches, with WGSL kernels from `shaders/`: `exact` has
//! the rules of the integer contract ([`crate::exact`]), `real` every other rule.
//!
//! The objects: [`Adapter`] (found, listed, chosen), [`Device`] (opened, probed; lives as long as
//! an engine), a layout (every buffer's bytes and the slices, checked before anything is
//! allocated), [`ExactGpu`] and [`RealGpu`] (the resident tokens).

mod adapter;
mod blocking;
mod device;
mod exact;
mod heap;
mod memory;
mod peak;
mod queue;
mod real;
mod report;
mod resident;
mod table;
pub mod twins;
mod wait;
mod wgsl;
mod words;

pub use adapter::{Adapter, Manifest, Wanted, manifests};
pub use blocking::fma_peak;
pub use device::Device;
pub use exact::{ExactGpu, Options};
pub use memory::{Line, Memory};
pub use peak::Peak;
pub use real::{Needs, RealGpu, RealLayout};
