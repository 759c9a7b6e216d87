//! The state of an unfinished run: the checkpoint to go on from, and the steps that are left.

use std::fs::File;
use std::io::{BufReader, Read as _};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::exact::{Grid, VERSION};
use crate::io::config::{Config, Override, TokenSource};
use crate::io::{input, npy};
use crate::model::StripForm;
use crate::run::change::Change;
use crate::run::checkpoint::{Checkpoint, Stored};
use crate::run::cut::NewestCheckpoint;
use crate::run::folder::RunDir;
use crate::run::progress::{Options, Progress};
use crate::tokens::{Coordinates, Slices};

/// A run that [`look`] found in a directory.
#[derive(Debug)]
pub struct Resumable {
    /// The config, with the run's name, its changes, and the steps that it is to take now.
    pub config: Config,
    /// Options of the run that are not in its config.
    pub options: Options,
    /// The checkpoint to go on from; `None` if the run was killed before its first, and begins
    /// again.
    pub checkpoint: Option<Checkpoint>,
    /// The change that is asked for, which is to be written before the run goes on.
    pub change: Option<Change>,
    /// The reason, if there is nothing left to do.
    pub done: Option<String>,
    /// Notes for the user: damaged newer checkpoints, files that differ from the run.
    pub notes: Vec<String>,
}

/// What is asked of a run that goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// Steps beyond those of its config.
    pub more: u64,
    /// Changes of its config from here on.
    pub set: &'a [Override],
    /// Go on after a fixed point, as if the run had begun so.
    pub past_fixed_point: bool,
    /// Go on though frames are gone or changed.
    pub without_frames: bool,
}

/// Looks at a run's directory, which is locked, and changes nothing.
///
/// # Errors
/// A damaged run, with the file and the part; a run whose checkpoints are gone; a config of another
/// system than the checkpoint's; a change that no run makes; too many steps.
pub fn look(run: &RunDir, request: Request<'_>) -> Result<Resumable> {
    let Request { more, set, past_fixed_point, without_frames } = request;
    let NewestCheckpoint { checkpoint, refused, anew, lacks_frames } = run.newest_checkpoint(without_frames)?;
    let header = |tokens: &Stored| {
        let ((n, d), precision) = (Slices::shape(&tokens), Slices::precision(&tokens));
        npy::Header::new(n, d, precision)
    };
    // A run without meta.json can go on from its checkpoint.
    let meta = run.meta().unwrap_or_default();
    let is_completed = meta["ended"] == "completed" && run.final_path().exists();
    let Some(mut checkpoint) = checkpoint else {
        let mut config = run.config()?;
        add_steps(&mut config, more)?;
        return without_checkpoint(run, config, &meta, is_completed, request);
    };
    let mut config = run.config_of(&checkpoint.progress, header(&checkpoint.tokens), &[])?;
    config.name.clone_from(&checkpoint.progress.name);
    require_one_system(run, &config, &checkpoint)?;
    let asked = !set.is_empty();
    let change = asked.then(|| Change::of(run, &mut config, &mut checkpoint, set)).transpose()?;
    add_steps(&mut config, more)?;
    let progress = &checkpoint.progress;
    require_steps(run, &config, progress, more)?;
    let (mut options, end, step) = (progress.options, config.run.steps, progress.step);
    options.past_fixed_point |= past_fixed_point;
    let mut notes: Vec<String> = anew.iter().map(|error| format!("{error}; the file is begun anew")).collect();
    if !refused.is_empty() {
        let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
        let other = if lacks_frames { "; --without-frames goes on from the newest" } else { "" };
        notes.push(format!("{}; going on from an earlier checkpoint, of step {step}{other}", refused.join("; ")));
    }
    if step > end {
        notes.push(format!("the run is to end at step {end}, and {step} are taken already: it stays at step {step}"));
    }
    if asked && step >= end {
        return Err(Error::input(format!(
            "the run has taken {step} steps and is to take {end}: --steps K takes K more"
        )));
    }
    let fixed = progress.fixed_point.filter(|_| !options.past_fixed_point);
    let done = match fixed {
        _ if !is_completed || meta["steps"] != step => None,
        Some(fixed) => Some(format!("the state is a fixed point from step {fixed} on")),
        None if step >= end => Some(format!("all {step} steps are taken; --steps K takes K more")),
        None => None,
    };
    let lost = lost_changes(&meta, step);
    notes.extend(lost.map(|at| format!("what was set at step {at} is lost with its checkpoint: set it again")));
    match done {
        Some(done) if asked => return Err(Error::input(format!("nothing is left to change: {done}"))),
        Some(_) => {}
        None => notes.extend(other_tokens(&config)),
    }
    Ok(Resumable { config, options, checkpoint: Some(checkpoint), change, done, notes })
}

/// Adds steps to those of a config.
fn add_steps(config: &mut Config, more: u64) -> Result<()> {
    let steps = config.run.steps.checked_add(more).filter(|&steps| i64::try_from(steps).is_ok());
    config.run.steps =
        steps.ok_or_else(|| Error::input(format!("{} and {more} steps: at most {}", config.run.steps, i64::MAX)))?;
    config.validate()?;
    if more > 0 { config.require_values(config.run.steps) } else { Ok(()) }
}

/// The first step beyond `step` at which meta.json has changes of the config.
fn lost_changes(meta: &Value, step: u64) -> Option<u64> {
    let segments = meta["segments"].as_array().into_iter().flatten();
    let changed = segments.filter(|segment| segment["set"].as_array().is_some_and(|set| !set.is_empty()));
    changed.filter_map(|segment| segment["from_step"].as_u64()).find(|&from| from > step)
}

