//! The sizes that all studies share.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::{Deserialize, Serialize};

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
    /// Repeats, each with a cloud of its own
    #[arg(long, value_name = "K")]
    pub seeds: u64,
    /// The first seed: K repeats have the seeds S to S + K − 1
    #[arg(long, value_name = "S")]
    #[serde(default = "one")]
    pub first_seed: u64,
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

/// Most repeats: a study has at least one cell for each; and the largest first seed.
const MOST_SEEDS: u64 = 100_000;
const LAST_SEED: u64 = 1 << 53;

/// The first seed of studies from before there was a choice.
fn one() -> u64 {
    1
}

impl Sizes {
    /// Sizes on any engine in f64, which leaves the most room above rounding.
    pub const fn new(tokens: usize, dim: usize, seeds: u64, steps: u64) -> Self {
        Self { tokens, dim, seeds, first_seed: 1, steps, engine: EngineChoice::Auto, precision: Precision::F64 }
    }

    /// "1 cloud", "2 clouds": of each kind.
    pub fn clouds(&self) -> String {
        format!("{} cloud{}", self.seeds, if self.seeds == 1 { "" } else { "s" })
    }

    /// Describes the clouds: `n = 300, d = 2`.
    pub(super) fn shape(&self) -> String {
        format!("n = {}, d = {}", self.tokens, self.dim)
    }

    /// Lists the seeds.
    pub(super) fn every_seed(&self) -> std::ops::Range<u64> {
        self.first_seed..self.first_seed + self.seeds
    }

    pub(super) fn validate(&self) -> Result<()> {
        let (tokens, dim) = (self.tokens as u64, self.dim as u64);
        let counts = [
            ("tokens", tokens),
            ("dim", dim),
            ("seeds", self.seeds),
            ("first-seed", self.first_seed),
            ("steps", self.steps),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(Error::input(format!("--{name} 0: it must be at least 1")));
        }
        if self.seeds > MOST_SEEDS {
            return Err(Error::input(format!("--seeds {}: there are at most {MOST_SEEDS}", self.seeds)));
        }
        if self.first_seed > LAST_SEED {
            return Err(Error::input(format!("--first-seed {}: it is at most {LAST_SEED}", self.first_seed)));
        }
        // Whatever the engine and the rule: the memory of a plain run of these tokens on the CPU.
        let rule = Rule::Localmax { delta: Schedule::Constant(0.0), strip: StripForm::Score };
        let gain = Gain::Alpha(Schedule::Constant(1.0));
        let model = Model::averaging(rule, Operator::identity(), Mask::FULL, gain);
        engine::preflight(
            EngineChoice::Cpu,
            Plan::Auto,
            &model,
            self.tokens,
            self.dim,
            self.precision,
            engine::When::Begin,
        )
        .map(drop)
    }
}
