//! Reports of an engine on a step, beside the tokens.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::choice::Plan;

/// Strip sizes that a thread looks at together.
const PART: usize = 1 << 16;

/// Measures of one step t → t+1 that every engine yields at no extra pass. Equal on every engine
/// but for `redone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// t of the step t → t + 1 that is reported.
    pub t: u64,
    /// Tokens with any coordinate changed.
    pub moved: u64,
    /// Size of the smallest strip.
    pub strip_min: u32,
    /// Size of the largest strip.
    pub strip_max: u32,
    /// Sum of all strip sizes.
    pub strip_total: u64,
    /// Entries that the float filter could not decide and that were redone in integers
    /// (engine-dependent).
    pub redone: u64,
}

impl StepReport {
    /// The report of a step from its strip sizes.
    pub fn new(t: u64, moved: u64, counts: &[u32], redone: u64) -> Self {
        let sizes = if counts.len() <= PART {
            StripSizes::of(counts)
        } else {
            counts.par_chunks(PART).map(StripSizes::of).reduce(StripSizes::default, StripSizes::join)
        };
        Self::of_sizes(t, moved, sizes, redone)
    }

    pub(crate) fn of_sizes(t: u64, moved: u64, sizes: StripSizes, redone: u64) -> Self {
        Self { t, moved, strip_min: sizes.min, strip_max: sizes.max, strip_total: sizes.total, redone }
    }

    /// True if as many tokens moved as in another step, and strips had the same sizes.
    pub fn is_like(&self, other: &Self) -> bool {
        Self { t: other.t, redone: other.redone, ..*self } == *other
    }
}

/// The smallest strip of some, the largest, and the sum of their sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StripSizes {
    min: u32,
    max: u32,
    total: u64,
}

impl Default for StripSizes {
    fn default() -> Self {
        Self { min: u32::MAX, max: 0, total: 0 }
    }
}

impl StripSizes {
    #[inline]
    pub(crate) fn of(counts: &[u32]) -> Self {
        let one = |all: Self, &count| Self {
            min: all.min.min(count),
            max: all.max.max(count),
            total: all.total + u64::from(count),
        };
        counts.iter().fold(Self::default(), one)
    }

    pub(crate) fn join(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max), total: self.total + other.total }
    }
}

/// Row results of the last step, in token order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strips {
    /// The lowest index that attains the row's maximum.
    pub argmax: Vec<u32>,
    /// |C_i|.
    pub count: Vec<u32>,
}

/// Effort of a step. It differs between engines and instruction sets, and is the same in every run
/// that was taken in one part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Effort {
    /// The plan that ran; never [`Plan::Auto`].
    pub plan: Plan,
    /// Keys scored for a computed row, in all passes.
    pub keys_a_row: f64,
    /// Boxes whose bounds were computed for a computed row.
    pub boxes_a_row: f64,
    /// Rows computed: one for each token, or for all tokens that were merged where they met.
    pub rows: usize,
    /// What ranks that hold a part of the tokens each have told one another.
    pub traffic: Traffic,
}

/// What a rank of several has received in a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Bytes from other ranks. Words that are joined on the way come once.
    pub bytes: u64,
    /// Calls, which all ranks make together.
    pub calls: u64,
}

/// Engine, device and driver, as meta.json and `doctor` show them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// `reference`, `cpu` or `gpu`.
    pub engine: String,
    /// Instruction set and threads, or adapter name.
    pub device: String,
    /// Driver name and version; empty on a CPU.
    pub driver: String,
}
