//! Where a run stands that has been left: what to go on from, and how far.

use crate::error::{Error, Result};
use crate::io::checkpoint::Checkpoint;
use crate::io::config::Config;
use crate::io::run_dir::{Options, RunDir};

/// A run that can go on.
#[derive(Debug)]
pub struct Left {
    /// The config, with the run's name and the steps that it is to take now.
    pub config: Config,
    /// How it is taken.
    pub options: Options,
    /// What to go on from; `None`: it was killed before its first checkpoint and begins again.
    pub checkpoint: Option<Checkpoint>,
    /// Why there is nothing left to do, where there is not.
    pub done: Option<String>,
    /// What is wrong with newer checkpoints.
    pub refused: Vec<Error>,
}

/// Looks at a run's directory, which nobody else writes, and changes nothing. `more` is added to the steps of its config.
///
/// # Errors
/// A damaged run, with the file and the part; a config that is not the one of the checkpoint; too many steps.
pub fn look(run: &RunDir, more: u64) -> Result<Left> {
    let mut config = run.config()?;
    let steps = config.run.steps.checked_add(more).filter(|&steps| i64::try_from(steps).is_ok());
    config.run.steps =
        steps.ok_or_else(|| Error::input(format!("{} and {more} steps: at most {}", config.run.steps, i64::MAX)))?;
    config.validate()?;
    // Without its meta.json a run loses what only that says.
    let meta = run.meta().unwrap_or_default();
    let found = run.newest_checkpoint()?;
    let Some(checkpoint) = &found.checkpoint else {
        if let Some(name) = meta["name"].as_str() {
            name.clone_into(&mut config.name);
        }
        let options = serde_json::from_value(meta["options"].clone()).unwrap_or_default();
        // A run of an older version, or one whose checkpoints were removed.
        let is_done = meta["ended"] == "completed" && run.final_path().exists();
        let done = is_done.then(|| "it is completed, and has no checkpoint to go on from".to_owned());
        return Ok(Left { config, options, checkpoint: None, done, refused: found.refused });
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
    let (options, end) = (progress.options, config.run.steps);
    let fixed = progress.fixed_point.filter(|_| !options.past_fixed_point);
    let is_whole = meta["ended"] == "completed" && meta["steps"] == progress.step && run.final_path().exists();
    let done = match fixed {
        _ if !is_whole => None,
        Some(fixed) => Some(format!("no bit moves from step {fixed} on")),
        None if progress.step >= end => Some(format!("all {end} steps are taken; --steps K takes K more")),
        None => None,
    };
    Ok(Left { config, options, checkpoint: found.checkpoint, done, refused: found.refused })
}
