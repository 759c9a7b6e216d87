//! Files and data: the config, `.npy` arrays, and the disk. Readers take any bytes: they answer
//! with data or with an error of one line, in bounded memory.

pub mod atomic;
pub mod config;
pub(crate) mod disk;
pub(crate) mod first_free;
pub(crate) mod input;
mod nearest;
pub mod npy;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
pub mod presets;
#[cfg(feature = "cli")]
pub(crate) mod tensors;
