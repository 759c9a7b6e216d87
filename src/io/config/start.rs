//! The first state of a config's run: its tokens, the width that they are stored in, and what that
//! width cannot hold.

use super::{Config, TokenSource};
use crate::engine::{self, Engine};
use crate::error::Result;
use crate::exact::{Grid, Loss};
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
    pub fn preflight(&self, note: Note<'_>) -> Result<()> {
        let run = &self.run;
        let choice = engine::of_clouds(run.engine, self.clouds);
        let memory = engine::preflight(choice, run.plan, &self.model, self.rows(), self.d(), run.precision)?;
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
        self.first_state_after(&Self::preflight, note)
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
    /// A run of many clouds ([`Config::starts`]). Those of [`Config::load_tokens`]; tokens that no lattice or geometry can hold; steps too
    /// small for the lattice.
    pub fn start(&mut self) -> Result<Start> {
        self.require_one_cloud("what is asked for")?;
        let is_open = std::mem::take(&mut self.run.auto);
        let mut given = self.load_tokens()?;
        if !self.model.is_exact() {
            let (tokens, grid) = engine::first_state(&self.model, &given, self.run.precision)?;
            return Ok(Start { tokens, grid, radius: given.radius(), why: None, lost: Loss::default(), note: None });
        }
        let (mut why, mut lost) = (None, None);
        if is_open {
            match self.too_coarse(&given)? {
                Ok(found) => lost = Some(found),
                Err(reason) => {
                    why = Some(reason);
                    self.run.precision = Precision::F64;
                    if let TokenSource::Cloud(_) = self.tokens {
                        given = self.load_tokens()?;
                    }
                }
            }
        }
        let radius = given.radius();
        let (tokens, grid) = engine::first_state(&self.model, &given, self.run.precision)?;
        grid.require_steps(&self.model, 0..self.run.steps, radius)?;
        let lost = lost.map_or_else(|| self.loss(&given, grid), Ok)?;
        let note = (!lost.is_none()).then(|| told(lost, &given, grid));
        Ok(Start { tokens, grid, radius, why, lost, note })
    }

    /// What f32's lattice loses of the tokens, or why it is too coarse for this run.
    fn too_coarse(&self, given: &Tokens) -> Result<std::result::Result<Loss, String>> {
        let widest = self.model.widest(given);
        let grid = Grid::of(widest, Precision::F32);
        if let Err(error) = grid.require_range(widest.largest_magnitude()) {
            return Ok(Err(error.to_string()));
        }
        if let Some(text) = grid.too_coarse_for(&self.model, 0..self.run.steps, given.radius())? {
            return Ok(Err(text));
        }
        let lost = self.loss(given, grid)?;
        Ok(if lost.is_large() { Err(format!("on the f32 lattice {lost}")) } else { Ok(lost) })
    }

    /// What a lattice loses of the tokens as given. Rounding is part of drawing a cloud: there only
    /// a large loss counts, and only of tokens, as no generated coordinate is small but by rounding.
    fn loss(&self, given: &Tokens, grid: Grid) -> Result<Loss> {
        let TokenSource::Cloud(cloud) = &self.tokens else { return Ok(grid.loss(given)) };
        if !Loss::at_most(&grid.snap(given)?).is_large() {
            return Ok(Loss::default());
        }
        let drawn = cloud.tokens(self.seed, Precision::F64)?;
        let lost = Loss { vanished: 0, ..grid.loss(&drawn) };
        Ok(if lost.is_large() { lost } else { Loss::default() })
    }
}

/// What is lost, and what helps.
fn told(lost: Loss, given: &Tokens, grid: Grid) -> String {
    let width = grid.precision.name();
    let wide = Grid::of(given, Precision::F64).loss(given);
    if grid.precision == Precision::F32 && wide.is_none() {
        return format!("{lost}, in {width}; precision = \"f64\" keeps them");
    }
    let also = if grid.precision == Precision::F32 { format!("; in f64 {wide}") } else { String::new() };
    format!("{lost}, in {width}{also}: bring the farthest tokens nearer, or move the origin to the tokens")
}
