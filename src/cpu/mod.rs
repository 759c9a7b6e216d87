//! The fast CPU engine: the rules of the integer contract ([`crate::contract`]) here, every other rule in [`attention`].
//!
//! Rows go in packets of one SIMD lane a row; keys stream past them. Every decision is one of two kinds: a float score
//! is so far from a limit that its error bound decides (`filter`), or the exact integer score does. So the result has
//! the contract's bits whatever the instruction set, the number of threads and the order of anything.
//!
//! | file | what |
//! |---|---|
//! | `lanes` | vectors of floats and integers on AVX-512, AVX2, NEON and plain arrays, chosen at run time |
//! | `width` | the contract's integers at precision f32 and f64 |
//! | `filter` | the error bound of a float score, and what follows from it |
//! | `cloud`, `query`, `scores` | tokens as kernels read them; a packet's queries and widths; its scores |
//! | `packet` | one packet of rows against all keys, both passes |
//! | `brute` | the state as tokens, every pair computed |
//! | `search` | one packet of rows against keys in order, most of them unseen ([`crate::space`]) |
//! | `sorted` | the state as keys in order, coincident tokens merged |
//! | `planned` | the choice among brute force, the order of norms and the tree |
//! | `sums` | exact sums over strips |
//! | `attention` | every other rule, in floats |
//! | `peak` | the machine's multiply-add peak, to measure against |
//!
//! Memory is O(n·d) under every plan; [`Cpu::memory`] says how much.

mod aligned;
pub mod attention;
mod brute;
mod cloud;
mod filter;
mod lanes;
mod packet;
mod peak;
mod planned;
mod query;
mod scores;
mod search;
mod sorted;
mod sums;
mod width;

pub use attention::Attention;
pub use lanes::InstructionSet;
pub use peak::fma_peak;

use std::fmt;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::choice;
use crate::contract::{Grid, Step};
use crate::error::{Error, Result};
use crate::outcome::{Effort, StepReport, Strips};
use crate::space::Upkeep;
use crate::tokens::{Precision, Tokens};

use cloud::BLOCK;
use packet::Tally;
use planned::Planned;
use width::{Integer, Width};

/// How to compute; no option changes a bit of the result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The instruction set; the fastest if none is named.
    pub set: Option<InstructionSet>,
    /// Threads; one a core if none is named.
    pub threads: Option<usize>,
    /// How keys are searched.
    pub plan: choice::Plan,
    /// How a search keeps its keys.
    pub upkeep: Upkeep,
}

/// What the last step did, for honest shares of a peak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Float scores computed in both passes, of d multiply-adds each.
    pub scores: u64,
    /// Floating-point operations of these scores, a multiply-add counted as 2.
    pub flops: u64,
}

/// Tokens on the CPU, and the means to step them.
pub struct Cpu {
    state: Box<dyn State>,
    grid: Grid,
    set: InstructionSet,
    pool: ThreadPool,
    stepped: bool,
    work: Work,
}

impl fmt::Debug for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cpu").field("grid", &self.grid).field("set", &self.set).finish_non_exhaustive()
    }
}

impl Cpu {
    /// Holds the tokens, moved to the grid.
    ///
    /// # Errors
    /// An instruction set that this machine lacks, 0 threads, threads that cannot be started, more than 2^32 − 1 tokens.
    pub fn new(tokens: &Tokens, grid: Grid, options: Options) -> Result<Self> {
        require_countable(tokens.n())?;
        let set = InstructionSet::choose(options.set)?;
        let pool = pool(options.threads)?;
        let state: Box<dyn State> = pool.install(|| match grid.precision {
            Precision::F32 => planned::<f32>(tokens, grid, set, options),
            Precision::F64 => planned::<f64>(tokens, grid, set, options),
        });
        Ok(Self { state, grid, set, pool, stepped: false, work: Work::default() })
    }

