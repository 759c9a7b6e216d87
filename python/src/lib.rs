//! localmax for Python: arrays in, arrays out. Parameters are read by the library's own reader of
//! configs, so that every rule, default and error text is the command line's.
//!
//! | file | what |
//! |---|---|
//! | `arrays` | tokens from NumPy and into it |
//! | `config` | keyword arguments, presets and texts as a config |
//! | `simulation` | a run in memory, step by step |
//! | `ranks` | ranks through a communicator of mpi4py's |
//! | `record` | a run into a folder |
//! | `batch` | many clouds side by side |
//! | `observe` | measures of plain arrays |
//! | `work` | long work: other Python threads go on, and Ctrl-C is heard |

#![expect(clippy::needless_pass_by_value, reason = "arguments of Python are handed over by value")]

mod arrays;
mod batch;
mod config;
mod observe;
mod ranks;
mod record;
mod simulation;
mod work;

use pyo3::prelude::*;

/// The hash of an array, as in metrics.csv: blake3 over its float32 or float64 bytes.
#[pyfunction]
fn hash(py: Python<'_>, x: &Bound<'_, PyAny>) -> PyResult<String> {
    work::require_threads()?;
    let tokens = arrays::tokens(x)?;
    Ok(py.detach(|| tokens.hash().to_hex().to_string()))
}

/// The command line; its exit status.
#[pyfunction]
fn cli(py: Python<'_>, arguments: Vec<String>) -> u8 {
    use localmax::cli::{self, Cli};

    py.detach(|| match Cli::of(arguments.into_iter().map(Into::into)).and_then(Cli::run) {
        Ok(()) => 0,
        Err(error) => {
            cli::report(&error);
            cli::exit_status(&error)
        }
    })
}

#[pymodule(gil_used = false)]
mod _localmax {
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "its name in Python")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use super::work::DeviceError;
    #[pymodule_export]
    use super::{
        batch::batch, cli, config::Config, config::keys, config::presets, hash, observe::clusters,
        observe::contraction, observe::gaps, observe::hegselmann_krause, observe::nearest, observe::rate,
        observe::sphere_energy, observe::vertices, record::draw, record::record, simulation::Simulation,
    };
}
