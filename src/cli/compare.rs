//! `localmax study compare`: one cloud under four rules.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::interrupt;
use super::output;
use super::run::take;
use super::source::named;
use crate::choice::EngineChoice;
use crate::error::Error;
use crate::init::{Cloud, CloudSample};
use crate::io::free;
use crate::run::pictures;
use crate::run::{Place, RunDir};
use crate::schedule::Schedule;
use crate::study::compare::{self, Options};
use crate::tokens::Precision;

/// One cloud under localmax, hardmax, softmax and Frank–Wolfe, side by side in one picture
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax study compare                                   300 tokens in the plane, in seconds
  localmax study compare --tokens 2000 --dim 3 --seed 1    another cloud
  localmax study compare --kind ties --delta 0.5           equal scores: where hardmax and Frank–Wolfe part")]
pub(super) struct Compare {
    /// Number of tokens
    #[arg(long, value_name = "N", default_value_t = 300)]
    tokens: usize,
    /// Dimension
    #[arg(long, value_name = "D", default_value_t = 2)]
    dim: usize,
    /// Seed of the cloud
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Shape of the cloud
    #[arg(long, default_value = "normal", value_parser = named(&Cloud::ALL))]
    kind: String,
    /// Steps of every run
    #[arg(long, value_name = "T", default_value_t = 60)]
    steps: u64,
    /// Step size of localmax, hardmax and softmax: a number or an expression in t
    #[arg(long, default_value = "0.5")]
    alpha: String,
    /// Width of localmax's strip
    #[arg(long, default_value = "0.5")]
    delta: String,
    /// Inverse temperature of softmax
    #[arg(long, default_value = "2")]
    beta: String,
    /// Step of Frank–Wolfe
    #[arg(long, default_value = "2/(t+2)")]
    gamma: String,
    /// Engine that computes
    #[arg(long, default_value = "auto", value_parser = named(&EngineChoice::ALL))]
    engine: String,
    /// Width of the stored tokens
    #[arg(long, default_value = "f32", value_parser = ["f32", "f64"])]
    precision: String,
    /// Directory of the runs and the picture; otherwise runs/compare-K with the first free K
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Compare) -> Result<()> {
    interrupt::watch("nothing was begun")?;
    let schedule =
        |option: &str, text: &str| Schedule::parse(text).map_err(|e| Error::input(format!("--{option} {text}: {e}")));
    let options = Options {
        cloud: CloudSample::new(Cloud::parse(&arguments.kind)?, arguments.tokens, arguments.dim),
        seed: arguments.seed,
        steps: arguments.steps,
        alpha: schedule("alpha", &arguments.alpha)?,
        delta: schedule("delta", &arguments.delta)?,
        beta: schedule("beta", &arguments.beta)?,
        gamma: schedule("gamma", &arguments.gamma)?,
        precision: if arguments.precision == "f64" { Precision::F64 } else { Precision::F32 },
        engine: EngineChoice::parse(&arguments.engine)?,
    };
    let configs = compare::configs(&options)?;
    let folder = folder(arguments.out.clone())?;
    let places = configs.iter().map(|config| Place::new(Some(&folder.join(&config.name)), &config.name));
    let places: Vec<Place> = places.collect::<Result<_, Error>>()?;
    let runs = configs.iter().zip(&places).map(|(config, place)| take(config, place, crate::run::Options::default()));
    let runs: Vec<RunDir> = runs.collect::<Result<_>>().map_err(|error| match error.downcast::<Error>() {
        Ok(Error::Interrupted(_)) => Error::Interrupted(format!(
            "interrupted: {} has no picture, which takes all four runs; ask again with another --out",
            folder.display()
        ))
        .into(),
        Ok(error) => error.into(),
        Err(error) => error,
    })?;
    let title = "One cloud under four rules of attention";
    pictures::compare(&runs, title)?.save(&folder, "compare")?;
    for ending in ["svg", "png"] {
        output::print(&format!("wrote      {}\n", folder.join(format!("compare.{ending}")).display()))?;
    }
    Ok(output::print(&format!("study      {}\n", folder.display()))?)
}

/// The folder that was named, if nothing is in it, or the first free one.
fn folder(named: Option<PathBuf>) -> Result<PathBuf, Error> {
    match named {
        Some(path) => Place::new(Some(&path), "compare").map(|_| path),
        None => free::first(Path::new("runs"), "compare", |path| Ok(Some(path))),
    }
}
