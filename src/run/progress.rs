//! How far a run has come: its steps, its tables, its frames, who computed which steps, and the cycle that it is on.

use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::exact::{self, Grid};
use crate::io::config::Config;
use crate::io::input;
use crate::outcome::{Description, StepReport};

/// A file in `frames/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The step.
    pub step: u64,
    /// blake3 of the file.
    pub hash: blake3::Hash,
}

/// A recorded state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The step.
    pub step: u64,
    /// Its hash, hexadecimal.
    pub hash: String,
}

/// A state that came back: of a map that is the same at every step, all later ones come back too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// A step on it.
    pub from_step: u64,
    /// Steps after which every state is there again; the least such number where every step is recorded.
    pub period: u64,
}

/// How far a run is, beside its tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// s, the steps taken.
    pub step: u64,
    /// The run's name.
    pub name: String,
    /// [`Config::identity`](crate::io::config::Config::identity), hexadecimal: the system with its schedules.
    pub config: String,
    /// How it is taken.
    pub options: Options,
    /// e of the run's lattice.
    pub grid_exponent: i32,
    /// The largest magnitude of an initial coordinate.
    pub radius: f64,
    /// Who computed which steps.
    pub segments: Vec<Segment>,
    /// The tables written so far.
    pub tables: Vec<Mark>,
    /// The report of the last step; `None` at step 0.
    pub last: Option<StepReport>,
    /// Whether it was unlike the step before: [`Trigger::Event`](crate::io::config::Trigger::Event).
    #[serde(default)]
    pub event: bool,
    /// The step from which no bit moves any more, where one was found.
    pub fixed_point: Option<u64>,
    /// The recorded state that later ones are held against.
    #[serde(default)]
    pub anchor: Option<Recorded>,
    /// The cycle that the run is on, where one was found.
    #[serde(default)]
    pub cycle: Option<Cycle>,
    /// When the run started, in seconds since 1970 (UTC).
    pub started_unix: f64,
    /// Seconds that it has taken.
    pub total_seconds: f64,
    /// Seconds in steps.
    pub step_seconds: f64,
}

impl Progress {
    /// A run that is about to take its first step, from tokens on `grid` that reach out to `radius`.
    pub fn start(config: &Config, options: Options, grid: Grid, radius: f64, engine: Description) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            step: 0,
            name: config.name.clone(),
            config: config.identity().to_hex().to_string(),
            options,
            grid_exponent: grid.exponent,
            radius,
            segments: vec![Segment::new(0, engine)],
            tables: Vec::new(),
            last: None,
            event: true,
            fixed_point: None,
            anchor: None,
            cycle: None,
            started_unix: now.map_or(0.0, |t| t.as_secs_f64()),
            total_seconds: 0.0,
            step_seconds: 0.0,
        }
    }

    /// Refuses what no run can have written: a right seal makes no header true.
    pub(crate) fn require_possible(&self) -> std::result::Result<(), &'static str> {
        let in_folder = |file: &str| Path::new(file).file_name().is_some_and(|name| name == file);
        let is_duration = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        let checks = [
            (i64::try_from(self.step).is_ok(), "its step is no number of steps"),
            ((-1100..=1100).contains(&self.grid_exponent), "its lattice is beyond the range of numbers"),
            (is_duration(self.radius), "its radius is no length"),
            (is_duration(self.total_seconds) && is_duration(self.step_seconds), "its times are no durations"),
            (self.tables.iter().all(|mark| in_folder(&mark.file)), "its tables lie outside the run"),
            (self.segments.iter().all(|segment| segment.from_step <= self.step), "its segments lie ahead of it"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
    }

    /// A table's mark; `None` for one that has not been begun.
    pub fn mark(&self, table: &str) -> Option<&Mark> {
        self.tables.iter().find(|mark| mark.file == table)
    }

    /// Holds a recorded state against an earlier one, the last whose step was at least doubled since (Brent 1980): a cycle is
    /// found after at most three times the steps before its end.
    pub fn watch_for_cycle(&mut self, step: u64, hash: &str) {
        match &self.anchor {
            _ if self.cycle.is_some() => {}
            Some(anchor) if anchor.step < step && anchor.hash == hash => {
                self.cycle = Some(Cycle { from_step: anchor.step, period: step - anchor.step });
            }
            Some(anchor) if step < anchor.step.saturating_mul(2) => {}
            _ => self.anchor = Some(Recorded { step, hash: hash.to_owned() }),
        }
    }

    /// Notes that an engine goes on from here; whether it is another one, or another arithmetic.
    pub fn taken_up_by(&mut self, engine: Description) -> bool {
        let next = Segment::new(self.step, engine);
        self.segments.retain(|segment| segment.from_step < next.from_step);
        let changed = self.segments.last().is_some_and(|last| !next.continues(last));
        if changed || self.segments.is_empty() {
            self.segments.push(next);
        }
        changed
    }
}

/// Steps that one engine, adapter and arithmetic computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Steps taken before it.
    pub from_step: u64,
    /// Version of the program.
    pub localmax: String,
    /// Version of the arithmetic.
    pub contract: u32,
    /// Engine, adapter, driver.
    pub engine: Description,
}

impl Segment {
    /// What this program and an engine compute from a step on.
    pub fn new(from_step: u64, engine: Description) -> Self {
        Self { from_step, localmax: env!("CARGO_PKG_VERSION").into(), contract: exact::VERSION, engine }
    }

    /// Whether both were computed by the same.
    pub fn continues(&self, earlier: &Self) -> bool {
        Self { from_step: 0, ..self.clone() } == Self { from_step: 0, ..earlier.clone() }
    }
}

/// How a run is taken beyond what its config says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Check sampled rows against the reference every so many steps; 0 never.
    pub verify_every: u64,
    /// Go on after no bit moves any more.
    pub past_fixed_point: bool,
    /// Draw no pictures at its end.
    pub no_plot: bool,
}

/// How far a file had been written, and what it held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its name in the run's directory.
    pub file: String,
    /// Bytes.
    pub bytes: u64,
    /// blake3 of them, hexadecimal.
    pub blake3: String,
}

impl Mark {
    /// Checks that the file still begins with what had been written.
    ///
    /// # Errors
    /// A file that is gone, shorter, or another.
    pub fn verify(&self, folder: &Path) -> Result<()> {
        self.hasher(folder).map(drop)
    }

    pub(crate) fn hasher(&self, folder: &Path) -> Result<blake3::Hasher> {
        let path = folder.join(&self.file);
        let (file, _) = input::open(&path)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file.take(self.bytes)).map_err(|e| Error::file(&path, e))?;
        let (found, bytes) = (hasher.count(), self.bytes);
        if found < bytes {
            return Err(Error::input(format!(
                "{}: {found} bytes where {bytes} were written; rows are missing",
                path.display()
            )));
        }
        if hasher.finalize().to_hex().as_str() != self.blake3 {
            return Err(Error::input(format!(
                "{}: its first {bytes} bytes are not those that were written",
                path.display()
            )));
        }
        Ok(hasher)
    }
}
