//! The trait of every engine.

use std::io;

use crate::engine::step::Step;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::tokens::{Coordinates, Tokens};

/// Width that an engine computes in, in rules on real numbers. Scores and weights of pairs are in
/// the stored width everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Whatever is done once a row or once a tile of keys, in f64.
    Double,
    /// Everything in f32, rounded to either neighbour, but for what sums over chunks of keys carry
    /// along.
    Single,
}

/// An engine that holds a state on its device and steps it.
///
/// An engine is made for one of two arithmetics ([`crate::model::Model::is_exact`]): for the
/// integer contract from tokens that already lie on their [`crate::exact::Grid`], and then all
/// engines give the same bits; or for real numbers from tokens that [`crate::model::Model::start`]
/// has placed, and then they agree within bounds. The state is held in its stored width between
/// steps, so that what [`Engine::tokens`] gives is all of it.
pub trait Engine: Send {
    /// Engine, device and driver.
    fn description(&self) -> Description;

    /// Width by which [`crate::verify`] bounds steps in real numbers.
    fn rounding(&self) -> Rounding {
        Rounding::Double
    }

    /// Has the engine look at `interrupt` from now on, many times a second while it computes. One
    /// that does not ends every step that it begins.
    fn heed(&mut self, _interrupt: &Interrupt) {}

    /// Applies the steps in order; a GPU may take several in one submission. An interrupt, and on the
    /// CPU and the reference a failure, ends it after the steps that were taken whole, whose reports it
    /// returns.
    ///
    /// # Errors
    /// [`crate::error::Error::Interrupted`] before the first step was taken whole: the state is as
    /// it was. Device failures; a token that stops being finite; a step of the other arithmetic:
    /// the state is then undefined.
    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>>;

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// Device failures.
    fn tokens(&mut self) -> Result<Tokens>;

    /// Gives `take` the current tokens, in their order and in the stored width, a slice at a time.
    ///
    /// # Errors
    /// The first error of `take`; device failures inside.
    fn each_slice(&mut self, take: &mut dyn FnMut(&Coordinates) -> io::Result<()>) -> io::Result<()> {
        take(self.tokens().map_err(io::Error::other)?.coordinates())
    }

    /// Whether the tokens lie in parts on several ranks, none of which holds what [`Engine::tokens`] brings together.
    fn is_parted(&self) -> bool {
        false
    }

    /// Effort of the last step; `None` before the first, and in an engine that always compares every
    /// row with every key.
    fn effort(&self) -> Option<Effort> {
        None
    }

    /// Pairs of a row and a key, by what they cost, in a step of all n tokens.
    fn pairs(&self, n: usize) -> f64 {
        (n as f64).powi(2)
    }

    /// The step from which on no bit changes of each of many clouds, where it is known; nothing of
    /// one cloud.
    fn rests(&self) -> Vec<Option<u64>> {
        Vec::new()
    }

    /// Argmax and number of keys attended to of every row in the last step taken (first head, first
    /// stage).
    ///
    /// # Errors
    /// Device failures; no step taken yet.
    fn strips(&mut self) -> Result<Strips>;

    /// C_i of the given rows in the current state, as the engine itself decides it, without moving
    /// anything: the keys that the rule attends to, which for softmax are all that the row sees.
    ///
    /// # Errors
    /// Device failures.
    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>>;
}
