//! Every rule beyond the integer contract on the GPU, in f32 ([`crate::real`]).
//!
//! The state lives on the device from step to step. A stage of a step scales all tokens into [−1,
//! 1] by a power of two, and then goes over slices of rows, head by head:
//!
//! | kernel | computes |
//! |---|---|
//! | `extent`, `scale` | max|x_jk|, keys x_j·2^−e |
//! | `apply` | a matrix by rows: queries, values, P, W |
//! | `queries` | A x_i scaled by its own power of two, β and δ·s_i in those units |
//! | `attend` | d ≤ 16: maxima, weights and sums of chunks of 1024 keys, in registers |
//! | `score`, `weigh`, `values` | the same by 64×64 tiles, through scores of a slice; strips, argmax and draws too |
//! | `whole` | weights that need all scores of a row at hand: sparse and linear ones |
//! | `merge` | maximum, argmax, total; the strip's end; the chunk of the key drawn |
//! | `draw`, `means` | that key; means over the chunks |
//! | `turn`, `lengthen` | keys that are directions; outputs brought to a length |
//! | `exclude` | outputs without what lies along own values |
//! | `perceptron`, `noise` | what moves tokens beside attention: units; draws along the sphere |
//! | `moves` | projection, integrator, retraction, the report |
//!
//! No buffer grows with n². A sum runs over keys of a chunk in index order, 8 or 128 at a time, and
//! over chunks with what rounding lost carried along: an order that slices, windows and submissions
//! do not touch, so that one binary on one adapter and driver gives one result. `verify` derives
//! how far it may be from f64.

mod advance;
mod head;
mod job;
mod kernels;
mod layout;
mod matrices;
mod state;
mod step;

pub(crate) use job::Job;
pub(crate) use kernels::{ALL as KERNELS, NARROW};
pub use layout::{Needs, RealLayout};
pub use state::RealGpu;
