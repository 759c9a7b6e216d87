//! The rules of the integer contract ([`crate::exact`]) on the CPU.
//!
//! Every decision is one of two kinds: a float score is so far from a limit that its error bound
//! decides (`filter`), or the exact integer score does. So the result has the contract's bits
//! whatever the instruction set, the number of threads and the order of anything.
//!
//! | file | holds |
//! |---|---|
//! | `width` | the contract's integers at precision f32 and f64 |
//! | `filter` | the error bound of a float score, and what follows from it |
//! | `cloud`, `query`, `scores` | tokens for the kernels; a packet's queries, widths and scores |
//! | `step` | a step in a precision's integers, counts of its work, and the watch over it |
//! | `cost` | what counts of work cost |
//! | `brute` | the state as tokens; every pair is scored, a packet of rows at a time |
//! | `ball` | the state as keys where scores are distances: pairs, boxes, or intervals of a line |
//! | `coarse` | scores in 8 bits, by which `brute` rules out most pairs in many dimensions |
//! | `tree` | the state as keys in order ([`crate::space`]), coincident tokens merged |
//! | `tree::search` | a packet of rows against keys in order, most of which are never scored |
//! | `direction` | the state as tokens; few keys for each cell of query directions, where D = 0 |
//! | `direction::classes` | the same where D > 0, in classes of width; used by `tree` for the rows of thin strips |
//! | `direction::near`, `cones`, `sweep` | rows near the origin: half spaces, summed over cones of keys |
//! | `direction::among` | a table for keys of which each of several ranks holds a part |
//! | `tree::opened`, `opened` | a part of the keys on each of several ranks; `thin` is for D = 0 |
//! | `choose`, `ledger` | the choice among brute force, the order of norms, the tree and the directions, by counts |
//! | `sums` | exact sums over strips |
//!
//! Memory is O(n·d) under every plan; [`ExactCpu::memory`] says how much.

mod ball;
mod brute;
mod choose;
pub(crate) mod cloud;
mod coarse;
mod cost;
pub(crate) mod direction;
mod filter;
mod ledger;
mod opened;
mod query;
pub(crate) mod scores;
mod step;
mod sums;
mod tree;
pub(crate) mod width;

use std::fmt;
use std::sync::Arc;

use crate::choice;
use crate::cpu::exact::choose::Chooser;
use crate::cpu::exact::cloud::BLOCK;
pub use crate::cpu::exact::opened::OpenedCpu;
use crate::cpu::exact::step::Stepper;
pub use crate::cpu::exact::tree::opened::Dealt;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::InstructionSet;
use crate::cpu::options::{Options, description, require_countable, require_rows};
use crate::cpu::share::Share;
use crate::engine::interface::Engine;
use crate::engine::step as engine;
use crate::error::{Error, Result};
use crate::exact::Grid;
use crate::interrupt::Interrupt;
use crate::outcome::{Description, Effort, StepReport, Strips};
use crate::ranks::{Alone, Shared};
use crate::threads::Pool;
use crate::tokens::{Precision, Tokens};

/// The work of one step, to be set against the machine's peak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Float scores computed in both passes; each takes d multiply-adds.
    pub scores: u64,
    /// Floating-point operations of these scores; a multiply-add counts as 2.
    pub flops: u64,
}

/// The CPU engine for the rules of the integer contract.
pub struct ExactCpu {
    state: Box<dyn Stepper>,
    grid: Grid,
    set: InstructionSet,
    pool: Pool,
    share: Share,
    stepped: bool,
    work: Work,
}

impl fmt::Debug for ExactCpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExactCpu").field("grid", &self.grid).field("set", &self.set).finish_non_exhaustive()
    }
}

impl ExactCpu {
    /// Opens the engine on tokens, which are moved to the grid.
    ///
    /// # Errors
    /// An instruction set that this machine lacks, 0 threads, threads that cannot be started, more
    /// than 2^32 − 1 tokens.
    pub fn new(tokens: &Tokens, grid: Grid, options: Options) -> Result<Self> {
        Self::among(Arc::new(Alone), tokens, grid, options)
    }

    /// As [`ExactCpu::new`], on one of several ranks, all of which open the engine on the same tokens with
    /// the same options, and take the same steps.
    ///
    /// # Errors
    /// As [`ExactCpu::new`].
    pub fn among(ranks: Shared, tokens: &Tokens, grid: Grid, options: Options) -> Result<Self> {
        require_countable(tokens.n())?;
        let set = InstructionSet::choose(options.set)?;
        let pool = Pool::start(options.threads)?;
        let state: Box<dyn Stepper> = pool.install(|| match grid.precision {
            Precision::F32 => planned::<f32>(tokens, grid, set, options),
            Precision::F64 => planned::<f64>(tokens, grid, set, options),
        });
        let (share, work) = (Share::of(ranks), Work::default());
        Ok(Self { state, grid, set, pool, share, stepped: false, work })
    }

