//! A build without the feature `gpu`: no adapter is found, so there is never a device.

use crate::choice::Plan;
use crate::engine::interface::Engine;
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::model::Model;
use crate::ranks::Shared;
use crate::tokens::{Precision, Tokens};

/// A GPU was asked for.
pub(crate) fn no_gpu() -> Error {
    Error::device(
        "this build of localmax has no GPU engine: build it with the feature `gpu`, or take engine cpu or auto",
    )
}

pub(super) enum Wanted {
    Hardware,
    Any,
}

pub(super) enum Adapter {}

pub(super) enum Device {}

impl Adapter {
    pub(super) fn choose_together(_: Wanted) -> Result<Vec<Self>> {
        Err(no_gpu())
    }

    pub(super) fn is_named() -> bool {
        false
    }

    pub(super) fn name(&self) -> &str {
        match *self {}
    }

    pub(super) fn is_software(&self) -> bool {
        match *self {}
    }
}

impl Device {
    pub(super) fn open_all(_: &[Adapter]) -> Result<Vec<Self>> {
        Err(no_gpu())
    }

    pub(super) fn adapter(&self) -> &Adapter {
        match *self {}
    }
}

pub(super) fn on_gpus(_: &[Device], _: Plan, _: &Model, _: &Tokens, _: Grid) -> Result<Box<dyn Engine>> {
    Err(no_gpu())
}

pub(super) fn on_ranks(_: &Shared, _: Plan, _: &Model, _: &Tokens, _: Grid) -> Result<Box<dyn Engine>> {
    Err(no_gpu())
}

pub(super) fn need(_: &[Adapter], _: Plan, _: &Model, _: (usize, usize), _: Precision) -> Result<String> {
    Err(no_gpu())
}
