//! The command line; everything it does is in the library.

use std::process::ExitCode;

use localmax::cli::{self, Cli};

fn main() -> ExitCode {
    match Cli::of(std::env::args_os()).and_then(Cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::report(&error);
            ExitCode::from(cli::exit_status(&error))
        }
    }
}
