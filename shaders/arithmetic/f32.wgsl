// needs: arithmetic/words
// The contract's integers at precision f32: b = 24, K = 32, L = 62. Coordinates fit an i32, scores
// and sums 64 bits.

alias Coordinate = i32;
alias Score = vec2u;
alias Sum = vec2u;

const STATE_BITS = 24u;
const CLAMP_BITS = 62u;
const LEAST: Score = vec2u(0u, 0x80000000u);
const CLAMP: Score = vec2u(0u, 0x40000000u);

// Roundings that a coordinate (a query may exceed 2^24) and a score meet on their way to f32, any
// direction, each 2^-23.
const COORDINATE_ROUNDINGS = 1.0;
const SCORE_ROUNDINGS = 2.0;
// The same of a token's own coordinate: f32 holds it.
const DISTANCE_ROUNDINGS = 0.0;

fn plus(a: Score, b: Score) -> Score {
    return add2(a, b);
}

fn minus(a: Score, b: Score) -> Score {
    return subtract2(a, b);
}

fn less(a: Score, b: Score) -> bool {
    return less2(a, b);
}

// a ≫ 1 and a ≫ 2 of a ≥ 0.
fn half(a: Score) -> Score {
    return halved2(a);
}

fn quarter(a: Score) -> Score {
    return vec2u((a.x >> 2u) | (a.y << 30u), a.y >> 2u);
}

// max(a − b, LEAST) of b ≥ 0: at d > 8192 a lowest maximum less a clamped width leaves 64 bits.
fn below(a: Score, b: Score) -> Score {
    let difference = subtract2(a, b);
    return select(difference, LEAST, negative2(a) && !negative2(difference));
}

fn score_real(a: Score) -> f32 {
    let m = magnitude2(a);
    let real = f32(m.y) * 4294967296.0 + f32(m.x);
    return select(real, -real, negative2(a));
}

// a − b of two tokens' coordinates, exactly.
fn apart(a: Coordinate, b: Coordinate) -> Coordinate {
    return a - b;
}

fn lesser(a: Coordinate, b: Coordinate) -> Coordinate {
    return min(a, b);
}

fn greater(a: Coordinate, b: Coordinate) -> Coordinate {
    return max(a, b);
}

// The middle of a ≤ b, rounded down.
fn middle(a: Coordinate, b: Coordinate) -> Coordinate {
    return a + ((b - a) >> 1u);
}

// Bit `place` of a ≥ 0.
fn bit_of(a: Coordinate, place: u32) -> u32 {
    return select(0u, (bitcast<u32>(a) >> (place & 31u)) & 1u, place < 32u);
}

// All bits of a in one word.
fn folded(a: Coordinate) -> u32 {
    return bitcast<u32>(a);
}

fn coordinate_real(a: Coordinate) -> f32 {
    return f32(a);
}

// Coordinates of a box in a vector of words: (centre, half-width) twice, centres as f32, which is exact.
const BOXED = 2u;

fn boxed(centre: Coordinate, half: f32) -> vec4u {
    return vec4u(bitcast<u32>(f32(centre)), bitcast<u32>(half), 0u, 0u);
}

fn centre_of(four: vec4u, k: u32) -> Coordinate {
    return i32(bitcast<f32>(select(four.x, four.z, k % 2u == 1u)));
}

fn half_of(four: vec4u, k: u32) -> f32 {
    return bitcast<f32>(select(four.y, four.w, k % 2u == 1u));
}

// A centre from an origin, rounded once; the origin is given both ways.
fn centre_from(four: vec4u, k: u32, origin: Coordinate, origin_real: f32) -> f32 {
    return bitcast<f32>(select(four.x, four.z, k % 2u == 1u)) - origin_real;
}

// Exact inner products by 12-bit halves: 32 terms fit i32 parts, then they fold into 64 bits.
struct Dot {
    total: Score,
    high: i32,
    middle: i32,
    low: i32,
    terms: u32,
}

