//! A segment of a run: as far as one engine takes it.

use std::ops::ControlFlow;

use crate::engine::{Engine, Simulation, Standing, Until};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::io::config::Config;
use crate::num;
use crate::run::checkpoint::Start;
use crate::run::folder::RunDir;
use crate::run::progress::{Options, Progress};
use crate::run::recorder::Recorder;
use crate::run::result::{Callbacks, Outcome, RunResult};
use crate::run::state::State;
use crate::tokens::{Slices as _, Tokens};
use crate::verify::Verifier;

/// Takes a run as far as one engine goes, which holds the state of `start`, and leaves its last recorded state in
/// `final.npy`.
pub(super) fn segment(
    config: &Config,
    run: &RunDir,
    start: Start,
    mut engine: Box<dyn Engine>,
    callbacks: &mut dyn Callbacks,
) -> Result<RunResult> {
    let Start { progress, frames } = start;
    let grid = Grid { exponent: progress.grid_exponent, precision: config.run.precision };
    let (options, shape) = (progress.options, (config.rows(), config.d()));
    let is_new = progress.tables.is_empty();
    let mut recorder = Recorder::open(config, run, progress, frames)?;
    let mut state = State::of(engine.as_mut(), config)?;
    if is_new {
        recorder.write(&mut state, None, true)?;
        recorder.save(&mut state)?;
    }
    let tokens = state.held();
    let mut verifier = (options.verify_every > 0).then(|| Verifier::new(&config.model, grid, shape.0, shape.1, None));
    let (steps, last) = (recorder.progress.step, recorder.progress.last);
    engine.heed(&callbacks.interrupt());
    let mut simulation = Simulation::from_state(&config.model, grid, shape, engine, steps);
    let mut result = RunResult {
        outcome: Outcome::Completed,
        steps,
        reached: steps,
        last,
        effort: None,
        tokens,
        hash: None,
        findings: None,
        saved: None,
        progress: recorder.progress.clone(),
        limits: None,
        ends: None,
        is_final_written: false,
    };
    result.outcome = steps_of(config, &mut recorder, &mut simulation, verifier.as_mut(), &mut result, callbacks)
        .unwrap_or_else(Outcome::Failed);
    result.outcome.keep_first(recorder.flush());
    result.findings = verifier.map(|v| v.findings);
    result.reached = simulation.t();
    result.saved = recorder.saved;
    let total_seconds = recorder.total_seconds();
    let written = write_final(config, run, &recorder, &mut simulation, &mut result);
    result.outcome.keep_first(written);
    result.progress = Progress { total_seconds, ..recorder.progress };
    Ok(result)
}

/// Writes the last recorded state, if there is one: ranks that hold parts of it have it no more once they have gone on,
/// or one of them has ended.
fn write_final(
    config: &Config,
    run: &RunDir,
    recorder: &Recorder<'_>,
    simulation: &mut Simulation,
    result: &mut RunResult,
) -> Result<()> {
    let is_there = simulation.t() == result.steps && !matches!(result.outcome, Outcome::Failed(Error::Device(_)));
    let mut state = match result.tokens.take() {
        Some(tokens) => State::Held(tokens),
        None if is_there => State::of(simulation.engine(), config)?,
        None => return Ok(()),
    };
    let written = run.write_final(&mut state, config.clouds);
    result.is_final_written = written.is_ok();
    let known = recorder.hash.filter(|(step, _)| *step == result.steps).map(|(_, hash)| hash);
    let hash = known.map_or_else(|| state.hash(), Ok);
    (result.hash, result.tokens) = (hash.ok(), state.held());
    written
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
        recorder.write(&mut State::of(simulation.engine(), config)?, None, false)?;
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
    let mut before = farthest.map(|_| simulation.tokens()).transpose()?;
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
            let now = now.clone().map(State::from);
            let mut state = now.map_or_else(|| State::of(simulation.engine(), config), Ok)?;
            recorder.write(&mut state, effort.as_ref(), true)?;
            if last || recorder.must_save() {
                recorder.save(&mut state)?;
            }
            if last {
                recorder.write(&mut state, effort.as_ref(), false)?;
            }
            (result.steps, result.last, result.effort, result.tokens) = (step, report, effort, state.held());
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
            let effort = recorder.progress.last.and(simulation.engine().effort());
            let mut state = State::of(simulation.engine(), config)?;
            let (step, report) = (recorder.progress.step, recorder.progress.last);
            recorder.save(&mut state)?;
            recorder.write(&mut state, effort.as_ref(), false)?;
            (result.steps, result.last, result.effort, result.tokens) = (step, report, effort, state.held());
            Ok(Outcome::Interrupted)
        }
        Err(error) => Err(error),
    }
}

/// The largest move of a coordinate.
fn largest_move(from: &Tokens, to: &Tokens) -> f64 {
    from.to_f64().iter().zip(to.to_f64()).map(|(x, y)| (y - x).abs()).fold(0.0, f64::max)
}
