//! A run into its directory: rows, frames, checkpoints, the final state, and what meta.json says of it.
//!
//! A run is taken from a [`Checkpoint`] on, which for a new one is its first state, in as many parts as it takes: after a
//! kill, on another engine, on the same adapter after that was lost. Its files are the same bytes as if it had been one.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::engine::simulation::Simulation;
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::io::config::{Config, Trigger};
use crate::outcome::{Effort, StepReport};
use crate::run::checkpoint::Checkpoint;
use crate::run::effort::EffortWriter;
use crate::run::folder::{EFFORT, METRICS, RunDir};
use crate::run::measuring::Measures;
use crate::run::meta::Meta;
use crate::run::metrics::{MetricsWriter, Row, Taken};
use crate::run::progress::Mark;
use crate::run::progress::{Frame, Options, Progress};
use crate::tokens::Tokens;
use crate::verify::{Findings, Verifier};

/// Steps looked ahead for the next thing that is due.
const HORIZON: u64 = 256;

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// At its last step, or where no bit moves any more.
    Completed,
    /// Where it was asked to stop.
    Interrupted,
    /// In a step that could not be taken, or that a check refused; or a file could not be written.
    Failed(Error),
}

/// What a run came to: the last state that was recorded, and what is known of it.
#[derive(Debug)]
pub struct Ending {
    /// How it ended.
    pub how: End,
    /// Steps taken.
    pub steps: u64,
    /// Steps taken by the engine, recorded or not.
    pub reached: u64,
    /// The last state's report; `None` for a run of 0 steps.
    pub last: Option<StepReport>,
    /// How it was computed, where an engine has several ways.
    pub effort: Option<Effort>,
    /// The last state.
    pub tokens: Tokens,
    /// What verification found since the last start, where it was asked for.
    pub findings: Option<Findings>,
    /// What the last checkpoint has of the run: what to go on from.
    pub saved: Option<u64>,
    /// The run's progress, seconds included.
    pub progress: Progress,
    /// Whether `final.npy` holds the last state.
    pub is_final_written: bool,
}

/// Who takes a run's steps, and who hears of them.
pub trait Conductor {
    /// Another engine on the checkpoint's state after a device was lost: on the same adapter, which is not checked here.
    ///
    /// # Errors
    /// No such engine.
    fn reopen(&mut self, lost: &Error, at: &Checkpoint) -> Result<Box<dyn Engine>>;

    /// Told the steps taken, the last report, and how that step was computed; breaks to end the run there.
    fn progress(&mut self, step: u64, report: &StepReport, effort: Option<&Effort>) -> ControlFlow<()>;
}

/// The files of a run while it goes on.
struct Recorder<'a> {
    config: &'a Config,
    run: &'a RunDir,
    metrics: MetricsWriter,
    /// None where nothing is to be measured.
    measures: Option<Measures<'a>>,
    /// There once an engine has something to say.
    efforts: Option<EffortWriter>,
    /// Those that are due, which the last state's need not be.
    frames: Vec<Frame>,
    progress: Progress,
    started: Instant,
    /// Seconds in earlier parts.
    before: f64,
    saved: Option<u64>,
    saved_at: Instant,
}

impl<'a> Recorder<'a> {
    /// Creates the files of a new run, or takes up those of an old one where the checkpoint left them.
    fn open(config: &'a Config, run: &'a RunDir, progress: Progress, frames: Vec<Frame>) -> Result<Self> {
        let metrics = match progress.mark(METRICS) {
            Some(mark) => MetricsWriter::resume(run.path(), mark)?,
            None => MetricsWriter::create(&run.metrics_path())?,
        };
        let measures = Measures::open(config, run, &progress)?;
        let efforts = progress.mark(EFFORT).map(|mark| EffortWriter::resume(run.path(), mark)).transpose()?;
        let saved = progress.mark(METRICS).map(|_| progress.step);
        let (started, before) = (Instant::now(), progress.total_seconds);
        Ok(Self {
            config,
            run,
            metrics,
            measures,
            efforts,
            frames,
            progress,
            started,
            before,
            saved,
            saved_at: started,
        })
    }

