//! The progress of a run: its steps, its tables, its frames, the engines that computed them, and
//! the cycle that it is on.

use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::error::{Error, Result};
use crate::exact::{self, Grid};
use crate::io::config::Config;
use crate::io::config::clouds::Lattice;
use crate::io::input;
use crate::outcome::{Description, StepReport};

/// A file in `frames/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameFile {
    /// The step.
    pub step: u64,
    /// blake3 of the file.
    pub hash: blake3::Hash,
}

/// The recorded state with which later ones are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The step.
    pub step: u64,
    /// Hash of the state, hexadecimal.
    pub hash: String,
}

/// A cycle of states. Under a map that does not change in time, a state that comes back once comes
/// back for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// A step on the cycle.
    pub from_step: u64,
    /// Number of steps after which every state comes back; the least such number if every step is
    /// recorded.
    pub period: u64,
}

/// The progress of a run, without its tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// s, the number of steps taken.
    pub step: u64,
    /// The run's name.
    pub name: String,
    /// [`Config::identity`](crate::io::config::Config::identity), hexadecimal: the system with its
    /// schedules.
    pub config: String,
    /// Options of the run that are not in its config.
    pub options: Options,
    /// Exponent e of the run's lattice.
    pub grid_exponent: i32,
    /// The largest magnitude of an initial coordinate.
    pub radius: f64,
    /// Half the longest side of the initial tokens' box; not in runs of the contract's version 1.
    #[serde(default)]
    pub half_side: Option<f64>,
    /// The lattice of every cloud, in a run of many.
    #[serde(default)]
    pub lattices: Vec<Lattice>,
    /// The step from which on no bit of a cloud changes, where it is known, of each of many.
    #[serde(default)]
    pub rests: Vec<Option<u64>>,
    /// The step from which on the system has been as it is now.
    #[serde(default)]
    pub since: u64,
    /// The engine and the config of each range of steps.
    pub segments: Vec<Segment>,
    /// Marks of the tables written so far.
    pub tables: Vec<TableMark>,
    /// The report of the last step; `None` at step 0.
    pub last: Option<StepReport>,
    /// True if the last step differed from the one before:
    /// [`Trigger::Event`](crate::io::config::Trigger::Event).
    #[serde(default)]
    pub event: bool,
    /// The step from which on no bit changes, if one was found.
    pub fixed_point: Option<u64>,
    /// The step whose largest move was the first within `run.tolerance`.
    #[serde(default)]
    pub settled: Option<u64>,
    /// The recorded state with which later ones are compared.
    #[serde(default)]
    pub anchor: Option<Anchor>,
    /// The cycle that the run is on, if one was found.
    #[serde(default)]
    pub cycle: Option<Cycle>,
    /// Start of the run, in seconds since 1970 (UTC).
    pub started_unix: f64,
    /// Seconds that the run has taken.
    pub total_seconds: f64,
    /// Seconds that its steps have taken.
    pub step_seconds: f64,
}

impl Progress {
    /// The progress of a run before its first step, from tokens on `grid` of largest magnitude
    /// `radius`.
    pub fn start(config: &Config, options: Options, grid: Grid, radius: f64, engine: Description) -> Self {
        Self {
            step: 0,
            name: config.name.clone(),
            config: config.identity().to_hex().to_string(),
            options,
            grid_exponent: grid.exponent,
            radius,
            half_side: None,
            lattices: Vec::new(),
            rests: Vec::new(),
            since: 0,
            segments: vec![Segment::new(0, engine)],
            tables: Vec::new(),
            last: None,
            event: true,
            fixed_point: None,
            settled: None,
            anchor: None,
            cycle: None,
            started_unix: clock::unix_seconds(),
            total_seconds: 0.0,
            step_seconds: 0.0,
        }
    }

