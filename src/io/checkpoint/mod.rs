//! A checkpoint: everything that a run needs to go on to the same bytes, in one file, `step_000000000012.safetensors`.
//!
//! The format is safetensors, 8 bytes of length, a header in JSON, and tensors:
//!
//! | tensor | dtype, shape | what |
//! |---|---|---|
//! | `frame_steps` | U64 (k) | the steps whose tokens are in `frames/` |
//! | `tokens` | F32 or F64 (n, d) | the state |
//! | `frame_hashes` | U8 (k, 32) | blake3 of each of those files |
//! | `seal` | U8 (32) | blake3 of everything before the tensors |
//!
//! The header's `__metadata__` has one entry, `localmax`: JSON with the [`Progress`] and the blake3 of the first three
//! tensors. So the seal covers the header, the header covers the tensors, and no truncation and no flipped bit passes: each
//! is reported with the file and the part. What is read is never larger than the file.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use read::read;
pub use write::write;

use crate::contract::Grid;
use crate::error::{Error, Result};
use crate::io::config::Config;
use crate::io::run_dir::{Mark, Options, Segment};
use crate::outcome::{Description, StepReport};
use crate::tokens::Tokens;

/// Version of what is in the file.
const VERSION: u32 = 1;
/// Longest header; a real one has a few kilobytes.
const LONGEST_HEADER: u64 = 1 << 24;
/// Bytes read and hashed, and numbers written, at a time.
const CHUNK: usize = 1 << 20;
const METADATA: &str = "localmax";
const STEPS: &str = "frame_steps";
const TOKENS: &str = "tokens";
const HASHES: &str = "frame_hashes";
const SEAL: &str = "seal";
const HASH_BYTES: usize = blake3::OUT_LEN;

/// A state on its way, and what has been written of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// X(s), in the stored width.
    pub tokens: Tokens,
    /// How far the run is.
    pub progress: Progress,
    /// The frames written so far, by step.
    pub frames: Vec<Frame>,
}

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
    fn require_possible(&self) -> std::result::Result<(), &'static str> {
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

/// What the header says beside the tensors' shapes.
#[derive(Serialize, Deserialize)]
struct Facts {
    version: u32,
    /// blake3 of the tensors, in the order of the file.
    blake3: [(String, String); 3],
    progress: Progress,
}

fn bad(path: &std::path::Path, part: &str, what: impl std::fmt::Display) -> Error {
    let what: String = what.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    Error::input(format!("{}: damaged in its {part}: {what}", path.display()))
}

/// The blake3 of a tensor's bytes.
fn hash(write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>) -> Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    write(&mut hasher).map_err(|e| Error::input(e.to_string()))?;
    Ok(hasher.finalize())
}
