//! Everything between files and data: the config, `.npy` arrays, checkpoints and the run directory. Readers take any bytes: they
//! answer with data or with one line, in bounded memory.

pub mod atomic;
pub mod config;
pub(crate) mod disk;
pub(crate) mod input;
pub mod npy;
pub mod presets;
