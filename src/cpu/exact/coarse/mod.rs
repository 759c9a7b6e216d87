//! Scores in 8 bits: a filter that rules out most keys of many dimensions, four products at a time.
//!
//! Queries q and keys x are rotated by one orthogonal map ([`rotation`]), which leaves scores as they
//! are, and then rounded to bytes: z = Rx becomes σ·k, with k whole and of at most 127, and Rq
//! becomes τ·p. Then `s = q·x` obeys
//!
//! `|s − στ p·k| = |Rq·(z − σk) + (Rq − τp)·σk| ≤ |q|·r + e·a =: E`
//!
//! with the residuals r = |Rx − σk| and e = |Rq − τp|, which are measured, and a = |x| + r ≥ |σk|.
//! p·k is exact. A part of 16 keys has one σ, and the largest r and a of its keys.
//!
//! What is measured is measured in f32, with u = 2^-24. The rotation makes at most 14 sums and three
//! products of each coordinate, so the vector it gives is off by at most 18u·|x|; a residual's
//! differences are off by 2u·|x| together, and sums of up to 2^14 squares by a factor of 1 + 2^-9.
//! Hence norms and residuals are taken times 1.002, and residuals get 2^-19·|x| more. Finally E and
//! what is compared with it meet at most eight roundings of numbers that are no larger than
//! (|q| + e)·a + E: e gets 2^-18·(|q| + e) more.
//!
//! The first passes run over segments of coordinates, those of most energy first. What is left of
//! a score after a segment is at most the product of what is left of both norms (Cauchy and
//! Schwarz), and keys that cannot reach the strip even so are left there. A row is compared with
//! itself first, exactly, so there is a limit from the start.
//!
//! Exact integers decide every entry that is not ruled out, and all that is not ruled in.

mod keys;
pub(crate) mod packet;
mod rotation;

pub(crate) use keys::ByteKeys;

/// Keys that share a scale and bounds.
pub(crate) const PART: usize = 16;

/// The least number of dimensions in which scores in 8 bits are worth a look.
pub(crate) const LEAST_DIMENSION: usize = 16;
