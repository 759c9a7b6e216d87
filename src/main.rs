//! The command line; everything it does is in the library.

use std::process::ExitCode;

use localmax::cli::{Cli, exit_status};

fn main() -> ExitCode {
    match Cli::of(std::env::args_os()).and_then(Cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit_status(&error))
        }
    }
}
