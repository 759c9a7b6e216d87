//! The rules of the integer contract ([`crate::exact`]) on a GPU.
//!
//! The state X lives on the device as lattice integers from step to step. A step is, over slices of
//! rows,
//!
//! | kernel | computes |
//! |---|---|
//! | `queries` | xf = f32(X), Q = floor((ÃX + 2^(b−1))/2^b), qf = f32(Q) |
//! | `widths` | D_i exactly, and E_i, the bound on the error of a filter score |
//! | `scores` | the largest f32 score of each row in each supertile of 64 keys |
//! | `peaks` | m_i and the lowest argmax, exactly, among the keys within 2E of the largest f32 score |
//! | `strips` | |C_i| and Σ X_j: f32 decides outside ±E of m_i − D_i, integers inside |
//! | `moves` | Y = rne(S/c), X', and the step's report |
//!
//! That compares every row with every key. Limbs rule supertiles out before, by sums that no unit for matrices
//! rounds (`shaders/exact/limbs.wgsl`). A tree of boxes rules most keys out unseen, with kernels
//! of its own (`tree`), and [`ExactGpu`] takes the one or the other.
//!
//! Floats only rule out what E rules out, so drivers may contract, reorder and flush as they like:
//! the bits are the contract's. That holds at both precisions with an f32 filter, so f64 needs no
//! f64 on the device, and 64- and 128-bit integers are u32 words (`shaders/arithmetic`). No
//! coordinate can become non-finite: the state has no such value, and filter scores stay below
//! 2^127.

mod brute;
mod choose;
mod job;
mod kernels;
mod layout;
mod matrix;
mod tree;
mod trial;

pub use choose::{ExactGpu, Options};
pub(crate) use job::Job;
pub(crate) use kernels::ALL as KERNELS;
