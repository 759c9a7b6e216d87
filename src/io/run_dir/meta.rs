//! meta.json: who computed, and everything that may differ between runs with the same result.

use serde::Serialize;

use crate::contract::{self, Grid};
use crate::io::config::Config;
use crate::outcome::{Description, Effort};

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
    /// `completed`, at the last step or a fixed point; `interrupted`; or `failed`.
    pub ended: &'static str,
    /// What made it fail.
    pub failure: Option<String>,
    /// Steps taken by the state in `final.npy`.
    pub steps: u64,
    /// The step from which no bit moves any more, where one was found.
    pub fixed_point: Option<u64>,
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
    /// Seconds from start to end.
    pub total_seconds: f64,
    /// Seconds in steps alone.
    pub step_seconds: f64,
    /// Steps per second of those.
    pub steps_per_second: f64,
}

impl Meta {
    /// The facts that are known before the first step.
    pub fn new(config: &Config, engine: Description, grid: Grid, radius: f64) -> Self {
        let strip = match config.model.rule {
            crate::model::Rule::Localmax { strip, .. } => Some(strip.name()),
            _ => None,
        };
        let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            name: config.name.clone(),
            localmax: env!("CARGO_PKG_VERSION"),
            contract: contract::VERSION,
            engine,
            plan: config.run.plan.name().to_owned(),
            effort: None,
            n: config.n(),
            d: config.d(),
            rule: config.model.name(),
            strip,
            precision: config.run.precision.name(),
            grid: config.model.is_exact().then(|| GridFacts { radius, exponent: grid.exponent, unit: grid.unit() }),
            ended: "completed",
            failure: None,
            steps: 0,
            fixed_point: None,
            timings: Timings { started_unix: started.map_or(0.0, |t| t.as_secs_f64()), ..Timings::default() },
        }
    }
}
