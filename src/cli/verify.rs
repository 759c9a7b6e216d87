//! `localmax verify`: an engine beside the reference.

use anyhow::Result;

use super::progress::Progress;
use super::source::{Source, first_state, open_engine};
use super::{error_table, output};
use crate::error::Error;
use crate::verify::Verifier;

/// Step an engine beside the reference and compare masks, counts and tokens; exit 1 on any breach
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax verify --preset vanishing-delta              the engine that `run` would take
  localmax verify my.toml --engine gpu --steps 50       a GPU, 50 steps
  localmax verify my.toml --rows 100                    100 rows a step, spread evenly")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Rows checked a step; otherwise as many as the reference can afford
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// Print the table of errors of every engine of this machine over a fixed set of systems, in Markdown
    #[arg(long, conflicts_with_all = ["rows", "config", "preset", "engine"])]
    table: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.table {
        let mut progress = None;
        let (table, passed) = error_table::table(|done, total| {
            progress.get_or_insert_with(|| Progress::new(total)).at(done, "");
        })?;
        output::print(&table)?;
        return if passed { Ok(()) } else { Err(Error::Verification("breaches: see the table".into()).into()) };
    }
    let config = arguments.source.config()?;
    let (tokens, grid) = first_state(&config)?;
    let mut engine = open_engine(&config, &tokens, grid)?;
    let mut verifier = Verifier::new(&config.model, grid, tokens.n(), tokens.d(), arguments.rows);
    let who = engine.description();
    output::note(&format!(
        "verifying {} ({}) on {}: {} of {} rows a step, {} steps",
        who.engine,
        who.device,
        config.name,
        verifier.rows(),
        tokens.n(),
        config.run.steps
    ));
    let mut progress = Progress::new(config.run.steps);
    for t in 0..config.run.steps {
        verifier.step(engine.as_mut(), t)?;
        progress.at(t + 1, "");
    }
    progress.done();
    output::print(&format!("{}\n", verifier.findings))?;
    if config.run.steps == 0 {
        return Err(Error::input("no step was checked: run.steps is 0; give --steps").into());
    }
    if !verifier.findings.passed() {
        let count = verifier.findings.breach_count;
        return Err(Error::Verification(format!("{count} breaches; the first ones are above")).into());
    }
    Ok(())
}
