//! The step that an engine takes: in integers where the contract defines one, else in real numbers.

use crate::error::{Error, Result};
use crate::exact::{self, Grid};
use crate::model::Model;
use crate::real;

/// One step, in the arithmetic of its model.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Localmax, hardmax, Frank–Wolfe: the same bits on every engine.
    Exact(exact::Step),
    /// Everything else: the same numbers within bounds.
    Real(real::Step),
}

impl Step {
    /// t, counted from 0.
    pub fn t(&self) -> u64 {
        match self {
            Self::Exact(step) => step.t,
            Self::Real(step) => step.t,
        }
    }

    /// The integers.
    ///
    /// # Errors
    /// A step in real numbers, given to a state on the lattice.
    pub fn exact(&self) -> Result<&exact::Step> {
        match self {
            Self::Exact(step) => Ok(step),
            Self::Real(_) => Err(Error::input("a step in real numbers cannot move tokens that lie on a lattice")),
        }
    }

    /// The real numbers.
    ///
    /// # Errors
    /// A step in integers, given to a state in real numbers.
    pub fn real(&self) -> Result<&real::Step> {
        match self {
            Self::Real(step) => Ok(step),
            Self::Exact(_) => Err(Error::input("a step in integers cannot move tokens that lie on no lattice")),
        }
    }
}

impl From<exact::Step> for Step {
    fn from(step: exact::Step) -> Self {
        Self::Exact(step)
    }
}

impl From<real::Step> for Step {
    fn from(step: real::Step) -> Self {
        Self::Real(step)
    }
}

/// The steps of one run, made on demand.
#[derive(Clone, Debug)]
pub enum Steps {
    /// In integers.
    Exact(exact::Steps),
    /// In real numbers.
    Real(real::Steps),
}

impl Steps {
    /// Steps of `model` for tokens in R^d, in integers on `grid` if [`Model::is_exact`].
    pub fn new(model: &Model, grid: Grid, d: usize) -> Self {
        if model.is_exact() {
            Self::Exact(exact::Steps::new(model, grid, d))
        } else {
            Self::Real(real::Steps::new(model, d))
        }
    }

    /// Step t.
    ///
    /// # Errors
    /// A schedule outside its domain at step t.
    pub fn at(&mut self, t: u64) -> Result<Step> {
        match self {
            Self::Exact(steps) => Ok(Step::Exact(steps.at(t)?)),
            Self::Real(steps) => Ok(Step::Real(steps.at(t)?)),
        }
    }
}
