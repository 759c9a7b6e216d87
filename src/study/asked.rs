//! What was asked: the sizes that all studies share, and a study's own parameters, as `study.toml` keeps them.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::{Deserialize, Serialize};

use super::Study;
use crate::choice::{EngineChoice, Plan};
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
    /// Steps of a simulation at most
    #[arg(long, value_name = "T")]
    pub steps: u64,
    /// Who computes
    #[arg(long, value_name = "ENGINE", value_parser = engine_choice())]
    pub engine: EngineChoice,
    /// Width of the stored tokens
    #[arg(long, value_name = "WIDTH", value_parser = precision())]
    pub precision: Precision,
}

fn engine_choice() -> impl TypedValueParser<Value = EngineChoice> {
    PossibleValuesParser::new(EngineChoice::ALL.map(|(_, name)| name)).try_map(|name| EngineChoice::parse(&name))
}

fn precision() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(Precision::ALL.map(|(_, name)| name)).try_map(|name| Precision::parse(&name))
}

/// Repeats, at most: a study has a cell or more for each.
const MOST_SEEDS: u64 = 100_000;

impl Sizes {
    /// Sizes on any engine in f64, which leaves the most room above rounding.
    pub fn new(tokens: usize, dim: usize, seeds: u64, steps: u64) -> Self {
        Self { tokens, dim, seeds, steps, engine: EngineChoice::Auto, precision: Precision::F64 }
    }

    fn validate(&self) -> Result<()> {
        let counts = [("tokens", self.tokens as u64), ("dim", self.dim as u64), ("seeds", self.seeds)];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => return Err(Error::input(format!("--{name} 0: it must be at least 1"))),
            None if self.seeds > MOST_SEEDS => {
                return Err(Error::input(format!("--seeds {}: there are at most {MOST_SEEDS}", self.seeds)));
            }
            None => {}
        }
        // Whatever the engine and the rule: what a plain run of these tokens takes on the CPU.
        let rule = Rule::Localmax { delta: Schedule::Constant(0.0), strip: StripForm::Score };
        let gain = Gain::Alpha(Schedule::Constant(1.0));
        let model = Model::averaging(rule, Operator::identity(), Mask::Full, gain);
        engine::preflight(EngineChoice::Cpu, Plan::Auto, &model, self.tokens, self.dim, self.precision).map(drop)
    }
}

/// What was asked of a study.
#[derive(Clone, Debug)]
pub struct Asked<S> {
    /// The sizes that all studies share.
    pub sizes: Sizes,
    /// The study's own parameters.
    pub own: S,
}

/// `study.toml`.
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
    /// The defaults.
    pub fn new(quick: bool) -> Self {
        let mut asked = Self { sizes: S::sizes(), own: S::default() };
        if quick {
            S::quick(&mut asked);
        }
        asked
    }

    /// The cells, with every parameter checked.
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
        Ok(Self { sizes: written.sizes.unwrap_or_else(S::sizes), own: written.parameters.unwrap_or_default() })
    }

    /// The text of `study.toml`.
    ///
    /// # Errors
    /// A parameter that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String> {
        let (sizes, own) = (S::SHARED.then(|| self.sizes.clone()), Some(self.own.clone()));
        let written = Written { study: S::NAME.to_owned(), sizes, parameters: own };
        let text = toml::to_string(&written).map_err(|e| Error::input(format!("study {}: {e}", S::NAME)))?;
        Ok(format!("# Runs again as it is: localmax study study.toml\n{text}"))
    }

    /// Every parameter with its value, in order.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let mut all = if S::SHARED { pairs(&self.sizes) } else { Vec::new() };
        all.extend(pairs(&self.own));
        all
    }
}

/// The fields of a struct and their values as TOML writes them.
pub(super) fn pairs(of: &impl Serialize) -> Vec<(String, String)> {
    // Text, not a table: a table is sorted.
    let text = toml::to_string(of).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(" = ")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// A TOML error in one line, with line and column.
pub(super) fn located(error: &toml::de::Error, text: &str, source: &str) -> Error {
    let before = error.span().map_or("", |span| text.get(..span.start).unwrap_or(""));
    let (line, column) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    let what = error.message().lines().collect::<Vec<_>>().join(" ");
    Error::input(format!("{source}:{line}:{column}: {what}"))
}
