//! The config: one TOML file that says what to run (`seed`, `[tokens]`, `[model]`, `[run]`,
//! `[output]`).
//!
//! Reading resolves it: defaults are filled in, paths made absolute, matrices read, every parameter
//! checked against its domain. An unknown key is an error that names the nearest known one.
//! [`Config::to_toml`] writes the resolved config, which runs again as it is.
//!
//! | file | what |
//! |---|---|
//! | `keys` | every key of every table and rule; `docs/config.md` says what they mean |
//! | `document` | TOML in which every value knows its line and column, or its option of the command line |
//! | `section` | typed values of one table |
//! | `model`, `operator` | the system, and its matrices |
//! | `clouds`, `count` | many clouds in one run, and their number |
//! | `graph` | a graph as a mask |
//! | `start` | the first state, and the choice of its precision |
//! | `template` | a config to fill in |
//! | `tokens` | where the first state comes from |
//! | `trigger` | the steps at which something is written |
//! | `write` | the resolved config as text |

pub mod clouds;
mod count;
mod document;
mod graph;
pub mod keys;
mod model;
mod operator;
mod section;
pub mod start;
pub mod template;
mod tokens;
mod trigger;
mod write;

use std::path::Path;
use std::sync::Arc;

pub use document::Override;
use document::{Place, Source, Table};
use section::Section;
pub use tokens::TokenSource;
use tokens::{OWN_ROWS, Whose, fixed_keys, token_source};
pub use trigger::Trigger;

use crate::choice::{self, EngineChoice, Plan};
use crate::error::{Error, Result};
use crate::io::{input, npy, presets};
use crate::model::Model;
use crate::num;
use crate::tokens::{Precision, Tokens};

/// Most bytes of a config file. Larger data belongs into `.npy` files.
const LARGEST: u64 = 4 << 20;
/// Number of steps for which schedules are checked before the first step. Later steps are checked
/// when they are reached.
const CHECKED_AHEAD: u64 = 1_000_000;

/// The values of `run.precision`; `None` leaves the choice to the tokens and the steps.
pub const PRECISIONS: [(Option<Precision>, &str); 3] =
    [(None, "auto"), (Some(Precision::F32), "f32"), (Some(Precision::F64), "f64")];

/// A run, resolved and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The run's name: the file's stem or the preset's name.
    pub name: String,
    /// Seed of generated tokens.
    pub seed: u64,
    /// The source of the initial tokens.
    pub tokens: TokenSource,
    /// m, where the run is of m clouds ([`clouds`]).
    pub clouds: Option<usize>,
    /// The system.
    pub model: Model,
    /// The table `[run]`.
    pub run: RunOptions,
    /// The table `[output]`: when something is written.
    pub output: OutputOptions,
}

/// The table `[run]`.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOptions {
    /// Steps to take.
    pub steps: u64,
    /// The engine.
    pub engine: EngineChoice,
    /// The search for keys.
    pub plan: Plan,
    /// Width of the stored tokens.
    pub precision: Precision,
    /// Whether [`Config::start`] may still choose f64 instead: `precision = "auto"`, in an exact
    /// rule whose tokens do not come as f64.
    pub auto: bool,
    /// The largest move of a coordinate in a step, over the radius of the first state, at which the
    /// run ends; only for rules in real numbers, which have no fixed point to end at.
    pub tolerance: Option<f64>,
}

/// The table `[output]`: when something is written.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputOptions {
    /// Trigger of rows of metrics.csv.
    pub record: Trigger,
    /// Trigger of files in frames/.
    pub frames: Trigger,
    /// Trigger of rows of measures.csv; there is no file if it is [`Trigger::Never`].
    pub measures: Trigger,
    /// Whether the clusters of the last state are found, and labels.npy is written.
    pub labels: bool,
    /// Seconds between checkpoints, above 0.
    pub checkpoint_seconds: f64,
}

impl Config {
    /// Reads a file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// A file that cannot be read; anything wrong in it, with line and column.
    pub fn load(path: &Path, overrides: &[Override]) -> Result<Self> {
        Self::load_of(path, overrides, &Whose::New)
    }

    /// Reads the config in a run's folder, with changes. Its tokens are known: the file they came from, which may
    /// be gone, is not read if `header` is given.
    ///
    /// # Errors
    /// The errors of [`Config::load`].
    pub fn load_begun(path: &Path, header: Option<npy::Header>, changes: &[Override]) -> Result<Self> {
        Self::load_of(path, changes, &Whose::Begun(header))
    }

