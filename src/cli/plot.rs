//! `localmax plot DIR`.

use std::path::PathBuf;

use anyhow::Result;

use super::output;
use crate::error::Error;
use crate::run::RunDir;
use crate::run::pictures::{Choice, draw};

/// Draw the pictures of a run anew, from its files: SVG, PNG, a GIF, and a page that plays it
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  localmax plot runs/default-1 --token 17 --step 5")]
pub(super) struct Arguments {
    /// A run's directory
    dir: PathBuf,
    /// The token whose strip is shown, counted from 0; otherwise one of middle length that attends
    /// to several
    #[arg(long, value_name = "I")]
    token: Option<usize>,
    /// The frame whose strip is shown; otherwise the first
    #[arg(long, value_name = "T")]
    step: Option<u64>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.dir.join("study.toml").is_file() {
        let path = arguments.dir.display();
        return Err(Error::input(format!(
            "{path} holds a study; draw its report anew with: localmax study resume {path}"
        ))
        .into());
    }
    let run = RunDir::open(&arguments.dir)?;
    for path in draw(&run, Choice { token: arguments.token, step: arguments.step })? {
        output::print(&format!("wrote {}\n", path.display()))?;
    }
    Ok(())
}
