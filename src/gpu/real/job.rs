//! The parameters of a dispatch, and the numbers in them as the kernels take them.

use crate::gpu::wgsl::{constants, job};

constants! {
    // Values of `mode`.
    /// A row attends to all keys, by e^{βS} over its sum.
    WEIGH: u32 = 0;
    /// A row attends to all keys, by e^{β(S − origin)} over their number.
    SCALE: u32 = 1;
    /// A row looks for its argmax: a strip's first pass, or all there is.
    MAXIMUM: u32 = 2;
    /// A row attends to its strip, in the second pass.
    STRIP: u32 = 3;
    /// A row attends to one key, drawn.
    DRAW: u32 = 4;
    /// A row attends to the keys near its maximum, by what their levels exceed τ by.
    SPARSEMAX: u32 = 5;
    /// The same, by the square of that.
    ENTMAX: u32 = 6;
    /// A row attends to all keys, by βS over their number.
    LINEAR: u32 = 7;
    /// The same, by max(0, βS).
    RELU: u32 = 8;

    // Values of `form`.
    /// A strip is δ wide.
    SCORE: u32 = 0;
    /// A strip is δ|Ax_i| wide.
    WIDTH: u32 = 1;
    /// A strip is δ·sqrt(x_iᵀAx_i) wide.
    A_NORM: u32 = 2;

    // Flags of `moves`.
    /// k = y − x, or by one of the next three.
    DIRECT: u32 = 1;
    /// k = y − x⟨x, y⟩.
    TANGENT: u32 = 2;
    /// k = y − x⟨x, y⟩/⟨x, x⟩.
    ROUND: u32 = 4;
    /// k = y − x⟨Wx, y⟩/⟨Wx, x⟩, the product being Wx.
    ELLIPSOID: u32 = 8;
    /// next = tokens + gain·k.
    ADVANCE: u32 = 16;
    /// The product stands in for k.
    PRODUCT: u32 = 32;
    /// weight·k is added to the slopes.
    SUMMED: u32 = 64;
    /// The slopes start here.
    FIRST: u32 = 128;
    /// The slopes stand in for k.
    LAST: u32 = 256;
    /// next is the token.
    FINISH: u32 = 512;
    /// next is brought to length radius.
    RETRACT: u32 = 1024;
    /// The length is in the norm of W, the product being W next.
    WEIGHTED: u32 = 2048;

    // Flags of other kernels.
    /// `queries`, `exclude`: the query, or the value, is the product, not a multiple of the token.
    DENSE: u32 = 1;
    /// `noise`: one field for all tokens.
    COMMON: u32 = 1;
    /// `perceptron`: σ = tanh.
    TANH: u32 = 1;
    /// `merge`, `whole`: the row's argmax and number of keys are kept.
    RECORDED: u32 = 1;
    /// `apply`, `means`: the result is added to the one before.
    ADDED: u32 = 1;
    /// `means`: relative to the row's own token.
    RELATIVE: u32 = 2;
    /// `means`: of the key that the row chose.
    CHOSEN: u32 = 4;
}

job! {
    n: u32,
    d: u32,
    /// Rows of this dispatch.
    row_first: u32,
    row_end: u32,
    /// The row at the first line of the buffers of a slice.
    slice_first: u32,
    /// The row at the start of the bound windows of rows.
    row_base: u32,
    /// The key at the start of the bound window of keys.
    key_base: u32,
    /// Keys of this dispatch, the first a multiple of CHUNK.
    key_first: u32,
    key_end: u32,
    /// Chunks in a line of partials.
    chunks: u32,
    /// Keys in a line of scores; units of a perceptron.
    width: u32,
    /// The key at the start of a line of scores.
    group_first: u32,
    causal: u32,
    /// [`WEIGH`], [`SCALE`], [`MAXIMUM`], [`STRIP`], [`DRAW`],
    /// [`SPARSEMAX`], [`ENTMAX`], [`LINEAR`] or [`RELU`].
    mode: u32,
    flags: u32,
    /// The step's index in `reports`.
    report: u32,
    /// The stage's index in `extents`.
    stage: u32,
    /// The row at the start of what a matrix is applied to.
    source_base: u32,
    /// [`SCORE`], [`WIDTH`] or [`A_NORM`].
    form: u32,
    /// 0, which no compiler knows.
    zero: u32,
    /// The most places between a row and a key that it sees.
    window: u32,
    /// Whether a row sees its own key.
    own: u32,
    t: [u32; 2],
    seed: [u32; 2],
    /// β of scores scaled by 2^−beta_exponent.
    beta: f32,
    beta_exponent: i32,
    delta: f32,
    delta_exponent: i32,
    origin: f32,
    origin_exponent: i32,
    /// λ/n.
    bias: f32,
    bias_exponent: i32,
    /// λ is at most 2 to this.
    bias_above: i32,
    /// The number of fixed keys, which come last; 0 where every token is a key.
    fixed_keys: u32,
    /// The factor of a matrix.
    factor: f32,
    /// x' = x + gain·k.
    gain: f32,
    /// The weight of k in the sum of stages.
    weight: f32,
    /// The length that `moves` retracts to.
    radius: f32,
}

/// An integer of 64 bits as two words, the lower first.
pub(crate) fn pair(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// a·b as m·2^e with m = 0 or 1 ≤ |m| < 2 in f32: no product can leave the range of numbers.
pub(crate) fn product(a: f64, b: f64) -> (f32, i32) {
    let ((m, e), (n, f)) = (libm::frexp(a), libm::frexp(b));
    if m == 0.0 || n == 0.0 {
        return (0.0, 0);
    }
    // 1/4 ≤ |m·n| < 1.
    let (m, shift) = libm::frexp(m * n);
    let mantissa = (2.0 * m) as f32;
    (mantissa.clamp(-2f32.next_down(), 2f32.next_down()), e + f + shift - 1)
}
