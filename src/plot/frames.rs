//! Frames: steps, each with its cloud.

use crate::error::{Error, Result};
use crate::tokens::Tokens;

/// Checks that there are frames, ascending and of one shape; messages name `of`, the picture.
pub(super) fn check(frames: &[(u64, Tokens)], of: &str) -> Result<()> {
    let Some((_, first)) = frames.first() else {
        return Err(Error::input(format!("{of} needs at least one frame")));
    };
    let (n, d) = (first.n(), first.d());
    for [(before, _), (step, tokens)] in frames.array_windows() {
        if (tokens.n(), tokens.d()) != (n, d) {
            return Err(Error::input(format!(
                "the frame of step {step} has shape ({}, {}), the first one ({n}, {d}); they must be alike",
                tokens.n(),
                tokens.d()
            )));
        }
        if step <= before {
            return Err(Error::input(format!("frames must ascend: step {step} comes after step {before}")));
        }
    }
    Ok(())
}
