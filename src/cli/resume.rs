//! `localmax resume DIR`: go on with a run that was left.

use std::path::PathBuf;

use anyhow::Result;

use super::run::{self, Begun};
use super::source::{count, first_state, named, open_engine, preflight};
use super::{interrupt, output};
use crate::choice::{EngineChoice, Plan};
use crate::contract::Grid;
use crate::io::checkpoint::{Checkpoint, Progress};
use crate::io::run_dir::{Meta, RunDir};
use crate::sim::resume::{self, Left};

/// Go on with a run that was interrupted, killed or failed, to the files that it would have left in one go
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax resume runs/default-1                on from its last checkpoint, to its last step
  localmax resume runs/default-1 --steps 1000   1000 steps more than it was to take
  localmax resume runs/default-1 --engine cpu   without the GPU; the same bits in localmax, hardmax and frank-wolfe")]
pub(super) struct Arguments {
    /// A run's directory
    dir: PathBuf,
    /// Take K steps more than the run was to take
    #[arg(long, value_name = "K", default_value_t = 0, allow_hyphen_values = true, value_parser = count)]
    steps: u64,
    /// Who computes from here on, if not what the config says
    #[arg(long, value_name = "ENGINE", value_parser = named(&EngineChoice::ALL))]
    engine: Option<String>,
    /// How keys are searched from here on
    #[arg(long, value_name = "PLAN", value_parser = named(&Plan::ALL))]
    plan: Option<String>,
    /// Check sampled rows against the reference every K steps, if not as before; 0 never
    #[arg(long, value_name = "K")]
    verify: Option<u64>,
    /// Draw no pictures
    #[arg(long)]
    no_plot: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let run = RunDir::open(&arguments.dir)?;
    let _lock = run.lock()?;
    let Left { config: kept, mut options, checkpoint, done, refused } = resume::look(&run, arguments.steps)?;
    for error in refused {
        output::note(&format!("{error}; going on from an earlier checkpoint"));
    }
    options.no_plot |= arguments.no_plot;
    if let Some(done) = done {
        output::print(&format!("nothing to do: {done}\n"))?;
        let is_drawn = run.plots().read_dir().is_ok_and(|mut all| all.next().is_some());
        return run::draw(&run, options.no_plot || is_drawn);
    }
    options.verify_every = arguments.verify.unwrap_or(options.verify_every);
    let mut config = kept.clone();
    if let Some(engine) = &arguments.engine {
        config.run.engine = EngineChoice::parse(engine)?;
    }
    if let Some(plan) = &arguments.plan {
        config.run.plan = Plan::parse(plan)?;
    }

    let is_new = checkpoint.is_none();
    let (mut start, engine) = if let Some(mut start) = checkpoint {
        preflight(&config)?;
        let grid = Grid { exponent: start.progress.grid_exponent, precision: config.run.precision };
        let engine = open_engine(&config, &start.tokens, grid)?;
        if start.progress.taken_up_by(engine.description()) {
            output::note(&changed(&start.progress, config.model.is_exact()));
        }
        (start, engine)
    } else {
        output::note("there is no checkpoint yet: from the start");
        let (tokens, grid) = first_state(&config)?;
        let engine = open_engine(&config, &tokens, grid)?;
        let progress = Progress::start(&config, options, grid, tokens.largest_magnitude(), engine.description());
        (Checkpoint { tokens, progress, frames: Vec::new() }, engine)
    };
    start.progress.options = options;
    interrupt::watch()?;
    run.cut_back((!is_new).then_some(&start))?;
    run.write_meta(&Meta::new(&config, &start.progress))?;
    if arguments.steps > 0 {
        kept.save(run.path())?;
    }
    match run::conduct(&config, &run, start, engine)? {
        Begun::Yes => run::draw(&run, options.no_plot),
        Begun::Not(error) => Err(error.into()),
    }
}

/// Who goes on, after whom.
fn changed(progress: &Progress, is_exact: bool) -> String {
    let [.., before, now] = &progress.segments[..] else { return String::new() };
    let who = |e: &crate::outcome::Description| format!("{} ({})", e.engine, e.device);
    let mut text = format!("from step {} on {}, before {}", progress.step, who(&now.engine), who(&before.engine));
    if now.contract != before.contract {
        text +=
            &format!("; arithmetic of version {}, before {}: not the bits of one run", now.contract, before.contract);
    } else if is_exact {
        text += ": the same bits";
    } else {
        text += ": equal within the bounds of the engines, not in bits";
    }
    text
}
