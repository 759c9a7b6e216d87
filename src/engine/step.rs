//! What an engine is given: a step in integers where the contract defines one, else in real numbers.

use crate::contract::{self, Grid};
use crate::error::{Error, Result};
use crate::field;
use crate::model::Model;

/// One step, in the arithmetic of its model.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Localmax, hardmax, Frank–Wolfe: the same bits on every engine.
    Lattice(contract::Step),
    /// Everything else: the same numbers within bounds.
    Real(field::Step),
}

impl Step {
    /// t, counted from 0.
    pub fn t(&self) -> u64 {
        match self {
            Self::Lattice(step) => step.t,
            Self::Real(step) => step.t,
        }
    }

    /// The integers.
    ///
    /// # Errors
    /// A step in real numbers, given to a state on the lattice.
    pub fn lattice(&self) -> Result<&contract::Step> {
        match self {
            Self::Lattice(step) => Ok(step),
            Self::Real(_) => Err(Error::input("a step in real numbers cannot move tokens that lie on a lattice")),
        }
    }

    /// The real numbers.
    ///
    /// # Errors
    /// A step in integers, given to a state in real numbers.
    pub fn real(&self) -> Result<&field::Step> {
        match self {
            Self::Real(step) => Ok(step),
            Self::Lattice(_) => Err(Error::input("a step in integers cannot move tokens that lie on no lattice")),
        }
    }
}

impl From<contract::Step> for Step {
    fn from(step: contract::Step) -> Self {
        Self::Lattice(step)
    }
}

impl From<field::Step> for Step {
    fn from(step: field::Step) -> Self {
        Self::Real(step)
    }
}

/// The steps of one run, made on demand.
#[derive(Clone, Debug)]
pub enum Steps<'a> {
    /// In integers.
    Lattice(contract::Steps<'a>),
    /// In real numbers.
    Real(field::Steps<'a>),
}

impl<'a> Steps<'a> {
    /// Steps of `model` for tokens in R^d, in integers on `grid` if [`Model::is_exact`].
    pub fn new(model: &'a Model, grid: Grid, d: usize) -> Self {
        if model.is_exact() {
            Self::Lattice(contract::Steps::new(model, grid, d))
        } else {
            Self::Real(field::Steps::new(model, d))
        }
    }

    /// Step t.
    ///
    /// # Errors
    /// A schedule outside its domain at step t.
    pub fn at(&mut self, t: u64) -> Result<Step> {
        match self {
            Self::Lattice(steps) => Ok(Step::Lattice(steps.at(t)?)),
            Self::Real(steps) => Ok(Step::Real(steps.at(t)?)),
        }
    }
}
