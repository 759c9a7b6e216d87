//! A run into its directory: rows, frames, the final state, and what meta.json says of it.

use std::ops::ControlFlow;
use std::time::Instant;

use super::Simulation;
use crate::contract::Grid;
use crate::error::{Error, Result};
use crate::io::config::Config;
use crate::io::run_dir::{EffortWriter, Meta, MetricsWriter, Row, RunDir, Taken};
use crate::outcome::{Effort, StepReport};
use crate::tokens::Tokens;
use crate::verify::{Findings, Verifier};

/// Steps looked ahead for the next thing that is due.
const HORIZON: u64 = 256;

/// How a run is taken beyond what its config says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Check sampled rows against the reference every so many steps; 0 never.
    pub verify_every: u64,
    /// Go on after no bit moves any more.
    pub past_fixed_point: bool,
}

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// At its last step, or where no bit moves any more.
    Completed,
    /// Where it was asked to stop.
    Interrupted,
    /// In a step that could not be taken, or that a check refused.
    Failed(Error),
}

/// What a run came to: the last state that was recorded, and what is known of it.
#[derive(Debug)]
pub struct Ending {
    /// How it ended.
    pub how: End,
    /// Steps taken.
    pub steps: u64,
    /// The step from which no bit moves any more, where one was found.
    pub fixed_point: Option<u64>,
    /// The last step's report; `None` for a run of 0 steps.
    pub last: Option<StepReport>,
    /// How it was computed, where an engine has several ways.
    pub effort: Option<Effort>,
    /// The last state.
    pub tokens: Tokens,
    /// Seconds in steps, reading back excluded.
    pub step_seconds: f64,
    /// What verification found, where it was asked for.
    pub findings: Option<Findings>,
}

/// Rows kept of a step's past while a run goes on.
struct Recorder<'a> {
    config: &'a Config,
    run: &'a RunDir,
    metrics: MetricsWriter,
    /// There once an engine has something to say.
    efforts: Option<EffortWriter>,
}

impl Recorder<'_> {
    fn due(&self, step: u64) -> bool {
        self.config.output.record.is_due(step) || self.config.output.frames.is_due(step)
    }

    /// How the step to a row of the metrics was computed.
    fn note(&mut self, step: u64, ending: &Ending) -> Result<()> {
        let Some(effort) = &ending.effort else { return Ok(()) };
        let writer = match self.efforts.take() {
            Some(writer) => writer,
            None => EffortWriter::open(&self.run.effort_path())?,
        };
        self.efforts.insert(writer).write(step, effort, ending.step_seconds)
    }

    /// Brings every row into its file.
    fn flush(&mut self) -> Result<()> {
        self.metrics.flush()?;
        self.efforts.as_mut().map_or(Ok(()), EffortWriter::flush)
    }

    /// Writes what is due at `tokens`, the state after `step` steps; the last state is always written.
    fn write(&mut self, step: u64, tokens: &Tokens, report: Option<&StepReport>, last: bool) -> Result<()> {
        let model = &self.config.model;
        if last || self.config.output.record.is_due(step) {
            let taken = report.map(|r| Taken::new(r, tokens.n(), model));
            self.metrics.write(&Row { step, taken: taken.transpose()?, hash: tokens.hash().to_hex().to_string() })?;
        }
        if last || self.config.output.frames.is_due(step) {
            self.run.write_frame(step, tokens)?;
        }
        Ok(())
    }
}

/// Takes the run of `config` to its end, and leaves its last recorded state in `final.npy` however it ends. `progress` is
/// told the steps taken, the last report, and how that step was computed; it breaks to end the run there.
///
/// # Errors
/// Files that cannot be written; an engine that does not give its first state. What goes wrong later, and a
/// verification that found a breach, is [`End::Failed`].
pub fn run(
    config: &Config,
    run: &RunDir,
    simulation: &mut Simulation<'_>,
    grid: Grid,
    options: Options,
    progress: impl FnMut(u64, &StepReport, Option<&Effort>) -> ControlFlow<()>,
) -> Result<Ending> {
    let end = config.run.steps;
    let first = simulation.engine().tokens()?;
    let mut recorder = Recorder { config, run, metrics: MetricsWriter::create(&run.metrics_path())?, efforts: None };
    recorder.write(0, &first, None, end == 0)?;
    let mut verifier =
        (options.verify_every > 0).then(|| Verifier::new(&config.model, grid, first.n(), first.d(), None));
    let mut ending = Ending {
        how: End::Completed,
        steps: 0,
        fixed_point: None,
        last: None,
        effort: None,
        tokens: first,
        step_seconds: 0.0,
        findings: None,
    };

    let how = take(&mut recorder, simulation, verifier.as_mut(), options, &mut ending, progress);
    ending.how = how.unwrap_or_else(End::Failed);
    ending.findings = verifier.map(|v| v.findings);
    let written = recorder.flush().and_then(|()| run.write_final(&ending.tokens));
    match (written, ending.how) {
        (Ok(()), how) => Ok(Ending { how, ..ending }),
        // The first failure is the one to mend.
        (Err(_), End::Failed(error)) | (Err(error), _) => Err(error),
    }
}