    /// Rejects values that no run can have written: a header can be sealed and still be false.
    pub(crate) fn require_possible(&self) -> std::result::Result<(), &'static str> {
        let in_folder = |file: &str| Path::new(file).file_name().is_some_and(|name| name == file);
        let is_duration = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        let checks = [
            (i64::try_from(self.step).is_ok(), "its step is no number of steps"),
            ((-1100..=1100).contains(&self.grid_exponent), "its lattice is beyond the range of numbers"),
            (
                self.lattices.iter().all(|of| (-1100..=1100).contains(&of.exponent) && is_duration(of.half_side)),
                "a cloud's lattice is beyond the range of numbers",
            ),
            (is_duration(self.radius) && self.half_side.is_none_or(is_duration), "its radius is no length"),
            (is_duration(self.total_seconds) && is_duration(self.step_seconds), "its times are no durations"),
            (self.tables.iter().all(|mark| in_folder(&mark.file)), "its tables lie outside the run"),
            (self.segments.iter().all(|segment| segment.from_step <= self.step), "its segments lie ahead of it"),
            (self.since <= self.step, "its system lies ahead of it"),
            (self.segments.iter().all(Segment::is_in_folder), "its configs lie outside the run"),
        ];
        checks.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(what))
    }

    /// The mark of a table; `None` if it has not been begun.
    pub fn mark(&self, table: &str) -> Option<&TableMark> {
        self.tables.iter().find(|mark| mark.file == table)
    }

    /// Compares a recorded state with the anchor, which moves on whenever the step has doubled
    /// (Brent 1980): a cycle is found after at most three times the steps before its end.
    pub fn watch_for_cycle(&mut self, step: u64, hash: &str) {
        match &self.anchor {
            _ if self.cycle.is_some() => {}
            Some(anchor) if anchor.step < step && anchor.hash == hash => {
                self.cycle = Some(Cycle { from_step: anchor.step, period: step - anchor.step });
            }
            Some(anchor) if step < anchor.step.saturating_mul(2) => {}
            _ => self.anchor = Some(Anchor { step, hash: hash.to_owned() }),
        }
    }

    /// Records the engine that goes on from here, and returns true if it differs from the one
    /// before.
    pub fn continue_with(&mut self, engine: Description) -> bool {
        let config = self.config().to_owned();
        self.begin(Segment { config, ..Segment::new(self.step, engine) })
    }

    /// Begins a segment, in the place of those that have no steps, whose changes it takes over. Returns true if
    /// another engine computed the steps before.
    pub(crate) fn begin(&mut self, mut next: Segment) -> bool {
        let first = self.segments.iter().position(|segment| segment.from_step >= next.from_step);
        let replaced = self.segments.split_off(first.unwrap_or(self.segments.len()));
        next.set = replaced.into_iter().flat_map(|segment| segment.set).chain(next.set).collect();
        let last = self.segments.last();
        let is_other_engine = last.is_some_and(|last| !next.continues(last));
        if is_other_engine || last.is_none_or(|last| next.config != last.config) {
            self.segments.push(next);
        }
        is_other_engine
    }

    /// True if the run has taken no step since its config changed.
    pub(crate) fn has_changed_here(&self) -> bool {
        self.segments.last().is_some_and(|last| last.from_step == self.step && !last.set.is_empty())
    }

    /// The path of the config that the run has now, in its directory.
    pub(crate) fn config(&self) -> &str {
        self.segments.last().map_or(CONFIG, |segment| &segment.config)
    }
}

/// The config of a run's first steps, in its directory.
pub(crate) const CONFIG: &str = "config.toml";
/// The folder of the configs of later steps, each in a folder of its own.
pub(crate) const CHANGES: &str = "changes";

/// The path of the k-th config of later steps in a run's directory.
pub(crate) fn changed_config(k: u64) -> String {
    format!("{CHANGES}/{k}/{CONFIG}")
}

/// Steps that one engine, adapter and arithmetic computed, of one config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Number of steps taken before the segment.
    pub from_step: u64,
    /// Version of the program.
    pub localmax: String,
    /// Version of the arithmetic.
    pub contract: u32,
    /// Engine, adapter, driver.
    pub engine: Description,
    /// The path of its config in the run's directory.
    #[serde(default = "first_config")]
    pub config: String,
    /// The keys that the config changed, `key=value` as they were given; none in the first.
    #[serde(default)]
    pub set: Vec<String>,
}

fn first_config() -> String {
    CONFIG.to_owned()
}

impl Segment {
    /// The segment that this program and an engine begin at a step, of a run's first config.
    pub fn new(from_step: u64, engine: Description) -> Self {
        let localmax = env!("CARGO_PKG_VERSION").into();
        Self { from_step, localmax, contract: exact::VERSION, engine, config: first_config(), set: Vec::new() }
    }

    /// True if both were computed by one version, arithmetic and engine.
    pub fn continues(&self, earlier: &Self) -> bool {
        let by = |segment: &Self| (segment.localmax.clone(), segment.contract, segment.engine.clone());
        by(self) == by(earlier)
    }

    /// The number of its config, 0 of the first; `None` if no run has such a config.
    pub(crate) fn config_number(&self) -> Option<u64> {
        let inner = self.config.strip_prefix(CHANGES).and_then(|rest| rest.strip_suffix(CONFIG));
        let number = inner.and_then(|inner| inner.trim_matches('/').parse().ok());
        if self.config == CONFIG { Some(0) } else { number.filter(|&k| changed_config(k) == self.config) }
    }

    fn is_in_folder(&self) -> bool {
        self.config_number().is_some()
    }
}

/// Options of a run that are not in its config.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Number of steps between checks of sampled rows against the reference; 0 for none.
    pub verify_every: u64,
    /// Go on after a fixed point.
    pub past_fixed_point: bool,
    /// Draw no pictures at the end.
    pub no_plot: bool,
}

/// The length of a table when a checkpoint was written, and the hash of its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableMark {
    /// Name of the file in the run's directory.
    pub file: String,
    /// Length in bytes.
    pub bytes: u64,
    /// blake3 of the bytes, hexadecimal.
    pub blake3: String,
}

/// Most bytes of a table that are looked at for what was changed.
const LARGEST_MENDED: u64 = 1 << 30;

impl TableMark {
    /// Checks that the file still begins with the marked bytes.
    ///
    /// # Errors
    /// A file that is gone, too short, or begins with other bytes.
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
            // As a version control system or an editor leaves it.
            let text = input::bytes(&path, LARGEST_MENDED).unwrap_or_default();
            let mended: Vec<u8> = text.into_iter().filter(|byte| *byte != b'\r').take(bytes as usize).collect();
            if blake3::hash(&mended).to_hex().as_str() == self.blake3 {
                let path = path.display();
                return Err(Error::input(format!(
                    "{path}: its line ends were changed to \\r\\n; change them back, as `sed -i 's/\\r$//' {path}` does"
                )));
            }
            return Err(Error::input(format!(
                "{}: its first {bytes} bytes are not those that were written",
                path.display()
            )));
        }
        Ok(hasher)
    }
}
