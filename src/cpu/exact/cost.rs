//! The cost of a step, from counts of its work.
//!
//! Plans are compared, sorts are due and steps are left by these costs alone, never by the clock:
//! equal runs take equal ways on every machine of an instruction set, at any load and on any number
//! of threads. A price need only be right to a factor of two or so. Those of pairs are from whole
//! steps of brute force (n = 16,384, d = 3, 16 and 64, f32, AVX-512, one core at 4.2 GHz); those of
//! a row, an exact decision and a sort from profiles of searches (n = 10^6, d = 3); those of bounds,
//! and what other dimensions, widths and instruction sets cost, are estimates.

use crate::cpu::exact::step::Tally;
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::InstructionSet;
use crate::tokens::Precision;

/// Prices of the counts of a [`Tally`], in picoseconds of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prices {
    /// A row that is computed, whatever it is compared with; half of it in classes of width.
    row: u64,
    score: u64,
    bound: u64,
    shared: u64,
    exact: u64,
    /// A key that is put in order, its share of the new tree included.
    pub(crate) sorted: f64,
}

impl Prices {
    /// Prices of a plan that scores every pair.
    pub(crate) fn of_pairs<W: Width>(d: usize, set: InstructionSet) -> Self {
        let lane = 64 / set.packet_rows(W::PRECISION) as u64;
        Self { score: lane * (20 + 9 * d as u64), ..Self::of_search::<W>(d, set) }
    }

    /// Prices of a plan that scores every pair in 8 bits.
    pub(crate) fn of_bytes<W: Width>(d: usize) -> Self {
        let (d, product) = (d as u64, if W::PRECISION == Precision::F32 { 60 } else { 400 });
        Self {
            // The rotation, which every key and every row takes.
            row: 30_000 + 14_000 * d,
            score: 10 + 3 * d,
            bound: 0,
            shared: 0,
            exact: 8_000 + product * d,
            sorted: 0.0,
        }
    }

    /// Prices of a search among keys in order.
    pub(crate) fn of_search<W: Width>(d: usize, set: InstructionSet) -> Self {
        let (d, lane) = (d as u64, 64 / set.packet_rows(W::PRECISION) as u64);
        Self {
            row: 30_000 + 4_000 * d,
            score: lane * (60 + 12 * d),
            bound: lane * (200 + 30 * d),
            shared: 2_000 + 700 * d,
            // Ten times what it takes: where tokens have met and are not merged, the number of
            // these grows a hundredfold from one step to the next.
            exact: 20_000,
            sorted: 150_000.0 + 10_000.0 * d as f64,
        }
    }

    /// The cost of some scores.
    pub(crate) fn of_scores(&self, scores: u64) -> f64 {
        self.score as f64 * scores as f64
    }

    /// The cost of some work.
    pub(crate) fn of(&self, tally: &Tally) -> u64 {
        self.row * tally.rows - self.row / 2 * tally.thin
            + self.score * tally.scores
            + self.bound * tally.boxes
            + self.shared * tally.shared
            + self.exact * tally.redone
    }
}
