//! `localmax verify`: an engine beside the reference.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::progress::Bar;
use super::source::{Source, at_least_one, first_state, open_engine};
use super::{error_table, output};
use crate::error::Error;
use crate::io::config::Config;
use crate::io::config::start::Start;
use crate::io::npy;
use crate::verify::Verifier;
use crate::verify::bits::{Comparison, compare};

/// Step an engine beside the reference and compare masks, counts and tokens; exit 1 on any breach
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax verify --preset vanishing-delta              the engine that `run` would take
  localmax verify my.toml --engine gpu --steps 50       a GPU, 50 steps
  localmax verify my.toml --rows 100                    100 rows a step, spread evenly
  localmax verify --bits a/final.npy b/final.npy        two states, bit by bit, with their hashes")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Rows checked a step; otherwise as many as the reference can afford
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    rows: Option<usize>,
    /// Print the table of errors of every engine of this machine over a fixed set of systems, in
    /// Markdown
    #[arg(long, conflicts_with_all = ["rows", "config", "preset", "set", "engine", "plan", "precision", "steps"])]
    table: bool,
    /// Compare two states bit by bit; nothing is computed
    #[arg(long, num_args = 2, value_names = ["A.npy", "B.npy"],
          conflicts_with_all = ["table", "rows", "config", "preset", "set", "engine", "plan", "precision", "steps"])]
    bits: Option<Vec<PathBuf>>,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.table {
        let mut progress = None;
        let (table, passed) = error_table::table(|done, total| {
            progress.get_or_insert_with(|| Bar::new(total)).at(done, "");
        })?;
        output::print(&table)?;
        return if passed { Ok(()) } else { Err(Error::Verification("breaches: see the table".into()).into()) };
    }
    if let Some([a, b]) = arguments.bits.as_deref() {
        return bits(a, b);
    }
    let mut config = arguments.source.config()?;
    require_steps(&config, "verify")?;
    let Start { tokens, grid, .. } = first_state(&mut config)?;
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
    let mut progress = Bar::new(config.run.steps);
    for t in 0..config.run.steps {
        verifier.step(engine.as_mut(), t)?;
        progress.at(t + 1, "");
    }
    progress.done();
    output::print(&format!("{}\n", verifier.findings))?;
    if !verifier.findings.passed() {
        let count = verifier.findings.breach_count;
        return Err(Error::Verification(format!("{count} breaches; the first ones are above")).into());
    }
    Ok(())
}

/// Nothing may pass for checked where there was nothing to check.
pub(super) fn require_steps(config: &Config, what: &str) -> Result<(), Error> {
    match config.run.steps {
        0 => Err(Error::input(format!("{what} has no step to check: run.steps is 0; give --steps"))),
        _ => Ok(()),
    }
}

fn bits(a: &Path, b: &Path) -> Result<()> {
    let states = [npy::read(a)?, npy::read(b)?];
    for (path, state) in [a, b].iter().zip(&states) {
        let (n, d, width) = (state.n(), state.d(), state.precision().name());
        output::print(&format!("{}  ({n}, {d}) {width}  {}\n", state.hash().to_hex(), path.display()))?;
    }
    match compare(&states[0], &states[1]) {
        Comparison::Equal => Ok(output::print("the same bits\n")?),
        other => Err(Error::Verification(format!("not the same bits: {other}")).into()),
    }
}
