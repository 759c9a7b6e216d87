//! The opening of a new run: its first state, and the engine that holds it.

use std::sync::Arc;

use crate::engine::{Engine, Lead, When};
use crate::error::Result;
use crate::exact::Grid;
use crate::io::config::Config;
use crate::io::config::clouds::Starts;
use crate::io::config::start::{Settled, Start};
use crate::ranks::{Alone, Shared};
use crate::run::among;
use crate::run::checkpoint::{self, Checkpoint};
use crate::run::progress::{Options, Progress};

/// A run that is about to take its first step.
pub struct Opening {
    /// What [`crate::run::record::begin`] goes on from.
    pub start: checkpoint::Start,
    /// The engine that holds it.
    pub engine: Box<dyn Engine>,
    /// The reason for f64 where the config leaves the choice.
    pub why: Option<String>,
}

/// Opens a new run of a config, whose precision it settles. `note` hears what a person has to know.
///
/// # Errors
/// The errors of [`Config::first_state`] and [`Config::open_engine`].
pub fn open(config: &mut Config, options: Options, note: impl FnMut(&str)) -> Result<Opening> {
    let alone: Shared = Arc::new(Alone);
    open_among(&alone, config, options, note)
}

/// As [`open`], on rank 0 of several, which the others follow ([`among::follow`]).
///
/// # Errors
/// As [`open`]; those of [`among::open_engine`].
pub fn open_among(
    ranks: &Shared,
    config: &mut Config,
    options: Options,
    mut note: impl FnMut(&str),
) -> Result<Opening> {
    if config.clouds.is_some() {
        return open_clouds(ranks, config, options, &mut note);
    }
    let (asked, is_verified) = (config.run.engine, options.verify_every > 0);
    let when = (When::Begin, is_verified);
    let mut shared = among::config(ranks, config)?;
    let run = &shared.run;
    let is_parted =
        Lead::is_parted(ranks, (run.engine, run.plan), &shared.model, (shared.n(), shared.d()), run.precision);
    let (largest, grid, radius, why, engine) = if is_parted && ranks.size() > 1 {
        let (settled, engine) = among::begin_parted(ranks, &mut shared, is_verified, &mut note)?;
        let Settled { grid, largest, radius, why, .. } = settled;
        (largest, grid, radius, why, engine)
    } else {
        let Start { tokens, grid, radius, why, .. } =
            shared.first_state_after(&|config, note| among::preflight(ranks, config, when, note), &mut note)?;
        let engine = among::open_engine(ranks, &shared, &tokens, grid, &mut note)?;
        (tokens.largest_magnitude(), grid, radius, why, engine)
    };
    // The folder of several ranks is that of one.
    shared.run.engine = asked;
    *config = shared;
    let mut progress = Progress::start(config, options, grid, largest, engine.description());
    progress.half_side = Some(radius);
    Ok(Opening { start: checkpoint::Start { progress, frames: Vec::new() }, engine, why })
}

/// Opens a new run of many clouds, which no ranks share.
fn open_clouds(ranks: &Shared, config: &mut Config, options: Options, note: &mut dyn FnMut(&str)) -> Result<Opening> {
    require_one_rank(ranks, config)?;
    if options.verify_every > 0 {
        config.require_one_cloud("--verify")?;
    }
    config.preflight(When::Begin, note)?;
    let Starts { tokens, lattices, why } = config.starts(note)?;
    let engine = config.open_clouds(&tokens, &lattices, &[])?;
    let (grid, radius) = (config.grids(&lattices)[0], tokens.largest_magnitude());
    let mut progress = Progress::start(config, options, grid, radius, engine.description());
    progress.half_side = Some(lattices.iter().map(|of| of.half_side).fold(0.0, f64::max));
    progress.rests = vec![None; lattices.len()];
    progress.lattices = lattices;
    Ok(Opening { start: checkpoint::Start { progress, frames: Vec::new() }, engine, why })
}

/// # Errors
/// Many clouds on several ranks.
fn require_one_rank(ranks: &Shared, config: &Config) -> Result<()> {
    if ranks.size() == 1 { Ok(()) } else { config.require_one_cloud("a run on several ranks") }
}

/// The engine of a run that goes on from a checkpoint.
///
/// # Errors
/// As [`among::open_engine`].
pub fn reopen(
    ranks: &Shared,
    config: &Config,
    from: &Checkpoint,
    note: &mut dyn FnMut(&str),
) -> Result<Box<dyn Engine>> {
    let Checkpoint { tokens, progress, .. } = from;
    if config.clouds.is_some() {
        require_one_rank(ranks, config)?;
        return config.open_clouds(&tokens.read()?, &progress.lattices, &progress.rests);
    }
    let grid = Grid { exponent: progress.grid_exponent, precision: config.run.precision };
    among::reopen(ranks, config, tokens, grid, note)
}
