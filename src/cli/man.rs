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
    let sections = command.get_subcommands().map(|sub| {
        let name = sub.get_name();
        sub.clone().display_name(format!("localmax-{name}")).bin_name(format!("localmax {name}"))
    });
    for page in std::iter::once(command.clone()).chain(sections) {
        clap_mangen::Man::new(page).render(&mut pages).map_err(|e| Error::file("man page", e))?;
    }
    Ok(output::print(&with_examples(&String::from_utf8_lossy(&pages)))?)
}

/// Examples under their own name, their lines as they are.
fn with_examples(pages: &str) -> String {
    let mut text = String::with_capacity(pages.len());
    let mut inside = false;
    for line in pages.lines() {
        if inside && (line.starts_with(".SH") || line.starts_with(".ie")) {
            text += ".fi\n";
            inside = false;
        }
        if line == ".SH EXTRA" {
            text += ".SH EXAMPLES\n.nf\n";
            inside = true;
        } else if !(inside && matches!(line, "Examples:" | "Example:")) {
            text += line;
            text += "\n";
        }
    }
    text + if inside { ".fi\n" } else { "" }
}
