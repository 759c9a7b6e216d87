//! The command line: one file a command. High-level arguments become the library's types here and
//! nowhere else; help, man page and completions come from this one definition.

mod bench;
mod compare;
mod completions;
mod doctor;
mod error_table;
mod import;
mod interrupt;
mod man;
mod output;
mod plot;
mod presets;
mod progress;
mod ranks;
mod resume;
mod run;
mod selftest;
mod source;
mod strip;
mod study;
mod usage;
mod verify;

use std::ffi::OsString;

use anyhow::Result;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::choice;
use crate::threads;

const AFTER_HELP: &str = "\
Examples:
  localmax run                                      a first run in seconds: numbers and pictures under runs/
  localmax run --preset large-cloud --engine cpu    a preset, on the CPU engine
  localmax run my.toml --set model.delta=0.2        a config, with one key changed
  localmax resume runs/large-cloud-1                go on with a run that was interrupted or killed
  localmax verify --preset non-vertex-limit         an engine beside the reference, bit for bit
  localmax study compare                            one cloud under four rules, in one picture
  localmax study quiescent                          a convergence study: theory beside measurement, in a report
  localmax bench                                    GPU, CPU and reference in one run
  localmax doctor                                   what this machine has, and advice

Exit status: 0 done, 1 a verification failed, 2 bad usage or input, 3 device, 4 interrupted and resumable.";

/// Attention as a dynamical system: n tokens in R^d that move, step by step, towards an average of
/// the tokens they attend to. Localmax averages over a strip, the tokens whose inner product with
/// the reference token is within delta of the maximum.
#[derive(Debug, Parser)]
#[command(version, about, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Number of threads that compute; otherwise RAYON_NUM_THREADS, or one a core
    #[arg(long, global = true, value_name = "N", value_parser = source::at_least_one)]
    threads: Option<usize>,
    /// GPU adapter to take: a part of its name, its number in `localmax doctor`, or its PCI id; several
    /// that share the rows of every step: 0,1, or all
    #[arg(long, global = true, value_name = "NAME")]
    adapter: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Arguments),
    Resume(resume::Arguments),
    Verify(verify::Arguments),
    Selftest(selftest::Arguments),
    Bench(bench::Arguments),
    Strip(strip::Arguments),
    Import(import::Arguments),
    Study(study::Arguments),
    Plot(plot::Arguments),
    Doctor(doctor::Arguments),
    Presets(presets::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

impl Cli {
    /// Parses the command line. Help and version are printed here, and the process ends.
    ///
    /// # Errors
    /// Arguments that do not fit, in one line.
    pub fn of(arguments: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let matches = negatives(Self::command()).try_get_matches_from(&arguments);
        matches.and_then(|matches| Self::from_arg_matches(&matches)).map_err(|error| {
            if !error.use_stderr() || error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
                error.exit();
            }
            usage::in_one_line(&error, &arguments).into()
        })
    }

    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever the command could not do; [`exit_status`] says how the process ends.
    pub fn run(self) -> Result<()> {
        interrupt::outlive_file_limits();
        if let Some(name) = &self.adapter {
            choice::take_adapter(name);
        }
        let computes = !matches!(
            self.command,
            Command::Doctor(_) | Command::Presets(_) | Command::Completions(_) | Command::Man(_)
        );
        if computes {
            threads::start(self.threads)?;
        }
        match self.command {
            Command::Run(arguments) => run::run(&arguments),
            Command::Resume(arguments) => resume::run(&arguments),
            Command::Verify(arguments) => verify::run(&arguments),
            Command::Selftest(arguments) => selftest::run(&arguments),
            Command::Bench(arguments) => bench::run(&arguments),
            Command::Strip(arguments) => strip::run(&arguments),
            Command::Import(arguments) => import::run(&arguments),
            Command::Study(arguments) => study::run(&arguments),
            Command::Plot(arguments) => plot::run(&arguments),
            Command::Doctor(arguments) => doctor::run(&arguments),
            Command::Presets(arguments) => presets::run(&arguments),
            Command::Completions(arguments) => completions::run(&arguments),
            Command::Man(arguments) => man::run(&arguments),
        }
    }
}

/// Takes `-1` for the value of an option, which then says what it needs, and not for an option.
fn negatives(command: clap::Command) -> clap::Command {
    command.allow_negative_numbers(true).mut_subcommands(negatives)
}

/// Says on one line of stderr why a command failed, whatever is in the names of its files.
pub fn report(error: &anyhow::Error) {
    let line = format!("error: {error:#}").replace(char::is_control, " ");
    output::note(&line);
}

/// Exit status of a command that failed: 1 a verification failed, 2 bad usage or input, 3 device, 4
/// interrupted: a run that has begun is resumable.
pub fn exit_status(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<crate::error::Error>().map_or(2, crate::error::Error::exit_status)
}
