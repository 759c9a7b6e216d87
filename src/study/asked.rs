//! The question of a study, as `study.toml` keeps it: the shared sizes and its own parameters.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::{Deserialize, Serialize};

use super::Study;
use crate::choice::{self, EngineChoice, Plan};
use crate::engine;
use crate::error::{Error, Result};
use crate::model::{Gain, Mask, Model, Operator, Rule, StripForm};
use crate::schedule::Schedule;
use crate::tokens::Precision;

/// The sizes that all studies share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Number of tokens n
    #[arg(long, value_name = "N")]
    pub tokens: usize,
    /// Dimension d
    #[arg(long, value_name = "D")]
    pub dim: usize,
    /// Repeats, each with a cloud of its own: seeds 1 to K
    #[arg(long, value_name = "K")]
    pub seeds: u64,
    /// Most steps of a simulation
    #[arg(long, value_name = "T")]
    pub steps: u64,
    /// Engine that computes
    #[arg(long, value_name = "ENGINE", value_parser = named("engine", &EngineChoice::ALL))]
    pub engine: EngineChoice,
    /// Width of the stored tokens
    #[arg(long, value_name = "WIDTH", value_parser = named("precision", &Precision::ALL))]
    pub precision: Precision,
}

/// Parses the names of a table on the command line.
pub(super) fn named<T: Copy + Send + Sync>(
    what: &'static str,
    all: &'static [(T, &'static str)],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.iter().map(|(_, name)| *name)).try_map(move |name| choice::find(&name, what, all))
}

/// Most repeats: a study has at least one cell for each.
const MOST_SEEDS: u64 = 100_000;

impl Sizes {
    /// Sizes on any engine in f64, which leaves the most room above rounding.
    pub const fn new(tokens: usize, dim: usize, seeds: u64, steps: u64) -> Self {
        Self { tokens, dim, seeds, steps, engine: EngineChoice::Auto, precision: Precision::F64 }
    }

    /// Describes the clouds: `n = 300, d = 2`.
    pub(super) fn shape(&self) -> String {
        format!("n = {}, d = {}", self.tokens, self.dim)
    }

    fn validate(&self) -> Result<()> {
        let counts = [("tokens", self.tokens as u64), ("dim", self.dim as u64), ("seeds", self.seeds)];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(Error::input(format!("--{name} 0: it must be at least 1")));
        }
        if self.seeds > MOST_SEEDS {
            return Err(Error::input(format!("--seeds {}: there are at most {MOST_SEEDS}", self.seeds)));
        }
        // Whatever the engine and the rule: the memory of a plain run of these tokens on the CPU.
        let rule = Rule::Localmax { delta: Schedule::Constant(0.0), strip: StripForm::Score };
        let gain = Gain::Alpha(Schedule::Constant(1.0));
        let model = Model::averaging(rule, Operator::identity(), Mask::Full, gain);
        engine::preflight(EngineChoice::Cpu, Plan::Auto, &model, self.tokens, self.dim, self.precision).map(drop)
    }
}

/// The question put to a study.
#[derive(Clone, Debug)]
pub struct Asked<S> {
    /// The sizes that all studies share.
    pub sizes: Sizes,
    /// The study's own parameters.
    pub own: S,
}

/// The content of `study.toml`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<S> {
    study: String,
    #[serde(default = "Option::default")]
    sizes: Option<Sizes>,
    #[serde(default = "Option::default")]
    parameters: Option<S>,
}

impl<S: Study> Asked<S> {
    /// The question with default parameters, or with those of `--quick`.
    pub fn new(quick: bool) -> Self {
        let mut asked = Self { sizes: S::SIZES, own: S::default() };
        if quick {
            asked.own.quicken(&mut asked.sizes);
        }
        asked
    }

    /// Checks every parameter and lists the cells.
    ///
    /// # Errors
    /// A parameter outside its domain; no cells at all.
    pub fn cells(&self) -> Result<Vec<S::Cell>> {
        self.sizes.validate()?;
        let cells = S::cells(self)?;
        if cells.is_empty() {
            return Err(Error::input(format!("study {} has no cell with these parameters: a list is empty", S::NAME)));
        }
        Ok(cells)
    }

    /// Reads `study.toml`; parameters that it leaves out have their defaults.
    ///
    /// # Errors
    /// No TOML; a key or a value that does not fit; all in one line, with its place.
    pub fn read(text: &str, source: &str) -> Result<Self> {
        let written: Written<S> = toml::from_str(text).map_err(|e| located(&e, text, source))?;
        Ok(Self { sizes: written.sizes.unwrap_or(S::SIZES), own: written.parameters.unwrap_or_default() })
    }

    /// Writes the text of `study.toml`.
    ///
    /// # Errors
    /// A parameter that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        let (sizes, own) = (S::SHARED.then(|| self.sizes.clone()), Some(self.own.clone()));
        let written = Written { study: S::NAME.to_owned(), sizes, parameters: own };
        let text = toml::to_string(&written).map_err(|e| Error::input(format!("study {}: {e}", S::NAME)))?;
        Ok(format!("# Runs again as it is: localmax study study.toml\n{text}"))
    }

    /// Lists every parameter with its value, in order.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let mut all = if S::SHARED { fields(&self.sizes) } else { Vec::new() };
        all.extend(fields(&self.own));
        all
    }
}

/// The fields of a struct and their values as TOML writes them.
fn fields(of: &impl Serialize) -> Vec<(String, String)> {
    // Text, not a table: a table is sorted.
    let text = toml::to_string(of).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(" = ")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// Turns a TOML error into one line, with its line and column in the source.
pub(super) fn located(error: &toml::de::Error, text: &str, source: &str) -> Error {
    let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(""));
    let (line, column) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    let what = error.message().lines().collect::<Vec<_>>().join(" ");
    Error::input(format!("{source}:{line}:{column}: {what}"))
}
