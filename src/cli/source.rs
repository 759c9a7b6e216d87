//! Which system a command is about: a config or a preset, with what was changed on the command
//! line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::output;
use crate::choice::{EngineChoice, Plan};
use crate::engine::Engine;
use crate::error::Error;
use crate::exact::Grid;
use crate::io::config::start::Start;
use crate::io::config::{Config, Override, PRECISIONS};
use crate::io::presets;
use crate::num;
use crate::tokens::Tokens;

#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// A config file (TOML); without one, and without --preset, a small default preset runs
    #[arg(value_name = "CONFIG.toml", conflicts_with = "preset")]
    config: Option<PathBuf>,
    /// An embedded system; `localmax presets` lists them
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Change any key of the config, e.g. --set model.delta=0.2 (may be given again)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Engine that computes; auto takes a hardware GPU if there is one, else the CPU
    #[arg(long, value_name = "ENGINE", value_parser = named(&EngineChoice::ALL))]
    engine: Option<String>,
    /// Search for keys: every pair (brute), by norms or by a tree of boxes; auto takes the cheapest
    #[arg(long, value_name = "PLAN", value_parser = named(&Plan::ALL))]
    plan: Option<String>,
    /// Width of the stored tokens; auto takes f32, or f64 where an exact rule's lattice would be too
    /// coarse
    #[arg(long, value_name = "WIDTH", value_parser = named(&PRECISIONS))]
    precision: Option<String>,
    /// Steps to take
    #[arg(long, value_name = "T", value_parser = count)]
    steps: Option<u64>,
}

/// A parser that accepts the names of a table.
pub(super) fn named<T>(all: &[(T, &'static str)]) -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(all.iter().map(|(_, name)| *name))
}

/// Parses a count, 0 included.
pub(super) fn count(text: &str) -> std::result::Result<u64, String> {
    let most = i64::MAX;
    let domain = || format!("it must be a whole number from 0 to {most}");
    num::whole(text).filter(|&v| v <= most as u64).ok_or_else(domain)
}

/// Parses a time, as `3600`, `90m` or `2h`; a number alone is in seconds.
pub(super) fn time(text: &str) -> std::result::Result<Duration, String> {
    let units = [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let unit = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
    let (number, seconds) = unit.unwrap_or((text, 1.0));
    let time = number.trim().parse::<f64>().ok().filter(|number| *number > 0.0);
    let time = time.and_then(|number| Duration::try_from_secs_f64(number * seconds).ok());
    time.ok_or_else(|| "it must be a time above 0, such as 3600 (seconds), 90m or 2h".into())
}

/// Parses a number of things of which there must be some.
pub(super) fn at_least_one(text: &str) -> std::result::Result<usize, String> {
    let count = num::whole(text).and_then(|v| usize::try_from(v).ok());
    count.filter(|&v| v > 0).ok_or_else(|| "it must be a whole number of at least 1".into())
}

impl Source {
    /// The config with every change applied, checked.
    pub(super) fn config(&self) -> Result<Config, Error> {
        let mut overrides = self.set.iter().map(|text| Override::set(text)).collect::<Result<Vec<_>, Error>>()?;
        let steps = self.steps.map(|t| t.to_string());
        let options = [
            ("--engine", "run.engine", &self.engine),
            ("--plan", "run.plan", &self.plan),
            ("--precision", "run.precision", &self.precision),
            ("--steps", "run.steps", &steps),
        ];
        for (option, key, value) in options {
            overrides.extend(value.as_ref().map(|value| Override::option(option, key, value)));
        }
        Ok(match (&self.config, &self.preset) {
            (Some(path), _) => Config::load(path, &overrides)?,
            (None, Some(name)) => Config::preset(name, &overrides)?,
            (None, None) => Config::preset(presets::DEFAULT, &overrides)?,
        })
    }
}

/// [`Config::first_state`], with its notes on the terminal.
///
/// # Errors
/// The errors of [`Config::first_state`].
pub(super) fn first_state(config: &mut Config) -> Result<Start> {
    Ok(config.first_state(&mut output::note)?)
}

/// [`Config::open_engine`], with its notes on the terminal.
///
/// # Errors
/// The errors of [`Config::open_engine`].
pub(super) fn open_engine(config: &Config, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>, Error> {
    config.open_engine(tokens, grid, &mut output::note)
}
