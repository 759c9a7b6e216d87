//! A run on several ranks ([`crate::ranks`]): rank 0 writes all of its files. The others read the config, and where
//! each holds a part of the tokens a stretch of these; otherwise rank 0 gives them the tokens.

use crate::choice::EngineChoice;
use crate::cpu::Dealt;
use crate::engine::{self, Engine, Lead, Outline, Systems, When};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::interrupt::Interrupt;
use crate::io::config::start::Settled;
use crate::io::config::{Config, Trigger};
use crate::io::npy;
use crate::model::Model;
use crate::ranks::{Ranks, Shared, agree};
use crate::run::checkpoint::Stored;
use crate::tokens::Tokens;

/// The config of a run on these ranks, of which several share the rows of the CPU engine, or of the GPU's if that is
/// asked for.
///
/// # Errors
/// The reference, where there are several ranks.
pub fn config(ranks: &Shared, config: &Config) -> Result<Config> {
    let (mut config, size) = (config.clone(), ranks.size());
    if size > 1 {
        if config.model.graph.is_some() {
            return Err(Error::at_key(
                "model.mask",
                format!("is a graph, which {size} ranks do not share; take one process"),
            ));
        }
        match config.run.engine {
            EngineChoice::Auto | EngineChoice::Cpu => config.run.engine = EngineChoice::Cpu,
            EngineChoice::Gpu => {}
            EngineChoice::Reference => {
                return Err(Error::at_key(
                    "run.engine",
                    format!("is \"reference\", whose rows {size} ranks do not share; take cpu, gpu or auto"),
                ));
            }
        }
    }
    Ok(config)
}

/// As [`Config::preflight`], of the memory of all ranks, for a run of which some states are verified or none.
///
/// # Errors
/// As there; the first rank without the memory that it needs.
pub fn preflight(
    ranks: &Shared,
    config: &Config,
    (when, is_verified): (When, bool),
    note: &mut dyn FnMut(&str),
) -> Result<()> {
    if ranks.size() == 1 {
        return config.preflight(when, note);
    }
    let config = self::config(ranks, config)?;
    // What is written comes in slices; what is measured or verified is looked at together.
    let when = (when, is_verified || config.output.measures != Trigger::Never);
    let how = (config.run.engine, config.run.plan);
    Lead::require(ranks, how, &config.model, (config.n(), config.d()), config.run.precision, when)
}

/// The engine of a run, on all ranks.
///
/// # Errors
/// As [`Config::open_engine`], on any rank; a config that is another one there.
pub fn open_engine(
    ranks: &Shared,
    config: &Config,
    tokens: &Tokens,
    grid: Grid,
    note: &mut dyn FnMut(&str),
) -> Result<Box<dyn Engine>> {
    if ranks.size() == 1 {
        return config.open_engine(tokens, grid, note);
    }
    let config = self::config(ranks, config)?;
    let outline = Outline::of(system(&config), (config.run.engine, config.run.plan), grid, tokens);
    Lead::open(ranks, &outline, tokens, &config.model)
}

/// As [`open_engine`], on the tokens of a checkpoint. Where each rank holds a part of them, none reads all at once.
///
/// # Errors
/// As [`open_engine`]; a file that cannot be read, or has changed since.
pub fn reopen(
    ranks: &Shared,
    config: &Config,
    stored: &Stored,
    grid: Grid,
    note: &mut dyn FnMut(&str),
) -> Result<Box<dyn Engine>> {
    let shared = self::config(ranks, config)?;
    let (how, (n, d)) = ((shared.run.engine, shared.run.plan), (shared.n(), shared.d()));
    if ranks.size() == 1 || !Lead::is_parted(ranks, how, &shared.model, (n, d), grid.precision) {
        return open_engine(ranks, config, &stored.read()?, grid, note);
    }
    let outline = Outline { system: system(&shared), engine: how.0, plan: how.1, grid, n, d };
    Lead::deal(ranks, &outline, &mut &*stored, &shared.model)
}

/// The first state of a run of which each rank holds a part, and the engine on it.
///
/// # Errors
/// As [`Config::start`] and [`open_engine`], on any rank.
pub(super) fn begin_parted(
    ranks: &Shared,
    config: &mut Config,
    is_verified: bool,
    note: &mut dyn FnMut(&str),
) -> Result<(Settled, Box<dyn Engine>)> {
    preflight(ranks, config, (When::Begin, is_verified), note)?;
    config.announce(note);
    let (n, d, plan) = (config.n(), config.d(), config.run.plan);
    let grid = Grid { exponent: 0, precision: config.run.precision };
    Lead::begin(ranks, Outline { system: begun(config), engine: EngineChoice::Cpu, plan, grid, n, d })?;
    agree(ranks.as_ref(), Ok(()))?;
    let (dealt, settled) = config.start_among(ranks.as_ref())?;
    if let Some(lost) = &settled.note {
        note(lost);
    }
    let engine = Lead::hold(ranks, plan, &config.model, dealt, settled.grid)?;
    Ok((settled, engine))
}

/// Follows rank 0 through its run, of which `config` is to be the config, given its [`Config::identity`] and the shape
/// of its tokens.
///
/// # Errors
/// As [`engine::follow`].
pub fn follow(
    ranks: &Shared,
    interrupt: &Interrupt,
    config: impl Fn(&str, npy::Header) -> Result<Config>,
) -> Result<()> {
    engine::follow(ranks, interrupt, &Known(config))
}

/// The config of a rank other than 0.
struct Known<F>(F);

impl<F: Fn(&str, npy::Header) -> Result<Config>> Known<F> {
    /// The config, if `name` gives it the name that rank 0 has told.
    fn config(&self, told: &Outline, name: impl Fn(&mut Config) -> String) -> Result<Config> {
        let mut config = self.0(&told.system, npy::Header::new(told.n, told.d, told.grid.precision))?;
        if name(&mut config) == told.system {
            return Ok(config);
        }
        Err(Error::input("the config is another one than that of rank 0; have all ranks read the same file"))
    }
}

impl<F: Fn(&str, npy::Header) -> Result<Config>> Systems for Known<F> {
    fn model(&self, told: &Outline) -> Result<Model> {
        let named = |config: &mut Config| {
            (config.run.auto, config.run.precision) = (false, told.grid.precision);
            system(config)
        };
        self.config(told, named).map(|config| config.model)
    }

    fn part(&self, told: &Outline, ranks: &dyn Ranks) -> Result<(Model, Dealt, Grid)> {
        let mut config = agree(ranks, self.config(told, |config| begun(config)))?;
        let (dealt, settled) = config.start_among(ranks)?;
        Ok((config.model, dealt, settled.grid))
    }
}

/// What names a system whose precision may not be settled yet.
fn begun(config: &Config) -> String {
    format!("{}-{}-{}", system(config), config.run.precision.name(), config.run.auto)
}

/// What names a system.
fn system(config: &Config) -> String {
    config.identity().to_hex().to_string()
}
