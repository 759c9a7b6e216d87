// What the kernels of the rules in real numbers share: the parameters of a dispatch, the records, powers of two.

// Rows and keys of a tile.
const TILE = 64u;
// Keys whose weights are summed in registers before anything is stored. Chunks lie at multiples of this whatever the
// slices and submissions, so that every sum has one order.
const CHUNK = 1024u;
const LANES = 64u;
// Below every score.
const LOWEST = -3.0e38;
const NOBODY = 0xffffffffu;

// What rows attend to.
const WEIGH = 0u;   // all, by e^{beta S} over its sum
const SCALE = 1u;   // all, by e^{beta (S - origin)} over the number of keys
const MAXIMUM = 2u; // a strip's first pass, or the argmax alone
const STRIP = 3u;   // a strip's second pass
const DRAW = 4u;    // one, drawn

struct Job {
    n: u32,
    d: u32,
    row_first: u32,   // rows of this dispatch
    row_end: u32,
    slice_first: u32, // the row at the first line of the buffers of a slice
    row_base: u32,    // the row at the start of the bound windows of rows
    key_base: u32,    // the key at the start of the bound window of keys
    key_first: u32,   // keys of this dispatch, a multiple of CHUNK
    key_end: u32,
    chunks: u32,      // chunks in a line of partials
    width: u32,       // keys in a line of scores
    group_first: u32, // the key at the start of a line of scores
    causal: u32,
    mode: u32,
    flags: u32,
    report: u32,      // the step's index in `reports`
    stage: u32,       // the stage's index in `extents`
    source_base: u32, // the row at the start of what a matrix is applied to
    form: u32,        // of a strip: 0 score, 1 width, 2 a-norm
    zero: u32,        // 0, which no compiler knows
    t_low: u32,
    t_high: u32,
    seed_low: u32,
    seed_high: u32,
    beta: f32,        // beta of scores scaled by 2^-beta_exponent
    beta_exponent: i32,
    delta: f32,
    delta_exponent: i32,
    origin: f32,
    origin_exponent: i32,
    factor: f32,      // of a matrix
    gain: f32,        // x' = x + gain·k
    weight: f32,      // of k in the sum of stages
    radius: f32,      // of the retraction
}

@group(0) @binding(0) var<uniform> job: Job;

// A row of a slice.
struct Row {
    beta: f32,      // of its scaled scores
    exponent: i32,  // scores are scaled by 2^-exponent
    max: f32,
    limit: f32,     // the width of its strip, then the score where that ends
    share: f32,     // what its sums are multiplied by
    key: u32,       // the key it chose
    chunk: u32,     // of the key drawn
    level: f32,     // in that chunk
}

// What a row found in a chunk. Its weights are relative to `reference`; `merge` puts their common factor there.
struct Partial {
    reference: f32,
    mass: f32,
    max: f32,
    argmax: u32,
}

// A row's argmax and the number of keys that it attended to in the last step, and the first coordinate of its token that
// stopped being finite, with what it became.
struct Trace {
    argmax: u32,
    count: u32,
    bad: u32,
    bits: u32,
}

// Workgroups are counted along x, then y, since a dimension holds only 65,535.
fn linear(group: vec3u, groups: vec3u) -> u32 {
    return group.y * groups.x + group.x;
}

// The end of the keys that row i sees.
fn visible(row: u32) -> u32 {
    return select(job.n, min(row + 1u, job.n), job.causal == 1u);
}

// 2^e for -126 <= e <= 127.
fn power(e: i32) -> f32 {
    return bitcast<f32>(u32(e + 127) << 23u);
}

// x·2^e for x = 0 or 1 <= |x| < 2, held in the range of f32.
fn scaled(x: f32, e: i32) -> f32 {
    let held = select(x * power(clamp(e, -126, 127)), sign(x) * 3.0e38, e > 127);
    return select(held, 0.0, e < -126);
}

// e with |x| <= 2^e, from the bits of |x|, held where 2^e and 2^-e are normal.
fn exponent_above(bits: u32) -> i32 {
    return select(clamp(i32(bits >> 23u) - 126, -126, 126), 0, bits == 0u);
}

// x itself; no compiler can look through it, so that sums around it are what they say.
fn opaque(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ job.zero);
}

fn opaque4(x: vec4f) -> vec4f {
    return bitcast<vec4f>(bitcast<vec4u>(x) ^ vec4u(job.zero));
}

// (a sum, what its roundings lost) and one term more.
fn compensated(sum: vec2f, term: f32) -> vec2f {
    let s = opaque(sum.x + term);
    let part = opaque(s - sum.x);
    let lost = opaque(sum.x - opaque(s - part)) + opaque(term - part);
    return vec2f(s, sum.y + lost);
}
