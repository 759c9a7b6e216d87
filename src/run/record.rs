//! A run from its opening to its last file: steps, rows, frames, checkpoints, the final state and
//! meta.json.
//!
//! A run is taken from a [`Checkpoint`] on, which for a new one is its first state, in as many
//! segments as it takes: after a kill, on another engine, on the same adapter after that was lost.
//! The files are the bytes of a run in one segment.

use std::ops::ControlFlow;

use crate::engine::{Engine, Simulation, Standing, Until};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::interrupt::Interrupt;
use crate::io::config::Config;
use crate::machine;
use crate::num;
use crate::observe;
use crate::outcome::{Description, Effort, StepReport};
use crate::run::checkpoint::Checkpoint;
use crate::run::clouds::Ends;
use crate::run::folder::{Place, RunDir};
use crate::run::limits::Limits;
use crate::run::meta::Meta;
use crate::run::progress::{Options, Progress};
use crate::run::recorder::Recorder;
use crate::tokens::Tokens;
use crate::verify::{Findings, Verifier};

/// The end of a run.
#[derive(Debug)]
pub enum Outcome {
    /// The run reached its last step or a fixed point.
    Completed,
    /// The run was asked to stop.
    Interrupted,
    /// A step failed or was refused by verification, or a file could not be written.
    Failed(Error),
}

/// The last state of a run that was recorded, and how the run came to it.
#[derive(Debug)]
pub struct RunResult {
    /// How the run ended.
    pub outcome: Outcome,
    /// Steps taken.
    pub steps: u64,
    /// Steps taken by the engine, recorded or not.
    pub reached: u64,
    /// The last state's report; `None` for a run of 0 steps.
    pub last: Option<StepReport>,
    /// The work of the last step; `None` for engines that do not tell.
    pub effort: Option<Effort>,
    /// The last state.
    pub tokens: Tokens,
    /// The findings of verification in this segment; `None` if it was not asked for.
    pub findings: Option<Findings>,
    /// The step of the last checkpoint.
    pub saved: Option<u64>,
    /// The run's progress, seconds included.
    pub progress: Progress,
    /// The clusters of the last state, of one cloud.
    pub limits: Option<Limits>,
    /// The ends of many clouds.
    pub ends: Option<Ends>,
    /// True if `final.npy` holds the last state.
    pub is_final_written: bool,
}

/// Callbacks of a run: progress, and reopening a lost device.
pub trait Callbacks {
    /// Opens another engine on the checkpoint's state after a device was lost. It must be on the
    /// same adapter.
    ///
    /// # Errors
    /// No such engine.
    fn reopen(&mut self, lost: &Error, at: &Checkpoint) -> Result<Box<dyn Engine>>;

    /// The flag by which a run is asked to end, in the middle of a step if need be.
    fn interrupt(&self) -> Interrupt {
        Interrupt::default()
    }

    /// Hears what the user has to know.
    fn note(&mut self, _text: &str) {}

    /// Hears the steps taken, the last report, and how that step was computed; breaks to end the
    /// run there.
    fn progress(&mut self, step: u64, report: &StepReport, effort: Option<&Effort>) -> ControlFlow<()>;
}

