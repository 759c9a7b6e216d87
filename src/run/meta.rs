//! meta.json: the engine, and everything else that may differ between runs with equal results.

use std::path::Path;

use serde::Serialize;

use crate::error::Result;
use crate::exact::{self, Grid};
use crate::io::atomic;
use crate::io::config::Config;
use crate::outcome::{Description, Effort};
use crate::run::clouds::Ends;
use crate::run::limits::Limits;
use crate::run::progress::{Cycle, Options, Progress, Segment};

/// The content of meta.json.
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
    /// The plan of the config.
    pub plan: String,
    /// The work of the last step; `None` for engines that do not tell.
    pub effort: Option<Effort>,
    /// The clouds of a run of many; `None` of one.
    pub clouds: Option<Ends>,
    /// n, of one cloud.
    pub n: usize,
    /// d.
    pub d: usize,
    /// The rule.
    pub rule: &'static str,
    /// Unit of δ, the strip's form; `None` for rules without a strip.
    pub strip: Option<&'static str>,
    /// Stored width.
    pub precision: &'static str,
    /// The lattice, of many clouds that of the first; `None` for systems in real numbers.
    pub grid: Option<GridFacts>,
    /// The engine and the config of each range of steps.
    pub segments: Vec<Segment>,
    /// Options of the run that are not in its config.
    pub options: Options,
    /// `completed`, at the last step or a fixed point; `interrupted`; `failed`; `running` while the
    /// run goes on, or if it was killed.
    pub ended: &'static str,
    /// The error of a run that failed.
    pub failure: Option<String>,
    /// Number of steps behind the state in `final.npy`.
    pub steps: u64,
    /// The step from which on no bit changes, if one was found.
    pub fixed_point: Option<u64>,
    /// The step whose largest move was the first within `run.tolerance`, and that tolerance.
    pub settled: Option<Settled>,
    /// The cycle that the run is on, if one was found.
    pub cycle: Option<Cycle>,
    /// The clusters of the last state; `None` while the run goes on, and of many clouds.
    pub limits: Option<Limits>,
    /// Start and duration.
    pub timings: Timings,
}

/// The end of a run with `run.tolerance`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Settled {
    /// The step.
    pub step: u64,
    /// The largest move of a coordinate, over the radius of the first state, that ends the run.
    pub tolerance: f64,
}

/// The lattice that the tokens live on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GridFacts {
    /// The largest magnitude of an initial coordinate, at most 2^e.
    pub radius: f64,
    /// e: no coordinate exceeds 2^e.
    pub exponent: i32,
    /// The unit u, the resolution of a coordinate.
    pub unit: f64,
}

/// Wall-clock facts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// Seconds since 1970 (UTC) at the start.
    pub started_unix: f64,
    /// Seconds from start to end, over all segments.
    pub total_seconds: f64,
    /// Seconds in steps.
    pub step_seconds: f64,
    /// Steps per second of step time.
    pub steps_per_second: f64,
}

/// The file's name in a run's directory.
pub(crate) const META: &str = "meta.json";

impl Meta {
    /// Writes the file in a run's directory, in place of an older one.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        atomic::write(&folder.join(META), |file| {
            serde_json::to_writer_pretty(&mut *file, self)?;
            file.write_all(b"\n")
        })
    }

    /// The content of meta.json before the next step.
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
            clouds: Ends::known(config, progress),
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
            settled: progress.settled.zip(config.run.tolerance).map(|(step, tolerance)| Settled { step, tolerance }),
            cycle: progress.cycle,
            limits: None,
            timings: Timings {
                started_unix: progress.started_unix,
                total_seconds: progress.total_seconds,
                step_seconds: progress.step_seconds,
                ..Timings::default()
            },
        }
    }
}
