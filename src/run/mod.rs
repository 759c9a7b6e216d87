//! A run and its directory: all that a run leaves, and all that `resume` and `plot` need.
//!
//! | file | what |
//! |---|---|
//! | `config.toml` | the resolved config; runs again as it is (`a.npy` and the like beside it for what is large) |
//! | `meta.json` | versions, engine, grid, strip form, timings: everything that may differ between equal runs |
//! | `metrics.csv` | a row a recorded step ([`Row`]) |
//! | `measures.csv` | scalar measures of states at their own trigger ([`Scalars`]) |
//! | `effort.csv` | how each of those steps was computed; may differ between equal runs |
//! | `frames/step_000000000012.npy` | the tokens at a step, (n, d) |
//! | `final.npy` | the last tokens, (n, d) |
//! | `checkpoints/step_000000000012.safetensors` | the last two states to go on from ([`crate::run::checkpoint`]) |
//! | `plots/` | pictures |
//! | `.lock` | the id of the process that wrote the run last; locked while it writes ([`Lock`]) |
//!
//! A directory appears whole, with its config and what is known of it, or not at all.

pub mod checkpoint;
mod cut;
mod effort;
#[cfg(test)]
mod faults;
mod folder;
mod lock;
mod measures;
mod meta;
mod metrics;
#[cfg(feature = "pictures")]
pub mod pictures;
mod progress;
pub mod record;
mod recorder;
pub mod resume;
mod table;
#[cfg(test)]
mod tests;

pub use cut::Found;
pub use effort::EFFORT;
pub use folder::{Place, RunDir};
pub use lock::Lock;
pub use measures::{MEASURES, read_measures};
pub use meta::{GridFacts, Meta, Timings};
pub use metrics::{METRICS, Row, StripSizes, Taken, read_metrics};
pub use progress::{Cycle, Frame, Mark, Options, Progress, Recorded, Segment};