    fn load_of(path: &Path, overrides: &[Override], whose: &Whose) -> Result<Self> {
        let text = input::given(path, LARGEST)?;
        let name = path.file_stem().map_or_else(|| "run".into(), |stem| stem.to_string_lossy().into_owned());
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::read(&text, &path.display().to_string(), &name, folder, overrides, whose)
    }

    /// Reads an embedded preset.
    ///
    /// # Errors
    /// An unknown preset; an override that does not fit.
    pub fn preset(name: &str, overrides: &[Override]) -> Result<Self> {
        let preset = presets::find(name)?;
        Self::parse(preset.text, &format!("preset {name}"), name, Path::new(""), overrides)
    }

    /// Reads a text, which errors call `source`.
    ///
    /// # Errors
    /// Anything wrong in the text, with line and column.
    pub fn parse(text: &str, source: &str, name: &str, folder: &Path, overrides: &[Override]) -> Result<Self> {
        Self::read(text, source, name, folder, overrides, &Whose::New)
    }

    /// Reads a text as [`Config::parse`] does, for a run from tokens in memory, as they would come
    /// from a file. They take the place of the text's own.
    ///
    /// # Errors
    /// The errors of [`Config::parse`]; an override of tokens.
    pub fn of_tokens(tokens: Tokens, text: &str, name: &str, overrides: &[Override]) -> Result<Self> {
        Self::read(text, name, name, Path::new(""), overrides, &Whose::Given(tokens))
    }

    /// Reads a file as [`Config::load`] does, for a run from tokens in memory ([`Config::of_tokens`]).
    ///
    /// # Errors
    /// The errors of [`Config::load`]; an override of tokens.
    pub fn load_of_tokens(tokens: Tokens, path: &Path, overrides: &[Override]) -> Result<Self> {
        Self::load_of(path, overrides, &Whose::Given(tokens))
    }

    fn read(
        text: &str,
        source: &str,
        name: &str,
        folder: &Path,
        overrides: &[Override],
        whose: &Whose,
    ) -> Result<Self> {
        let source = Arc::new(Source { name: source.to_owned(), text: text.to_owned() });
        let mut top = Table::parse(&source)?;
        overrides.iter().try_for_each(|change| change.apply(&mut top))?;
        keys::check(&top)?;
        let document = Section::document(&top, Place::File(source, 0), folder);
        Self::resolve(&document, name, whose).map_err(|e| top.blame(e))
    }

    fn resolve(document: &Section<'_>, name: &str, whose: &Whose) -> Result<Self> {
        let seed = document.or("seed", 0, |field| field.count(0))?;
        let (tokens, clouds) = token_source(&document.table("tokens"), whose)?;
        // A config in rows of numbers says nothing of their width; an array of a program does.
        let width = if let Whose::Given(given) = whose { given.precision() } else { tokens.precision() };
        let system = document.table("model");
        let mut model = model::read(&system, seed)?;
        if let Some(field) = document.table("tokens").get("keys") {
            if clouds.is_some() {
                return Err(
                    field.error(" is given beside tokens.clouds, and clouds have no fixed keys yet; leave one out")
                );
            }
            model = model.fixed_keys(fixed_keys(&field)?);
        }
        if let Some(graph) = graph::graph(&system, tokens.rows(clouds) / clouds.unwrap_or(1))? {
            model = model.graph(graph);
        }
        let mut run = run_options(&document.table("run"), width, &model)?;
        run.auto &= model.is_exact() && run.precision == Precision::F32;
        let output = output_options(&document.table("output"), tokens.rows(clouds))?;
        let config = Self { name: name.to_owned(), seed, tokens, clouds, model, run, output };
        // A run that an earlier version began may have a shorter table.
        let tables = || if let Whose::Begun(_) = whose { Ok(()) } else { config.require_values(config.run.steps) };
        config.validate().and_then(|()| tables()).map_err(|e| model::rename(e, &system))?;
        Ok(config)
    }

    /// n, of one cloud.
    pub fn n(&self) -> usize {
        self.rows() / self.clouds.unwrap_or(1)
    }

    /// Number of tokens of all clouds.
    pub fn rows(&self) -> usize {
        self.tokens.rows(self.clouds)
    }

    /// d.
    pub fn d(&self) -> usize {
        match &self.tokens {
            TokenSource::File(_, header, _) => header.columns,
            TokenSource::Rows(tokens) => tokens.d(),
            TokenSource::Cloud(cloud) => cloud.d,
        }
    }

