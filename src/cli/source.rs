//! Which system a command is about: a config or a preset, with what was changed on the command line.

use std::path::PathBuf;

use anyhow::Result;

use super::output;
use crate::choice::{EngineChoice, Plan};
use crate::contract::Grid;
use crate::cpu::Cpu;
use crate::engine::{self, Engine};
use crate::error::Error;
use crate::io::config::{Config, Override};
use crate::io::presets;
use crate::machine;
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
    /// Who computes; auto takes a hardware GPU if there is one, else the CPU
    #[arg(long, value_name = "ENGINE", value_parser = named(&EngineChoice::ALL))]
    engine: Option<String>,
    /// How keys are searched: every pair (brute), by norms or by a tree of boxes; auto takes the cheapest
    #[arg(long, value_name = "PLAN", value_parser = named(&Plan::ALL))]
    plan: Option<String>,
    /// Width of the stored tokens
    #[arg(long, value_name = "WIDTH", value_parser = ["f32", "f64"])]
    precision: Option<String>,
    /// Steps to take
    #[arg(long, value_name = "T")]
    steps: Option<u64>,
}

/// A parser that accepts the names of a table.
pub(super) fn named<T>(all: &[(T, &'static str)]) -> clap::builder::PossibleValuesParser {
    clap::builder::PossibleValuesParser::new(all.iter().map(|(_, name)| *name))
}

impl Source {
    /// The config with every change applied, checked.
    pub(super) fn config(&self) -> Result<Config> {
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

/// The first state of a run: the config's tokens on their lattice, or on their geometry.
///
/// # Errors
/// More memory than there is, before anything is allocated; a file that cannot be read.
pub(super) fn first_state(config: &Config) -> Result<(Tokens, Grid)> {
    check_memory(config)?;
    let tokens = config.load_tokens()?;
    let grid = Grid::of(&tokens, config.run.precision);
    let first = if config.model.is_exact() {
        grid.snap(&tokens)?
    } else {
        config.model.start(&tokens, config.run.precision)?
    };
    Ok((first, grid))
}

/// The engine that the config asks for, holding the first state.
pub(super) fn open_engine(config: &Config, tokens: &Tokens, grid: Grid) -> Result<Box<dyn Engine>> {
    let opened = engine::open(config.run.engine, config.run.plan, &config.model, tokens, grid)?;
    if let Some(note) = opened.note {
        output::note(&note);
    }
    Ok(opened.engine)
}

/// The tokens as read, on their lattice, and in the CPU engine.
fn check_memory(config: &Config) -> Result<()> {
    let (n, d, precision) = (config.n(), config.d(), config.run.precision);
    let held = 2 * (n as u64).saturating_mul(d as u64).saturating_mul(precision.bytes() as u64);
    let needed = held.saturating_add(Cpu::memory(n, d, precision, config.run.plan, machine::threads()));
    match machine::available_memory() {
        Some(available) if needed > available => Err(Error::Memory {
            what: format!("a run of {n} tokens in R^{d}"),
            needed,
            available,
            mend: "take fewer tokens or precision f32".into(),
        }
        .into()),
        _ => Ok(()),
    }
}
