//! The opening of a new run: its first state, and the engine that holds it.

use std::sync::Arc;

use crate::engine::{Engine, Lead, When};
use crate::error::Result;
use crate::io::config::Config;
use crate::io::config::start::{Settled, Start};
use crate::ranks::{Alone, Shared};
use crate::run::among;
use crate::run::checkpoint::Checkpoint;
use crate::run::progress::{Options, Progress};

/// A run that is about to take its first step.
pub struct Opening {
    /// The first state, from which [`crate::run::record::begin`] goes on.
    pub start: Checkpoint,
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
    let asked = config.run.engine;
    let mut shared = among::config(ranks, config)?;
    let run = &shared.run;
    let is_parted = Lead::is_parted(ranks, run.plan, &shared.model, (shared.n(), shared.d()), run.precision);
    let (tokens, grid, radius, why, engine) = if is_parted && ranks.size() > 1 {
        let (Settled { grid, radius, why, .. }, mut engine) = among::begin_parted(ranks, &mut shared, &mut note)?;
        (engine.tokens()?, grid, radius, why, engine)
    } else {
        let Start { tokens, grid, radius, why, .. } =
            shared.first_state_after(&|config, note| among::preflight(ranks, config, When::Begin, note), &mut note)?;
        let engine = among::open_engine(ranks, &shared, &tokens, grid, &mut note)?;
        (tokens, grid, radius, why, engine)
    };
    // The folder of several ranks is that of one.
    shared.run.engine = asked;
    *config = shared;
    let mut progress = Progress::start(config, options, grid, tokens.largest_magnitude(), engine.description());
    progress.half_side = Some(radius);
    Ok(Opening { start: Checkpoint { tokens, progress, frames: Vec::new() }, engine, why })
}
