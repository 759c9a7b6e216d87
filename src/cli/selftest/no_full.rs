//! `selftest --full` in a build without the feature `gpu`.

use std::path::Path;

use crate::engine;
use crate::error::Result;

pub(super) fn run(_: &Path, _: bool) -> Result<()> {
    Err(engine::no_gpu())
}
