//! Attention as a dynamical system: n tokens in R^d that move, step by step, towards an average of the tokens they
//! attend to, computed on a GPU, on a fast CPU engine, and on a plain reference that the other two are held to.
//!
//! Layers, lowest first; a file imports from lower layers only (`tests/layers.rs` holds that):
//!
//! | layer | modules |
//! |---|---|
//! | 0 | [`error`], [`num`] |
//! | 1 | [`tokens`], [`schedule`] |
//! | 2 | [`model`], [`contract`], [`outcome`] |
//! | 3 | [`reference`], [`cpu`], [`gpu`] |
//! | 4 | [`engine`] |

pub mod contract;
pub mod cpu;
pub mod engine;
pub mod error;
pub mod gpu;
pub mod model;
pub mod num;
pub mod outcome;
pub mod reference;
pub mod schedule;
pub mod tokens;
