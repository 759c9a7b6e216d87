//! A step's report as the device counts it: tokens moved, smallest and largest strip, then 64-bit counters.

use crate::exact::Step;
use crate::gpu::exact::kernels::REPORT_WORDS;
use crate::outcome::StepReport;

/// Steps whose reports are read back together.
pub(crate) const REPORTS: usize = 256;

/// Reports of this many steps before they are taken, as words.
pub(crate) fn fresh(steps: usize) -> Vec<u32> {
    let mut words = [0; REPORT_WORDS];
    words[1] = u32::MAX;
    words.repeat(steps)
}

/// What the words of a report say.
pub(crate) fn report(step: &Step, words: &[u32]) -> StepReport {
    StepReport {
        t: step.t,
        moved: u64::from(words[0]),
        strip_min: words[1],
        strip_max: words[2],
        strip_total: counter(words, 3),
        redone: counter(words, 5),
    }
}

/// Keys scored and boxes bounded by a search, of all rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tests {
    pub(crate) keys: u64,
    pub(crate) boxes: u64,
}

impl Tests {
    /// What the words of a report say of them.
    pub(crate) fn of(words: &[u32]) -> Self {
        Self { keys: counter(words, 8), boxes: counter(words, 10) }
    }

    pub(crate) fn total(self) -> u64 {
        self.keys + self.boxes
    }
}

fn counter(words: &[u32], at: usize) -> u64 {
    u64::from(words[at + 1]) << 32 | u64::from(words[at])
}
