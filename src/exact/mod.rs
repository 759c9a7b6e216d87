//! The canonical arithmetic: what a step of localmax, hardmax and Frank–Wolfe *is*, in integers.
//! **Contract version 2.**
//!
//! These rules only compare scores and average inside a hull that never grows, so the state can
//! live on a lattice of fixed unit and everything that decides can be exact. No float enters the
//! state: order, tiling, threads, contraction of multiply-adds and the kind of processor cannot
//! change a bit. Floats may only *filter*: rule out what a stated error bound rules out.
//!
//! b state bits, K gain bits, L the clamp: 24, 32, 62 at precision f32 and 53, 64, 126 at precision
//! f64. `rne` rounds to nearest, half to even; `isqrt` and `floor` round down; ≫ is a floor shift.
//!
//! 0. e = least integer with `max|x0| <= 2^e` (0 for a zero cloud); u = 2^(e−b); `X = rne(x0/u)`,
//!    of x0 as given, whatever its width. Never rescaled. ([`Grid::require_range`] says which e
//!    there are.)
//! 1. γ = fl64(α/(1+α)), or as given; `G = min(rne(γ·2^K), 2^K − 1)`.
//! 2. Identity: Q = X, eA = 0. Else A = fl64(factor·entry), eA = least integer with 2^eA ≥ the
//!    largest sum of a row of |A|, taken in f64 from left to right; `Ã = rne(A·2^(b−eA))`; `Q =
//!    floor((ÃX + 2^(b−1))/2^b)`. (A zero matrix has eA = 0.)
//! 3. `s_ij = Q_i·X_j`, or `−|X_i − X_j|²` where scores are distances; `m_i = max s_ij` over
//!    visible j; j ∈ C_i iff `s_ij ≥ m_i − D_i`, D clamped to 2^L. score: `D = floor(δ/(u²·2^eA))`,
//!    so 0 for hardmax; width: `D_i = P·isqrt(Q_i·Q_i)` with `P = rne(δ/u)`; a-norm:
//!    `D_i = P·isqrt(2^k·max(0, Q_i·X_i))`, where k is eA mod 2 and `P = rne(δ/(u·2^((eA+k)/2)))`:
//!    the powers of A that leave the root whole stand before it, and 4A with 2δ has the integers of
//!    A with δ. Distances: `D = floor(2δ/u²)`, or `D = ceil(ε/u)²` where ε is given. Frank–Wolfe:
//!    C_i = {the lowest visible j with s_ij = m_i}.
//! 4. c = |C_i|, S = Σ X_j over C_i, `Y = rne(S/c)`, T = Y − X. T = 0 stays; else
//!    `X' = X + sgn(T)·max(1, floor((|T|·G + 2^(K−1))/2^K))`. A row that sees no key has no C_i, and stays.
//!    A truth τ of weight w first draws the mean: `Θ = rne(τ/u)`, W is made of w as G of γ, and Y becomes
//!    `Y + sgn(Θ − Y)·floor((|Θ − Y|·W + 2^(K−1))/2^K)`. Tokens may have a γ, a δ and a w each ([`Own`]).
//!
//! These follow: the bounding box is nested, so nothing overflows; coincident tokens stay
//! coincident where they see the same keys; a strip of {self} does not move; permuting tokens
//! permutes the result; a follower of a fixed leader arrives exactly; groups with a common strip merge in finite time. No coordinate
//! can become non-finite. Cycles are possible, if rare: two tokens that draw each other, an odd
//! number of units apart and mirrored, change places for ever once that number is one.
//!
//! A lattice too coarse for the steps of a run is refused: γ(t)·R ≥ 2^10·u, R the radius of the
//! cloud ([`Grid::require_steps`]). So γ is never 0, and a move of one unit is a step at the cloud's
//! own scale only where a token has all but arrived.
//!
//! [`Grid`] is step 0, [`Step`] (made by [`Steps`]) is everything of 1–3 that does not depend on
//! the tokens. Executing a step is the engines' business, and [`crate::reference`] defines it.

mod grid;
mod loss;
mod own;
mod resolution;
mod step;
mod width;

pub use crate::exact::grid::Grid;
pub use crate::exact::loss::Loss;
pub use crate::exact::own::{Own, Truth};
pub use crate::exact::resolution::{LEAST_MOVE, LeastGain, RunError};
pub use crate::exact::step::{Step, Steps, TokenMatrix};
pub use crate::exact::width::StripWidth;

use crate::tokens::Precision;

/// Version of the arithmetic above; results depend on it.
pub const VERSION: u32 = 2;

impl Precision {
    /// b: bits of a coordinate's magnitude.
    pub const fn state_bits(self) -> i32 {
        match self {
            Self::F32 => 24,
            Self::F64 => 53,
        }
    }

    /// K: bits of the gain.
    pub const fn gain_bits(self) -> u32 {
        match self {
            Self::F32 => 32,
            Self::F64 => 64,
        }
    }

    /// L: strip widths are clamped to 2^L.
    pub const fn clamp_bits(self) -> u32 {
        match self {
            Self::F32 => 62,
            Self::F64 => 126,
        }
    }
}
