//! The opening of a new run: its first state, and the engine that holds it.

use crate::engine::Engine;
use crate::error::Result;
use crate::io::config::Config;
use crate::io::config::start::Start;
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
pub fn open(config: &mut Config, options: Options, mut note: impl FnMut(&str)) -> Result<Opening> {
    let Start { tokens, grid, radius, why, .. } = config.first_state(&mut note)?;
    let engine = config.open_engine(&tokens, grid, &mut note)?;
    let mut progress = Progress::start(config, options, grid, tokens.largest_magnitude(), engine.description());
    progress.half_side = Some(radius);
    Ok(Opening { start: Checkpoint { tokens, progress, frames: Vec::new() }, engine, why })
}
