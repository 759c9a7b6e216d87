//! `localmax man`.

use anyhow::Result;
use clap::CommandFactory;

use super::{Cli, output};
use crate::error::Error;

/// Print the man page (roff): localmax man | man -l -
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_arguments: &Arguments) -> Result<()> {
    let mut pages = Vec::new();
    let command = Cli::command();
    let sections =
        command.get_subcommands().map(|sub| sub.clone().display_name(format!("localmax-{}", sub.get_name())));
    for page in std::iter::once(command.clone()).chain(sections) {
        clap_mangen::Man::new(page).render(&mut pages).map_err(|e| Error::file("man page", e))?;
    }
    Ok(output::write_bytes(&pages)?)
}
