//! `localmax bench`: GPU against CPU against reference, in one run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::output;
use super::progress::Bar;
use super::source::{at_least_one, named};
use crate::bench::{self, Contender, Plan};
use crate::choice;
use crate::engine;
use crate::error::Error;
#[cfg(feature = "gpu")]
use crate::gpu::{Adapter, Device};
use crate::init::Cloud;
use crate::io::npy;
use crate::num;
use crate::tokens::Precision;

/// Time the engines against one another on the same clouds, in turn
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  localmax bench                                   a table in a minute or two
  localmax bench --steps 1 --file x0.npy           the first step of your tokens
  localmax bench --tokens 1000,10000 --dims 3,64   your sizes
  localmax bench --rules softmax,sphere            other rules
  localmax bench --plan brute                      every pair, whatever could be ruled out
  localmax bench --engines cpu,gpu --markdown      a table for a README
  localmax bench --adapter 0,1                     two GPUs that share the rows of every step
  localmax bench --kernels --tokens 16384 --dims 3 the time of each GPU kernel in a step
  localmax bench --json > bench.json")]
pub(super) struct Arguments {
    /// Rules
    #[arg(long, value_delimiter = ',', default_values = ["localmax", "hardmax"], value_parser = bench::RULES)]
    rules: Vec<String>,
    /// Numbers of tokens
    #[arg(long, value_delimiter = ',', default_values_t = [1024, 4096, 16384], value_parser = at_least_one)]
    tokens: Vec<usize>,
    /// Dimensions
    #[arg(long, value_delimiter = ',', default_values_t = [3, 64], value_parser = at_least_one)]
    dims: Vec<usize>,
    /// Kind of the clouds, as in a config
    #[arg(long, value_name = "CLOUD", default_value = "normal", value_parser = named(&Cloud::ALL))]
    kind: String,
    /// Width of localmax's strips (0.1)
    #[arg(long, value_name = "X")]
    delta: Option<f64>,
    /// Tokens to measure in place of clouds: an .npy file
    #[arg(long, conflicts_with_all = ["tokens", "dims", "kind"])]
    file: Option<PathBuf>,
    /// Steps of each fresh cloud, from the first on; opening is not timed
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    steps: u32,
    /// Steps that an engine is asked for at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Engines; gpu is every adapter at hand, software drivers included
    #[arg(long, value_delimiter = ',', default_values = ["cpu", "gpu", "reference"],
          value_parser = ["cpu", "gpu", "reference"])]
    engines: Vec<String>,
    /// Which keys the CPU engine looks at
    #[arg(long, default_value = "auto", value_parser = ["auto", "brute", "filter", "norm", "tree"])]
    plan: String,
    /// Width of the stored tokens
    #[arg(long, default_value = "f32", value_parser = ["f32", "f64"])]
    precision: String,
    /// Rounds, in turn over the engines; the median is printed
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Seconds that an engine may take for one round, roughly; it takes at least one cloud
    #[arg(long, default_value_t = 0.2)]
    seconds: f64,
    /// Time each kernel in a step, on every GPU adapter that has timestamps; in one round
    #[arg(long, conflicts_with_all = ["engines", "rounds", "seconds", "markdown"])]
    kernels: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print a Markdown table
    #[arg(long)]
    markdown: bool,
}

/// Multiply-adds of one step beyond which the slow contenders are left out.
const REFERENCE_LIMIT: f64 = 3e8;
#[cfg(feature = "gpu")]
const SOFTWARE_LIMIT: f64 = 2e9;

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    if !(arguments.seconds > 0.0 && arguments.seconds <= 3600.0) {
        return Err(Error::input(format!(
            "--seconds {}: it must be above 0 and at most 3600",
            num::short(arguments.seconds)
        ))
        .into());
    }
    if let Some(delta) = arguments.delta
        && !arguments.rules.iter().any(|rule| rule == "localmax")
    {
        let delta = num::short(delta);
        return Err(Error::input(format!(
            "--delta {delta}: of these rules only localmax has it; name that in --rules"
        ))
        .into());
    }
    let precision = if arguments.precision == "f64" { Precision::F64 } else { Precision::F32 };
    let plan = Plan {
        rules: arguments.rules.clone(),
        tokens: arguments.tokens.clone(),
        dimensions: arguments.dims.clone(),
        precision,
        kind: Cloud::parse(&arguments.kind)?,
        delta: arguments.delta.unwrap_or(bench::DELTA),
        given: arguments.file.as_deref().map(npy::read).transpose()?,
        steps: u64::from(arguments.steps),
        batch: arguments.batch as usize,
        rounds: arguments.rounds as usize,
        round_time: Duration::from_secs_f64(arguments.seconds),
    };
    let search = choice::Plan::parse(&arguments.plan)?;
    let mut progress = Bar::new(
        (plan.rules.len() * plan.given.as_ref().map_or(plan.tokens.len() * plan.dimensions.len(), |_| 1)) as u64,
    );
    let mut done = 0;
    let mut tell = |what: &str| {
        progress.at(done, what);
        done += 1;
    };
    let text = if arguments.kernels {
        kernels(&plan, search, arguments.json, &mut tell)?
    } else {
        let contenders = contenders(&arguments.engines, search, precision)?;
        let report = bench::run(&plan, &contenders, &mut tell)?;
        if arguments.json {
            format!("{}\n", serde_json::to_string_pretty(&report)?)
        } else if arguments.markdown {
            report.to_markdown()
        } else {
            report.to_text()
        }
    };
    progress.done();
    Ok(output::print(&text)?)
}