    /// Checks the model against the tokens' number and dimension, and its schedules a million steps ahead.
    ///
    /// # Errors
    /// The errors of [`Model::validate`], of every cloud.
    pub fn validate(&self) -> Result<()> {
        self.model.validate_count(self.n())?;
        self.model.validate_clouds(self.clouds)?;
        self.model.of_cloud(0).validate(self.d(), self.run.steps.min(CHECKED_AHEAD))?;
        // What changes in time is the same in all clouds.
        let others = if self.model.is_by_cloud() { 1..self.clouds.unwrap_or(1) } else { 0..0 };
        others.into_iter().try_for_each(|c| self.model.of_cloud(c).validate(self.d(), self.run.steps.min(1)))
    }

    /// Checks that every table has a value for each of the steps `0..steps`.
    ///
    /// # Errors
    /// The first that is shorter, with both numbers.
    pub fn require_values(&self, steps: u64) -> Result<()> {
        self.model.schedules().iter().try_for_each(|(key, schedule)| schedule.covers(key, steps))
    }

    /// Reads or draws the initial tokens, of all clouds of a file and of the first that is drawn, as they are before a
    /// lattice rounds them.
    ///
    /// # Errors
    /// A file whose shape has changed or that holds a coordinate that is not finite; more memory
    /// than there is.
    pub fn load_tokens(&self) -> Result<Tokens> {
        self.load_at(self.run.precision)
    }

    /// As [`Config::load_tokens`]; a cloud is drawn in this precision.
    pub(super) fn load_at(&self, precision: Precision) -> Result<Tokens> {
        match &self.tokens {
            TokenSource::File(path, header, _) => {
                let tokens = if self.clouds.is_some() { npy::read_stacked(path)? } else { npy::read(path)? };
                if (tokens.n(), tokens.d()) == (header.rows, header.columns) {
                    return Ok(tokens);
                }
                let (before, now) = ((header.rows, header.columns), (tokens.n(), tokens.d()));
                Err(Error::input(format!("{}: its shape was {before:?} and now is {now:?}", path.display())))
            }
            TokenSource::Rows(tokens) => Ok(tokens.clone()),
            TokenSource::Cloud(cloud) => cloud.tokens(self.seed, precision),
        }
    }
}

fn run_options(section: &Section<'_>, found: Precision, model: &Model) -> Result<RunOptions> {
    let tolerance = section.get("tolerance").map(|field| match field.number()? {
        _ if model.is_exact() => {
            Err(field.error(format!(": rule {} has fixed points and ends at one; leave it out", model.name())))
        }
        tolerance if tolerance > 0.0 && tolerance.is_finite() => Ok(tolerance),
        tolerance => Err(field.error(format!(" is {tolerance}; it must be finite and above 0"))),
    });
    let asked =
        section.or("precision", None, |field| field.parsed(|text| choice::find(text, "precision", &PRECISIONS)))?;
    Ok(RunOptions {
        steps: section.need("steps", "the number of steps to take")?.count(0)?,
        engine: section.or("engine", EngineChoice::Auto, |field| field.parsed(EngineChoice::parse))?,
        plan: section.or("plan", Plan::Auto, |field| field.parsed(Plan::parse))?,
        precision: asked.unwrap_or(found),
        auto: asked.is_none(),
        tolerance: tolerance.transpose()?,
    })
}

/// The largest number of tokens of which every step is recorded where nothing else is asked for. A
/// row reads the whole state back and hashes it; above this, that may take as long as the step.
const RECORDED_EVERY_STEP: usize = 100_000;

fn output_options(section: &Section<'_>, n: usize) -> Result<OutputOptions> {
    let trigger = |key, default| section.or(key, default, |field| field.parsed(Trigger::parse));
    let checkpoint_seconds = section.or("checkpoint_seconds", 300.0, |field| match field.number()? {
        seconds if seconds > 0.0 && seconds.is_finite() => Ok(seconds),
        seconds => Err(field.error(format!(" is {}; it must be finite and above 0", num::short(seconds)))),
    })?;
    Ok(OutputOptions {
        record: trigger("record", if n > RECORDED_EVERY_STEP { Trigger::Log } else { Trigger::Every(1) })?,
        frames: trigger("frames", Trigger::Log)?,
        measures: trigger("measures", Trigger::Log)?,
        labels: section.or("labels", true, section::Field::boolean)?,
        checkpoint_seconds,
    })
}

#[cfg(test)]
mod tests;
