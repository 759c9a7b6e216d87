//! A run from its opening to its last file: steps, rows, frames, checkpoints, the final state and
//! meta.json.
//!
//! A run is taken from a [`Checkpoint`] on, which for a new one is its first state, in as many
//! segments as it takes: after a kill, on another engine, on the same adapter after that was lost.
//! The files are the bytes of a run in one segment.

use std::borrow::Cow;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::io::config::Config;
use crate::machine;
use crate::observe;
use crate::outcome::Description;
use crate::run::checkpoint::{Checkpoint, Start};
use crate::run::clouds::Ends;
use crate::run::folder::RunDir;
use crate::run::limits::Limits;
use crate::run::meta::Meta;
use crate::run::place::Place;
pub use crate::run::result::{Callbacks, Outcome, RunResult};
use crate::run::segment::segment;

/// Takes a new run from its first state to its end, in a directory of its own. A run that fails
/// before its first step leaves nothing behind.
///
/// # Errors
/// As [`go_on`]; a place that is taken.
pub fn begin(
    config: &Config,
    place: &Place,
    start: Start,
    engine: Box<dyn Engine>,
    callbacks: &mut dyn Callbacks,
) -> Result<(RunDir, RunResult)> {
    let run = place.create(config, &Meta::new(config, &start.progress))?;
    let result = match run.lock() {
        Ok(lock) => {
            if let Some(note) = lock.note() {
                callbacks.note(&note);
            }
            self::run(config, &run, start, engine, callbacks)
        }
        // Another process has taken it up already.
        Err(error @ Error::Input { .. }) => return Err(error),
        Err(error) => Err(error),
    };
    match result {
        Ok(RunResult { outcome: Outcome::Failed(error), reached: 0, .. }) | Err(error) => {
            // The first failure is the one to mend.
            let _ = run.discard();
            Err(error)
        }
        Ok(result) => completed(config, &run, result).map(|result| (run, result)),
    }
}

/// Takes a run from `start` to its end, in a directory that was cut back to `start` and that this
/// process has locked.
///
/// # Errors
/// [`Error::Stopped`]: a failure, with what is kept of the run; [`Error::Interrupted`].
pub fn go_on(
    config: &Config,
    run: &RunDir,
    start: impl Into<Start>,
    engine: Box<dyn Engine>,
    callbacks: &mut dyn Callbacks,
) -> Result<RunResult> {
    let start = start.into();
    let (is_new, step) = (start.progress.tables.is_empty(), start.progress.step);
    match self::run(config, run, start, engine, callbacks) {
        Ok(RunResult { outcome: Outcome::Failed(error), reached: 0, .. }) | Err(error) if is_new => {
            Err(stopped(error, run, 0, false, None))
        }
        Err(error) => Err(stopped(error, run, step, false, Some(step))),
        Ok(result) => completed(config, run, result),
    }
}

/// The result of a run that is complete; an error for every other.
fn completed(config: &Config, run: &RunDir, result: RunResult) -> Result<RunResult> {
    match result.outcome {
        Outcome::Completed => Ok(result),
        Outcome::Failed(failure) => Err(stopped(failure, run, result.steps, result.is_final_written, result.saved)),
        Outcome::Interrupted => {
            let (step, end, path) = (result.steps, config.run.steps, run.final_path());
            let text = format!("interrupted after step {step} of {end}; the state is kept in {}", path.display());
            Err(Error::Interrupted(format!("{text}; go on with `localmax resume {}`", run.path().display())))
        }
    }
}

/// A failure, with what is kept of the run, and how to go on where that may help.
pub fn stopped(failure: Error, run: &RunDir, step: u64, is_final_written: bool, saved: Option<u64>) -> Error {
    let path = run.path().display();
    let is_gone = |saved: u64| !run.checkpoint_path(saved).is_file();
    let checkpoint = saved.filter(|saved| !is_gone(*saved)).map(|saved| format!("the checkpoint of step {saved}"));
    let mut kept = match (is_final_written, checkpoint) {
        (true, Some(saved)) => format!("the state after step {step} is kept in {path}/final.npy, and {saved}"),
        (true, None) => format!("the state after step {step} is kept in {path}/final.npy"),
        (false, Some(saved)) => format!("{saved} is kept"),
        (false, None) => format!("the config is kept in {path}"),
    };
    // Without a file that has vanished there is nothing to go on with.
    let is_resumable = failure.is_recoverable_file_error() && !saved.is_some_and(is_gone);
    if is_resumable {
        kept += &format!("; remove the cause, then go on with `localmax resume {path}`");
    } else if let Error::Device(_) = failure {
        kept += &format!("; go on with `localmax resume {path} --engine cpu`");
    }
    Error::Stopped { failure: Box::new(failure), kept, is_resumable }
}

