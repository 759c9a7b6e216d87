//! Fixed keys: tokens move towards averages of keys that never move.
//!
//! An engine holds the tokens and, after them, the keys, under [`Mask::fixed`]: a token sees the keys, a key sees
//! nothing and so stays where it is. Outside there are the tokens alone, and keys are counted from 0.

use crate::engine::interface::{Engine, Rounding};
use crate::engine::step::Step;
use crate::error::Result;
use crate::exact::Grid;
use crate::interrupt::Interrupt;
use crate::model::Model;
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::tokens::{Coordinates, Precision, Tokens};

/// The tokens, and after them the fixed keys of `model`, rounded as its arithmetic rounds tokens. The tokens alone, if
/// there are none.
///
/// # Errors
/// Keys beyond the range of the lattice.
pub(crate) fn join(model: &Model, tokens: Tokens, grid: Grid) -> Result<Tokens> {
    let Some(keys) = &model.keys else { return Ok(tokens) };
    let keys = if model.is_exact() { grid.snap(keys)? } else { model.start(keys, tokens.precision())? };
    concat(&tokens, &keys)
}

/// Tokens, and keys after them, in the width of the tokens.
pub(super) fn concat(tokens: &Tokens, keys: &Tokens) -> Result<Tokens> {
    let mut all = tokens.to_f64();
    all.extend(keys.to_f64());
    let count = all.len() / tokens.d();
    let coordinates = match tokens.precision() {
        Precision::F32 => Coordinates::F32(all.into_iter().map(|x| x as f32).collect()),
        Precision::F64 => Coordinates::F64(all),
    };
    Tokens::from_flat(count, tokens.d(), coordinates)
}

/// Opens an engine on the tokens and the fixed keys of `model`, by `open`.
///
/// # Errors
/// As [`join`] and `open`.
pub(super) fn with_keys(
    model: &Model,
    tokens: &Tokens,
    grid: Grid,
    open: impl FnOnce(&Tokens) -> Result<Box<dyn Engine>>,
) -> Result<Box<dyn Engine>> {
    let Some(keys) = &model.keys else { return open(tokens) };
    let inner = open(&join(model, tokens.clone(), grid)?)?;
    Ok(Box::new(WithKeys { inner, n: tokens.n(), keys: keys.n() }))
}

/// An engine whose last tokens are fixed keys.
struct WithKeys {
    inner: Box<dyn Engine>,
    /// The tokens that move, and the keys.
    n: usize,
    keys: usize,
}

impl Engine for WithKeys {
    fn description(&self) -> Description {
        self.inner.description()
    }

    fn rounding(&self) -> Rounding {
        self.inner.rounding()
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.inner.heed(interrupt);
    }

    fn step(&mut self, steps: &[Step]) -> Result<Vec<StepReport>> {
        let mut reports = Vec::with_capacity(steps.len());
        for step in steps {
            match self.inner.step(std::slice::from_ref(step)) {
                Ok(taken) => {
                    let count = self.strips()?.count;
                    // Keys have strips too, of no key.
                    reports.extend(taken.iter().map(|of| StepReport::new(of.t, of.moved, &count, of.redone)));
                }
                Err(error) if reports.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(reports)
    }

    fn tokens(&mut self) -> Result<Tokens> {
        let all = self.inner.tokens()?;
        let (d, length) = (all.d(), self.n * all.d());
        let own = match all.into_coordinates() {
            Coordinates::F32(mut x) => {
                x.truncate(length);
                Coordinates::F32(x)
            }
            Coordinates::F64(mut x) => {
                x.truncate(length);
                Coordinates::F64(x)
            }
        };
        Tokens::from_flat(self.n, d, own)
    }

    fn effort(&self) -> Option<Effort> {
        self.inner.effort()
    }

    fn pairs(&self, n: usize) -> f64 {
        n as f64 * self.keys as f64
    }

    fn strips(&mut self) -> Result<Strips> {
        let mut strips = self.inner.strips()?;
        strips.argmax.truncate(self.n);
        strips.count.truncate(self.n);
        strips.argmax.iter_mut().for_each(|key| *key -= self.n as u32);
        Ok(strips)
    }

    fn masks(&mut self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let mut masks = self.inner.masks(step, rows)?;
        masks.iter_mut().flatten().for_each(|key| *key -= self.n as u32);
        Ok(masks)
    }
}
