//! The engines behind one trait, the choice of one, and the loop that steps it. Below the command
//! line, the only place that, with [`crate::verify`], sees two engines.

mod clouds;
mod forecast;
#[cfg_attr(not(feature = "gpu"), path = "no_gpu.rs")]
mod gpu;
mod held;
pub(crate) mod interface;
mod keys;
mod open;
mod orders;
mod parted;
mod plans;
mod preflight;
mod ranks;
mod reference;
#[cfg(feature = "gpu")]
mod several;
mod simulation;
pub(crate) mod step;
pub(crate) mod strip;

pub use clouds::{Clouds, of_clouds};
pub use forecast::{Talk, Width};
#[cfg(all(feature = "cli", not(feature = "gpu")))]
pub(crate) use gpu::no_gpu;
#[cfg(feature = "gpu")]
pub use gpu::{on_gpu, on_gpus};
pub use held::rank_memory;
pub use interface::{Engine, Rounding};
pub(crate) use keys::join;
pub use open::{Engines, Opened, on_cpu, on_reference, open};
pub use orders::Outline;
pub use preflight::{When, cpu_memory, preflight};
pub use ranks::{Lead, Systems, follow, on_ranks};
pub use reference::{ExactReference, RealReference};
pub use simulation::{Simulation, Standing, Until, first_state};
pub use step::{Step, Steps};
pub use strip::Strip;
