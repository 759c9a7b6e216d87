//! The tokens of a run as its files take them.

use std::io;

use crate::engine::Engine;
use crate::error::Result;
use crate::io::config::Config;
use crate::run::checkpoint::Stored;
use crate::tokens::{Coordinates, Precision, Slices, Tokens};

/// The tokens of a state.
pub(crate) enum State<'a> {
    /// All of them in memory.
    Held(Tokens),
    /// In a checkpoint.
    Stored(&'a Stored),
    /// In parts on several ranks, from where they come in slices.
    Parted {
        /// The engine of these ranks.
        engine: &'a mut dyn Engine,
        /// n and d.
        shape: (usize, usize),
        /// The stored width.
        precision: Precision,
    },
}

impl<'a> State<'a> {
    /// The state that an engine holds of a run.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) fn of(engine: &'a mut dyn Engine, config: &Config) -> Result<Self> {
        if engine.is_parted() {
            return Ok(Self::Parted { engine, shape: (config.rows(), config.d()), precision: config.run.precision });
        }
        engine.tokens().map(Self::Held)
    }

    /// All tokens, which are in memory from then on.
    ///
    /// # Errors
    /// Device failures.
    pub(crate) fn tokens(&mut self) -> Result<&Tokens> {
        let all = match self {
            Self::Held(tokens) => return Ok(tokens),
            Self::Stored(stored) => stored.read()?,
            Self::Parted { engine, .. } => engine.tokens()?,
        };
        *self = Self::Held(all);
        self.tokens()
    }

    /// The tokens, if they are in memory.
    pub(crate) fn held(self) -> Option<Tokens> {
        match self {
            Self::Held(tokens) => Some(tokens),
            Self::Stored(_) | Self::Parted { .. } => None,
        }
    }
}

impl From<Tokens> for State<'_> {
    fn from(tokens: Tokens) -> Self {
        Self::Held(tokens)
    }
}

impl Slices for State<'_> {
    fn shape(&self) -> (usize, usize) {
        match self {
            Self::Held(tokens) => (tokens.n(), tokens.d()),
            Self::Stored(stored) => stored.shape(),
            Self::Parted { shape, .. } => *shape,
        }
    }

    fn precision(&self) -> Precision {
        match self {
            Self::Held(tokens) => tokens.precision(),
            Self::Stored(stored) => stored.precision(),
            Self::Parted { precision, .. } => *precision,
        }
    }

    fn each(&mut self, take: &mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Held(tokens) => take(tokens.coordinates()),
            Self::Stored(stored) => stored.each(take),
            Self::Parted { engine, .. } => engine.each_slice(take),
        }
    }
}
