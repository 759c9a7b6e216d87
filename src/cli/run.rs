//! `localmax run`: simulate.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::progress::Bar;
use super::source::{Source, count, time};
use super::verify::require_steps;
use super::{interrupt, output, ranks};
use crate::engine::{Engine, Lead};
use crate::error::Error;
use crate::exact::{LeastGain, RunError};
use crate::interrupt::Interrupt;
use crate::io::config::Config;
use crate::io::config::template::template;
use crate::outcome::{Effort, StepReport};
use crate::ranks::{Alone, Shared};
use crate::run::checkpoint::{Checkpoint, Start};
use crate::run::limits::Limits;
use crate::run::opening::{self, Opening};
use crate::run::pictures;
use crate::run::record::{self, Callbacks, RunResult};
use crate::run::{Cycle, Ends, Meta, Options, Place, RunDir, Settled};

/// What a process that ends at once loses of a run.
pub(super) const LOST: &str =
    "the steps since the last checkpoint are lost; `localmax resume` goes on from the checkpoint";

/// Simulate: from initial tokens to a directory with numbers and pictures
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax run                                             a default system, in seconds
  localmax run my.toml --out results/a                     a config, into a directory of your choice
  localmax run my.toml --set model.alpha=0.1 --steps 1000  with keys changed
  localmax run --template > my.toml                        a config with every key, to fill in
  localmax run --preset large-cloud --verify 50            check sampled rows every 50 steps
  localmax run my.toml --engine gpu --adapter 0,1          two GPUs, each with half of the rows of every step
  mpirun -n 4 localmax run my.toml --engine cpu            four processes (build with --features mpi)")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Directory of the run; otherwise runs/NAME-K with the first free K
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Check sampled rows against the reference every K steps; a breach ends the run with exit
    /// status 1
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = count)]
    verify: u64,
    /// Go on to the last step even when no token moves any more and none ever will
    #[arg(long)]
    past_fixed_point: bool,
    /// End after this time, as after a signal: `resume` goes on; 3600 (seconds), 90m, 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    wall: Option<Duration>,
    /// Draw no pictures
    #[arg(long)]
    no_plot: bool,
    /// Print a config with every key, its meaning and its default, and run nothing
    #[arg(long, exclusive = true)]
    template: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.template {
        return Ok(output::print(&template()?)?);
    }
    let ranks = ranks::join()?;
    if ranks.rank() > 0 {
        return ranks::follow(&ranks, |_, _| arguments.source.config());
    }
    let lead = Lead::of(&ranks);
    interrupt::watch("nothing was begun", arguments.wall)?;
    let config = arguments.source.config()?;
    if arguments.verify > 0 {
        require_steps(&config, "--verify")?;
    }
    let place = Place::new(arguments.out.as_deref(), &config.name)?;
    let options = Options {
        verify_every: arguments.verify,
        past_fixed_point: arguments.past_fixed_point,
        no_plot: arguments.no_plot,
    };
    let run = take_among(&ranks, &config, &place, options)?;
    drop(lead); // before pictures, which are rank 0's alone
    draw(&run, options.no_plot)
}

/// Draws a run's pictures, unless it is to have none, and says where it is.
pub(super) fn draw(run: &RunDir, no_plot: bool) -> Result<()> {
    if !no_plot {
        let complete = format!("the run is complete; `localmax plot {}` draws its pictures", run.path().display());
        interrupt::finish(complete.clone())?;
        for path in pictures::draw(run, pictures::Choice::default()).map_err(|e| e.after(complete))? {
            output::print(&format!("wrote      {}\n", path.display()))?;
        }
    }
    Ok(output::print(&format!("run        {}\n", run.path().display()))?)
}

/// Takes a new run to its end and prints what it came to.
pub(super) fn take(config: &Config, place: &Place, options: Options) -> Result<RunDir> {
    let alone: Shared = Arc::new(Alone);
    take_among(&alone, config, place, options)
}

/// As [`take`], on rank 0 of several, which the others follow.
fn take_among(ranks: &Shared, config: &Config, place: &Place, options: Options) -> Result<RunDir> {
    let config = &mut config.clone();
    let Opening { start, engine, why } = opening::open_among(ranks, config, options, output::note)?;
    interrupt::begin(LOST);
    let mut live = Live::new(ranks, config, &start);
    live.before.why = why;
    let result = record::begin(config, place, start, engine, &mut live);
    live.progress.done();
    let (run, result) = result?;
    output::print(&summary(config, &result, &live.before))?;
    Ok(run)
}

/// Takes a run on from `start` to its end and prints what it came to.
pub(super) fn go_on(
    ranks: &Shared,
    config: &Config,
    run: &RunDir,
    start: Start,
    engine: Box<dyn Engine>,
) -> Result<()> {
    let mut live = Live::new(ranks, config, &start);
    let result = record::go_on(config, run, start, engine, &mut live);
    live.progress.done();
    Ok(output::print(&summary(config, &result?, &live.before))?)
}

