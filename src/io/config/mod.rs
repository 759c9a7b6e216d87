//! The config: one TOML file that says what to run (`seed`, `[tokens]`, `[model]`, `[run]`, `[output]`).
//!
//! Reading resolves it: defaults are filled in, paths made absolute, matrices read, every parameter checked against its
//! domain. A key nobody knows is an error that names the nearest one. [`Config::to_toml`] writes the resolved config,
//! which runs again as it is.
//!
//! | table | key | meaning | unless given |
//! |---|---|---|---|
//! | | `seed` | of generated tokens and of the draws of markov | 0 |
//! | tokens | `file` | (n, d) `.npy` | |
//! | | `rows` | the tokens themselves | |
//! | | `kind`, `n`, `d` | a generated cloud ([`crate::init`]) | |
//! | | `scale`; `clusters`, `spread` | of a generated cloud | 1; 5, 0.05 |
//! | model | `rule`, with the parameters below | | |
//! | | `causal` | row i sees keys 0..=i | false |
//! | run | `steps` | | |
//! | | `engine`, `plan` | how ([`crate::choice`]) | auto |
//! | | `precision` | f32 or f64 | the token file's, else f32 |
//! | output | `record`, `frames`, `measures` | [`Trigger`] of rows of metrics.csv, of frames, of rows of measures.csv | every 1, log, log |
//! | | `checkpoint_seconds` | the most that a killed run loses ([`crate::run::checkpoint`]) | 300 |
//!
//! | rule | parameters | arXiv |
//! |---|---|---|
//! | `localmax` | `alpha` or `gamma`, `delta`, `strip`, `a` (or `q` and `k`), `v` | 2509.15958 |
//! | `hardmax` | `alpha` or `gamma`, `a` (or `q` and `k`), `v` | 2407.01602 |
//! | `frank-wolfe` | `gamma` or `alpha`, `a` (or `q` and `k`), `p` | 2508.09628 |
//! | `softmax` | `alpha` or `gamma`, `beta`, `a` (or `q` and `k`), `v` | 2508.09628 |
//! | `markov` | `alpha` or `gamma`, `beta`, `a` (or `q` and `k`) | 2508.09628 |
//! | `ellipsoid` | `w`, `heads = [{ p, u }, ...]`, `dt`, `integrator` (`rk4`) | 2412.02682 |
//! | `sphere` | `beta`, `q` and `k`, `v`, `normalized`, `origin`, `dt`, `integrator` (`euler-renorm`) | 2312.10794, 2410.06833, 2411.04990 |
//! | `rescaled` | `a` (or `q` and `k`), `v`, `dt`, `integrator` (`euler`) | 2305.05465 |
//!
//! * Scalars (`alpha`, `gamma`, `delta`, `beta`, the factors of matrices) are a number, an expression in t, or
//!   `{ table = [...] }`, `{ table = "file.csv" }`, `{ table = "file.npy" }`: one column, a value a step, the last one held.
//!   t is the step's number in the rules that average, step·dt in the flows.
//! * `gamma` = alpha/(1+alpha): give one of the two.
//! * Matrices are `"identity"` (unless given), a number c (c times the identity), `[[...], ...]`, `"file.npy"`, or
//!   `{ matrix = ..., factor = scalar }`. A = KᵀQ. In `rescaled` a is on both sides, `<A e^{tV} z_i, A e^{tV} z_j>`; heads score
//!   `x_iᵀ p x_j`; `w`, and the `v` of `rescaled`, do not change in time. With a `v` or a `p` tokens may leave their hull.
//! * `strip`: `score` (unless given), `width`, `a-norm`, in which a negative `<A x_i, x_i>` counts as 0.
//! * `integrator`: `euler`, `rk4`, `euler-renorm` ([`crate::model::Integrator`]); unless given, the authors' own where it is
//!   known, as named in the table.
//! * `normalized = false` is USA, weights `e^{β(S_ij − origin)}/n`; `origin` (0 unless given) only changes the unit of time: 1
//!   keeps weights in range where `e^β` overflows.

mod document;
mod model;
mod operator;
mod section;
mod tabulated;
mod trigger;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use document::Override;
use document::{Item, Place, Source, Table};
use section::Section;
pub(crate) use section::nearest;
pub use trigger::Trigger;

