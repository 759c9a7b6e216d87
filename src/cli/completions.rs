//! `localmax completions SHELL`.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, output};

/// Print completions for a shell.
///
/// bash:  localmax completions bash > ~/.local/share/bash-completion/completions/localmax
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "localmax", &mut script);
    Ok(output::write_bytes(&script)?)
}
