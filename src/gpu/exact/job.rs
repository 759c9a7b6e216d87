//! The parameters of a dispatch.

use crate::exact::{Step, StripWidth, TokenMatrix};
use crate::gpu::wgsl::{constants, job};
use crate::gpu::words::pair;

constants! {
    /// D_i is `width`.
    CONSTANT: u32 = 0;
    /// D_i is P·|Q_i|.
    QUERY_NORM: u32 = 1;
    /// D_i is P·sqrt(2^`parity`·Q_i·X_i).
    A_NORM: u32 = 2;
    /// C_i is the argmax alone.
    ARGMAX: u32 = 3;
}

job! {
    n: u32,
    /// Supertiles of a block, which a workgroup of the scores takes, one after the other.
    tiles: u32,
    /// Rows of this dispatch.
    row_first: u32,
    row_end: u32,
    /// The row of the first line of `maxima` or `sought`.
    slice_first: u32,
    /// The row at the start of the bound windows of row buffers.
    row_base: u32,
    /// The key at the start of the bound windows of key buffers.
    key_base: u32,
    /// Supertiles of this dispatch.
    tile_first: u32,
    tile_end: u32,
    causal: u32,
    /// The step's index in `reports`.
    report: u32,
    /// [`CONSTANT`], [`QUERY_NORM`], [`A_NORM`] or [`ARGMAX`].
    width_kind: u32,
    parity: u32,
    /// D, for kernels that are the same for all, and loops not worth unrolling.
    dims: u32,
    gain: [u32; 2],
    /// a of Ã = a·I.
    multiple: [u32; 2],
    /// Whether coincident tokens stay keys of their own.
    apart: u32,
    /// The row of the first line of `sums`.
    sums_first: u32,
    /// D_i where it is constant, else P.
    width: [u32; 4],
    /// The number of a tree's first leaf.
    first_leaf: u32,
    /// The key of token 0; nobody, if it is in another part.
    first_key: u32,
    /// Whether the last step's argmaxes are of these keys.
    warm: u32,
    /// The digit to sort by, the least first.
    digit: u32,
    /// What the tests of a step must not reach, less those allowed for the step before; 0 for any number.
    limit: [u32; 2],
    /// Whether the state and the queries are wanted as floats too.
    filtered: u32,
    /// The most places between a row and a key that it sees.
    window: u32,
    /// Whether a row sees its own key.
    own: u32,
    /// Whether the keys of this dispatch are the first of its rows.
    begins: u32,
    /// The number of fixed keys, which come last; 0 where every token is a key.
    fixed_keys: u32,
    /// Whether the maxima are of limbs.
    limbs: u32,
}

impl Job {
    /// The parameters that all dispatches of a step share.
    pub(crate) fn of(step: &Step) -> Self {
        let (width_kind, width, parity) = match step.width {
            StripWidth::Constant(width) => (CONSTANT, width, 0),
            StripWidth::QueryNorm { factor } => (QUERY_NORM, factor, 0),
            StripWidth::ANorm { factor, parity } => (A_NORM, factor, parity),
            StripWidth::Argmax => (ARGMAX, 0, 0),
        };
        Self {
            causal: u32::from(step.mask.causal),
            window: step.mask.window.unwrap_or(u32::MAX),
            own: u32::from(step.mask.own),
            fixed_keys: step.mask.fixed,
            width_kind,
            parity,
            gain: pair(step.gain as i64),
            multiple: if let TokenMatrix::Multiple(a) = step.matrix { pair(a) } else { [0; 2] },
            width: [0, 32, 64, 96].map(|shift| (width >> shift) as u32),
            ..Self::default()
        }
    }
}
