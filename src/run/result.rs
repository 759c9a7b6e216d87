//! How a run begins and ends, for who calls [`crate::run::record`].

use std::ops::ControlFlow;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::outcome::{Effort, StepReport};
use crate::run::checkpoint::Checkpoint;
use crate::run::clouds::Ends;
use crate::run::limits::Limits;
use crate::run::progress::Progress;
use crate::tokens::Tokens;
use crate::verify::Findings;

/// The end of a run.
#[derive(Debug)]
pub enum Outcome {
    /// The run reached its last step or a fixed point.
    Completed,
    /// The run was asked to stop.
    Interrupted,
    /// A step failed or was refused by verification, or a file could not be written.
    Failed(Error),
}

/// The last state of a run that was recorded, and how the run came to it.
#[derive(Debug)]
pub struct RunResult {
    /// How the run ended.
    pub outcome: Outcome,
    /// Steps taken.
    pub steps: u64,
    /// Steps taken by the engine, recorded or not.
    pub reached: u64,
    /// The last state's report; `None` for a run of 0 steps.
    pub last: Option<StepReport>,
    /// The work of the last step; `None` for engines that do not tell.
    pub effort: Option<Effort>,
    /// The last state; `None` where it lies in parts on several ranks.
    pub tokens: Option<Tokens>,
    /// [`Tokens::hash`] of the last state; `None` if a failure has left nothing of it.
    pub hash: Option<blake3::Hash>,
    /// The findings of verification in this segment; `None` if it was not asked for.
    pub findings: Option<Findings>,
    /// The step of the last checkpoint.
    pub saved: Option<u64>,
    /// The run's progress, seconds included.
    pub progress: Progress,
    /// The clusters of the last state, of one cloud.
    pub limits: Option<Limits>,
    /// The ends of many clouds.
    pub ends: Option<Ends>,
    /// True if `final.npy` holds the last state.
    pub is_final_written: bool,
}

/// Callbacks of a run: progress, and reopening a lost device.
pub trait Callbacks {
    /// Opens another engine on the checkpoint's state after a device was lost. It must be on the
    /// same adapter.
    ///
    /// # Errors
    /// No such engine.
    fn reopen(&mut self, lost: &Error, at: &Checkpoint) -> Result<Box<dyn Engine>>;

    /// The flag by which a run is asked to end, in the middle of a step if need be.
    fn interrupt(&self) -> Interrupt {
        Interrupt::default()
    }

    /// Hears what the user has to know.
    fn note(&mut self, _text: &str) {}

    /// Hears the steps taken, the last report, and how that step was computed; breaks to end the
    /// run there.
    fn progress(&mut self, step: u64, report: &StepReport, effort: Option<&Effort>) -> ControlFlow<()>;
}

impl Outcome {
    /// Notes a failure of what follows, unless something failed before: the first failure is the one to
    /// mend.
    pub(super) fn keep_first(&mut self, then: Result<()>) {
        if let (Err(error), false) = (then, matches!(self, Self::Failed(_))) {
            *self = Self::Failed(error);
        }
    }
}