fn contenders(engines: &[String], plan: choice::Plan, precision: Precision) -> Result<Vec<Contender>> {
    let wanted = |name: &str| engines.iter().any(|e| e == name);
    let mut all = Vec::new();
    if wanted("gpu") {
        match gpus(plan) {
            Ok(gpus) => all.extend(gpus),
            // In company it is left out; alone it is what was asked for.
            Err(error) if engines.iter().all(|e| e == "gpu") => return Err(error.into()),
            Err(error) => output::note(&format!("left out: {error}")),
        }
    }
    if wanted("cpu") {
        all.push(Contender::cpu(plan, precision));
    }
    if wanted("reference") {
        all.push(Contender {
            name: "reference".into(),
            open: Box::new(|model, tokens, grid| engine::on_reference(choice::Plan::Brute, model, tokens, grid)),
            peak: None,
            limit: REFERENCE_LIMIT,
        });
    }
    Ok(all)
}

/// Every adapter that opens, those of a list as one; or why there is none at all.
#[cfg(feature = "gpu")]
fn gpus(plan: choice::Plan) -> Result<Vec<Contender>, Error> {
    let mut all = Vec::new();
    for together in adapters("take --engines cpu")? {
        let limit = together.iter().map(limit).fold(f64::INFINITY, f64::min);
        match Device::open_all(&together) {
            Ok(devices) => all.push(Contender::gpu(devices, plan, limit)),
            Err(error) => output::note(&format!("left out: {error}")),
        }
    }
    Ok(all)
}

/// The adapters that are named, those of a list together, or all; `instead` is what to do where there is
/// none.
#[cfg(feature = "gpu")]
fn adapters(instead: &str) -> Result<Vec<Vec<Adapter>>, Error> {
    let adapters = Adapter::all_together()?;
    if adapters.is_empty() {
        return Err(Error::device(format!(
            "no GPU adapter; install its Vulkan driver (`localmax doctor` says what is seen) or {instead}"
        )));
    }
    Ok(adapters)
}

#[cfg(feature = "gpu")]
fn limit(adapter: &Adapter) -> f64 {
    if adapter.is_software() { SOFTWARE_LIMIT } else { f64::INFINITY }
}

/// The table of kernels, on every adapter that can be timed; why, if none can.
#[cfg(feature = "gpu")]
fn kernels(plan: &Plan, search: choice::Plan, json: bool, tell: impl FnMut(&str)) -> Result<String> {
    let (mut devices, mut refused) = (Vec::new(), Vec::new());
    for adapter in adapters("leave out --kernels")?.concat() {
        match Device::open_timed(&adapter) {
            Ok(device) => devices.push((device, limit(&adapter))),
            Err(error) => refused.push(error),
        }
    }
    if devices.is_empty() {
        return Err(refused.swap_remove(0).into());
    }
    for error in refused {
        output::note(&format!("left out: {error}"));
    }
    let report = bench::kernels::run(plan, search, &devices, tell)?;
    Ok(if json { format!("{}\n", serde_json::to_string_pretty(&report)?) } else { report.to_text() })
}

#[cfg(not(feature = "gpu"))]
fn kernels(_: &Plan, _: choice::Plan, _: bool, _: impl FnMut(&str)) -> Result<String> {
    Err(engine::no_gpu().into())
}

#[cfg(not(feature = "gpu"))]
fn gpus(_: choice::Plan) -> Result<Vec<Contender>, Error> {
    Err(engine::no_gpu())
}