/// The steps of a run. `ending` is always what was recorded last.
fn take(
    recorder: &mut Recorder<'_>,
    simulation: &mut Simulation<'_>,
    mut verifier: Option<&mut Verifier<'_>>,
    options: Options,
    ending: &mut Ending,
    mut progress: impl FnMut(u64, &StepReport, Option<&Effort>) -> ControlFlow<()>,
) -> Result<End> {
    let (model, end) = (&recorder.config.model, recorder.config.run.steps);
    while simulation.t() < end {
        let t = simulation.t();
        let verified = |step: u64| options.verify_every > 0 && step.is_multiple_of(options.verify_every);
        let start = Instant::now();
        let reports = match &mut verifier {
            Some(verifier) if verified(t) => vec![simulation.advance_verified(verifier)?],
            _ => {
                let next = (t + 1..end.min(t + HORIZON)).find(|&s| recorder.due(s) || verified(s));
                simulation.advance(next.unwrap_or(end.min(t + HORIZON)))?
            }
        };
        ending.step_seconds += start.elapsed().as_secs_f64();
        if let Some(verifier) = verifier.as_ref().filter(|v| v.findings.breach_count > 0) {
            return Err(Error::Verification(format!("step {t}: {}", verifier.findings.breaches.join("; "))));
        }
        // A map that is the same at every step and moved nothing will never move anything.
        let fixed = reports.iter().find(|r| r.moved == 0).filter(|_| model.is_autonomous());
        ending.fixed_point = ending.fixed_point.or(fixed.map(|r| r.t));
        // The run ends there, however far a batch went beyond.
        let stop = fixed.is_some() && !options.past_fixed_point;
        let report = if stop { fixed } else { reports.last() }.copied();
        let step = if stop { fixed.map_or(0, |r| r.t + 1) } else { simulation.t() };
        let effort = simulation.engine().effort();
        let asked = report.map_or(ControlFlow::Continue(()), |r| progress(step, &r, effort.as_ref()));
        let completed = stop || step == end;
        let last = completed || asked.is_break();
        if last || recorder.due(step) {
            let tokens = simulation.engine().tokens()?;
            recorder.write(step, &tokens, report.as_ref(), last)?;
            (ending.steps, ending.last, ending.effort, ending.tokens) = (step, report, effort, tokens);
            recorder.note(step, ending)?;
        }
        if last {
            return Ok(if completed { End::Completed } else { End::Interrupted });
        }
    }
    Ok(End::Completed)
}

/// meta.json of a run that has ended.
pub fn finish(mut meta: Meta, ending: &Ending, started: Instant) -> Meta {
    (meta.ended, meta.failure) = match &ending.how {
        End::Completed => ("completed", None),
        End::Interrupted => ("interrupted", None),
        End::Failed(error) => ("failed", Some(error.to_string())),
    };
    meta.steps = ending.steps;
    meta.fixed_point = ending.fixed_point;
    meta.effort = ending.effort;
    meta.timings.total_seconds = started.elapsed().as_secs_f64();
    meta.timings.step_seconds = ending.step_seconds;
    meta.timings.steps_per_second = ending.steps as f64 / ending.step_seconds.max(1e-9);
    meta
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ReferenceEngine;
    use crate::io::run_dir::Place;
    use crate::model::Rule;
    use crate::schedule::Schedule;

    /// A schedule that leaves its domain farther on than is checked ahead must not cost the steps before it.
    #[test]
    fn a_schedule_that_ends_keeps_the_steps_before_it() {
        let mut config = Config::preset("default", &[]).unwrap();
        if let Rule::Localmax { delta, .. } = &mut config.model.rule {
            *delta = Schedule::parse("20-t").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let run_dir = Place::new(Some(&folder.path().join("r")), "r").unwrap().create(&config).unwrap();
        let tokens = config.load_tokens().unwrap();
        let grid = Grid::of(&tokens, config.run.precision);
        let engine = Box::new(ReferenceEngine::new(&tokens, grid));
        let mut simulation = Simulation::new(&config.model, grid, tokens.d(), engine, 0);
        let go = |_, _: &StepReport, _: Option<&Effort>| ControlFlow::Continue(());
        let ending = run(&config, &run_dir, &mut simulation, grid, Options::default(), go).unwrap();
        let End::Failed(error) = &ending.how else { panic!("{:?}", ending.how) };
        assert!(error.to_string().contains("delta is -1 at step 21"), "{error}");
        assert_eq!(ending.steps, 21);
        assert_eq!(run_dir.metrics().unwrap().len(), 22);
        assert_eq!(run_dir.final_tokens().unwrap(), ending.tokens);
    }
}
