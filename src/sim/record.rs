//! A run into its directory: rows, frames, the final state, and what meta.json says of it.

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

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Ending {
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

/// Takes the run of `config` to its end. `progress` is told the steps taken, the last report, and how
/// that step was computed.
///
/// # Errors
/// Device and file failures; a schedule outside its domain; a verification that found a breach stops the run.
pub fn run(
    config: &Config,
    run: &RunDir,
    simulation: &mut Simulation<'_>,
    grid: Grid,
    options: Options,
    mut progress: impl FnMut(u64, &StepReport, Option<&Effort>),
) -> Result<Ending> {
    let end = config.run.steps;
    let first = simulation.engine().tokens()?;
    let mut recorder = Recorder { config, run, metrics: MetricsWriter::create(&run.metrics_path())?, efforts: None };
    recorder.write(0, &first, None, end == 0)?;
    let mut verifier =
        (options.verify_every > 0).then(|| Verifier::new(&config.model, grid, first.n(), first.d(), None));
    let mut ending = Ending {
        steps: 0,
        fixed_point: None,
        last: None,
        effort: None,
        tokens: first,
        step_seconds: 0.0,
        findings: None,
    };

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
            recorder.metrics.flush()?;
            return Err(Error::Verification(format!("step {t}: {}", verifier.findings.breaches.join("; "))));
        }
        // A map that is the same at every step and moved nothing will never move anything.
        let fixed = reports.iter().find(|r| r.moved == 0).filter(|_| config.model.is_autonomous());
        ending.fixed_point = ending.fixed_point.or(fixed.map(|r| r.t));
        // The run ends there, however far a batch went beyond.
        let stop = fixed.is_some() && !options.past_fixed_point;
        ending.last = if stop { fixed } else { reports.last() }.copied();
        ending.steps = if stop { fixed.map_or(0, |r| r.t + 1) } else { simulation.t() };
        ending.effort = simulation.engine().effort();
        let (step, last) = (ending.steps, stop || ending.steps == end);
        if last || recorder.due(step) {
            ending.tokens = simulation.engine().tokens()?;
            recorder.write(step, &ending.tokens, ending.last.as_ref(), last)?;
            recorder.note(step, &ending)?;
        }
        if let Some(report) = &ending.last {
            progress(step, report, ending.effort.as_ref());
        }
        if last {
            break;
        }
    }
    ending.findings = verifier.map(|v| v.findings);
    recorder.metrics.flush()?;
    if let Some(efforts) = &mut recorder.efforts {
        efforts.flush()?;
    }
    run.write_final(&ending.tokens)?;
    Ok(ending)
}

/// meta.json of a run that has ended.
pub fn finish(mut meta: Meta, ending: &Ending, started: Instant) -> Meta {
    meta.steps = ending.steps;
    meta.fixed_point = ending.fixed_point;
    meta.effort = ending.effort;
    meta.timings.total_seconds = started.elapsed().as_secs_f64();
    meta.timings.step_seconds = ending.step_seconds;
    meta.timings.steps_per_second = ending.steps as f64 / ending.step_seconds.max(1e-9);
    meta
}
