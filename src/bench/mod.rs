//! Engines against one another in one run: the same fresh clouds, in turn, medians of several
//! rounds.
//!
//! A trial opens an engine on a fresh cloud and takes the first few steps of it; opening is not
//! timed. Every round repeats the same clouds, so that the spread of the rounds is the machine's.
//! A rate counts the operations that a step did, 2·d for each key scored and 2·d more for each key
//! with a weight, and never those that a plan ruled out. Its share of the peak is against a
//! multiply-add loop on the same device, measured before and after the rounds; the higher one
//! counts.

#[cfg(feature = "gpu")]
pub mod kernels;
mod table;

use std::time::Duration;

use serde::Serialize;

use crate::choice::{self, EngineChoice};
use crate::clock::Instant;
use crate::cpu;
use crate::engine::{self, Engine, Step, Steps, When};
use crate::error::{Error, Result};
use crate::exact::Grid;
#[cfg(feature = "gpu")]
use crate::gpu::{Device, fma_peak};
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
    /// Kind of the clouds.
    pub kind: Cloud,
    /// Width of localmax's strips.
    pub delta: f64,
    /// Tokens to measure in place of clouds of these numbers and dimensions.
    pub given: Option<Tokens>,
    /// Steps of each cloud that are timed, from the first on.
    pub steps: u64,
    /// Steps that an engine is asked for at once.
    pub batch: usize,
    /// Rounds; the median is quoted.
    pub rounds: usize,
    /// Time that one engine may take for the steps of one round, roughly; it takes as many clouds
    /// as fit, at least one and at most [`MOST_CLOUDS`].
    pub round_time: Duration,
}

/// Rules that can be measured.
pub const RULES: [&str; 6] = ["localmax", "hardmax", "frank-wolfe", "softmax", "markov", "sphere"];

/// Clouds of one round at most.
pub const MOST_CLOUDS: usize = 64;

/// Width of localmax's strips unless given.
pub const DELTA: f64 = 0.1;

/// Opens an engine on a cloud.
pub type Open = Box<dyn Fn(&Model, &Tokens, Grid) -> Result<Box<dyn Engine>>>;

/// An engine that takes part.
pub struct Contender {
    /// Name in the table.
    pub name: String,
    /// Opens it on a cloud.
    pub open: Open,
    /// Measures the peak of its device in GFLOP/s; none for the reference.
    pub peak: Option<Box<dyn Fn() -> Result<f64>>>,
    /// Multiply-adds of a step beyond which it is left out (the reference is slow).
    pub limit: f64,
}

impl Contender {
    /// The CPU engine, at every size.
    pub fn cpu(plan: choice::Plan, precision: Precision) -> Self {
        Self {
            name: "cpu".into(),
            open: Box::new(move |model, tokens, grid| engine::on_cpu(plan, model, tokens, grid)),
            peak: Some(Box::new(move || cpu::fma_peak(precision, cpu::Options::default()))),
            limit: f64::INFINITY,
        }
    }

    /// The GPU engine on devices that share the rows, up to a number of multiply-adds of a step. Its peak
    /// is the sum of theirs, one after another; one that is listed twice counts once.
    #[cfg(feature = "gpu")]
    pub fn gpu(devices: Vec<Device>, plan: choice::Plan, limit: f64) -> Self {
        let is_software = devices.iter().any(|device| device.adapter().is_software());
        let mut each = devices.clone();
        each.sort_by_key(|device| device.adapter().number());
        each.dedup_by_key(|device| device.adapter().number());
        Self {
            name: if is_software { "gpu (software)".into() } else { "gpu".into() },
            open: Box::new(move |model, tokens, grid| engine::on_gpus(&devices, plan, model, tokens, grid)),
            peak: Some(Box::new(move || each.iter().map(|device| Ok(fma_peak(device)?.gflops)).sum())),
            limit,
        }
    }
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
    /// Steps of each cloud that were timed, from the first on.
    pub steps: u64,
    /// Median milliseconds a step.
    pub ms: f64,
    /// Fastest and slowest round, in milliseconds a step.
    pub ms_range: (f64, f64),
    /// Keys scored for each of the n rows, a step, in all passes.
    pub keys_a_row: f64,
    /// n² over the time: the pairs that a step decides on, scored or ruled out.
    pub pairs_per_second: f64,
    /// Operations done, in 10⁹ a second.
    pub gflops: f64,
    /// `gflops` over the device's peak; none where the machine changed its speed so much that the
    /// peak came out lower.
    pub share_of_peak: Option<f64>,
    /// Time of the CPU engine over this one's, in the same run.
    pub against_cpu: Option<f64>,
}

