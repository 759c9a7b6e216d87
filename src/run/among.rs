//! A run on several ranks ([`crate::ranks`]): rank 0 reads and writes all of its files, and gives the others
//! the tokens; they read the config alone.

use crate::choice::EngineChoice;
use crate::engine::{self, Engine, Lead, Start};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::interrupt::Interrupt;
use crate::io::config::Config;
use crate::io::npy;
use crate::ranks::Shared;
use crate::tokens::Tokens;

/// The config of a run on these ranks, of which several share the rows of the CPU engine.
///
/// # Errors
/// Another engine, where there are several ranks.
pub fn config(ranks: &Shared, config: &Config) -> Result<Config> {
    let (mut config, size) = (config.clone(), ranks.size());
    if size > 1 {
        match config.run.engine {
            EngineChoice::Auto | EngineChoice::Cpu => config.run.engine = EngineChoice::Cpu,
            EngineChoice::Gpu | EngineChoice::Reference => {
                return Err(Error::at_key(
                    "run.engine",
                    format!(
                        "is {:?}, and {size} ranks share the rows of the cpu engine alone; take cpu or auto",
                        config.run.engine.name()
                    ),
                ));
            }
        }
    }
    Ok(config)
}

/// As [`Config::preflight`], of the memory of all ranks.
///
/// # Errors
/// As there; the first rank without the memory that it needs.
pub fn preflight(ranks: &Shared, config: &Config, note: &mut dyn FnMut(&str)) -> Result<()> {
    if ranks.size() == 1 {
        return config.preflight(note);
    }
    let config = self::config(ranks, config)?;
    Lead::require(ranks, config.run.plan, &config.model, (config.n(), config.d()), config.run.precision)
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
    let start = Start { system: system(&config), plan: config.run.plan, grid, tokens: tokens.clone() };
    Lead::open(ranks, start, &config.model)
}

/// Follows rank 0 through its run, of which `config` is to be the config, given the shape of its tokens.
///
/// # Errors
/// As [`engine::follow`].
pub fn follow(ranks: &Shared, interrupt: &Interrupt, config: impl Fn(npy::Header) -> Result<Config>) -> Result<()> {
    engine::follow(ranks, interrupt, |start| {
        let mut config = config(npy::Header::new(start.n, start.d, start.grid.precision))?;
        (config.run.auto, config.run.precision) = (false, start.grid.precision);
        if system(&config) == start.system {
            return Ok(config.model);
        }
        Err(Error::input("the config is another one than that of rank 0; have all ranks read the same file"))
    })
}

/// What names a system.
fn system(config: &Config) -> String {
    config.identity().to_hex().to_string()
}