/// Takes a new run from its first state to its end, in a directory of its own. A run that fails
/// before its first step leaves nothing behind.
///
/// # Errors
/// As [`go_on`]; a place that is taken.
pub fn begin(
    config: &Config,
    place: &Place,
    start: Checkpoint,
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
    start: Checkpoint,
    engine: Box<dyn Engine>,
    callbacks: &mut dyn Callbacks,
) -> Result<RunResult> {
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
    start: Checkpoint,
    engine: Box<dyn Engine>,
    callbacks: &mut dyn Callbacks,
) -> Result<RunResult> {
    let (adapter, is_new) = (engine.description(), start.progress.tables.is_empty());
    let mut result = segment(config, run, start, engine, callbacks)?;
    if let Outcome::Failed(lost @ Error::Device(_)) = &result.outcome
        && result.saved.is_some()
    {
        let again = reopen(run, lost, &adapter, callbacks).and_then(|(start, engine)| {
            let reached = result.reached;
            segment(config, run, start, engine, callbacks)
                .map(|again| RunResult { reached: again.reached.max(reached), ..again })
        });
        match again {
            Ok(again) => result = again,
            Err(second) => result.outcome = Outcome::Failed(Error::device(format!("{lost}; once more: {second}"))),
        }
    }
    let written = run.write_final(&result.tokens, config.clouds);
    result.is_final_written = written.is_ok();
    keep_first(&mut result.outcome, written);
    // The clusters of a large cloud take longer than one who interrupts a run wants to wait.
    let (n, needed) = (config.n(), observe::Limits::memory(config.n(), config.d()));
    let labels = if let Outcome::Interrupted = result.outcome {
        run.remove_labels()
    } else if config.clouds.is_some() && machine::lacking(needed).is_none() {
        let (ends, labels) = Ends::of(config, &result.progress, result.steps, &result.tokens);
        result.ends = ends;
        run.write_labels(&labels, config.clouds)
    } else if let Some(available) = machine::lacking(needed) {
        callbacks.note(&format!(
            "the clusters of {n} tokens, and labels.npy, are left out: they take {needed} bytes, {available} are \
             available"
        ));
        run.remove_labels()
    } else {
        let grid = Grid { exponent: result.progress.grid_exponent, precision: config.run.precision };
        let found = observe::Limits::of(&config.model, grid, result.steps, &result.tokens);
        result.limits = Some(Limits::new(&result.progress, result.steps, &found));
        run.write_labels(&found.label, None)
    };
    keep_first(&mut result.outcome, labels);
    #[cfg(feature = "parquet")]
    keep_first(&mut result.outcome, run.write_parquet());
    if !(is_new && result.reached == 0 && matches!(result.outcome, Outcome::Failed(_))) {
        let written = run.write_meta(&meta(config, &result));
        keep_first(&mut result.outcome, written);
    }
    Ok(result)
}

