//! The first state of a config's run: its tokens, the width that they are stored in, and what that
//! width cannot hold.

use super::{Config, TokenSource};
use crate::cpu::Dealt;
use crate::engine::{self, Engine, When};
use crate::error::{Error, Result};
use crate::exact::{Grid, Loss};
use crate::io::{input, npy};
use crate::num;
use crate::ranks::{Join, Ranks, agree};
use crate::tokens::{Precision, Tokens};

/// The first state of a run.
#[derive(Clone, Debug)]
pub struct Start {
    /// The tokens, on their lattice or their geometry.
    pub tokens: Tokens,
    /// The lattice of an exact rule.
    pub grid: Grid,
    /// [`Tokens::radius`] of the tokens as given.
    pub radius: f64,
    /// Why f64 was chosen where the config leaves the choice.
    pub why: Option<String>,
    /// What the lattice loses of the tokens as given.
    pub lost: Loss,
    /// The loss in words, with the remedy; `None` if nothing is lost.
    pub note: Option<String>,
}

/// Coordinates that take seconds to draw or read.
const LONG_TO_LOAD: usize = 100_000_000;

/// Hears what a person has to know.
type Note<'a> = &'a mut dyn FnMut(&str);

impl Config {
    /// Checks that there is the engine that the config asks for, with the memory that it takes, and
    /// says how much.
    ///
    /// # Errors
    /// No such engine, or more memory than there is.
    pub fn preflight(&self, when: When, note: Note<'_>) -> Result<()> {
        let run = &self.run;
        let choice = engine::of_clouds(run.engine, self.clouds);
        let memory = engine::preflight(choice, run.plan, &self.model, self.rows(), self.d(), run.precision, when)?;
        if let Some(memory) = memory {
            note(&memory);
        }
        Ok(())
    }

    /// [`Config::start`], after [`Config::preflight`]; says what the lattice loses.
    ///
    /// # Errors
    /// The errors of the two; nothing is allocated before the first has passed.
    pub fn first_state(&mut self, note: Note<'_>) -> Result<Start> {
        self.first_state_after(&|config, note| config.preflight(When::Begin, note), note)
    }

