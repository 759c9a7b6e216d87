//! The command line; everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;
use localmax::cli::{Cli, exit_status};

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("localmax: {error:#}");
            ExitCode::from(exit_status(&error))
        }
    }
}