/// The program and the plan behind some measurements.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// Version of the program.
    pub version: &'static str,
    /// Stored width.
    pub precision: &'static str,
    /// Kind of the clouds; none where tokens were given.
    pub kind: Option<&'static str>,
    /// Width of localmax's strips.
    pub delta: f64,
    /// Steps that an engine was asked for at once.
    pub batch: usize,
}

impl Settings {
    fn of(plan: &Plan) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            precision: plan.precision.name(),
            kind: plan.given.is_none().then(|| plan.kind.name()),
            delta: plan.delta,
            batch: plan.batch,
        }
    }
}

/// Everything measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The settings.
    #[serde(flatten)]
    pub settings: Settings,
    /// Engines that took part, with the peak of each where it is known.
    pub engines: Vec<(String, Description, Option<f64>)>,
    /// The measurements.
    pub rows: Vec<Row>,
    /// Engines that were left out, and why.
    pub left_out: Vec<String>,
}

/// The model that a rule's name stands for here: α = 1; a strip of width δ; β = 1/√d, the scale of
/// transformers; on the sphere, SA in steps of a tenth.
fn model(name: &str, d: usize, delta: f64) -> Result<Model> {
    let beta = Schedule::Constant(1.0 / (d as f64).sqrt());
    let rule = match name {
        "localmax" => Rule::Localmax { delta: Schedule::Constant(delta), strip: StripForm::Score },
        "hardmax" => Rule::Hardmax,
        "frank-wolfe" => Rule::FrankWolfe,
        "softmax" | "sphere" => Rule::Softmax { beta },
        "markov" => Rule::Markov { beta, seed: 7 },
        other => {
            return Err(Error::input(format!("unknown rule {other:?}; one of {}", RULES.join(", "))));
        }
    };
    let gain = Gain::Alpha(Schedule::Constant(1.0));
    let mut model = Model::averaging(rule, Operator::identity(), Mask::FULL, gain);
    if name == "sphere" {
        model.update = Update::Flow { dt: 0.1, integrator: Integrator::EulerRenorm, geometry: Geometry::Sphere };
    }
    Ok(model)
}

/// One rule on clouds of one size.
struct Case<'a> {
    rule: &'a str,
    model: Model,
    n: usize,
    d: usize,
    kind: Cloud,
    given: Option<&'a Tokens>,
    /// Clouds drawn so far, the first with the seed [`SEED`], with their lattices.
    clouds: Vec<(Tokens, Grid)>,
}

/// Seed of the first cloud of each round.
const SEED: u64 = 7;

