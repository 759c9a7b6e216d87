//! The GPU engine on any device that wgpu reaches, with WGSL kernels from `shaders/`: `exact` has
//! the rules of the integer contract ([`crate::exact`]), `real` every other rule.
//!
//! | file | has |
//! |---|---|
//! | `adapter`, `manifest`, `heap` | the adapters of this machine, their drivers and memory |
//! | `device`, `read_back`, `probe`, `wait` | an opened adapter, which lives as long as an engine; reading its buffers; its probe; waiting for it |
//! | `pipeline`, `cache` | kernels compiled by a driver; those kept on the disk for other processes |
//! | `memory` | the buffers of an engine, checked before anything is allocated |
//! | `wgsl`, `table` | what Rust and the shaders share; kernels, joined from parts of text |
//! | `pairs` | what kernels for pairs of a row and a key are made for |
//! | `template` | lines of text that stand many times |
//! | `resident`, `queue`, `report` | buffers that stay on the device, dispatches over them, reports of steps |
//! | `share` | a step's rows shared out over several devices |
//! | `timing`, `marks` | what a device did, where that is counted; timestamps around its dispatches |
//! | `exact`, `real` | [`ExactGpu`] and [`RealGpu`], the resident tokens of the two arithmetics |
//! | `twins`, `modules`, `peak` | the shaders' arithmetic in Rust and their texts, for the tests; the device's own peak |
//! | `blocking` | doors for callers that do not await |

mod adapter;
mod blocking;
mod cache;
mod device;
mod exact;
mod heap;
mod manifest;
mod marks;
mod memory;
pub mod modules;
mod pairs;
mod parts;
mod peak;
mod pipeline;
mod probe;
mod queue;
mod read_back;
mod real;
mod report;
mod resident;
mod seen;
mod share;
mod table;
mod template;
mod timing;
pub mod twins;
mod wait;
mod wgsl;
mod words;

pub use adapter::{Adapter, CooperativeMatrix, Wanted};
pub use blocking::{compile, fma_peak};
pub use device::Device;
pub use exact::{ExactGpu, Options};
pub use manifest::{Manifest, manifests};
pub use memory::{Line, Memory, or_largest};
pub use peak::Peak;
pub use pipeline::Checks;
pub use real::{Needs, RealGpu, RealLayout};
pub(crate) use resident::require_rows;
pub(crate) use share::{Computed, Share};
pub use timing::{Dispatches, Timings};
