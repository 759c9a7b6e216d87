//! The data of a picture of trajectories.

use crate::error::{Error, Result};
use crate::plot::frames;
use crate::tokens::Tokens;

/// The strip of one token at one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StripView {
    /// t, the step of one of the frames.
    pub step: u64,
    /// i, the token whose strip it is.
    pub token: usize,
    /// C_i, indices of tokens.
    pub members: Vec<usize>,
    /// A x_i, length d.
    pub query: Vec<f64>,
    /// max_l S_il − δ s_i.
    pub threshold: f64,
}

/// A picture of trajectories, before it is drawn.
#[derive(Clone, Debug)]
pub struct Trajectories<'a> {
    /// First line: rule and parameters.
    pub title: String,
    /// Second line: n, d, steps, engine.
    pub subtitle: String,
    /// Steps, ascending, each with its cloud; all clouds have one shape.
    pub frames: &'a [(u64, Tokens)],
    /// The strip to show.
    pub strip: Option<StripView>,
    /// Whether to show x₁ and x₂ in any dimension, in place of principal axes.
    pub by_coordinates: bool,
}

impl Trajectories<'_> {
    /// Checks that there are frames, alike and in order, and that the strip belongs to them.
    pub(crate) fn check(&self) -> Result<()> {
        frames::check(self.frames, "a picture of trajectories")?;
        let (n, d) = (self.frames[0].1.n(), self.frames[0].1.d());
        let Some(strip) = &self.strip else { return Ok(()) };
        if !self.frames.iter().any(|(step, _)| *step == strip.step) {
            return Err(Error::input(format!("there is no frame of step {}, whose strip is to be drawn", strip.step)));
        }
        if let Some(i) = strip.members.iter().chain([&strip.token]).find(|&&i| i >= n) {
            return Err(Error::input(format!("the strip names token {i}; there are {n} tokens")));
        }
        if strip.query.len() != d {
            return Err(Error::input(format!("the strip's query has {} components; d is {d}", strip.query.len())));
        }
        Ok(())
    }
}
