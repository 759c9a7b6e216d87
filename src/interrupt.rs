//! The wish that work in progress end soon, as a signal brings it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// A flag that engines look at while they compute. Clones share it; once raised it stays so.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks whoever looks at the flag to end soon.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag was raised.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`Error::Interrupted`] once the flag was raised.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_raised() { Err(Error::Interrupted("interrupted".into())) } else { Ok(()) }
    }

    /// Takes steps until one of them is interrupted or fails; the results of those taken whole. The
    /// state is then that before the step that was not, which fails again when it is asked for.
    ///
    /// # Errors
    /// The errors of `take` and [`Error::Interrupted`], where no step was taken whole.
    pub(crate) fn whole_steps<S, R>(&self, steps: &[S], mut take: impl FnMut(&S) -> Result<R>) -> Result<Vec<R>> {
        let mut taken = Vec::with_capacity(steps.len());
        for step in steps {
            match self.check().and_then(|()| take(step)) {
                Err(_) if !taken.is_empty() => break,
                result => taken.push(result?),
            }
        }
        Ok(taken)
    }
}