use crate::choice::{self, EngineChoice, Plan};
use crate::error::{Error, Result};
use crate::init::{self, Cloud, Kind};
use crate::io::{input, npy, presets};
use crate::model::{MAX_DIMENSION, Model};
use crate::tokens::{Precision, Tokens};

/// Largest config file read. Data larger than that belongs into `.npy`.
const LARGEST: u64 = 4 << 20;
/// Schedules are checked this far before the first step, and at every later step when it is reached.
const CHECKED_AHEAD: u64 = 1_000_000;

/// A run, resolved and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What to call it: the file's stem or the preset's name.
    pub name: String,
    /// Seed of generated tokens.
    pub seed: u64,
    /// Where the tokens come from.
    pub tokens: TokenSource,
    /// The system.
    pub model: Model,
    /// How long, by which engine, how wide.
    pub run: RunOptions,
    /// What is written when.
    pub output: OutputOptions,
}

/// Where the initial tokens come from.
#[derive(Clone, Debug, PartialEq)]
pub enum TokenSource {
    /// An `.npy` file (absolute path), with its header as it was found.
    File(PathBuf, npy::Header),
    /// Given row by row.
    Rows(Tokens),
    /// Drawn from the seed.
    Cloud(Cloud),
}

/// The table `[run]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// Steps to take.
    pub steps: u64,
    /// Which engine.
    pub engine: EngineChoice,
    /// How keys are searched.
    pub plan: Plan,
    /// Width of the stored tokens. Unless given, the token file's own; f32 where there is no file.
    pub precision: Precision,
}

/// The table `[output]`.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputOptions {
    /// Rows of metrics.csv.
    pub record: Trigger,
    /// Files in frames/.
    pub frames: Trigger,
    /// Rows of measures.csv; no file where never.
    pub measures: Trigger,
    /// Seconds between checkpoints, above 0.
    pub checkpoint_seconds: f64,
}

impl Config {
    /// Reads a file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// A file that cannot be read; anything wrong in it, with line and column.
    pub fn load(path: &Path, overrides: &[Override]) -> Result<Self> {
        Self::load_of(path, overrides, None)
    }