    /// Bytes that n tokens in R^d take at most on this many threads.
    pub fn memory(n: usize, d: usize, precision: Precision, plan: choice::Plan, threads: usize) -> u64 {
        let (n, d, bytes, threads) = (n as u64, d as u64, precision.bytes() as u64, threads as u64);
        let blocks = n.div_ceil(BLOCK as u64);
        let state = 3 * blocks * BLOCK as u64 * d * bytes;
        let lanes = InstructionSet::best().packet_rows(precision) as u64;
        let brute = state + 8 * n + threads * lanes * bytes * (blocks + 6 * (d + 1));
        let sorted = state + sorted::memory(n, d, bytes) + threads * lanes * bytes * (blocks + 8 * (d + 1));
        match plan {
            choice::Plan::Brute => brute,
            choice::Plan::Norm | choice::Plan::Tree => sorted,
            choice::Plan::Auto if planned::looks_at_norms(d as usize) => 2 * sorted,
            choice::Plan::Auto => sorted.max(brute),
        }
    }

    /// The instruction set in use.
    pub fn set(&self) -> InstructionSet {
        self.set
    }

    /// Threads in use.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// What the last step did.
    pub fn work(&self) -> Work {
        self.work
    }

    /// How the last step was computed.
    pub fn effort(&self) -> Effort {
        self.state.effort()
    }

    /// Applies one step.
    pub fn step(&mut self, step: &Step) -> StepReport {
        let (_, d) = self.state.shape();
        let (report, tally) = self.pool.install(|| self.state.step(step));
        self.work = Work { scores: tally.scores, flops: 2 * d as u64 * tally.scores };
        self.stepped = true;
        report
    }

    /// The current tokens, in the stored width.
    ///
    /// # Errors
    /// As [`Grid::tokens`].
    pub fn tokens(&self) -> Result<Tokens> {
        let (n, d) = self.state.shape();
        self.grid.tokens(n, d, &self.pool.install(|| self.state.coordinates()))
    }

    /// Argmax and strip size of every row in the last step.
    ///
    /// # Errors
    /// No step has been taken yet.
    pub fn strips(&self) -> Result<Strips> {
        if self.stepped {
            Ok(self.pool.install(|| self.state.strips()))
        } else {
            Err(Error::input("no step has been taken yet"))
        }
    }

    /// `C_i` of the given rows in the current state, ascending.
    ///
    /// # Errors
    /// A row past the last token.
    pub fn masks(&self, step: &Step, rows: &[usize]) -> Result<Vec<Vec<u32>>> {
        let (n, _) = self.state.shape();
        require_rows(rows, n)?;
        Ok(self.pool.install(|| self.state.masks(step, rows)))
    }
}

fn planned<W: Width>(tokens: &Tokens, grid: Grid, set: InstructionSet, options: Options) -> Box<dyn State> {
    let x = grid.coordinates(tokens).into_iter().map(W::Int::of).collect();
    Box::new(Planned::<W>::new(x, tokens.d(), set, options.plan, options.upkeep))
}

/// Tokens are counted in 32 bits.
fn require_countable(n: usize) -> Result<()> {
    if u32::try_from(n).is_ok() {
        return Ok(());
    }
    Err(Error::input(format!("n = {n} tokens; the CPU engine counts them in 32 bits, so at most {}", u32::MAX)))
}

fn require_rows(rows: &[usize], n: usize) -> Result<()> {
    match rows.iter().find(|&&row| row >= n) {
        Some(row) => Err(Error::input(format!("row {row} of {n} tokens; rows count from 0"))),
        None => Ok(()),
    }
}

fn pool(threads: Option<usize>) -> Result<ThreadPool> {
    if threads == Some(0) {
        return Err(Error::input("0 threads; give at least 1, or leave it out for one a core"));
    }
    let threads = threads.unwrap_or(0); // rayon's word for one a core
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|e| Error::device(format!("cannot start {threads} threads: {e}; ask for fewer")))
}

/// A precision's state, without its type.
trait State: Send + Sync {
    fn shape(&self) -> (usize, usize);
    /// Every token's lattice coordinates, row-major.
    fn coordinates(&self) -> Vec<i64>;
    fn step(&mut self, step: &Step) -> (StepReport, Tally);
    /// Of the last step.
    fn strips(&self) -> Strips;
    fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>>;
    fn effort(&self) -> Effort;
}