    /// Every table's mark, once its rows are on the disk.
    fn marks(&mut self) -> Result<Vec<Mark>> {
        let mut marks = vec![self.metrics.mark()?];
        marks.extend(self.measures.as_mut().map(Measures::mark).transpose()?);
        marks.extend(self.efforts.as_mut().map(EffortWriter::mark).transpose()?);
        Ok(marks)
    }

    /// Brings every row into its file.
    fn flush(&mut self) -> Result<()> {
        self.metrics.flush()?;
        self.measures.as_mut().map_or(Ok(()), Measures::flush)?;
        self.efforts.as_mut().map_or(Ok(()), EffortWriter::flush)
    }

    /// Whether anything may be due at a step that is still to come.
    fn may_be_due(&self, step: u64) -> bool {
        let output = &self.config.output;
        [output.record, output.frames, output.measures].into_iter().any(|trigger| trigger.may_be_due(step))
    }

    /// Whether this is due at the last step taken.
    fn is_due(&self, trigger: Trigger) -> bool {
        trigger.is_due(self.progress.step, self.progress.event)
    }

    /// Whether anything is.
    fn is_any_due(&self) -> bool {
        let output = &self.config.output;
        [output.record, output.frames, output.measures].into_iter().any(|trigger| self.is_due(trigger))
    }

    /// Whether a checkpoint is due by the clock.
    fn must_save(&self) -> bool {
        // An interval beyond what a Duration holds never passes.
        Duration::try_from_secs_f64(self.config.output.checkpoint_seconds).is_ok_and(|d| self.saved_at.elapsed() >= d)
    }

    /// Brings everything to the disk, so that the run can go on from `tokens`, the state after `progress.step` steps.
    fn save(&mut self, tokens: &Tokens) -> Result<()> {
        if self.saved == Some(self.progress.step) {
            return Ok(());
        }
        self.progress.tables = self.marks()?;
        self.progress.total_seconds = self.before + self.started.elapsed().as_secs_f64();
        self.run.write_checkpoint(tokens, &self.frames, &self.progress)?;
        (self.saved, self.saved_at) = (Some(self.progress.step), Instant::now());
        Ok(())
    }

    /// Writes of `tokens`, the state after `progress.step` steps, what is due, or else what is not: a run's last state is
    /// written whole, and where the run goes on after all, what was not due is cut away again.
    fn write(&mut self, tokens: &Tokens, effort: Option<&Effort>, is_due: bool) -> Result<()> {
        let (step, output) = (self.progress.step, &self.config.output);
        if self.is_due(output.record) == is_due {
            let taken = self.progress.last.map(|r| Taken::new(&r, tokens.n(), &self.config.model));
            let hash = tokens.hash().to_hex().to_string();
            if is_due && self.config.model.is_autonomous() && self.progress.fixed_point.is_none() {
                self.progress.watch_for_cycle(step, &hash);
            }
            self.metrics.write(&Row { step, taken: taken.transpose()?, hash })?;
        }
        if self.is_due(output.measures) == is_due
            && let Some(measures) = &mut self.measures
        {
            measures.write(step, tokens)?;
        }
        if self.is_due(output.frames) == is_due {
            let hash = self.run.write_frame(step, tokens)?;
            if is_due {
                self.frames.push(Frame { step, hash });
            }
        }
        if let Some(effort) = effort.filter(|_| self.is_any_due() == is_due) {
            let writer = match self.efforts.take() {
                Some(writer) => writer,
                None => EffortWriter::create(&self.run.effort_path())?,
            };
            self.efforts.insert(writer).write(step, effort, self.progress.step_seconds)?;
        }
        Ok(())
    }
}