    /// As [`Config::load`]; the header of a token file is not read where it is known.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_of(path: &Path, overrides: &[Override], header: Option<npy::Header>) -> Result<Self> {
        let text = input::given(path, LARGEST)?;
        let name = path.file_stem().map_or_else(|| "run".into(), |stem| stem.to_string_lossy().into_owned());
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::read(&text, &path.display().to_string(), &name, folder, overrides, header)
    }

    /// Reads an embedded preset.
    ///
    /// # Errors
    /// No such preset; an override that does not fit.
    pub fn preset(name: &str, overrides: &[Override]) -> Result<Self> {
        let preset = presets::find(name)?;
        Self::parse(preset.text, &format!("preset {name}"), name, Path::new(""), overrides)
    }

    /// Reads a text that errors call `source`.
    ///
    /// # Errors
    /// Anything wrong, with line and column.
    pub fn parse(text: &str, source: &str, name: &str, folder: &Path, overrides: &[Override]) -> Result<Self> {
        Self::read(text, source, name, folder, overrides, None)
    }

    fn read(
        text: &str,
        source: &str,
        name: &str,
        folder: &Path,
        overrides: &[Override],
        header: Option<npy::Header>,
    ) -> Result<Self> {
        let source = Arc::new(Source { name: source.to_owned(), text: text.to_owned() });
        let mut top = Table::parse(&source)?;
        overrides.iter().try_for_each(|change| change.apply(&mut top))?;
        section::check_keys(&top)?;
        let start = Place::File(source, 0);
        let section = |name| Section::of(&top, name, folder, &start);

        let seed = section("").get("seed").map_or(Ok(0), |value| section("").count("seed", value, 0))?;
        let tokens = token_source(&section("tokens"), header)?;
        let model = model::read(&section("model"), seed)?;
        let run = run_options(&section("run"), tokens.precision())?;
        let output = output_options(&section("output"))?;
        let config = Self { name: name.to_owned(), seed, tokens, model, run, output };
        if config.d() > MAX_DIMENSION {
            let tokens = section("tokens");
            let (key, place) = ["d", "file", "rows"]
                .iter()
                .find_map(|key| Some((*key, &tokens.entry(key)?.value.place)))
                .unwrap_or(("d", &start));
            let d = config.d();
            return Err(place.error(format!("tokens.{key}: d = {d} exceeds the largest dimension, {MAX_DIMENSION}")));
        }
        let model = section("model");
        config.validate().map_err(|e| blame_model(e, &model))?;
        Ok(config)
    }

    /// n.
    pub fn n(&self) -> usize {
        match &self.tokens {
            TokenSource::File(_, header) => header.rows,
            TokenSource::Rows(tokens) => tokens.n(),
            TokenSource::Cloud(cloud) => cloud.n,
        }
    }

    /// d.
    pub fn d(&self) -> usize {
        match &self.tokens {
            TokenSource::File(_, header) => header.columns,
            TokenSource::Rows(tokens) => tokens.d(),
            TokenSource::Cloud(cloud) => cloud.d,
        }
    }

    /// Checks the model against the tokens' dimension, and schedules a million steps ahead.
    ///
    /// # Errors
    /// As [`Model::validate`].
    pub fn validate(&self) -> Result<()> {
        self.model.validate(self.d(), self.run.steps.min(CHECKED_AHEAD))
    }

    /// The initial tokens: read or drawn, not yet moved to a grid.
    ///
    /// # Errors
    /// A file that has changed or holds what is not finite; more memory than there is.
    pub fn load_tokens(&self) -> Result<Tokens> {
        match &self.tokens {
            TokenSource::File(path, header) => {
                let tokens = npy::read(path)?;
                if (tokens.n(), tokens.d()) == (header.rows, header.columns) {
                    return Ok(tokens);
                }
                let (before, now) = ((header.rows, header.columns), (tokens.n(), tokens.d()));
                Err(Error::input(format!("{}: its shape was {before:?} and now is {now:?}", path.display())))
            }
            TokenSource::Rows(tokens) => Ok(tokens.clone()),
            TokenSource::Cloud(cloud) => cloud.tokens(self.seed, self.run.precision),
        }
    }
}

/// Puts the place of the key that an error begins with in front of it, or else `otherwise`.
fn blame(error: Error, section: &Section<'_>, otherwise: &Place) -> Error {
    let text = error.to_string();
    let key = text.strip_prefix(section.name).and_then(|rest| rest.strip_prefix('.')).unwrap_or("");
    let entry = section.entry(key.split(' ').next().unwrap_or(""));
    entry.map_or(otherwise, |entry| &entry.value.place).blame(error)
}

/// Puts the place of the parameter that an error begins with in front of it.
fn blame_model(error: Error, model: &Section<'_>) -> Error {
    let text = error.to_string();
    let Some((key, rest)) = text.strip_prefix("model.").and_then(|rest| rest.split_once(' ')) else { return error };
    // Scores are named by A, which may have been given as q and k.
    if key == "a" && model.entry("a").is_none() {
        return model.entry("q").map_or(error, |q| {
            q.value.place.error(text.replacen("model.a", "model.q and model.k give an A = KᵀQ that", 1))
        });
    }
    place(model, key, rest.starts_with("factor ")).map_or(error, |place| place.error(&text))
}

/// Where `heads[1].p`, or a key of the table itself, was given: its matrix, or its factor.
fn place<'a>(model: &Section<'a>, key: &str, factor: bool) -> Option<&'a Place> {
    let (outer, inner) = key.split_once('[').unwrap_or((key, ""));
    let value = &model.entry(outer)?.value;
    let part = inner.split_once("].").and_then(|(index, part)| match &value.item {
        Item::List(items) => match &items.get(index.parse::<usize>().ok()?)?.item {
            Item::Table(head) => head.entry(part),
            _ => None,
        },
        _ => None,
    });
    let value = part.map_or(value, |entry| &entry.value);
    let inner =
        if let Item::Table(parts) = &value.item { parts.entry(if factor { "factor" } else { "matrix" }) } else { None };
    Some(inner.map_or(&value.place, |entry| &entry.value.place))
}