/// A run without a checkpoint begins again, unless it is completed or has taken steps.
fn without_checkpoint(
    run: &RunDir,
    mut config: Config,
    meta: &Value,
    is_completed: bool,
    request: Request<'_>,
) -> Result<Resumable> {
    if !request.set.is_empty() {
        let (path, own) = (run.path().display(), run.path().join("config.toml"));
        let own = own.display();
        return Err(Error::input(format!(
            "{path} has no checkpoint of steps that a change could follow: `localmax run {own} --set ... --out NEW`"
        )));
    }
    if let Some(name) = meta["name"].as_str() {
        name.clone_into(&mut config.name);
    }
    let mut options: Options = serde_json::from_value(meta["options"].clone()).unwrap_or_default();
    options.past_fixed_point |= request.past_fixed_point;
    let taken = meta["steps"].as_u64().unwrap_or(0);
    let fixed = meta["fixed_point"].as_u64().filter(|_| !options.past_fixed_point);
    let done = match fixed {
        _ if !is_completed => None,
        Some(fixed) if request.more > 0 => Some(format!("the state is a fixed point from step {fixed} on")),
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
    Ok(Resumable { config, options, checkpoint: None, change: None, done, notes: Vec::new() })
}

/// Checks that the config and the checkpoint are of one system.
fn require_one_system(run: &RunDir, config: &Config, checkpoint: &Checkpoint) -> Result<()> {
    let Checkpoint { tokens, progress, .. } = checkpoint;
    if progress.config != config.identity().to_hex().as_str()
        || (Slices::shape(&tokens), Slices::precision(&tokens)) != ((config.rows(), config.d()), config.run.precision)
        || [progress.lattices.len(), progress.rests.len()] != [config.clouds.unwrap_or(0); 2]
    {
        let (path, step, file) = (run.path().display(), progress.step, progress.config());
        return Err(Error::input(format!(
            "{path}/{file} is not the system that the checkpoint of step {step} belongs to; only steps, engine, plan \
             and checkpoint_seconds may change there: put it back and change it with `localmax resume {path} --set`, \
             or run it anew with `localmax run {path}/{file} --out NEW`"
        )));
    }
    let model = &config.model;
    let is_a_norm = model.is_exact() && model.strip_form() == StripForm::ANorm && !model.scores().is_identity();
    if let Some(was) = progress.segments.last().map(|segment| segment.contract).filter(|&was| is_a_norm && was < 2) {
        let path = run.path().display();
        return Err(Error::input(format!(
            "{path} has taken a-norm strips of another A than the identity in the contract's version {was}, which \
             version {VERSION} takes otherwise: begin again with `localmax run {path}/config.toml --out NEW`"
        )));
    }
    let holds = || match config.clouds {
        None => {
            let grid = Grid { exponent: progress.grid_exponent, precision: config.run.precision };
            let mut holds = true;
            let look = &mut |slice: &Coordinates| {
                holds &= grid.has(slice);
                Ok(())
            };
            Slices::each(&mut &*tokens, look).map_err(Error::through)?;
            Ok::<_, Error>(holds)
        }
        Some(m) => {
            let (grids, tokens) = (config.grids(&progress.lattices), tokens.read()?);
            Ok(grids.iter().enumerate().all(|(c, grid)| grid.holds(&tokens.cloud(c, m))))
        }
    };
    if model.is_exact() && !holds()? {
        return Err(Error::input(format!(
            "{}: tokens off the run's lattice, which no step leaves; move the file away to go on from an earlier checkpoint",
            run.checkpoint_path(progress.step).display()
        )));
    }
    Ok(())
}

/// Checks that the lattice is fine enough for the steps that are left; of a run that began without
/// this check, for those that are added.
fn require_steps(run: &RunDir, config: &Config, progress: &Progress, more: u64) -> Result<()> {
    let end = config.run.steps;
    let (from, radius) = match progress.half_side {
        Some(half_side) => (progress.step, half_side),
        None => (end - more, progress.radius),
    };
    let grid = Grid { exponent: progress.grid_exponent, precision: config.run.precision };
    let steps = from..end;
    let fits = if !config.model.is_exact() {
        Ok(())
    } else if config.clouds.is_none() {
        grid.require_steps(&config.model, steps, radius)
    } else {
        let grids = config.grids(&progress.lattices).into_iter().zip(&progress.lattices).enumerate();
        grids.into_iter().try_for_each(|(c, (grid, of))| {
            let fits = grid.require_steps(&config.model.of_cloud(c), steps.clone(), of.half_side);
            fits.map_err(|error| error.of_cloud(c))
        })
    };
    let path = run.path().display();
    fits.map_err(|error| {
        Error::input(format!("{error}, in a run begun anew: `localmax run {path}/config.toml --out NEW`"))
    })
}

/// True if a run without a checkpoint has files of later states than its first, which is written
/// before the first checkpoint.
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

/// A note if the file of tokens, which the run no longer needs, has changed since it began.
fn other_tokens(config: &Config) -> Option<String> {
    let TokenSource::File(path, _, Some(hash)) = &config.tokens else { return None };
    match input::hash(path) {
        Ok(found) if found == *hash => None,
        Err(error) if error.is_not_found() => None,
        Ok(_) => {
            let path = path.display();
            Some(format!("{path} is another file than the one that the run began with; going on from the checkpoint"))
        }
        Err(error) => Some(format!("{error}; the run no longer needs it, and goes on from the checkpoint")),
    }
}
