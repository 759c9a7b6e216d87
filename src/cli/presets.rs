//! `localmax presets`.

use anyhow::Result;

use super::output;
use crate::io::presets;

/// List the embedded systems, one line each; print one with its source
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print this preset's config instead
    name: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(name) = &arguments.name {
        return Ok(output::print(presets::find(name)?.text)?);
    }
    let width = presets::PRESETS.iter().map(|preset| preset.name.len()).max().unwrap_or(0);
    let lines = presets::PRESETS.iter().map(|preset| format!("{:width$}  {}\n", preset.name, preset.summary()));
    Ok(output::print(&lines.collect::<String>())?)
}