/// Takes the run of `config` from `start` to its end, and leaves its last recorded state in `final.npy` however it ends. The
/// engine holds the state of `start`, which the directory has been cut back to. A lost device is taken up again once, from
/// the last checkpoint.
///
/// # Errors
/// Files that cannot be written before anything is recorded; an engine that does not give its first state. What goes wrong
/// later, and a verification that found a breach, is [`End::Failed`].
pub fn run(
    config: &Config,
    run: &RunDir,
    start: Checkpoint,
    engine: Box<dyn Engine>,
    conductor: &mut dyn Conductor,
) -> Result<Ending> {
    let adapter = engine.description();
    let mut ending = part(config, run, start, engine, conductor)?;
    if let End::Failed(lost @ Error::Device(_)) = &ending.how
        && ending.saved.is_some()
    {
        let again = take_up(run, lost, &adapter, conductor).and_then(|(start, engine)| {
            let reached = ending.reached;
            part(config, run, start, engine, conductor).map(|e| Ending { reached: e.reached.max(reached), ..e })
        });
        match again {
            Ok(again) => ending = again,
            Err(second) => ending.how = End::Failed(Error::device(format!("{lost}; once more: {second}"))),
        }
    }
    match run.write_final(&ending.tokens) {
        Ok(()) => ending.is_final_written = true,
        // The first failure is the one to mend.
        Err(error) if !matches!(ending.how, End::Failed(_)) => ending.how = End::Failed(error),
        Err(_) => {}
    }
    Ok(ending)
}

/// The last checkpoint on the adapter that was lost.
fn take_up(
    run: &RunDir,
    lost: &Error,
    adapter: &crate::outcome::Description,
    conductor: &mut dyn Conductor,
) -> Result<(Checkpoint, Box<dyn Engine>)> {
    let found = run.newest_checkpoint()?.checkpoint.ok_or_else(|| Error::input("there is no checkpoint"))?;
    let engine = conductor.reopen(lost, &found)?;
    let other = engine.description();
    if other != *adapter {
        return Err(Error::device(format!("there is only {} ({})", other.engine, other.device)));
    }
    run.cut_back(Some(&found))?;
    Ok((found, engine))
}

/// Takes the run as far as one engine goes.
fn part(
    config: &Config,
    run: &RunDir,
    start: Checkpoint,
    mut engine: Box<dyn Engine>,
    conductor: &mut dyn Conductor,
) -> Result<Ending> {
    let Checkpoint { tokens, progress, frames } = start;
    let grid = Grid { exponent: progress.grid_exponent, precision: config.run.precision };
    let (options, d) = (progress.options, tokens.d());
    let is_new = progress.tables.is_empty();
    let tokens = if is_new { engine.tokens()? } else { tokens };
    let mut recorder = Recorder::open(config, run, progress, frames)?;
    if is_new {
        recorder.write(&tokens, None, true)?;
        recorder.save(&tokens)?;
    }
    let mut verifier = (options.verify_every > 0).then(|| Verifier::new(&config.model, grid, tokens.n(), d, None));
    let (steps, last) = (recorder.progress.step, recorder.progress.last);
    let mut simulation = Simulation::new(&config.model, grid, d, engine, steps);
    let mut ending = Ending {
        how: End::Completed,
        steps,
        reached: steps,
        last,
        effort: None,
        tokens,
        findings: None,
        saved: None,
        progress: recorder.progress.clone(),
        is_final_written: false,
    };
    let how = take(&mut recorder, &mut simulation, verifier.as_mut(), &mut ending, conductor);
    ending.how = how.unwrap_or_else(End::Failed);
    if let (Err(error), false) = (recorder.flush(), matches!(ending.how, End::Failed(_))) {
        ending.how = End::Failed(error);
    }
    ending.findings = verifier.map(|v| v.findings);
    ending.reached = simulation.t();
    ending.saved = recorder.saved;
    ending.progress = recorder.progress;
    ending.progress.total_seconds = recorder.before + recorder.started.elapsed().as_secs_f64();
    Ok(ending)
}

