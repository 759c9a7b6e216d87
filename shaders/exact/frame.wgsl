// What every kernel of a step shares: the parameters of a dispatch, the record of a row, roots and shifts of scores.

// Keys are taken in supertiles; a supertile's largest score says whether a row needs to look inside.
const SUPERTILE = 64u;
// Supertiles that a workgroup takes, one after the other, where scores are taken for all keys.
const TILES = 4u;
const LANES = 64u;
// Threads of the kernels that take one row a workgroup.
const ROW_LANES = 32u;
// Below every score that f32 can hold here (|score| < 2^127).
const LOWEST = -3.0e38;
const NOBODY = 0xffffffffu;
// Counts that one workgroup sums.
const BLOCK = 1024u;

// Words of a step's report: tokens moved, smallest and largest strip, then 64-bit counters.
const REPORT_WORDS = 12u;
const REPORT_TOTAL = 3u;
const REPORT_REDONE = 5u;
const REPORT_KEYS = 8u;
const REPORT_BOXES = 10u;

struct Job {
    n: u32,
    supertiles: u32,
    row_first: u32,   // rows of this dispatch
    row_end: u32,
    slice_first: u32, // the row of the first line of `maxima` and `sums`
    row_base: u32,    // the row at the start of the bound windows of row buffers
    key_base: u32,    // the key at the start of the bound windows of key buffers
    tile_first: u32,  // supertiles of this dispatch
    tile_end: u32,
    causal: u32,
    report: u32,      // the step's index in `reports`
    width_kind: u32,  // 0 constant, 1 |Q|, 2 sqrt(Q·X), 3 the argmax alone
    matrix_exponent: i32,
    dims: u32,        // D, for kernels that are the same for all, and loops not worth unrolling
    gain: vec2u,
    multiple: vec2u,  // Ã = a·I
    apart: u32,       // whether coincident tokens stay keys of their own
    width: vec4u,     // D where it is constant, else P
    first_leaf: u32,  // of a tree: the number of its first leaf
    first_key: u32,   // the key of token 0
    warm: u32,        // whether the last step's argmaxes are of these keys
    digit: u32,       // of a sort: by which digit, the least first
}

@group(0) @binding(0) var<uniform> job: Job;

struct Row {
    best: Score,       // m_i
    width: Score,      // D_i
    error: f32,        // bound on |filter score − score|
    argmax: u32,
    count: u32,        // |C_i|
    peak: atomic<i32>, // largest filter score, as an ordered integer
}

// The bound of loops that are worth unrolling, while they are short: drivers take minutes over some long ones.
fn dims() -> u32 {
    return select(job.dims, D, D <= 8u);
}

// Workgroups are counted along x, then y, since a dimension holds only 65,535.
fn linear(group: vec3u, groups: vec3u) -> u32 {
    return group.y * groups.x + group.x;
}

// The end of the keys that row i sees.
fn visible(row: u32) -> u32 {
    return select(job.n, min(row + 1u, job.n), job.causal == 1u);
}

// Order-preserving integers for floats, for an atomic maximum.
fn ordered(x: f32) -> i32 {
    let bits = bitcast<i32>(x);
    return select(bits, bits ^ 0x7fffffff, bits < 0);
}

fn unordered(key: i32) -> f32 {
    return bitcast<f32>(select(key, key ^ 0x7fffffff, key < 0));
}

// isqrt of value ≥ 0, digit by digit.
fn isqrt(value: Score) -> Score {
    var rest = value;
    var bit = CLAMP;
    var root = Score();
    for (var i = 0u; i <= CLAMP_BITS / 2u; i++) {
        let trial = plus(root, bit);
        root = half(root);
        if !less(rest, trial) {
            rest = minus(rest, trial);
            root = plus(root, bit);
        }
        bit = quarter(bit);
    }
    return root;
}

// value ≫ exponent of value ≥ 0; a negative exponent goes left, clamped to 2^L.
fn shifted(value: Score, exponent: i32) -> Score {
    var v = value;
    for (var i = 0; i < min(abs(exponent), 128); i++) {
        if exponent > 0 {
            v = half(v);
        } else if less(v, half(CLAMP)) {
            v = plus(v, v);
        } else {
            return CLAMP;
        }
    }
    return v;
}