    /// The most bytes that n tokens in R^d take on this many threads.
    pub fn memory(n: usize, d: usize, precision: Precision, plan: choice::Plan, threads: usize) -> u64 {
        let (n, d, bytes, threads) = (n as u64, d as u64, precision.bytes() as u64, threads as u64);
        let blocks = n.div_ceil(BLOCK as u64);
        let state = 3 * blocks * BLOCK as u64 * d * bytes;
        let lanes = InstructionSet::best().packet_rows(precision) as u64;
        let brute = state + 8 * n + threads * lanes * bytes * (blocks + 6 * (d + 1));
        // The keys in 8 bits with their bounds, and a packet's bounds of every 16 keys.
        let parts = n.div_ceil(coarse::PART as u64);
        let filter = brute + n * (d + 4) + 64 * parts + threads * 64 * (4 * parts + 5 * d * bytes);
        let sorted = state + tree::memory(n, d, bytes) + threads * lanes * bytes * (blocks + 8 * (d + 1));
        match plan {
            choice::Plan::Brute => brute,
            choice::Plan::Filter => filter,
            // Late states of the directions are the tree's.
            choice::Plan::Norm | choice::Plan::Tree | choice::Plan::Direction | choice::Plan::Opened => sorted,
            choice::Plan::Auto if choose::looks_at_norms(d as usize) => 2 * sorted,
            choice::Plan::Auto => sorted.max(filter),
        }
    }

    /// The most bytes that one of `size` ranks takes that hold a part of n tokens in R^d each, and hear about this many
    /// bytes a step. Every part has as many threads.
    pub fn memory_of_part(
        (n, size): (usize, usize),
        d: usize,
        precision: Precision,
        threads: usize,
        heard: u64,
    ) -> u64 {
        let part = Dealt::most(n, size);
        let dealt = (part as u64).saturating_mul(8 * d as u64 + 8);
        // A box of d = 3 that takes 20 bytes to tell takes 350 as it is kept and searched, a key of 8 bytes 70; all
        // keys, with a box for every 32, about that.
        let all = (n as u64).saturating_mul((6 * precision.bytes() * d + 32) as u64);
        let known = if size == 1 { 0 } else { heard.saturating_mul(16).min(all) };
        let engine = Self::memory(part, d, precision, choice::Plan::Opened, threads);
        [dealt, OpenedCpu::slice(n, d), known].into_iter().fold(engine, u64::saturating_add)
    }

    /// The instruction set in use.
    pub fn set(&self) -> InstructionSet {
        self.set
    }

    /// Threads in use.
    pub fn threads(&self) -> usize {
        self.pool.count()
    }

    /// The work of the last step.
    pub fn work(&self) -> Work {
        self.work
    }
}

impl Engine for ExactCpu {
    fn description(&self) -> Description {
        description(self.set, &self.pool, &self.share)
    }

    fn heed(&mut self, interrupt: &Interrupt) {
        self.share.interrupt = interrupt.clone();
    }

    fn step(&mut self, steps: &[engine::Step]) -> Result<Vec<StepReport>> {
        let (n, d) = self.state.shape();
        self.share.clone().whole_steps(steps, |step| {
            let step = step.exact()?;
            // An interrupt leaves the tokens as they were, but the strips are written over.
            self.stepped = false;
            let (report, tally) = self.share.install(&self.pool, n, || self.state.step(step, &self.share))?;
            self.work = Work { scores: tally.scores, flops: 2 * d as u64 * tally.scores };
            self.stepped = true;
            Ok(report)
        })
    }

    fn tokens(&mut self) -> Result<Tokens> {
        self.pool.install_for(self.state.shape().0, || self.state.tokens(self.grid))
    }

    fn effort(&self) -> Option<Effort> {
        self.state.effort()
    }

    fn strips(&mut self) -> Result<Strips> {
        if self.stepped {
            Ok(self.pool.install(|| self.state.strips()))
        } else {
            Err(Error::input("no step has been taken yet, or the last was interrupted"))
        }
    }

    fn masks(&mut self, step: &engine::Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let (step, (n, _)) = (step.exact()?, self.state.shape());
        require_rows(rows, n)?;
        Ok(self.pool.install(|| self.state.masks(step, rows)))
    }
}

fn planned<W: Width>(tokens: &Tokens, grid: Grid, set: InstructionSet, options: Options) -> Box<dyn Stepper> {
    Box::new(Chooser::<W>::new(grid.coordinates_as(tokens.coordinates(), W::Int::of), tokens.d(), set, options))
}
