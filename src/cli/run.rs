//! `localmax run`: simulate.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use super::progress::Progress;
use super::source::{Source, first_state, open_engine};
use super::verify::require_steps;
use super::{interrupt, output};
use crate::error::Error;
use crate::io::config::Config;
use crate::io::run_dir::{Meta, Place, RunDir};
use crate::outcome::Effort;
use crate::plot;
use crate::sim::Simulation;
use crate::sim::record::{self, End, Ending, Options};

/// Simulate: from initial tokens to a directory with numbers and pictures
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax run                                             a default system, in seconds
  localmax run my.toml --out results/a                     a config, into a directory of your choice
  localmax run my.toml --set model.alpha=0.1 --steps 1000  with keys changed
  localmax run --preset large-cloud --verify 50            check sampled rows every 50 steps")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Directory of the run; otherwise runs/NAME-K with the first free K
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Check sampled rows against the reference every K steps; a breach ends the run with exit status 1
    #[arg(long, value_name = "K", default_value_t = 0)]
    verify: u64,
    /// Go on to the last step even when no token moves any more and none ever will
    #[arg(long)]
    past_fixed_point: bool,
    /// Draw no pictures
    #[arg(long)]
    no_plot: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let config = arguments.source.config()?;
    if arguments.verify > 0 {
        require_steps(&config, "--verify")?;
    }
    let place = Place::new(arguments.out.as_deref(), &config.name)?;
    let options = Options { verify_every: arguments.verify, past_fixed_point: arguments.past_fixed_point };
    let run = take(&config, &place, options)?;
    if !arguments.no_plot {
        for path in plot::run::draw(&run, plot::run::Choice::default())? {
            output::print(&format!("wrote      {}\n", path.display()))?;
        }
    }
    Ok(output::print(&format!("run        {}\n", run.path().display()))?)
}

/// Takes a run to its end and prints what it came to. One that fails or is interrupted on its way is kept as far as it
/// came; one that fails before its first step leaves nothing.
pub(super) fn take(config: &Config, place: &Place, options: Options) -> Result<RunDir> {
    let started = Instant::now();
    let (tokens, grid) = first_state(config)?;
    let engine = open_engine(config, &tokens, grid)?;
    let meta = Meta::new(config, engine.description(), grid, tokens.largest_magnitude());

    interrupt::watch()?;
    let run = place.create(config)?;
    let mut simulation = Simulation::new(&config.model, grid, tokens.d(), engine, 0);
    let mut progress = Progress::new(config.run.steps);
    let result = record::run(config, &run, &mut simulation, grid, options, |step, report, effort| {
        let searched =
            effort.map_or(String::new(), |e| format!(", {} distinct, {:.0} keys a row", e.distinct, e.keys_a_row));
        progress.at(step, &format!("{} moving{searched}", report.moved));
        interrupt::flow()
    });
    progress.done();
    let begun = simulation.t() > 0;
    let ending = match result {
        Ok(Ending { how: End::Failed(error), .. }) | Err(error) if !begun => {
            run.discard()?;
            return Err(error.into());
        }
        other => other?,
    };
    let meta = record::finish(meta, &ending, started);
    run.write_meta(&meta)?;
    match ending.how {
        End::Completed => output::print(&summary(config, &meta, &ending))?,
        End::Interrupted => {
            let (step, end, path) = (ending.steps, config.run.steps, run.final_path());
            let text = format!("interrupted after step {step} of {end}; the state is kept in {}", path.display());
            return Err(Error::Interrupted(text).into());
        }
        End::Failed(failure) => {
            let failure = Box::new(failure);
            return Err(Error::Stopped { failure, step: ending.steps, path: run.final_path() }.into());
        }
    }
    Ok(run)
}

/// A number of things.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn summary(config: &Config, meta: &Meta, ending: &Ending) -> String {
    let strip = meta.strip.map_or(String::new(), |form| format!(", {form} strip"));
    let mut text = format!(
        "{}: {}{strip}, n = {}, d = {}, {} in {:.3} s on {} ({})\n",
        config.name,
        meta.rule,
        meta.n,
        meta.d,
        counted(ending.steps, "step"),
        ending.step_seconds,
        meta.engine.engine,
        meta.engine.device
    );
    let strips = ending.last.filter(|_| config.model.has_strips());
    let largest = strips.map_or(1, |r| r.strip_max);
    if let Some(grid) = &meta.grid {
        text += &format!(
            "lattice    largest coordinate {:.6e} <= 2^{}, unit {:.3e} ({}); limits are known to about {:.1e} for strips of {}\n",
            grid.radius,
            grid.exponent,
            grid.unit,
            meta.precision,
            grid.unit * f64::from(largest).max(2.0) / 2.0,
            counted(u64::from(largest), "token"),
        );
    }
    if let Some(last) = ending.last {
        text += &format!("last step  {} of {} tokens moved", last.moved, meta.n);
        if let Some(r) = strips {
            let mean = r.strip_total as f64 / meta.n as f64;
            text += &format!("; strips hold {} to {} tokens, {mean:.2} on average", r.strip_min, r.strip_max);
        }
        text += "\n";
    }
    if let Some(Effort { plan, keys_a_row, boxes_a_row, distinct }) = ending.effort {
        text += &format!(
            "search     plan {}: {keys_a_row:.1} keys and {boxes_a_row:.1} boxes a row; {distinct} distinct tokens\n",
            plan.name()
        );
    }
    match ending.fixed_point {
        Some(t) => text += &format!("fixed      no bit moves from step {t} on: every later state is this one\n"),
        None if ending.last.is_some() => {
            text += "open       tokens may still move: a step limit is not convergence\n";
        }
        None => {}
    }
    if let Some(findings) = &ending.findings {
        text +=
            &format!("verified   {} in {}, none off\n", counted(findings.rows, "row"), counted(findings.steps, "step"));
    }
    text + &format!("hash       {}\n", ending.tokens.hash().to_hex())
}
