//! The engine that defines correct. Plain loops, no parallelism, never optimised. Two faces:
//! [`contract`](mod@contract), the integers that every engine must equal bit for bit, and [`spec`], the mathematics of
//! the mathematics in f64, from which the contract may stray by a stated number of units.

pub mod contract;
pub mod spec;