impl TokenSource {
    /// The width that the data itself has.
    fn precision(&self) -> Precision {
        match self {
            Self::File(_, header) => header.precision,
            Self::Rows(_) | Self::Cloud(_) => Precision::F32,
        }
    }
}

fn token_source(section: &Section<'_>, known: Option<npy::Header>) -> Result<TokenSource> {
    let entry = section
        .alternatives(&["file", "rows", "kind"])?
        .ok_or_else(|| section.missing("kind", "give file = \"x0.npy\", or kind, n and d, or rows = [[...], ...]"))?;
    let value = &entry.value;
    match entry.key.as_str() {
        "file" => {
            let path = section.path(value, section.text("file", value, "the path of an .npy file")?)?;
            only(section, entry, &["file"])?;
            let header = known.map_or_else(|| npy::header(&path), Ok).map_err(|e| value.place.blame(e))?;
            Ok(TokenSource::File(path, header))
        }
        "rows" => {
            only(section, entry, &["rows"])?;
            let rows = section.rows("rows", value)?;
            let (n, d) = (rows.len(), rows.first().map_or(0, Vec::len));
            if let Some(i) = rows.iter().position(|row| row.len() != d) {
                return Err(value.place.error(format!(
                    "tokens.rows: token {i} has {} coordinates where token 0 has {d}; every token needs the same",
                    rows[i].len()
                )));
            }
            Ok(TokenSource::Rows(Tokens::from_f64(n, d, rows.concat()).map_err(|e| value.place.blame(e))?))
        }
        _ => {
            let kind = section.named("kind", Kind::parse, Kind::Normal)?;
            let clusters = kind == Kind::Clusters;
            let keys = ["kind", "n", "d", "scale", "clusters", "spread"];
            only(section, entry, &keys[..if clusters { 6 } else { 4 }])?;
            let count = |key, meaning| section.need(key, meaning).and_then(|v| section.count(key, v, 1));
            let number = |key, default| section.get(key).map_or(Ok(default), |v| section.number(key, v));
            let cloud = Cloud {
                kind,
                n: count("n", "the number of tokens")? as usize,
                d: count("d", "the dimension")? as usize,
                scale: number("scale", 1.0)?,
                clusters: section.get("clusters").map_or(Ok(init::CLUSTERS), |v| section.count("clusters", v, 1))?,
                spread: number("spread", init::SPREAD)?,
            };
            cloud.validate().map_err(|e| blame(e, section, &value.place))?;
            Ok(TokenSource::Cloud(cloud))
        }
    }
}

fn only(section: &Section<'_>, source: &document::Entry, keys: &[&str]) -> Result<()> {
    let chosen = match &source.value.item {
        Item::Text(text) => format!("{} = {text:?}", source.key),
        _ => source.key.clone(),
    };
    section.allow(keys, &source.place, |_| format!("does not go with {chosen}, which takes {}", keys.join(", ")))
}

fn run_options(section: &Section<'_>, found: Precision) -> Result<RunOptions> {
    let steps = section.need("steps", "the number of steps to take")?;
    Ok(RunOptions {
        steps: section.count("steps", steps, 0)?,
        engine: section.named("engine", EngineChoice::parse, EngineChoice::Auto)?,
        plan: section.named("plan", Plan::parse, Plan::Auto)?,
        precision: section.named(
            "precision",
            |text| choice::named(text, "precision", &[Precision::F32, Precision::F64].map(|p| (p, p.name()))),
            found,
        )?,
    })
}

fn output_options(section: &Section<'_>) -> Result<OutputOptions> {
    let checkpoint_seconds = match section.get("checkpoint_seconds") {
        None => 300.0,
        Some(value) => {
            let seconds = section.number("checkpoint_seconds", value)?;
            if !(seconds > 0.0 && seconds.is_finite()) {
                return Err(value
                    .place
                    .error(format!("output.checkpoint_seconds is {seconds}; it must be finite and above 0")));
            }
            seconds
        }
    };
    Ok(OutputOptions {
        record: section.named("record", Trigger::parse, Trigger::Every(1))?,
        frames: section.named("frames", Trigger::parse, Trigger::Log)?,
        measures: section.named("measures", Trigger::parse, Trigger::Log)?,
        checkpoint_seconds,
    })
}

#[cfg(test)]
mod tests;