impl Case<'_> {
    /// The k-th cloud of a round.
    fn cloud(&mut self, k: usize, precision: Precision) -> Result<&(Tokens, Grid)> {
        while self.clouds.len() <= k {
            let seed = SEED + self.clouds.len() as u64;
            let drawn = match self.given {
                Some(tokens) => tokens.clone(),
                None => CloudSample::new(self.kind, self.n, self.d).tokens(seed, precision)?,
            };
            let grid = Grid::of(&drawn, precision);
            let exact = self.model.is_exact();
            let start = if exact { grid.snap(&drawn)? } else { self.model.start(&drawn, precision)? };
            self.clouds.push((start, grid));
        }
        Ok(&self.clouds[k])
    }

    /// Operations on a scored key.
    fn operations(&self) -> f64 {
        let sums = if matches!(self.model.rule, Rule::Softmax { .. }) { 2.0 } else { 1.0 };
        2.0 * sums * self.d as f64
    }

    /// An engine on the k-th cloud, and the parameters of its first steps.
    fn opened(&mut self, open: &Open, k: usize, plan: &Plan) -> Result<(Box<dyn Engine>, Vec<Step>)> {
        let (d, model) = (self.d, self.model.clone());
        let (cloud, grid) = self.cloud(k, plan.precision)?;
        let engine = open(&model, cloud, *grid)?;
        let mut parameters = Steps::new(&model, *grid, d);
        let steps = (0..plan.steps).map(|t| parameters.at(t)).collect::<Result<_>>()?;
        Ok((engine, steps))
    }

    /// Adds the first steps of a fresh cloud to what a round has spent.
    fn trial(&mut self, open: &Open, k: usize, plan: &Plan, spent: &mut Spent) -> Result<()> {
        let (mut engine, steps) = self.opened(open, k, plan)?;
        spent.take(engine.as_mut(), self.n, &steps, plan.batch)
    }
}

/// What the steps of a round took.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    steps: f64,
    seconds: f64,
    keys: f64,
}

impl Spent {
    /// Adds steps of an engine that holds n tokens, so many at once.
    fn take(&mut self, engine: &mut dyn Engine, n: usize, steps: &[Step], batch: usize) -> Result<()> {
        let n = n as f64;
        for steps in steps.chunks(batch) {
            let start = Instant::now();
            engine.step(steps)?;
            self.seconds += start.elapsed().as_secs_f64();
            self.steps += steps.len() as f64;
            let keys = engine.effort().map_or(n * n, |effort| effort.keys_a_row * effort.rows as f64);
            self.keys += keys * steps.len() as f64;
        }
        Ok(())
    }
}

/// Measures every rule, n and d on every contender, in turn.
///
/// # Errors
/// An unknown rule; sizes for which there is no memory, before anything is measured; a device that
/// fails.
pub fn run(plan: &Plan, contenders: &[Contender], mut progress: impl FnMut(&str)) -> Result<Report> {
    let cases = cases(plan)?;
    let mut report =
        Report { settings: Settings::of(plan), engines: Vec::new(), rows: Vec::new(), left_out: Vec::new() };
    let mut peaks = Peaks(contenders.iter().map(|_| None).collect());
    peaks.measure(contenders)?;
    for mut case in cases {
        progress(&format!("{}, n = {}, d = {}", case.rule, case.n, case.d));
        let before = report.rows.len();
        measure(plan, contenders, &mut case, &mut report)?;
        if report.rows.len() > before {
            peaks.measure(contenders)?;
        }
    }
    peaks.enter(contenders, &mut report);
    Ok(report)
}

/// Every rule on every size.
///
/// # Errors
/// An unknown rule; sizes for which there is no memory.
fn cases(plan: &Plan) -> Result<Vec<Case<'_>>> {
    let sizes: Vec<(usize, usize)> = match &plan.given {
        Some(tokens) => vec![(tokens.n(), tokens.d())],
        None => plan.dimensions.iter().flat_map(|&d| plan.tokens.iter().map(move |&n| (n, d))).collect(),
    };
    let mut cases = Vec::new();
    for rule in &plan.rules {
        for &(n, d) in &sizes {
            let model = model(rule, d, plan.delta)?;
            model.validate(d, 1)?;
            engine::preflight(EngineChoice::Cpu, choice::Plan::Brute, &model, n, d, plan.precision, When::Begin)?;
            cases.push(Case { rule, model, n, d, kind: plan.kind, given: plan.given.as_ref(), clouds: Vec::new() });
        }
    }
    Ok(cases)
}

/// The highest peak of each contender's device so far, in GFLOP/s.
struct Peaks(Vec<Option<f64>>);

impl Peaks {
    fn measure(&mut self, contenders: &[Contender]) -> Result<()> {
        for (highest, contender) in self.0.iter_mut().zip(contenders) {
            if let Some(measure) = &contender.peak {
                *highest = Some(highest.unwrap_or(0.0).max(measure()?));
            }
        }
        Ok(())
    }