/// A run that a person watches.
struct Live<'a> {
    ranks: &'a Shared,
    config: &'a Config,
    progress: Bar,
    before: Before,
}

impl<'a> Live<'a> {
    fn new(ranks: &'a Shared, config: &'a Config, start: &Start) -> Self {
        let before = Before { steps: start.progress.step, seconds: start.progress.step_seconds, why: None };
        Self { ranks, config, progress: Bar::after(before.steps, config.run.steps), before }
    }
}

impl Callbacks for Live<'_> {
    fn reopen(&mut self, lost: &Error, at: &Checkpoint) -> Result<Box<dyn Engine>, Error> {
        if self.ranks.size() > 1 {
            return Err(Error::device("the ranks of a run are not started again"));
        }
        output::note(&format!("{lost}; once more, from the checkpoint of step {}", at.progress.step));
        opening::reopen(self.ranks, self.config, at, &mut output::note)
    }

    fn interrupt(&self) -> Interrupt {
        interrupt::flag()
    }

    fn note(&mut self, text: &str) {
        output::note(text);
    }

    fn progress(&mut self, step: u64, report: &StepReport, effort: Option<&Effort>) -> ControlFlow<()> {
        let searched =
            effort.map_or(String::new(), |e| format!(", {} rows computed, {:.0} keys a row", e.rows, e.keys_a_row));
        self.progress.at(step, &format!("{} moving{searched}", report.moved));
        interrupt::flow()
    }
}

/// A number of things.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What was before the segment that ended.
struct Before {
    /// Steps and seconds of earlier segments.
    steps: u64,
    seconds: f64,
    /// Why f64 was chosen.
    why: Option<String>,
}

fn summary(config: &Config, result: &RunResult, before: &Before) -> String {
    let meta = Meta::new(config, &result.progress);
    let strip = meta.strip.map_or(String::new(), |form| format!(", {form} strip"));
    let mut text = format!(
        "{}: {}{strip}, {}n = {}, d = {}, {} in {:.3} s on {} ({})",
        config.name,
        meta.rule,
        meta.clouds.as_ref().map_or(String::new(), |of| format!("{}, ", counted(of.count as u64, "cloud"))),
        meta.n,
        meta.d,
        counted(result.steps - before.steps, "step"),
        meta.timings.step_seconds - before.seconds,
        meta.engine.engine,
        meta.engine.device
    );
    if before.steps > 0 {
        text += &format!("; {} in all parts", counted(result.steps, "step"));
    }
    text += "\n";
    let strips = result.last.filter(|_| config.model.has_strips());
    // Every cloud has a lattice of its own.
    if let Some(grid) = meta.grid.as_ref().filter(|_| config.clouds.is_none()) {
        let why = before.why.as_ref().map_or(String::new(), |why| format!(", since {why}"));
        text += &format!(
            "lattice    unit {:.3e} ({}{why}), coordinates up to {:.6e} (at most 2^{})\n",
            grid.unit, meta.precision, grid.radius, grid.exponent,
        );
        if let Ok(Some(least)) = LeastGain::of(&config.model, 0..result.steps) {
            let error = RunError::after(result.steps, least, &config.model, config.run.precision);
            text += &format!("rounding   {}\n", error.told(grid.unit));
        }
    }
    if let Some(last) = result.last {
        text += &format!("last step  {} of {} tokens moved", last.moved, config.rows());
        if let Some(r) = strips {
            let mean = r.strip_total as f64 / config.rows() as f64;
            text += &format!("; strips hold {} to {} tokens, {mean:.2} on average", r.strip_min, r.strip_max);
        }
        text += "\n";
    }
    if let Some(Effort { plan, keys_a_row, boxes_a_row, rows, traffic }) = result.effort {
        text += &format!(
            "search     plan {}: {rows} rows computed, each against {keys_a_row:.1} keys and {boxes_a_row:.1} boxes on average\n",
            plan.name()
        );
        if traffic.calls > 0 {
            text += &format!("ranks      {} bytes in {} calls, from all other ranks\n", traffic.bytes, traffic.calls);
        }
    }
    match (meta.fixed_point, meta.cycle) {
        (Some(t), _) => text += &format!("at rest    fixed point at step {t}: every later state equals this one\n"),
        (None, Some(Cycle { from_step, period })) => {
            text += &format!(
                "cycle      the state of step {from_step} comes back every {period} steps: tokens move for ever and have no limit\n"
            );
        }
        (None, None) if meta.settled.is_some() => {
            let Settled { step, tolerance } = meta.settled.unwrap_or_default();
            text += &format!(
                "at rest    within {tolerance:e} from step {step}: no coordinate moved by more, over the first radius\n"
            );
        }
        (None, None) if result.last.is_some() => {
            text += "open       tokens may still move: a step limit is not convergence\n";
        }
        (None, None) => {}
    }
    if let Some(limits) = &result.limits {
        text += &clusters(limits);
    }
    if let Some(Ends { count, at_rest, clusters: Some([least, median, most]) }) = &result.ends {
        text +=
            &format!("clouds     {at_rest} of {count} at rest; {median} clusters in the median, {least} to {most}\n");
    }
    if let Some(findings) = &result.findings {
        let of = if before.steps > 0 { " of this part" } else { "" };
        text += &match findings.steps {
            0 => format!("verified   nothing: no step{of} was due to be checked\n"),
            steps => {
                format!("verified   {} in {}{of}, none off\n", counted(findings.rows, "row"), counted(steps, "step"))
            }
        };
    }
    result.hash.map_or_else(|| text.clone(), |hash| format!("{text}hash       {}\n", hash.to_hex()))
}