fn dot_fold(dot: ptr<function, Dot>) {
    let high = vec2u(bitcast<u32>((*dot).high << 24u), bitcast<u32>((*dot).high >> 8u));
    let middle = vec2u(bitcast<u32>((*dot).middle << 12u), bitcast<u32>((*dot).middle >> 20u));
    (*dot).total = add2((*dot).total, add2(high, add2(middle, extend2((*dot).low))));
    (*dot).high = 0;
    (*dot).middle = 0;
    (*dot).low = 0;
    (*dot).terms = 0u;
}

fn dot_add(dot: ptr<function, Dot>, a: Coordinate, b: Coordinate) {
    let ah = a >> 12u;
    let al = a & 4095;
    let bh = b >> 12u;
    let bl = b & 4095;
    (*dot).high += ah * bh;
    (*dot).middle += ah * bl + al * bh;
    (*dot).low += al * bl;
    (*dot).terms += 1u;
    if (*dot).terms == 32u {
        dot_fold(dot);
    }
}

fn dot_total(dot: ptr<function, Dot>) -> Score {
    dot_fold(dot);
    return (*dot).total;
}

// floor((a + 2^(b−1))/2^b): a query from its row of ÃX.
fn query_of(a: Score) -> Coordinate {
    let rounded = add2(a, vec2u(1u << 23u, 0u));
    return bitcast<i32>((rounded.y << 8u) | (rounded.x >> 24u));
}

fn matrix_entry(words: vec2u) -> Coordinate {
    return bitcast<i32>(words.x);
}

// P·root, clamped to 2^L.
fn strip_width(factor: vec4u, root: Score) -> Score {
    let product = multiply2(factor.xy, root);
    return select(product.xy, CLAMP, (product.z | product.w) != 0u || product.y >= CLAMP.y);
}

fn constant_width(words: vec4u) -> Score {
    return words.xy;
}

fn sum_add(sum: Sum, x: Coordinate) -> Sum {
    return add2(sum, extend2(x));
}

// Sums of a leaf's keys: 32·2^24 fits an i32.
alias LeafSum = i32;

fn leaf_sum_add(sum: LeafSum, x: Coordinate) -> LeafSum {
    return sum + x;
}

fn leaf_sum_total(sum: LeafSum) -> Sum {
    return extend2(sum);
}

// weight·x.
fn weighted(x: Coordinate, weight: u32) -> Sum {
    if weight == 1u {
        return extend2(x);
    }
    let product = multiply(u32(abs(x)), weight);
    return select(product, subtract2(vec2u(0u), product), x < 0);
}

fn sum_join(a: Sum, b: Sum) -> Sum {
    return add2(a, b);
}

// rne(sum/count), by long division: |sum| ≤ 2^24·count, so the quotient has at most 25 bits.
fn mean(sum: Sum, count: u32) -> Coordinate {
    let s = magnitude2(sum);
    var rest = (s.y << 7u) | (s.x >> 25u);
    var quotient = 0u;
    for (var i = 25u; i > 0u; i--) {
        let over = rest >> 31u;
        rest = (rest << 1u) | ((s.x >> (i - 1u)) & 1u);
        quotient <<= 1u;
        if over == 1u || rest >= count {
            rest -= count;
            quotient |= 1u;
        }
    }
    let other = count - rest;
    if rest > other || (rest == other && (quotient & 1u) == 1u) {
        quotient += 1u;
    }
    return select(i32(quotient), -i32(quotient), negative2(sum));
}

// X' = X + sgn(T)·max(1, floor((|T|·G + 2^(K−1))/2^K)), T = Y − X; T = 0 stays.
fn advanced(x: Coordinate, y: Coordinate, gain: vec2u) -> Coordinate {
    let t = y - x;
    if t == 0 {
        return x;
    }
    let product = multiply(u32(abs(t)), gain.x);
    let length = i32(max(1u, product.y + (product.x >> 31u)));
    return x + select(length, -length, t < 0);
}

fn differ(a: Coordinate, b: Coordinate) -> bool {
    return a != b;
}
