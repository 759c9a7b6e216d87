//! The fast CPU engine: `exact` has the rules of the integer contract ([`crate::exact`]), `real`
//! every other rule.
//!
//! Rows go in packets of one SIMD lane a row; keys stream past them.
//!
//! | room | holds |
//! |---|---|
//! | `exact` | brute force, and the search in a tree of boxes; both give the contract's bits |
//! | `real` | every other rule, in floats |
//! | `lanes` | vectors on AVX-512, AVX2, NEON and plain arrays, chosen at run time |
//! | `share` | what one rank of several computes, and how it hears of the rest |
//! | `options` | instruction set, threads, plan |
//! | `peak` | a measurement of the machine's multiply-add peak |

mod aligned;
mod exact;
mod lanes;
mod options;
mod peak;
mod real;
mod share;

pub use exact::{Dealt, ExactCpu, OpenedCpu, Work};
pub use lanes::InstructionSet;
pub use options::Options;
pub use peak::fma_peak;
pub use real::RealCpu;
