//! Attention as a dynamical system: n tokens in R^d that move, step by step, towards an average of the tokens they
//! attend to, computed on a GPU, on a fast CPU engine, and on a plain reference that the other two are held to.
//!
//! Layers, lowest first; a file imports from lower layers only (`tests/layers.rs` holds that):
//!
//! | layer | modules |
//! |---|---|
//! | 0 | [`error`], [`num`], [`rng`], [`machine`] |
//! | 1 | [`tokens`], [`schedule`], [`init`], [`choice`] |
//! | 2 | [`model`], [`exact`], [`real`], [`outcome`], [`space`] |
//! | 3 | [`mod@reference`], [`cpu`], [`gpu`] |
//! | 4 | [`engine`], [`verify`], [`observe`] |
//! | 5 | [`io`] |
//! | 6 | [`study`], [`mod@bench`], [`plot`] |
//! | 7 | [`cli`] |

#[cfg(feature = "cli")]
pub mod bench;
pub mod choice;
#[cfg(feature = "cli")]
pub mod cli;
pub(crate) mod clock;
pub mod cpu;
pub mod engine;
pub mod error;
pub mod exact;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod init;
pub mod io;
pub mod machine;
pub mod model;
pub mod num;
pub mod observe;
pub mod outcome;
#[cfg(feature = "pictures")]
pub mod plot;
pub mod real;
pub mod reference;
pub mod rng;
pub mod run;
pub mod schedule;
pub mod space;
#[cfg(feature = "studies")]
pub mod study;
pub(crate) mod threads;
pub mod tokens;
pub mod verify;
