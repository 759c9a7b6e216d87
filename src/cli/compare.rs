//! `localmax study compare`: one cloud under four rules, which differ in whom a token attends to.
//!
//! | rule | keys that are averaged | gain |
//! |---|---|---|
//! | localmax | the δ-strip, width form | α/(1+α) |
//! | hardmax | the exact maximisers | α/(1+α) |
//! | softmax | all keys, by `e^{βS}` | α/(1+α) |
//! | Frank–Wolfe | the maximiser of lowest index | γ(t) of its own |
//!
//! With one gain hardmax and Frank–Wolfe would draw one picture: they differ in exact ties alone.
//! Frank–Wolfe therefore takes the steps 2/(t+2) that its name stands for, unless told otherwise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::interrupt;
use super::output;
use super::run::take;
use super::source::{named, time};
use crate::choice::{EngineChoice, Plan};
use crate::error::Error;
use crate::init::{Cloud, CloudSample};
use crate::io::config::{Config, OutputOptions, RunOptions, TokenSource, Trigger};
use crate::io::first_free;
use crate::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use crate::run::pictures;
use crate::run::{Place, RunDir};
use crate::schedule::Schedule;
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
    /// End after this time, as after a signal: 3600 (seconds), 90m, 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    wall: Option<Duration>,
}

pub(super) fn run(arguments: &Compare) -> Result<()> {
    interrupt::watch("nothing was begun", arguments.wall)?;
    let configs = configs(arguments)?;
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
    let drawn = pictures::compare(&runs, title).and_then(|picture| picture.save(&folder, "compare"));
    let kept = || {
        format!("the four runs are complete in {}; for their picture ask again with another --out", folder.display())
    };
    drawn.map_err(|e| e.after(kept()))?;
    for ending in ["svg", "png"] {
        output::print(&format!("wrote      {}\n", folder.join(format!("compare.{ending}")).display()))?;
    }
    Ok(output::print(&format!("study      {}\n", folder.display()))?)
}

/// The folder that was named, if nothing is in it, or the first free one.
fn folder(named: Option<PathBuf>) -> Result<PathBuf, Error> {
    match named {
        Some(path) => Place::new(Some(&path), "compare").map(|_| path),
        None => first_free::first(Path::new("runs"), "compare", |path| Ok(Some(path))),
    }
}

/// Builds and checks the config of each rule.
fn configs(arguments: &Compare) -> Result<Vec<Config>, Error> {
    let schedule =
        |option: &str, text: &str| Schedule::parse(text).map_err(|e| Error::input(format!("--{option} {text}: {e}")));
    let cloud = CloudSample::new(Cloud::parse(&arguments.kind)?, arguments.tokens, arguments.dim);
    let alpha = Gain::Alpha(schedule("alpha", &arguments.alpha)?);
    let delta = schedule("delta", &arguments.delta)?;
    let beta = schedule("beta", &arguments.beta)?;
    let gamma = Gain::Gamma(schedule("gamma", &arguments.gamma)?);
    let precision = if arguments.precision == "f64" { Precision::F64 } else { Precision::F32 };
    let engine = EngineChoice::parse(&arguments.engine)?;
    cloud.validate()?;
    let config = |(rule, gain): (Rule, Gain)| {
        let config = Config {
            name: rule.name().to_owned(),
            seed: arguments.seed,
            tokens: TokenSource::Cloud(cloud.clone()),
            clouds: None,
            model: Model::averaging(rule, Operator::identity(), Mask::FULL, gain),
            run: RunOptions {
                steps: arguments.steps,
                engine,
                plan: Plan::Auto,
                precision,
                auto: false,
                tolerance: None,
            },
            output: OutputOptions {
                record: Trigger::Every(1),
                // At most about 200 frames.
                frames: Trigger::Every(arguments.steps.div_ceil(200).max(1)),
                measures: Trigger::Never,
                labels: true,
                checkpoint_seconds: 300.0,
            },
        };
        config.validate().map(|()| config)
    };
    let rules = [
        (Rule::Localmax { delta, strip: StripForm::Width }, alpha.clone()),
        (Rule::Hardmax, alpha.clone()),
        (Rule::Softmax { beta }, alpha),
        (Rule::FrankWolfe, gamma),
    ];
    rules.into_iter().map(config).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn configs_of(words: &[&str]) -> Result<Vec<Config>, Error> {
        let command = Compare::augment_args(clap::Command::new("compare").no_binary_name(true));
        let small = ["--tokens", "30", "--steps", "10", "--engine", "reference"];
        let matches = command.get_matches_from(small.iter().chain(words));
        configs(&Compare::from_arg_matches(&matches).unwrap())
    }

    /// A comparison of different clouds would compare nothing.
    #[test]
    fn one_cloud_four_rules() {
        let configs = configs_of(&["--precision", "f64"]).unwrap();
        let names: Vec<&str> = configs.iter().map(|config| config.name.as_str()).collect();
        assert_eq!(names, ["localmax", "hardmax", "softmax", "frank-wolfe"]);
        for config in &configs {
            assert_eq!(config.load_tokens().unwrap(), configs[0].load_tokens().unwrap());
            let again = Config::parse(&config.to_toml(), "c", &config.name, std::path::Path::new(""), &[]).unwrap();
            assert_eq!(again, *config);
        }
    }

    /// A parameter of one rule must be refused before any rule has run.
    #[test]
    fn bad_parameters_are_named() {
        let refused = configs_of(&["--beta=-1"]).unwrap_err().to_string();
        assert!(refused.contains("model.beta is -1 at step 0"), "{refused}");
    }
}
