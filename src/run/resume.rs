//! Where a run stands that has been left: what to go on from, and how far.

use std::fs::File;
use std::io::{BufReader, Read as _};

use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::io::config::{Config, TokenSource};
use crate::io::npy;
use crate::run::checkpoint::Checkpoint;
use crate::run::folder::RunDir;
use crate::run::progress::Options;

/// What [`look`] found in a run's directory.
#[derive(Debug)]
pub struct Resumable {
    /// The config, with the run's name and the steps that it is to take now.
    pub config: Config,
    /// How it is taken.
    pub options: Options,
    /// What to go on from; `None`: it was killed before its first checkpoint and begins again.
    pub checkpoint: Option<Checkpoint>,
    /// Why there is nothing left to do, where there is not.
    pub done: Option<String>,
    /// What a person should know of it: newer checkpoints that are damaged, files that say otherwise than the run.
    pub notes: Vec<String>,
}

/// Looks at a run's directory, which nobody else writes, and changes nothing. `more` is added to the steps of its config.
///
/// # Errors
/// A damaged run, with the file and the part; one whose checkpoints are gone; a config that is not the one of the
/// checkpoint; too many steps.
pub fn look(run: &RunDir, more: u64) -> Result<Resumable> {
    let found = run.newest_checkpoint()?;
    let header = |tokens: &crate::tokens::Tokens| npy::Header::new(tokens.n(), tokens.d(), tokens.precision());
    let mut config = match &found.checkpoint {
        Some(checkpoint) => run.config_of(Some(header(&checkpoint.tokens)))?,
        None => run.config()?,
    };
    let steps = config.run.steps.checked_add(more).filter(|&steps| i64::try_from(steps).is_ok());
    config.run.steps =
        steps.ok_or_else(|| Error::input(format!("{} and {more} steps: at most {}", config.run.steps, i64::MAX)))?;
    config.validate()?;
    // Without its meta.json a run loses what only that says.
    let meta = run.meta().unwrap_or_default();
    let is_completed = meta["ended"] == "completed" && run.final_path().exists();
    let Some(checkpoint) = &found.checkpoint else {
        if let Some(name) = meta["name"].as_str() {
            name.clone_into(&mut config.name);
        }
        let options: Options = serde_json::from_value(meta["options"].clone()).unwrap_or_default();
        let taken = meta["steps"].as_u64().unwrap_or(0);
        let fixed = meta["fixed_point"].as_u64().filter(|_| !options.past_fixed_point);
        let done = match fixed {
            _ if !is_completed => None,
            Some(fixed) if more > 0 => Some(format!("the state is a fixed point from step {fixed} on")),
            None if taken < config.run.steps => None,
            _ => Some("it is completed, and has no checkpoint to go on from".to_owned()),
        };
        let has_ended = meta["ended"].as_str().is_some_and(|ended| ended != "running");
        if done.is_none() && (has_ended || taken > 0 || has_left_its_start(run)) {
            let (path, folder) = (run.path().display(), run.checkpoints_path());
            return Err(Error::input(format!(
                "{path} has taken steps, and {} has no checkpoint of them to go on from: put that folder back, or begin \
                 again with `localmax run {path}/config.toml --out NEW`; nothing was changed",
                folder.display()
            )));
        }
        return Ok(Resumable { config, options, checkpoint: None, done, notes: Vec::new() });
    };
    let progress = &checkpoint.progress;
    config.name.clone_from(&progress.name);
    let (n, d, precision) = (checkpoint.tokens.n(), checkpoint.tokens.d(), checkpoint.tokens.precision());
    if progress.config != config.identity().to_hex().as_str()
        || (n, d, precision) != (config.n(), config.d(), config.run.precision)
    {
        let (path, step) = (run.path().display(), progress.step);
        return Err(Error::input(format!(
            "{path}/config.toml is not the system that the checkpoint of step {step} belongs to; only steps, engine, plan \
             and checkpoint_seconds may change, so put it back, or run it anew with `localmax run {path}/config.toml --out NEW`"
        )));
    }
    let grid = Grid { exponent: progress.grid_exponent, precision };
    if config.model.is_exact() && !grid.holds(&checkpoint.tokens) {
        return Err(Error::input(format!(
            "{}: tokens off the run's lattice, which no step leaves; move the file away to go on from an earlier checkpoint",
            run.checkpoint_path(progress.step).display()
        )));
    }
    let mut notes: Vec<String> = found.anew.iter().map(|error| format!("{error}; it is begun anew")).collect();
    if !found.refused.is_empty() {
        let refused: Vec<String> = found.refused.iter().map(ToString::to_string).collect();
        notes.push(format!("{}; going on from an earlier checkpoint, of step {}", refused.join("; "), progress.step));
    }
    let (options, end, step) = (progress.options, config.run.steps, progress.step);
    if step > end {
        notes.push(format!("the run is to end at step {end}, and {step} are taken already: it stays at step {step}"));
    }
    let fixed = progress.fixed_point.filter(|_| !options.past_fixed_point);
    let is_whole = is_completed && meta["steps"] == step;
    let done = match fixed {
        _ if !is_whole => None,
        Some(fixed) => Some(format!("the state is a fixed point from step {fixed} on")),
        None if step >= end => Some(format!("all {step} steps are taken; --steps K takes K more")),
        None => None,
    };
    if done.is_none() {
        notes.extend(other_tokens(run, &config));
    }
    Ok(Resumable { config, options, checkpoint: found.checkpoint, done, notes })
}

/// Whether a run without a checkpoint shows more than its first state, which is written before the first checkpoint is.
fn has_left_its_start(run: &RunDir) -> bool {
    let has_later_frame = run.frames().is_ok_and(|frames| frames.iter().any(|(step, _)| *step > 0));
    let path = run.metrics_path();
    let has_later_row = path.is_file()
        && File::open(path).is_ok_and(|file| {
            // Beyond the head and row 0, however the last row is torn.
            let mut bytes = BufReader::new(file).bytes().map_while(Result::ok);
            bytes.by_ref().filter(|byte| *byte == b'\n').nth(1).is_some() && bytes.next().is_some()
        });
    has_later_frame || has_later_row || run.final_path().exists()
}

/// What is to be said where the tokens' file, which the run needs no more, holds others than the run began with.
fn other_tokens(run: &RunDir, config: &Config) -> Option<String> {
    let TokenSource::File(path, _) = &config.tokens else { return None };
    let began = run.first_metrics().ok()?.filter(|row| row.step == 0)?.hash;
    let now = config.load_tokens();
    match now.and_then(|tokens| crate::engine::first_state(&config.model, &tokens, config.run.precision)) {
        Ok((tokens, _)) if tokens.hash().to_hex().as_str() == began => None,
        Err(error) if error.is_of_nothing() => None,
        Ok(_) => {
            let path = path.display();
            Some(format!("{path} holds other tokens than the run began with; going on from the checkpoint"))
        }
        Err(error) => Some(format!("{error}; the run needs it no more, and goes on from the checkpoint")),
    }
}
