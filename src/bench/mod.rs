//! Engines against one another in one run: the same clouds, in turn, medians of several rounds.
//!
//! A step must compute each of the n² scores once, 2·d floating-point operations each: **2n²d is
//! the work that every engine is charged with**, and 4n²d where every key has a weight and enters a
//! sum, whatever it really did (an engine that scans twice shows a lower rate, one that rules keys
//! out a higher one, above the peak even). The share of the peak is against a multiply-add loop
//! measured in the same run on the same device.

mod table;

use std::time::Duration;

use serde::Serialize;

use crate::choice::{self, EngineChoice};
use crate::clock::Instant;
use crate::engine::{self, Engine, Steps};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::init::{Cloud, CloudSample};
use crate::model::{Gain, Geometry, Integrator, Mask, Model, Operator, Rule, StripForm, Update};
use crate::outcome::Description;
use crate::schedule::Schedule;
use crate::tokens::{Precision, Tokens};

/// Systems and sizes to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Some of [`RULES`].
    pub rules: Vec<String>,
    /// Numbers of tokens.
    pub tokens: Vec<usize>,
    /// Dimensions.
    pub dimensions: Vec<usize>,
    /// Stored width.
    pub precision: Precision,
    /// Rounds; the median is quoted.
    pub rounds: usize,
    /// Time that one engine may take for one round, roughly; it takes as many steps as fit, at
    /// least one.
    pub round_time: Duration,
}

/// Rules that can be measured.
pub const RULES: [&str; 6] = ["localmax", "hardmax", "frank-wolfe", "softmax", "markov", "sphere"];

/// Opens an engine on a cloud.
pub type Open = Box<dyn Fn(&Model, &Tokens, Grid) -> Result<Box<dyn Engine>>>;

/// An engine that takes part.
pub struct Contender {
    /// Name in the table.
    pub name: String,
    /// Opens it on a cloud.
    pub open: Open,
    /// Peak of its device in GFLOP/s, measured in this run; none for the reference.
    pub peak: Option<f64>,
    /// Multiply-adds beyond which it is left out (the reference is slow).
    pub limit: f64,
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The rule.
    pub rule: String,
    /// Number of tokens.
    pub n: usize,
    /// Dimension.
    pub d: usize,
    /// The engine's name.
    pub engine: String,
    /// Median milliseconds a step.
    pub ms: f64,
    /// Fastest and slowest round, in milliseconds a step.
    pub ms_range: (f64, f64),
    /// Token pairs a second.
    pub pairs_per_second: f64,
    /// 2n²d (4n²d where every key has a weight) over the time.
    pub gflops: f64,
    /// `gflops` over the device's peak.
    pub share_of_peak: Option<f64>,
    /// Time of the CPU engine over this one's, in the same run.
    pub against_cpu: Option<f64>,
}

/// Everything measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of the program.
    pub version: &'static str,
    /// Stored width.
    pub precision: &'static str,
    /// Engines that took part, with the peak of each where it is known.
    pub engines: Vec<(String, Description, Option<f64>)>,
    /// The measurements.
    pub rows: Vec<Row>,
    /// Engines that were left out, and why.
    pub left_out: Vec<String>,
}

/// The model that a rule's name stands for here: α = 1; a strip a tenth of a unit wide; β = 1/√d,
/// the scale of transformers; on the sphere, SA in steps of a tenth.
fn model(name: &str, d: usize) -> Result<Model> {
    let beta = Schedule::Constant(1.0 / (d as f64).sqrt());
    let rule = match name {
        "localmax" => Rule::Localmax { delta: Schedule::Constant(0.1), strip: StripForm::Score },
        "hardmax" => Rule::Hardmax,
        "frank-wolfe" => Rule::FrankWolfe,
        "softmax" | "sphere" => Rule::Softmax { beta },
        "markov" => Rule::Markov { beta, seed: 7 },
        other => {
            return Err(Error::input(format!("unknown rule {other:?}; one of {}", RULES.join(", "))));
        }
    };
    let gain = Gain::Alpha(Schedule::Constant(1.0));
    let mut model = Model::averaging(rule, Operator::identity(), Mask::Full, gain);
    if name == "sphere" {
        model.update = Update::Flow { dt: 0.1, integrator: Integrator::EulerRenorm, geometry: Geometry::Sphere };
    }
    Ok(model)
}

