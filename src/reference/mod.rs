//! The engine that defines correct: plain loops, no parallelism, never optimised. Two faces:
//! [`mod@exact`], the integers that every engine must equal bit for bit, and [`mod@real`], the
//! mathematics in f64, from which the contract may stray by a stated number of units.

pub mod exact;
pub mod real;
