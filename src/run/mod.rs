//! A run and its directory, which holds all that `resume` and `plot` need.
//!
//! | file | what |
//! |---|---|
//! | `config.toml` | the resolved config; runs again as it is (`a.npy` and the like beside it for what is large) |
//! | `changes/1/config.toml` | the config after the first change of it by `resume` ([`change`]) |
//! | `meta.json` | versions, engine, lattice, strip form, timings: everything that may differ between equal runs |
//! | `metrics.csv` | a row for each recorded step ([`MetricsRow`]) |
//! | `measures.csv` | scalar measures of states at their own trigger ([`crate::observe::Scalars`]) |
//! | `clouds.csv` | in their place, a row for each cloud of a run of many |
//! | `effort.csv` | the work of each of those steps; may differ between equal runs |
//! | `frames/step_000000000012.npy` | the tokens at a step, (n, d), or (m, n, d) of m clouds |
//! | `final.npy` | the last tokens, as in frames |
//! | `checkpoints/step_000000000012.safetensors` | the last two states from which the run can go on ([`crate::run::checkpoint`]) |
//! | `plots/` | pictures |
//! | `.lock` | the id of the process that wrote the run last; locked while it writes ([`Lock`]) |
//!
//! A directory appears whole, with its config and its meta.json, or not at all.

pub mod among;
pub mod change;
pub mod checkpoint;
pub(crate) mod clouds;
mod cut;
mod effort;
#[cfg(test)]
mod faults;
mod folder;
pub mod limits;
mod lock;
mod measures;
mod meta;
mod metrics;
pub mod opening;
#[cfg(feature = "pictures")]
pub mod pictures;
mod place;
mod progress;
pub mod record;
mod recorder;
mod result;
pub mod resume;
mod segment;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use clouds::{CLOUDS, CloudRow, Ends, read_clouds};
pub use cut::NewestCheckpoint;
pub use effort::EFFORT;
pub use folder::RunDir;
pub use lock::Lock;
pub use measures::{MEASURES, read_measures};
pub use meta::{GridFacts, Meta, Settled, Timings};
pub use metrics::{METRICS, MetricsRow, StepSummary, StripSizes, read_metrics};
pub use place::Place;
#[cfg(all(feature = "cli", feature = "gpu"))]
pub(crate) use place::check_free;
pub use progress::{Anchor, Cycle, FrameFile, Options, Progress, Segment, TableMark};
