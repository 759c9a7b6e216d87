//! Arguments that do not fit, in one line.

use std::ffi::OsString;

use clap::CommandFactory;

use super::Cli;
use crate::error::Error;

/// Puts clap's error about `arguments` into one line that names the command whose help to read.
pub(super) fn in_one_line(error: &clap::Error, arguments: &[OsString]) -> Error {
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let what = parts.next().unwrap_or_default();
    let what = what.trim_start_matches("error: ");
    // Other tips say how to pass a mistake on as it is.
    let similar = parts.find(|part| part.starts_with("tip: ") && part.contains("similar"));
    let similar = similar.map_or(String::new(), |tip| format!("; {}", tip.trim_start_matches("tip: ")));
    Error::input(format!("{what}{similar}; see `{} --help`", command(arguments)))
}

/// The command that the arguments begin with, as in `localmax study compare`.
fn command(arguments: &[OsString]) -> String {
    let mut command = Cli::command();
    let mut name = command.get_name().to_owned();
    for argument in arguments.iter().skip(1) {
        let Some(next) = argument.to_str().and_then(|text| command.find_subcommand(text)) else { break };
        name = format!("{name} {}", next.get_name());
        command = next.clone();
    }
    name
}