/// Notes a failure of what follows, unless something failed before: the first failure is the one to
/// mend.
fn keep_first(outcome: &mut Outcome, then: Result<()>) {
    if let (Err(error), false) = (then, matches!(outcome, Outcome::Failed(_))) {
        *outcome = Outcome::Failed(error);
    }
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

/// Takes the run as far as one engine goes.
fn segment(
    config: &Config,
    run: &RunDir,
    start: Checkpoint,
    mut engine: Box<dyn Engine>,
    callbacks: &mut dyn Callbacks,
) -> Result<RunResult> {
    let Checkpoint { tokens, progress, frames } = start;
    let grid = Grid { exponent: progress.grid_exponent, precision: config.run.precision };
    let (options, d) = (progress.options, tokens.d());
    let is_new = progress.tables.is_empty();
    let tokens = if is_new {
        drop(tokens); // a large state beside the engine's buffers
        engine.tokens()?
    } else {
        tokens
    };
    let mut recorder = Recorder::open(config, run, progress, frames)?;
    if is_new {
        recorder.write(&tokens, None, true)?;
        recorder.save(&tokens)?;
    }
    let mut verifier = (options.verify_every > 0).then(|| Verifier::new(&config.model, grid, tokens.n(), d, None));
    let (steps, last) = (recorder.progress.step, recorder.progress.last);
    engine.heed(&callbacks.interrupt());
    let mut simulation = Simulation::from_state(&config.model, grid, (tokens.n(), d), engine, steps);
    let mut result = RunResult {
        outcome: Outcome::Completed,
        steps,
        reached: steps,
        last,
        effort: None,
        tokens,
        findings: None,
        saved: None,
        progress: recorder.progress.clone(),
        limits: None,
        ends: None,
        is_final_written: false,
    };
    result.outcome = steps_of(config, &mut recorder, &mut simulation, verifier.as_mut(), &mut result, callbacks)
        .unwrap_or_else(Outcome::Failed);
    keep_first(&mut result.outcome, recorder.flush());
    result.findings = verifier.map(|v| v.findings);
    result.reached = simulation.t();
    result.saved = recorder.saved;
    let total_seconds = recorder.total_seconds();
    result.progress = Progress { total_seconds, ..recorder.progress };
    Ok(result)
}

/// Takes the steps of a segment. `result` always holds what was recorded last.
fn steps_of(
    config: &Config,
    recorder: &mut Recorder<'_>,
    simulation: &mut Simulation,
    mut verifier: Option<&mut Verifier<'_>>,
    result: &mut RunResult,
    callbacks: &mut dyn Callbacks,
) -> Result<Outcome> {
    let (output, end) = (&config.output, config.run.steps);
    let Options { verify_every, past_fixed_point, .. } = recorder.progress.options;
    // Killed between its last checkpoint and its last row.
    let is_over = recorder.progress.settled.is_some() || (recorder.progress.fixed_point.is_some() && !past_fixed_point);
    if simulation.t() >= end || is_over {
        recorder.write(&result.tokens, None, false)?;
        return Ok(Outcome::Completed);
    }
    let is_verified = |step: u64| verify_every > 0 && step.is_multiple_of(verify_every);
    let triggers = [output.record, output.frames, output.measures];
    let farthest = config.run.tolerance.map(|tolerance| tolerance * recorder.progress.radius);
    let due = |step: u64| {
        farthest.is_some() || is_verified(step) || triggers.into_iter().any(|trigger| trigger.may_be_due(step))
    };
    let take = |simulation: &mut Simulation, next: u64| {
        let t = simulation.t();
        let Some(verifier) = verifier.as_deref_mut().filter(|_| is_verified(t)) else { return simulation.take(next) };
        let report = verifier.advance(simulation)?;
        if verifier.findings.breach_count > 0 {
            return Err(Error::Verification(format!("step {t}: {}", verifier.findings.breaches.join("; "))));
        }
        Ok(vec![report])
    };
    let seconds = recorder.progress.step_seconds;
    let mut outcome = Outcome::Completed;
    let mut before = farthest.map(|_| result.tokens.clone());
    let look = |simulation: &mut Simulation, standing: &Standing| {
        let Standing { t: step, report, fixed_point, is_last: completed } = *standing;
        let progress = &mut recorder.progress;
        progress.step_seconds = seconds + simulation.step_seconds();
        progress.fixed_point = progress.fixed_point.or(fixed_point);
        progress.event = !matches!((&report, &progress.last), (Some(now), Some(before)) if now.is_like(before));
        (progress.step, progress.last, progress.rests) = (step, report, simulation.engine().rests());
        let effort = simulation.engine().effort();
        let asked = report.map_or(ControlFlow::Continue(()), |r| callbacks.progress(step, &r, effort.as_ref()));
        let now = before.is_some().then(|| simulation.tokens()).transpose()?;
        if let (Some(farthest), Some(from), Some(to)) = (farthest, &before, &now)
            && num::within(largest_move(from, to), farthest)
        {
            recorder.progress.settled = Some(step);
        }
        let has_settled = recorder.progress.settled.is_some();
        let last = completed || asked.is_break() || has_settled;
        if last || recorder.is_any_due() || recorder.must_save() {
            let tokens = now.clone().map_or_else(|| simulation.tokens(), Ok)?;
            recorder.write(&tokens, effort.as_ref(), true)?;
            if last || recorder.must_save() {
                recorder.save(&tokens)?;
            }
            if last {
                recorder.write(&tokens, effort.as_ref(), false)?;
            }
            (result.steps, result.last, result.effort, result.tokens) = (step, report, effort, tokens);
        }
        before = now;
        if has_settled {
            return Ok(ControlFlow::Break(()));
        }
        if asked.is_break() && !completed {
            outcome = Outcome::Interrupted;
        }
        Ok(asked)
    };
    match simulation.run(Until { end, past_fixed_point }, due, take, look) {
        Ok(()) => Ok(outcome),
        Err(Error::Interrupted(_)) => {
            // What was due of the state before the step that was left has been written.
            let tokens = simulation.tokens()?;
            let (step, report) = (recorder.progress.step, recorder.progress.last);
            let effort = report.and(simulation.engine().effort());
            recorder.save(&tokens)?;
            recorder.write(&tokens, effort.as_ref(), false)?;
            (result.steps, result.last, result.effort, result.tokens) = (step, report, effort, tokens);
            Ok(Outcome::Interrupted)
        }
        Err(error) => Err(error),
    }
}

/// The largest move of a coordinate.
fn largest_move(from: &Tokens, to: &Tokens) -> f64 {
    from.to_f64().iter().zip(to.to_f64()).map(|(x, y)| (y - x).abs()).fold(0.0, f64::max)
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
mod tests {
    use super::*;
    use crate::engine::ExactReference;
    use crate::io::config::Override;
    use crate::model::Rule;
    use crate::run::Place;
    use crate::run::faults::Alone;
    use crate::schedule::Schedule;

    /// A run that is interrupted in the middle of step 4.
    #[derive(Default)]
    struct Impatient(Interrupt);

    impl Callbacks for Impatient {
        fn reopen(&mut self, lost: &Error, at: &Checkpoint) -> Result<Box<dyn Engine>> {
            Alone.reopen(lost, at)
        }

        fn interrupt(&self) -> Interrupt {
            self.0.clone()
        }

        fn progress(&mut self, step: u64, _: &StepReport, _: Option<&Effort>) -> ControlFlow<()> {
            if step == 4 {
                self.0.raise();
            }
            ControlFlow::Continue(())
        }
    }

    /// A signal in the middle of a step must leave a run that ends with the state before the step,
    /// each row once, and goes on to the same files: whether that state was due or not.
    #[test]
    fn a_step_that_is_left_costs_itself_alone() {
        for record in ["every 1", "every 3", "never"] {
            let changes = ["run.steps=9", "run.precision=f32", &format!("output.record={record:?}")];
            let changes: Vec<_> = changes.iter().map(|text| Override::set(text).unwrap()).collect();
            let config = Config::preset("default", &changes).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let run_in = |name: &str, callbacks: &mut dyn Callbacks| {
                let tokens = config.load_tokens().unwrap();
                let grid = Grid::of(&tokens, config.run.precision);
                let tokens = grid.snap(&tokens).unwrap();
                let engine = Box::new(ExactReference::new(&tokens, grid));
                let progress = Progress::start(&config, Options::default(), grid, 1.0, engine.description());
                let place = Place::new(Some(&folder.path().join(name)), "r").unwrap();
                let run_dir = place.create(&config, &Meta::new(&config, &progress)).unwrap();
                let start = Checkpoint { tokens, progress, frames: Vec::new() };
                let result = run(&config, &run_dir, start, engine, callbacks).unwrap();
                (run_dir, result, grid)
            };
            let (whole, ..) = run_in("whole", &mut Alone);
            let (run_dir, result, grid) = run_in("r", &mut Impatient::default());
            assert!(matches!(result.outcome, Outcome::Interrupted), "{record}: {:?}", result.outcome);
            assert_eq!((result.steps, result.saved, result.last.map(|r| r.t)), (4, Some(4), Some(3)), "{record}");
            assert_eq!(run_dir.final_tokens().unwrap(), result.tokens);
            assert_eq!(run_dir.meta().unwrap()["ended"], "interrupted");
            let steps: Vec<u64> = run_dir.metrics().unwrap().iter().map(|row| row.step).collect();
            assert!(steps.is_sorted_by(|a, b| a < b) && steps.last() == Some(&4), "{record}: {steps:?}");

            let found = run_dir.newest_checkpoint(false).unwrap().checkpoint.unwrap();
            run_dir.cut_back(Some(&found)).unwrap();
            let engine = Box::new(ExactReference::new(&found.tokens, grid));
            run(&config, &run_dir, found, engine, &mut Alone).unwrap();
            for file in ["metrics.csv", "measures.csv", "final.npy"] {
                let read = |run: &RunDir| std::fs::read(run.path().join(file)).ok();
                assert!(read(&run_dir) == read(&whole), "{record}: {file}");
            }
        }
    }

    /// A schedule that leaves its domain farther on than is checked ahead must not cost the steps
    /// before it.
    #[test]
    fn a_schedule_that_ends_keeps_the_steps_before_it() {
        let mut config = Config::preset("default", &[]).unwrap();
        if let Rule::Localmax { delta, .. } = &mut config.model.rule {
            *delta = Schedule::parse("20-t").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let tokens = config.load_tokens().unwrap();
        let grid = Grid::of(&tokens, config.run.precision);
        let engine = Box::new(ExactReference::new(&tokens, grid));
        let progress = Progress::start(&config, Options::default(), grid, 1.0, engine.description());
        let place = Place::new(Some(&folder.path().join("r")), "r").unwrap();
        let run_dir = place.create(&config, &Meta::new(&config, &progress)).unwrap();
        let start = Checkpoint { tokens, progress, frames: Vec::new() };
        let result = run(&config, &run_dir, start, engine, &mut Alone).unwrap();
        let Outcome::Failed(error) = &result.outcome else { panic!("{:?}", result.outcome) };
        assert!(error.to_string().contains("delta is -1 at step 21"), "{error}");
        assert_eq!(result.steps, 21);
        assert_eq!(run_dir.metrics().unwrap().len(), 22);
        assert_eq!(run_dir.final_tokens().unwrap(), result.tokens);
    }
}