/// Milliseconds a step over one round.
fn round(engine: &mut dyn Engine, steps: &mut Steps, t: &mut u64, time: Duration) -> Result<f64> {
    let start = Instant::now();
    let mut taken = 0;
    while taken == 0 || (start.elapsed() < time && taken < 64) {
        engine.step(&[steps.at(*t)?])?;
        *t += 1;
        taken += 1;
    }
    Ok(start.elapsed().as_secs_f64() * 1e3 / f64::from(taken))
}

/// Measures every rule, n and d on every contender, in turn.
///
/// # Errors
/// An unknown rule; sizes for which there is no memory, before anything is measured; a device that
/// fails.
pub fn run(plan: &Plan, contenders: &[Contender], mut progress: impl FnMut(&str)) -> Result<Report> {
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        precision: plan.precision.name(),
        engines: Vec::new(),
        rows: Vec::new(),
        left_out: Vec::new(),
    };
    for rule in &plan.rules {
        for &d in &plan.dimensions {
            let model = model(rule, d)?;
            model.validate(d, 1)?;
            for &n in &plan.tokens {
                engine::preflight(EngineChoice::Cpu, choice::Plan::Brute, &model, n, d, plan.precision)?;
            }
        }
    }
    for rule in &plan.rules {
        for &d in &plan.dimensions {
            let model = model(rule, d)?;
            for &n in &plan.tokens {
                progress(&format!("{rule}, n = {n}, d = {d}"));
                measure(plan, contenders, rule, &model, n, d, &mut report)?;
            }
        }
    }
    Ok(report)
}

fn measure(
    plan: &Plan,
    contenders: &[Contender],
    rule: &str,
    model: &Model,
    n: usize,
    d: usize,
    report: &mut Report,
) -> Result<()> {
    let cloud = CloudSample::new(Cloud::Gaussian, n, d).tokens(7, plan.precision)?;
    let grid = Grid::of(&cloud, plan.precision);
    let cloud = if model.is_exact() { grid.snap(&cloud)? } else { model.start(&cloud, plan.precision)? };
    let sums = if matches!(model.rule, Rule::Softmax { .. }) { 2.0 } else { 1.0 };
    let work = 2.0 * sums * (n as f64) * (n as f64) * d as f64;
    let mut running = Vec::new();
    for contender in contenders {
        if work / 2.0 > contender.limit {
            report.left_out.push(format!("{}: {rule}, n = {n}, d = {d} (too long)", contender.name));
            continue;
        }
        match (contender.open)(model, &cloud, grid) {
            Ok(engine) => running.push((contender, engine, Steps::new(model, grid, d), 0, Vec::new())),
            Err(error) => report.left_out.push(format!("{}: {rule}, n = {n}, d = {d} ({error})", contender.name)),
        }
    }
    for (contender, engine, steps, t, _) in &mut running {
        if !report.engines.iter().any(|(name, ..)| *name == contender.name) {
            report.engines.push((contender.name.clone(), engine.description(), contender.peak));
        }
        round(engine.as_mut(), steps, t, Duration::ZERO)?; // warm-up, not counted
    }
    for _ in 0..plan.rounds.max(1) {
        for (_, engine, steps, t, times) in &mut running {
            times.push(round(engine.as_mut(), steps, t, plan.round_time)?);
        }
    }
    let medians: Vec<f64> = running.iter_mut().map(|(.., times)| median(times)).collect();
    let cpu = running.iter().position(|(c, ..)| c.name == "cpu").map(|at| medians[at]);
    for ((contender, _, _, _, times), ms) in running.iter().zip(medians) {
        let gflops = work / ms / 1e6;
        report.rows.push(Row {
            rule: rule.to_owned(),
            n,
            d,
            engine: contender.name.clone(),
            ms,
            ms_range: (times[0], times[times.len() - 1]),
            pairs_per_second: (n as f64) * (n as f64) / ms * 1e3,
            gflops,
            share_of_peak: contender.peak.map(|peak| gflops / peak),
            against_cpu: cpu.map(|cpu| cpu / ms),
        });
    }
    Ok(())
}

/// Sorts; the middle one.
fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
