//! Everything between files and data: the config, `.npy` arrays and the run directory. Readers take any bytes: they
//! answer with data or with one line, in bounded memory.

pub mod atomic;
pub mod config;
pub mod npy;
pub mod presets;
pub mod run_dir;