/// Takes the run of `config` from `start` to its end, and leaves its last recorded state in
/// `final.npy` and what is known of it in meta.json, however it ends. The engine holds the state of
/// `start`, which the directory has been cut back to. A lost device is reopened once, from the last
/// checkpoint.
///
/// # Errors
/// Files that cannot be written before anything is recorded; an engine that does not give its first
/// state. What goes wrong later, and a verification that found a breach, is [`Outcome::Failed`].
pub fn run(
    config: &Config,
    run: &RunDir,
    start: impl Into<Start>,
    engine: Box<dyn Engine>,
    callbacks: &mut dyn Callbacks,
) -> Result<RunResult> {
    let start = start.into();
    let (adapter, is_new) = (engine.description(), start.progress.tables.is_empty());
    let mut result = segment(config, run, start, engine, callbacks)?;
    if let Outcome::Failed(lost @ Error::Device(_)) = &result.outcome
        && result.saved.is_some()
    {
        let again = reopen(run, lost, &adapter, callbacks).and_then(|(start, engine)| {
            let reached = result.reached;
            segment(config, run, start.into(), engine, callbacks)
                .map(|again| RunResult { reached: again.reached.max(reached), ..again })
        });
        match again {
            Ok(again) => result = again,
            Err(second) => {
                result.outcome = Outcome::Failed(Error::device(format!("{lost}; once more: {second}")));
                result.is_final_written = run.final_path().is_file(); // the second start removes the first one's
            }
        }
    }
    let labels = label(config, run, &mut result, callbacks);
    result.outcome.keep_first(labels);
    #[cfg(feature = "parquet")]
    result.outcome.keep_first(run.write_parquet());
    if !(is_new && result.reached == 0 && matches!(result.outcome, Outcome::Failed(_))) {
        let written = run.write_meta(&meta(config, &result));
        result.outcome.keep_first(written);
    }
    Ok(result)
}

/// Finds the clusters of the last state, and writes the one of every token; a file of an earlier part of the run goes
/// where it does neither.
fn label(config: &Config, run: &RunDir, result: &mut RunResult, callbacks: &mut dyn Callbacks) -> Result<()> {
    // The clusters of a large cloud take longer than one who interrupts a run wants to wait.
    if !config.output.labels || matches!(result.outcome, Outcome::Interrupted) {
        return run.remove_labels();
    }
    let (n, needed) = (config.n(), observe::Limits::memory(config.n(), config.d()));
    if let Some(available) = machine::lacking(needed) {
        callbacks.note(&format!(
            "the clusters of {n} tokens, and labels.npy, are left out: they take {needed} bytes, {available} are \
             available"
        ));
        return run.remove_labels();
    }
    let tokens = match &result.tokens {
        Some(tokens) => Cow::Borrowed(tokens),
        None if result.is_final_written => Cow::Owned(run.final_tokens()?),
        None => return run.remove_labels(),
    };
    if config.clouds.is_some() {
        let (ends, labels) = Ends::of(config, &result.progress, result.steps, &tokens);
        result.ends = ends;
        return run.write_labels(&labels, config.clouds);
    }
    let grid = Grid { exponent: result.progress.grid_exponent, precision: config.run.precision };
    let found = observe::Limits::of(&config.model, grid, result.steps, &tokens);
    result.limits = Some(Limits::new(&result.progress, result.steps, &found));
    run.write_labels(&found.label, None)
}

/// The last checkpoint, on the adapter that was lost.
fn reopen(
    run: &RunDir,
    lost: &Error,
    adapter: &Description,
    callbacks: &mut dyn Callbacks,
) -> Result<(Checkpoint, Box<dyn Engine>)> {
    let found = run.newest_checkpoint(true)?.checkpoint.ok_or_else(|| Error::input("there is no checkpoint"))?;
    let engine = callbacks.reopen(lost, &found)?;
    let other = engine.description();
    if other != *adapter {
        return Err(Error::device(format!("there is only {} ({})", other.engine, other.device)));
    }
    run.cut_back(Some(&found))?;
    Ok((found, engine))
}

/// meta.json of a run that has ended.
fn meta(config: &Config, result: &RunResult) -> Meta {
    let mut meta = Meta::new(config, &result.progress);
    (meta.ended, meta.failure) = match &result.outcome {
        Outcome::Completed => ("completed", None),
        Outcome::Interrupted => ("interrupted", None),
        Outcome::Failed(error) => ("failed", Some(error.to_string())),
    };
    meta.steps = result.steps;
    meta.effort = result.effort;
    meta.limits.clone_from(&result.limits);
    if result.ends.is_some() {
        meta.clouds.clone_from(&result.ends);
    }
    meta.timings.steps_per_second = result.steps as f64 / meta.timings.step_seconds.max(1e-9);
    meta
}

#[cfg(test)]
mod tests;
