//! A step in the integers of a precision, the state that takes it, and counts of the work.

use crate::cpu::exact::width::{Integer, Width};
use crate::exact::{Step, TokenMatrix};
use crate::outcome::{Effort, StepReport, Strips};

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
    /// Only the time it takes.
    Trial,
}

/// Counts of a packet's work.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Rows that moved.
    pub(crate) moved: u64,
    /// Entries decided by exact scores, not counting one maximiser a row.
    pub(crate) redone: u64,
    /// Float scores computed, in both passes.
    pub(crate) scores: u64,
    /// Pairs, row and box, whose bounds were computed.
    pub(crate) boxes: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            moved: self.moved + other.moved,
            redone: self.redone + other.redone,
            scores: self.scores + other.scores,
            boxes: self.boxes + other.boxes,
        }
    }
}

/// A state that steps, of either precision.
pub(crate) trait Stepper: Send + Sync {
    fn shape(&self) -> (usize, usize);
    /// Every token's lattice coordinates, row-major.
    fn coordinates(&self) -> Vec<i64>;
    fn step(&mut self, step: &Step) -> (StepReport, Tally);
    /// Argmax and strip size of every token in the last step.
    fn strips(&self) -> Strips;
    fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>>;
    fn effort(&self) -> Effort;
}