    /// As [`Config::first_state`], after another check than [`Config::preflight`], which is made once more where
    /// tokens turn out to need f64.
    ///
    /// # Errors
    /// The errors of the check and of [`Config::start`].
    pub fn first_state_after(
        &mut self,
        preflight: &dyn Fn(&Self, Note<'_>) -> Result<()>,
        note: Note<'_>,
    ) -> Result<Start> {
        preflight(self, note)?;
        self.announce(note);
        let width = self.run.precision;
        let start = self.start()?;
        if self.run.precision != width {
            preflight(self, note)?;
        }
        if let Some(lost) = &start.note {
            note(lost);
        }
        Ok(start)
    }

    /// Says what a person has to know before tokens are read or drawn.
    pub fn announce(&self, note: Note<'_>) {
        let (n, d) = (self.n(), self.d());
        let coordinates = n.saturating_mul(d);
        if coordinates > LONG_TO_LOAD {
            note(&format!("drawing or reading {coordinates} coordinates"));
        }
        if let TokenSource::File(path, ..) = &self.tokens
            && d > n
        {
            let (path, s) = (path.display(), if n == 1 { "" } else { "s" });
            note(&format!("{path}: {n} token{s} in R^{d}, a row each; if a column is a token, transpose the array"));
        }
    }

    /// The engine that the config asks for, holding a state.
    ///
    /// # Errors
    /// No such engine, or more memory than there is; device failures.
    pub fn open_engine(&self, tokens: &Tokens, grid: Grid, note: Note<'_>) -> Result<Box<dyn Engine>> {
        let opened = engine::open(self.run.engine, self.run.plan, &self.model, tokens, grid)?;
        if let Some(text) = opened.note {
            note(&text);
        }
        Ok(opened.engine)
    }

    /// Reads or draws the tokens, puts them on their lattice or geometry, and settles the precision
    /// if the config leaves it open: f32, or f64 where f32's lattice is too coarse for the steps or
    /// for the tokens.
    ///
    /// # Errors
    /// A run of many clouds ([`Config::starts`]). Those of [`Config::load_tokens`]; tokens that no lattice or geometry
    /// can hold; steps too small for the lattice.
    pub fn start(&mut self) -> Result<Start> {
        self.require_one_cloud("what is asked for")?;
        if !self.model.is_exact() {
            self.run.auto = false;
            let given = self.load_tokens()?;
            let (tokens, grid) = engine::first_state(&self.model, &given, self.run.precision)?;
            return Ok(Start { tokens, grid, radius: given.radius(), why: None, lost: Loss::default(), note: None });
        }
        let (given, Settled { grid, radius, why, lost, note, .. }) = self.settle(&Self::load_at)?;
        Ok(Start { tokens: grid.snap(&given)?, grid, radius, why, lost, note })
    }

    /// As [`Config::start`] of an exact rule, on all of several ranks together, each of which reads or draws a stretch
    /// of the tokens and is then dealt a part of them, as they are before their lattice rounds them.
    ///
    /// # Errors
    /// As [`Config::start`], the same on all ranks.
    pub fn start_among(&mut self, ranks: &dyn Ranks) -> Result<(Dealt, Settled)> {
        let load = |config: &Self, precision| config.load_part(precision, ranks).map(|part| Part { part, ranks });
        self.settle(&load).map(|(given, settled)| (given.part, settled))
    }

    /// As [`Config::load_at`], a part of the tokens on each of several ranks.
    ///
    /// # Errors
    /// As there, on all ranks; a file that is another one on some rank.
    fn load_part(&self, precision: Precision, ranks: &dyn Ranks) -> Result<Dealt> {
        let (n, d) = (self.n(), self.d());
        let rows = Dealt::share(n, ranks);
        if let TokenSource::File(path, ..) = &self.tokens {
            let seen = agree(ranks, input::identity(path))?;
            let all = ranks.all_gather(&seen)?;
            if let Some(rank) = all.iter().position(|seen| seen != all.of(0)) {
                let path = path.display();
                return Err(Error::input(format!(
                    "{path}: rank {rank} sees another file there than rank 0; put it on a disk that all ranks share"
                )));
            }
        }
        let own = match &self.tokens {
            TokenSource::File(path, ..) => npy::read_rows(path, rows.clone()),
            TokenSource::Rows(tokens) => Ok(tokens.stretch(rows.clone())),
            TokenSource::Cloud(cloud) => cloud.rows(self.seed, precision, rows.clone()),
        };
        Dealt::of_stretches(rows.start, &agree(ranks, own)?, (n, d), ranks)
    }

    /// Settles the precision and the lattice of an exact rule, with the tokens as `load` has them in a precision.
    fn settle<G: Given>(&mut self, load: &dyn Fn(&Self, Precision) -> Result<G>) -> Result<(G, Settled)> {
        let is_open = std::mem::take(&mut self.run.auto);
        let mut given = load(self, self.run.precision)?;
        let (mut why, mut lost) = (None, None);
        if is_open {
            match self.too_coarse(&given, load)? {
                Ok(found) => lost = Some(found),
                Err(reason) => {
                    why = Some(reason);
                    self.run.precision = Precision::F64;
                    if let TokenSource::Cloud(_) = self.tokens {
                        given = load(self, self.run.precision)?;
                    }
                }
            }
        }
        let (largest, radius) = (self.largest(&given)?, given.radius(self.model.keys.as_deref())?);
        let grid = Grid::above(largest, self.run.precision);
        grid.require_range(largest)?;
        grid.require_steps(&self.model, 0..self.run.steps, radius)?;
        let lost = lost.map_or_else(|| self.loss(&given, grid, load), Ok)?;
        let note = if lost.is_none() { None } else { Some(told(lost, &given, grid)?) };
        let keys = self.model.keys.as_ref().map(|keys| grid.loss(keys)).filter(|lost| !lost.is_none());
        let note = note.or(keys.map(|lost| format!("of the fixed keys {lost}; precision = \"f64\" keeps more")));
        Ok((given, Settled { grid, largest: grid.real(grid.coordinate(largest)), radius, why, lost, note }))
    }

    /// The largest coordinate that the lattice has to hold, of the tokens as given, of fixed keys or of a truth.
    fn largest<G: Given>(&self, given: &G) -> Result<f64> {
        let beside = self.model.beside().map(Tokens::largest_magnitude);
        Ok(beside.fold(given.largest()?, f64::max))
    }

    /// What f32's lattice loses of the tokens, or why it is too coarse for this run.
    fn too_coarse<G: Given>(
        &self,
        given: &G,
        load: &dyn Fn(&Self, Precision) -> Result<G>,
    ) -> Result<std::result::Result<Loss, String>> {
        let largest = self.largest(given)?;
        let grid = Grid::above(largest, Precision::F32);
        if let Err(error) = grid.require_range(largest) {
            return Ok(Err(error.to_string()));
        }
        if let Some(text) =
            grid.too_coarse_for(&self.model, 0..self.run.steps, given.radius(self.model.keys.as_deref())?)?
        {
            return Ok(Err(text));
        }
        let lost = self.loss(given, grid, load)?;
        let keys = self.model.keys.as_ref().map(|keys| grid.loss(keys)).filter(|lost| lost.is_large());
        if let Some(keys) = keys {
            return Ok(Err(format!("on the f32 lattice, of the fixed keys {keys}")));
        }
        Ok(if lost.is_large() { Err(format!("on the f32 lattice {lost}")) } else { Ok(lost) })
    }

    /// What a lattice loses of the tokens as given. Rounding is part of drawing a cloud: there only
    /// a large loss counts, and only of tokens, as no generated coordinate is small but by rounding.
    fn loss<G: Given>(&self, given: &G, grid: Grid, load: &dyn Fn(&Self, Precision) -> Result<G>) -> Result<Loss> {
        let TokenSource::Cloud(_) = &self.tokens else { return given.loss(grid) };
        if !given.at_most(grid)?.is_large() {
            return Ok(Loss::default());
        }
        let drawn = load(self, Precision::F64)?;
        let lost = Loss { vanished: 0, ..drawn.loss(grid)? };
        Ok(if lost.is_large() { lost } else { Loss::default() })
    }
}

/// What is settled of a run's first state by its tokens as given.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The lattice.
    pub grid: Grid,
    /// The largest magnitude of a coordinate on it.
    pub largest: f64,
    /// [`Tokens::radius`] of the tokens as given.
    pub radius: f64,
    /// Why f64 was chosen where the config leaves the choice.
    pub why: Option<String>,
    /// What the lattice loses.
    pub lost: Loss,
    /// The loss in words, with the remedy.
    pub note: Option<String>,
}

