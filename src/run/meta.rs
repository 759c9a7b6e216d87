//! meta.json: who computed, and everything that may differ between runs with the same result.

use serde::Serialize;

use crate::exact::{self, Grid};
use crate::io::config::Config;
use crate::outcome::{Description, Effort};
use crate::run::progress::{Cycle, Options, Progress, Segment};

/// What meta.json holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Meta {
    /// The config's name: the file's stem or the preset's name.
    pub name: String,
    /// Version of the program.
    pub localmax: &'static str,
    /// Version of the arithmetic; results depend on it.
    pub contract: u32,
    /// Engine, adapter, driver.
    pub engine: Description,
    /// How keys were to be searched.
    pub plan: String,
    /// How they were in the last step; `None` where an engine has one way only.
    pub effort: Option<Effort>,
    /// n.
    pub n: usize,
    /// d.
    pub d: usize,
    /// The rule.
    pub rule: &'static str,
    /// What δ is measured in; `None` for rules without a strip.
    pub strip: Option<&'static str>,
    /// Stored width.
    pub precision: &'static str,
    /// The lattice; `None` for systems in real numbers.
    pub grid: Option<GridFacts>,
    /// Who computed which steps.
    pub segments: Vec<Segment>,
    /// How it is taken beyond what the config says.
    pub options: Options,
    /// `completed`, at the last step or a fixed point; `interrupted`; `failed`; `running` while it goes on, or where it
    /// was killed.
    pub ended: &'static str,
    /// What made it fail.
    pub failure: Option<String>,
    /// Steps taken by the state in `final.npy`.
    pub steps: u64,
    /// The step from which no bit moves any more, where one was found.
    pub fixed_point: Option<u64>,
    /// The cycle that the run is on, where one was found.
    pub cycle: Option<Cycle>,
    /// When and how long.
    pub timings: Timings,
}

/// The lattice that the tokens live on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GridFacts {
    /// The largest magnitude of an initial coordinate, at most 2^e.
    pub radius: f64,
    /// e: no coordinate exceeds 2^e.
    pub exponent: i32,
    /// u, the resolution of a coordinate.
    pub unit: f64,
}

/// Wall-clock facts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// Seconds since 1970 (UTC) at the start.
    pub started_unix: f64,
    /// Seconds from start to end, of all its parts.
    pub total_seconds: f64,
    /// Seconds in steps alone.
    pub step_seconds: f64,
    /// Steps per second of those.
    pub steps_per_second: f64,
}

impl Meta {
    /// What is known of a run before its next step.
    pub fn new(config: &Config, progress: &Progress) -> Self {
        let strip = match config.model.rule {
            crate::model::Rule::Localmax { strip, .. } => Some(strip.name()),
            _ => None,
        };
        let grid = Grid { exponent: progress.grid_exponent, precision: config.run.precision };
        Self {
            name: progress.name.clone(),
            localmax: env!("CARGO_PKG_VERSION"),
            contract: exact::VERSION,
            engine: progress.segments.last().map(|segment| segment.engine.clone()).unwrap_or_default(),
            segments: progress.segments.clone(),
            options: progress.options,
            plan: config.run.plan.name().to_owned(),
            effort: None,
            n: config.n(),
            d: config.d(),
            rule: config.model.name(),
            strip,
            precision: config.run.precision.name(),
            grid: config.model.is_exact().then(|| GridFacts {
                radius: progress.radius,
                exponent: grid.exponent,
                unit: grid.unit(),
            }),
            ended: "running",
            failure: None,
            steps: progress.step,
            fixed_point: progress.fixed_point,
            cycle: progress.cycle,
            timings: Timings {
                started_unix: progress.started_unix,
                total_seconds: progress.total_seconds,
                step_seconds: progress.step_seconds,
                ..Timings::default()
            },
        }
    }
}