/// The clusters of the last state: their counts, and the first of them.
fn clusters(limits: &Limits) -> String {
    const MOST: usize = 20;
    let (head, rows) = limits.table(MOST);
    let mut text = format!("clusters   {}\n", limits.counts());
    let width = |column: usize| rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let used = |column: usize| rows.iter().any(|row| !row[column].is_empty());
    for row in [&head].into_iter().chain(&rows).filter(|_| !rows.is_empty()) {
        let cells: Vec<String> =
            (0..head.len()).filter(|&c| used(c)).map(|c| format!("{:<1$}", row[c], widths[c])).collect();
        text += &format!("  {}\n", cells.join("  ").trim_end());
    }
    limits.left_out(rows.len()).map_or_else(|| text.clone(), |rest| format!("{text}  {rest}\n"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{self, ErrorKind};

    use super::*;
    use crate::exact::Grid;
    use crate::io::config::Override;
    use crate::io::disk::faults::{self, FULL, Fault};
    use crate::outcome::Description;
    use crate::run::Progress;

    /// A full disk must leave either nothing, or a run that says that it can be resumed, and can.
    #[test]
    fn a_full_disk_leaves_nothing_or_a_run_to_go_on_with() {
        let changes = ["tokens.n=5", "run.steps=4", "run.engine=reference", "output.checkpoint_seconds=1e-9"];
        let changes: Vec<_> = changes.iter().map(|text| Override::set(text).unwrap()).collect();
        let config = Config::preset("vanishing-delta", &changes).unwrap();
        let folder = faults::folder();
        let (mut nothing, mut kept) = (0, 0);
        for fault in [Fault::Once(FULL), Fault::FromThen(FULL)] {
            for at in 0.. {
                let path = folder.path().join(format!("{fault:?}-{at}"));
                let place = Place::new(Some(&path), "r").unwrap();
                let (result, calls) = faults::with(at, fault, || take(&config, &place, Options::default()));
                if at >= calls {
                    assert!(result.is_ok());
                    break;
                }
                let Err(error) = result else { continue };
                let error = error.downcast::<Error>().unwrap();
                let said = error.to_string();
                assert!(said.contains("no space is left; free some") && !said.contains("another place"), "{said}");
                if path.exists() {
                    kept += 1;
                    assert_eq!(error.exit_status(), 4, "{fault:?} at call {at}: {said}");
                    assert!(said.contains("localmax resume"), "{said}");
                    let found = RunDir::open(&path).unwrap().newest_checkpoint(false).unwrap();
                    assert!(found.checkpoint.is_some(), "{fault:?} at call {at}");
                    let meta = fs::read_to_string(path.join("meta.json")).unwrap();
                    if fault == Fault::Once(FULL) && !said.contains("meta.json") {
                        assert!(meta.contains("\"ended\": \"failed\""), "{said}: {meta}");
                    }
                } else {
                    nothing += 1;
                    assert_eq!(error.exit_status(), 2, "{fault:?} at call {at}: {said}");
                }
            }
        }
        assert!(nothing > 20 && kept > 20, "{nothing} left nothing, {kept} a run");
    }

    /// A script goes on at 4 and calls a person at 2: where a file has vanished, going on would
    /// fail for ever.
    #[test]
    fn what_can_be_mended_is_resumable_and_what_has_vanished_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::preset("default", &[]).unwrap();
        let grid = Grid::of(&config.load_tokens().unwrap(), config.run.precision);
        let progress = Progress::start(&config, Options::default(), grid, 1.0, Description::default());
        let run = Place::new(Some(&folder.path().join("r")), "r")
            .unwrap()
            .create(&config, &Meta::new(&config, &progress))
            .unwrap();
        fs::create_dir(run.checkpoints_path()).unwrap();
        fs::write(run.checkpoint_path(3), "").unwrap();
        let resumable =
            [ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem, ErrorKind::Other];
        for (kind, status) in resumable.map(|kind| (kind, 4)).into_iter().chain([(ErrorKind::NotFound, 2)]) {
            for (saved, is_there) in [(None, true), (Some(3), true), (Some(4), false)] {
                let error = record::stopped(Error::file("f", io::Error::from(kind)), &run, 5, false, saved);
                let said = error.to_string();
                assert_eq!(error.exit_status(), if is_there { status } else { 2 }, "{said}");
                assert_eq!(said.contains("localmax resume"), error.exit_status() == 4, "{said}");
                assert_eq!(said.contains("the checkpoint of step"), saved == Some(3), "{said}");
            }
        }
    }
}
