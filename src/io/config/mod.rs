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
mod trigger;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use document::Override;
use document::{Item, Place, Source, Table};
use section::{Field, Section};
pub use trigger::Trigger;

use crate::choice::{self, EngineChoice, Plan};
use crate::error::{Error, Result};
use crate::init::{self, Cloud, CloudSample};
use crate::io::{input, npy, presets};
use crate::model::{MAX_DIMENSION, Model};
use crate::num;
use crate::tokens::{Precision, Tokens};

/// Most bytes of a config file. Larger data belongs into `.npy` files.
const LARGEST: u64 = 4 << 20;
/// Number of steps for which schedules are checked before the first step. Later steps are checked
/// when they are reached.
const CHECKED_AHEAD: u64 = 1_000_000;

/// The file of rows that a run writes beside its config.
const OWN_ROWS: &str = "x0.npy";

/// The run whose config is read.
enum Whose {
    /// One that is to begin.
    New,
    /// One that is to begin from these tokens.
    Given(Tokens),
    /// One that has begun, with the header of its tokens if that is known.
    Begun(Option<npy::Header>),
}

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

/// The source of the initial tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenSource {
    /// An `.npy` file (absolute path), with the header that was read, and the blake3 of its bytes
    /// if the config has it. Its rows are those of all clouds.
    File(PathBuf, npy::Header, Option<blake3::Hash>),
    /// Given row by row.
    Rows(Tokens),
    /// Drawn from the seed; each of many clouds from its own.
    Cloud(CloudSample),
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

impl TokenSource {
    /// Number of tokens of all clouds.
    fn rows(&self, clouds: Option<usize>) -> usize {
        match self {
            Self::File(_, header, _) => header.rows,
            Self::Rows(tokens) => tokens.n(),
            Self::Cloud(cloud) => cloud.n.saturating_mul(clouds.unwrap_or(1)),
        }
    }

    /// The width of the data itself.
    fn precision(&self) -> Precision {
        match self {
            Self::File(_, header, _) => header.precision,
            Self::Rows(_) | Self::Cloud(_) => Precision::F32,
        }
    }
}

fn token_source(section: &Section<'_>, whose: &Whose) -> Result<(TokenSource, Option<usize>)> {
    if let Whose::Given(tokens) = whose {
        if let Some(entry) = section.first_option("keys") {
            let key = &entry.key;
            return Err(entry
                .place
                .error(format!("tokens.{key} does not go with tokens that are given; leave out one")));
        }
        if tokens.d() > MAX_DIMENSION {
            let d = tokens.d();
            return Err(Error::input(format!("tokens in R^{d}; the largest dimension is {MAX_DIMENSION}")));
        }
        return Ok((TokenSource::Rows(tokens.clone()), None));
    }
    let clouds = count::clouds(section)?;
    let given = section.alternatives(&["file", "rows", "kind"])?;
    let field = given
        .ok_or_else(|| section.missing("kind", "give file = \"x0.npy\", or kind, n and d, or rows = [[...], ...]"))?;
    let (source, d) = match field.key {
        "file" => {
            let text = field.text("the path of an .npy file")?;
            only(section, &field, &["file", "clouds", "keys"])?;
            if let (Whose::Begun(_), OWN_ROWS) = (whose, text) {
                let rows = npy::read(&field.file(text)?).map_err(|e| field.value.place.blame(e))?;
                return Ok((TokenSource::Rows(rows), clouds));
            }
            let (path, header) = if let Whose::Begun(Some(header)) = whose {
                (field.path(text)?, header.clone())
            } else {
                let path = field.file(text)?;
                let header = npy::stacked_header(&path).map_err(|e| field.value.place.blame(e))?;
                count::require(&field, &header, clouds)?;
                (path, header)
            };
            let d = header.columns;
            (TokenSource::File(path, header, field.known_hash(text)?), d)
        }
        "rows" => {
            only(section, &field, &["rows", "keys"])?;
            let rows = field.rows()?;
            let (n, d) = (rows.len(), rows.first().map_or(0, Vec::len));
            if let Some(i) = rows.iter().position(|row| row.len() != d) {
                return Err(field.error(format!(
                    ": token {i} has {} coordinates where token 0 has {d}; every token needs the same",
                    rows[i].len()
                )));
            }
            let tokens = Tokens::from_flat(n, d, rows.concat()).map_err(|e| field.value.place.blame(e))?;
            (TokenSource::Rows(tokens), d)
        }
        _ => {
            let kind = field.parsed(Cloud::parse)?;
            let keys = ["kind", "n", "d", "clouds", "scale", "keys", "clusters", "spread"];
            only(section, &field, &keys[..if kind == Cloud::Clusters { 8 } else { 6 }])?;
            let cloud = CloudSample {
                kind,
                n: section.need("n", "the number of tokens")?.count(1)? as usize,
                d: section.need("d", "the dimension")?.count(1)? as usize,
                scale: section.or("scale", 1.0, Field::number)?,
                clusters: section.or("clusters", init::CLUSTERS, |field| field.count(1))?,
                spread: section.or("spread", init::SPREAD, Field::number)?,
            };
            cloud.validate()?;
            let d = cloud.d;
            (TokenSource::Cloud(cloud), d)
        }
    };
    if d > MAX_DIMENSION {
        let field = section.get("d").filter(|_| field.key == "kind").unwrap_or(field);
        return Err(field.error(format!(": d = {d} exceeds the largest dimension, {MAX_DIMENSION}")));
    }
    count::require_countable(section, source.rows(clouds))?;
    Ok((source, clouds))
}

/// Fixed keys, in the config or in a file.
fn fixed_keys(field: &Field<'_>) -> Result<Tokens> {
    if let Item::Text(text) = &field.value.item {
        return npy::read(&field.file(text)?).map_err(|e| field.value.place.blame(e));
    }
    let rows = field.rows()?;
    let d = rows.first().map_or(0, Vec::len);
    if let Some(j) = rows.iter().position(|row| row.len() != d) {
        let count = rows[j].len();
        return Err(
            field.error(format!(": key {j} has {count} coordinates where key 0 has {d}; every key needs the same"))
        );
    }
    Tokens::from_flat(rows.len(), d, rows.concat()).map_err(|e| field.blame(e))
}

/// Rejects keys that do not go with the chosen source of tokens.
fn only(section: &Section<'_>, source: &Field<'_>, keys: &[&str]) -> Result<()> {
    let chosen = match &source.value.item {
        Item::Text(text) => format!("{} = {text:?}", source.key),
        _ => source.key.to_owned(),
    };
    section.allow(keys, source, |_| format!("does not go with {chosen}, which takes {}", keys.join(", ")))
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
        labels: section.or("labels", true, Field::boolean)?,
        checkpoint_seconds,
    })
}

#[cfg(test)]
mod tests;
