//! Many clouds in one run: m systems of one shape, side by side. Cloud c is drawn with the seed
//! `seed + c`, or is array c of an (m, n, d) file, and is in every respect the run that it would be
//! alone, in the precision of all.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::start::Start;
use super::{Config, TokenSource};
use crate::engine::{Clouds, Engine};
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::tokens::{Precision, Tokens};

/// The lattice of a cloud, and the tokens that it was laid out for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lattice {
    /// Exponent e of the lattice.
    pub exponent: i32,
    /// Half the longest side of the box of the tokens as given.
    pub half_side: f64,
}

/// The first states of many clouds.
#[derive(Clone, Debug)]
pub struct Starts {
    /// The tokens of all, cloud after cloud.
    pub tokens: Tokens,
    /// The lattice of each.
    pub lattices: Vec<Lattice>,
    /// Why f64 was chosen where the config leaves the choice.
    pub why: Option<String>,
}

impl Config {
    /// Refuses a run of many clouds, for what is of one.
    ///
    /// # Errors
    /// Many clouds; `what` says what cannot take them.
    pub fn require_one_cloud(&self, what: &str) -> Result<()> {
        let Some(m) = self.clouds else { return Ok(()) };
        let text =
            format!("is {m}, and {what} takes one cloud; leave it out, and set seed = {} + c for cloud c", self.seed);
        Err(Error::at_key("tokens.clouds", text))
    }

    /// The run of cloud c alone, of the tokens of all clouds if they come from a file.
    fn alone(&self, c: usize, given: Option<&Tokens>) -> Self {
        let tokens =
            given.map_or_else(|| self.tokens.clone(), |all| TokenSource::Rows(all.cloud(c, self.clouds.unwrap_or(1))));
        let seed = self.seed.wrapping_add(c as u64);
        Self { seed, tokens, clouds: None, model: self.model.of_cloud(c), ..self.clone() }
    }

    /// As [`Config::start`] for every cloud. All have one width: f64 if one of them needs it.
    ///
    /// # Errors
    /// As [`Config::start`], with the cloud's number.
    pub fn starts(&mut self, note: &mut dyn FnMut(&str)) -> Result<Starts> {
        let m = self.clouds.unwrap_or(1);
        let given = if let TokenSource::Cloud(_) = self.tokens { None } else { Some(self.load_tokens()?) };
        let all = |config: &Self| -> Result<Vec<(Start, Precision)>> {
            let one = |c: usize| {
                let mut alone = config.alone(c, given.as_ref());
                let start = alone.start().map_err(|error| error.of_cloud(c))?;
                Ok((start, alone.run.precision))
            };
            // The lowest cloud of those that fail.
            (0..m).into_par_iter().map(one).collect::<Vec<_>>().into_iter().collect()
        };
        let mut starts = all(self)?;
        let wide = starts.iter().position(|(_, precision)| *precision == Precision::F64);
        let why = wide.and_then(|c| starts[c].0.why.as_ref().map(|why| format!("of cloud {c} {why}")));
        self.run.auto = false;
        if wide.is_some() && self.run.precision == Precision::F32 {
            self.run.precision = Precision::F64;
            starts = all(self)?;
        }
        let lost: Vec<_> =
            starts.iter().enumerate().filter_map(|(c, (start, _))| Some((c, start.note.as_ref()?))).collect();
        if let Some((c, text)) = lost.first() {
            let others = if lost.len() > 1 { format!(", and {} clouds more", lost.len() - 1) } else { String::new() };
            note(&format!("cloud {c}{others}: {text}"));
        }
        let lattices =
            starts.iter().map(|(start, _)| Lattice { exponent: start.grid.exponent, half_side: start.radius });
        let lattices = lattices.collect();
        let tokens = Tokens::stacked(starts.into_iter().map(|(start, _)| start.tokens).collect())?;
        Ok(Starts { tokens, lattices, why })
    }

    /// The engine that the config asks for, with an engine for each cloud; `rests` as [`Clouds::open`] has them.
    ///
    /// # Errors
    /// As [`Clouds::open`].
    pub fn open_clouds(&self, tokens: &Tokens, lattices: &[Lattice], rests: &[Option<u64>]) -> Result<Box<dyn Engine>> {
        let run = &self.run;
        let opened = Clouds::open(run.engine, run.plan, &self.model, tokens, &self.grids(lattices), rests)?;
        Ok(Box::new(opened))
    }

    /// The lattices of the clouds' tokens.
    pub fn grids(&self, lattices: &[Lattice]) -> Vec<Grid> {
        lattices.iter().map(|lattice| Grid { exponent: lattice.exponent, precision: self.run.precision }).collect()
    }
}