    /// Enters peaks and shares into the report.
    fn enter(&self, contenders: &[Contender], report: &mut Report) {
        for (contender, peak) in contenders.iter().zip(&self.0) {
            for engine in report.engines.iter_mut().filter(|(name, ..)| *name == contender.name) {
                engine.2 = *peak;
            }
            for row in report.rows.iter_mut().filter(|row| row.engine == contender.name) {
                row.share_of_peak = peak.map(|peak| row.gflops / peak).filter(|&share| share <= 1.0);
                if peak.is_some() && row.share_of_peak.is_none() {
                    let case = format!("{}: share of the peak, {}, n = {}, d = {}", row.engine, row.rule, row.n, row.d);
                    report.left_out.push(format!("{case} (the machine was slower while the peak was measured)"));
                }
            }
        }
    }
}

/// Multiply-adds that a step will take, as far as is known: those of every pair; fewer where a plan ruled
/// pairs out with fewer tokens, from where the scored keys are taken to grow as the pairs do.
fn expected(case: &Case, contender: &Contender, report: &Report) -> f64 {
    let n = case.n as f64;
    let is_smaller =
        |row: &&Row| row.rule == case.rule && row.d == case.d && row.engine == contender.name && row.n < case.n;
    let keys = report.rows.iter().filter(is_smaller).map(|row| row.keys_a_row * n * n / row.n as f64);
    keys.fold(n * n, f64::min) * case.operations() / 2.0
}

fn measure(plan: &Plan, contenders: &[Contender], case: &mut Case, report: &mut Report) -> Result<()> {
    let n = case.n as f64;
    let mut running: Vec<(&Contender, Vec<Spent>)> = Vec::new();
    for contender in contenders {
        let name = format!("{}: {}, n = {}, d = {}", contender.name, case.rule, case.n, case.d);
        if expected(case, contender, report) > contender.limit {
            report.left_out.push(format!("{name} (too long)"));
            continue;
        }
        // One step that is not counted: it compiles kernels, and finds out whether the engine takes
        // the system at all.
        let (cloud, grid) = case.cloud(0, plan.precision)?.clone();
        match (contender.open)(&case.model, &cloud, grid) {
            Ok(mut engine) => {
                engine.step(&[Steps::new(&case.model, grid, case.d).at(0)?])?;
                if !report.engines.iter().any(|(name, ..)| *name == contender.name) {
                    report.engines.push((contender.name.clone(), engine.description(), None));
                }
                running.push((contender, Vec::new()));
            }
            Err(error) => report.left_out.push(format!("{name} ({error})")),
        }
    }
    for _ in 0..plan.rounds.max(1) {
        for (contender, rounds) in &mut running {
            let mut spent = Spent::default();
            for k in 0..MOST_CLOUDS {
                case.trial(&contender.open, k, plan, &mut spent)?;
                if spent.seconds >= plan.round_time.as_secs_f64() {
                    break;
                }
            }
            rounds.push(spent);
        }
    }
    let ms = |spent: &Spent| spent.seconds * 1e3 / spent.steps;
    for (_, rounds) in &mut running {
        rounds.sort_by(|a, b| ms(a).total_cmp(&ms(b)));
    }
    let cpu = running.iter().find(|(c, _)| c.name == "cpu").map(|(_, rounds)| ms(&rounds[rounds.len() / 2]));
    for (contender, rounds) in running {
        let median = rounds[rounds.len() / 2];
        let keys = median.keys / median.steps;
        report.rows.push(Row {
            rule: case.rule.to_owned(),
            n: case.n,
            d: case.d,
            engine: contender.name.clone(),
            steps: plan.steps,
            ms: ms(&median),
            ms_range: (ms(&rounds[0]), ms(&rounds[rounds.len() - 1])),
            keys_a_row: keys / n,
            pairs_per_second: n * n / ms(&median) * 1e3,
            gflops: keys * case.operations() / ms(&median) / 1e6,
            share_of_peak: None,
            against_cpu: cpu.map(|cpu| cpu / ms(&median)),
        });
    }
    Ok(())
}
