//! A step in the integers of a precision, the state that takes it, and counts of the work.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::share::{Rows, Share, Word};
use crate::error::{Error, Result};
use crate::exact::{Grid, Step, TokenMatrix};
use crate::interrupt::Interrupt;
use crate::outcome::{Effort, StepReport, Strips};
use crate::tokens::Tokens;

/// A step with its matrix in the integers of a precision.
pub(crate) struct PreparedStep<'a, W: Width> {
    pub(crate) step: &'a Step,
    /// Ã, row-major, if it is dense.
    pub(crate) dense: Vec<W::Int>,
}

impl<'a, W: Width> PreparedStep<'a, W> {
    pub(crate) fn new(step: &'a Step) -> Self {
        let dense = match &step.matrix {
            TokenMatrix::Dense(entries) => entries.iter().map(|&a| W::Int::of(a)).collect(),
            TokenMatrix::Identity | TokenMatrix::Multiple(_) => Vec::new(),
        };
        Self { step, dense }
    }
}

/// The result that a packet is computed for.
pub(crate) enum Purpose<'a, W: Width> {
    /// New coordinates, argmax and strip size of its rows.
    Move { x: &'a mut [W::Int], argmax: &'a mut [u32], count: &'a mut [u32] },
    /// The keys in the strips of its rows.
    Members(&'a mut [Vec<u32>]),
    /// For rows whose thresholds are known, sums of coordinates and number of the keys in their strips: d + 1
    /// numbers a row.
    Answer { thresholds: &'a [W::Wide], sums: &'a mut [W::Wide] },
    /// Only the counts of its work.
    Trial,
}

/// Counts of a packet's work.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Rows computed.
    pub(crate) rows: u64,
    /// Those of them that classes of width decided.
    pub(crate) thin: u64,
    /// Rows that moved.
    pub(crate) moved: u64,
    /// Entries decided by exact scores, not counting one maximiser a row.
    pub(crate) redone: u64,
    /// Float scores computed, in both passes.
    pub(crate) scores: u64,
    /// Pairs, row and box, whose bounds were computed.
    pub(crate) boxes: u64,
    /// Bounds computed once for a group of rows.
    pub(crate) shared: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            rows: self.rows + other.rows,
            thin: self.thin + other.thin,
            moved: self.moved + other.moved,
            redone: self.redone + other.redone,
            scores: self.scores + other.scores,
            boxes: self.boxes + other.boxes,
            shared: self.shared + other.shared,
        }
    }
}

/// Why a step was left in the middle, on all ranks. The state is then the one before the step.
#[derive(Debug)]
pub(crate) enum Left {
    /// Somebody asked for an end.
    Interrupted,
    /// It cost more than it was allowed to.
    Dear,
    /// The other ranks cannot be heard.
    Apart(Error),
}

impl From<Error> for Left {
    fn from(error: Error) -> Self {
        if let Error::Interrupted(_) = error { Self::Interrupted } else { Self::Apart(error) }
    }
}

impl From<Left> for Error {
    fn from(left: Left) -> Self {
        match left {
            Left::Apart(error) => error,
            Left::Interrupted | Left::Dear => Self::Interrupted("interrupted".into()),
        }
    }
}

/// What is watched for while the packets of a step run, on any number of threads: an interrupt, and
/// the cost that the step may come to.
///
/// Whether a step is left for its cost depends on its counts alone: what has been spent only rises,
/// so it passes the limit at some moment exactly if the whole step costs more than that.
pub(crate) struct Watch<'a> {
    interrupt: &'a Interrupt,
    limit: u64,
    spent: AtomicU64,
}

impl<'a> Watch<'a> {
    /// A watch over a step that may cost so much ([`Prices::of`](super::cost::Prices::of)).
    pub(crate) fn new(interrupt: &'a Interrupt, limit: Option<f64>) -> Self {
        let limit = limit.map_or(u64::MAX, |limit| limit as u64);
        Self { interrupt, limit, spent: AtomicU64::new(0) }
    }

    /// Adds to what the step has cost.
    pub(crate) fn spend(&self, cost: u64) {
        if self.limit < u64::MAX {
            self.spent.fetch_add(cost, Ordering::Relaxed);
        }
    }

    /// A cost that is small beside the limit: what is less need not be spent at once.
    pub(crate) fn grain(&self) -> u64 {
        self.limit >> 12
    }

    /// Whether the step is to be left. Once it is, it stays so.
    #[inline]
    pub(crate) fn is_left(&self) -> bool {
        self.interrupt.is_raised() || self.spent.load(Ordering::Relaxed) > self.limit
    }

    /// Ends the step on all ranks, once everything is spent: what it took, with all rows in their places.
    pub(crate) fn gather<X: Word>(&self, share: &Share, tally: Tally, rows: Rows<'_, X>) -> Result<Tally, Left> {
        let spent = self.spent.load(Ordering::Relaxed);
        let Tally { rows: computed, moved, redone, scores, boxes, shared, thin } = tally;
        let counts = [spent, computed, moved, redone, scores, boxes, shared, thin];
        let [spent, computed, moved, redone, scores, boxes, shared, thin] =
            share.gather(spent > self.limit, counts, rows)?;
        if spent > self.limit {
            return Err(Left::Dear);
        }
        Ok(Tally { rows: computed, moved, redone, scores, boxes, shared, thin })
    }

    /// Whether the step was taken whole, once everything is spent.
    pub(crate) fn end(&self) -> Result<(), Left> {
        match self.is_left() {
            false => Ok(()),
            true if self.interrupt.is_raised() => Err(Left::Interrupted),
            true => Err(Left::Dear),
        }
    }
}

/// A state that steps, of either precision.
pub(crate) trait Stepper: Send + Sync {
    fn shape(&self) -> (usize, usize);
    /// The tokens, in the stored width.
    fn tokens(&self, grid: Grid) -> Result<Tokens>;
    /// Takes a step, whole or not at all.
    fn step(&mut self, step: &Step, share: &Share) -> Result<(StepReport, Tally), Left>;
    /// Argmax and strip size of every token in the last step.
    fn strips(&self) -> Strips;
    fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>>;
    /// The effort of the last step; `None` before the first.
    fn effort(&self) -> Option<Effort>;
}