/// The steps of a run. `ending` is always what was recorded last.
fn take(
    recorder: &mut Recorder<'_>,
    simulation: &mut Simulation<'_>,
    mut verifier: Option<&mut Verifier<'_>>,
    ending: &mut Ending,
    conductor: &mut dyn Conductor,
) -> Result<End> {
    let (model, end) = (&recorder.config.model, recorder.config.run.steps);
    let Options { verify_every, past_fixed_point, .. } = recorder.progress.options;
    let verified = |step: u64| verify_every > 0 && step.is_multiple_of(verify_every);
    // Killed between its last checkpoint and its last row.
    if simulation.t() >= end || (recorder.progress.fixed_point.is_some() && !past_fixed_point) {
        recorder.write(&ending.tokens, None, false)?;
        return Ok(End::Completed);
    }
    loop {
        let t = simulation.t();
        let start = Instant::now();
        let reports = match &mut verifier {
            Some(verifier) if verified(t) => vec![simulation.advance_verified(verifier)?],
            _ => {
                let next = (t + 1..end.min(t + HORIZON)).find(|&s| recorder.may_be_due(s) || verified(s));
                simulation.advance(next.unwrap_or(end.min(t + HORIZON)))?
            }
        };
        recorder.progress.step_seconds += start.elapsed().as_secs_f64();
        if let Some(verifier) = verifier.as_ref().filter(|v| v.findings.breach_count > 0) {
            return Err(Error::Verification(format!("step {t}: {}", verifier.findings.breaches.join("; "))));
        }
        // A map that is the same at every step and moved nothing will never move anything.
        let fixed = reports.iter().find(|r| r.moved == 0).filter(|_| model.is_autonomous());
        // The run ends there, however far a batch went beyond.
        let stop = fixed.is_some() && !past_fixed_point;
        let report = if stop { fixed } else { reports.last() }.copied();
        let step = if stop { fixed.map_or(0, |r| r.t + 1) } else { simulation.t() };
        let progress = &mut recorder.progress;
        progress.fixed_point = progress.fixed_point.or(fixed.map(|r| r.t));
        progress.event = !matches!((&report, &progress.last), (Some(now), Some(before)) if now.is_like(before));
        (progress.step, progress.last) = (step, report);
        let effort = simulation.engine().effort();
        let asked = report.map_or(ControlFlow::Continue(()), |r| conductor.progress(step, &r, effort.as_ref()));
        let completed = stop || step == end;
        let last = completed || asked.is_break();
        if last || recorder.is_any_due() || recorder.must_save() {
            let tokens = simulation.engine().tokens()?;
            recorder.write(&tokens, effort.as_ref(), true)?;
            if last || recorder.must_save() {
                recorder.save(&tokens)?;
            }
            if last {
                recorder.write(&tokens, effort.as_ref(), false)?;
            }
            (ending.steps, ending.last, ending.effort, ending.tokens) = (step, report, effort, tokens);
        }
        if last {
            return Ok(if completed { End::Completed } else { End::Interrupted });
        }
    }
}

/// meta.json of a run that has ended.
pub fn finish(config: &Config, ending: &Ending) -> Meta {
    let mut meta = Meta::new(config, &ending.progress);
    (meta.ended, meta.failure) = match &ending.how {
        End::Completed => ("completed", None),
        End::Interrupted => ("interrupted", None),
        End::Failed(error) => ("failed", Some(error.to_string())),
    };
    meta.steps = ending.steps;
    meta.effort = ending.effort;
    meta.timings.steps_per_second = ending.steps as f64 / meta.timings.step_seconds.max(1e-9);
    meta
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ExactReference;
    use crate::model::Rule;
    use crate::run::Place;
    use crate::run::faults::Alone;
    use crate::schedule::Schedule;

    /// A schedule that leaves its domain farther on than is checked ahead must not cost the steps before it.
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
        let ending = run(&config, &run_dir, start, engine, &mut Alone).unwrap();
        let End::Failed(error) = &ending.how else { panic!("{:?}", ending.how) };
        assert!(error.to_string().contains("delta is -1 at step 21"), "{error}");
        assert_eq!(ending.steps, 21);
        assert_eq!(run_dir.metrics().unwrap().len(), 22);
        assert_eq!(run_dir.final_tokens().unwrap(), ending.tokens);
    }
}