/// Tokens as given: all of them, or a part on each of several ranks, which ask together.
trait Given {
    /// [`Tokens::largest_magnitude`].
    fn largest(&self) -> Result<f64>;
    /// [`Tokens::radius`], of tokens and fixed keys; ranks have none.
    fn radius(&self, keys: Option<&Tokens>) -> Result<f64>;
    /// [`Grid::loss`].
    fn loss(&self, grid: Grid) -> Result<Loss>;
    /// [`Loss::at_most`] of what the lattice makes of them.
    fn at_most(&self, grid: Grid) -> Result<Loss>;
}

impl Given for Tokens {
    fn largest(&self) -> Result<f64> {
        Ok(self.largest_magnitude())
    }

    fn radius(&self, keys: Option<&Tokens>) -> Result<f64> {
        Ok(self.radius_beside(keys))
    }

    fn loss(&self, grid: Grid) -> Result<Loss> {
        Ok(grid.loss(self))
    }

    fn at_most(&self, grid: Grid) -> Result<Loss> {
        Ok(Loss::at_most(&grid.snap(self)?))
    }
}

/// What was dealt out to one of several ranks.
struct Part<'a> {
    part: Dealt,
    ranks: &'a dyn Ranks,
}

impl Part<'_> {
    fn among(&self, grid: Grid, has_given: bool) -> Result<Loss> {
        let (given, d) = (self.part.coordinates(), self.part.d());
        let held = grid.rounded(given);
        let is_shared = |i: usize| self.part.is_at_edge(grid, |k| held.get(i * d + k));
        Loss::among(self.ranks, (self.part.n(), d), has_given.then_some(given), &held, is_shared)
    }
}

impl Given for Part<'_> {
    fn largest(&self) -> Result<f64> {
        // Numbers of one sign are in order as their bits are.
        let mut largest = [self.part.coordinates().largest_magnitude().to_bits()];
        self.ranks.reduce(Join::Max, &mut largest)?;
        Ok(f64::from_bits(largest[0]))
    }

    fn radius(&self, _: Option<&Tokens>) -> Result<f64> {
        let (x, d) = (self.part.coordinates(), self.part.d());
        let ends = |k: usize| num::range((k..x.len()).step_by(d).map(|at| x.get(at)));
        let told: Vec<u8> = (0..d).flat_map(|k| <[f64; 2]>::from(ends(k))).flat_map(f64::to_ne_bytes).collect();
        let mut sides = vec![(f64::INFINITY, f64::NEG_INFINITY); d];
        for told in self.ranks.all_gather(&told)?.iter() {
            let ends: Vec<f64> = told.as_chunks::<8>().0.iter().map(|x| f64::from_ne_bytes(*x)).collect();
            for ((low, high), ends) in sides.iter_mut().zip(ends.chunks_exact(2)) {
                (*low, *high) = (low.min(ends[0]), high.max(ends[1]));
            }
        }
        Ok(sides.into_iter().map(|(low, high)| 0.5 * high - 0.5 * low).fold(0.0, f64::max))
    }

    fn loss(&self, grid: Grid) -> Result<Loss> {
        if grid.require_range(self.largest()?).is_err() {
            return Ok(Loss::whole(self.part.n(), self.part.d()));
        }
        self.among(grid, true)
    }

    fn at_most(&self, grid: Grid) -> Result<Loss> {
        self.among(grid, false)
    }
}

/// What is lost, and what helps.
fn told(lost: Loss, given: &impl Given, grid: Grid) -> Result<String> {
    let width = grid.precision.name();
    let wide = given.loss(Grid::above(given.largest()?, Precision::F64))?;
    if grid.precision == Precision::F32 && wide.is_none() {
        return Ok(format!("{lost}, in {width}; precision = \"f64\" keeps them"));
    }
    let also = if grid.precision == Precision::F32 { format!("; in f64 {wide}") } else { String::new() };
    Ok(format!("{lost}, in {width}{also}: bring the farthest tokens nearer, or move the origin to the tokens"))
}
