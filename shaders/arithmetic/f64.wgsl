// needs: arithmetic/words
// The contract's integers at precision f64: b = 53, K = 64, L = 126. Coordinates are 64 bits,
// scores 128, sums 96. The filter stays in f32: its error bound is stated, so its width cannot
// change a bit, and no device needs f64.

alias Coordinate = vec2u;
alias Score = vec4u;
alias Sum = vec3u;

const STATE_BITS = 53u;
const CLAMP_BITS = 126u;
const LEAST: Score = vec4u(0u, 0u, 0u, 0x80000000u);
const CLAMP: Score = vec4u(0u, 0u, 0u, 0x40000000u);

const COORDINATE_ROUNDINGS = 4.0;
const SCORE_ROUNDINGS = 4.0;
const DISTANCE_ROUNDINGS = 4.0;

fn plus(a: Score, b: Score) -> Score {
    return add4(a, b);
}

fn minus(a: Score, b: Score) -> Score {
    return subtract4(a, b);
}

fn less(a: Score, b: Score) -> bool {
    return less4(a, b);
}

fn half(a: Score) -> Score {
    return (a >> vec4u(1u)) | (vec4u(a.yzw, 0u) << vec4u(31u));
}

fn quarter(a: Score) -> Score {
    return (a >> vec4u(2u)) | (vec4u(a.yzw, 0u) << vec4u(30u));
}

fn below(a: Score, b: Score) -> Score {
    return subtract4(a, b);
}

fn score_real(a: Score) -> f32 {
    let m = magnitude4(a);
    let real = ((f32(m.w) * 4294967296.0 + f32(m.z)) * 4294967296.0 + f32(m.y)) * 4294967296.0 + f32(m.x);
    return select(real, -real, (a.w >> 31u) == 1u);
}

fn apart(a: Coordinate, b: Coordinate) -> Coordinate {
    return subtract2(a, b);
}

fn lesser(a: Coordinate, b: Coordinate) -> Coordinate {
    return select(b, a, less2(a, b));
}

fn greater(a: Coordinate, b: Coordinate) -> Coordinate {
    return select(a, b, less2(a, b));
}

fn middle(a: Coordinate, b: Coordinate) -> Coordinate {
    return add2(a, halved2(subtract2(b, a)));
}

fn bit_of(a: Coordinate, place: u32) -> u32 {
    return select(0u, (select(a.x, a.y, place >= 32u) >> (place & 31u)) & 1u, place < 64u);
}

fn folded(a: Coordinate) -> u32 {
    return a.x ^ (a.y * 0x9e3779b1u);
}

fn coordinate_real(a: Coordinate) -> f32 {
    let m = magnitude2(a);
    let real = f32(m.y) * 4294967296.0 + f32(m.x);
    return select(real, -real, negative2(a));
}

// Coordinates of a box in a vector of words: two of the centre, one of the half-width.
const BOXED = 1u;

fn boxed(centre: Coordinate, half: f32) -> vec4u {
    return vec4u(centre, bitcast<u32>(half), 0u);
}

fn centre_of(four: vec4u, k: u32) -> Coordinate {
    return four.xy;
}

fn half_of(four: vec4u, k: u32) -> f32 {
    return bitcast<f32>(four.z);
}

// A centre from an origin, rounded once; the origin is given both ways.
fn centre_from(four: vec4u, k: u32, origin: Coordinate, origin_real: f32) -> f32 {
    return coordinate_real(apart(four.xy, origin));
}

struct Dot {
    total: Score,
}

fn dot_add(dot: ptr<function, Dot>, a: Coordinate, b: Coordinate) {
    let product = multiply2(magnitude2(a), magnitude2(b));
    (*dot).total = add4((*dot).total, select(product, negate4(product), negative2(a) != negative2(b)));
}

fn dot_total(dot: ptr<function, Dot>) -> Score {
    return (*dot).total;
}

fn query_of(a: Score) -> Coordinate {
    let rounded = add4(a, vec4u(0u, 1u << 20u, 0u, 0u));
    return (rounded.yz >> vec2u(21u)) | (rounded.zw << vec2u(11u));
}

fn matrix_entry(words: vec2u) -> Coordinate {
    return words;
}

fn strip_width(factor: vec4u, root: Score) -> Score {
    let high = multiply2(factor.zw, root.xy);
    let product = add4(multiply2(factor.xy, root.xy), vec4u(0u, 0u, high.xy));
    // Without the clamp the terms are below 2^127 and 2^126: their sum fits 128 bits without a
    // sign.
    return select(product, CLAMP, (high.z | high.w) != 0u || high.y >= CLAMP.w || product.w >= CLAMP.w);
}

fn constant_width(words: vec4u) -> Score {
    return words;
}

// Sums of a leaf's keys.
alias LeafSum = Sum;

fn leaf_sum_add(sum: LeafSum, x: Coordinate) -> LeafSum {
    return sum_add(sum, x);
}

fn leaf_sum_total(sum: LeafSum) -> Sum {
    return sum;
}

fn weighted(x: Coordinate, weight: u32) -> Sum {
    let product = multiply2(magnitude2(x), vec2u(weight, 0u)).xyz;
    return select(product, sum_join(~product, vec3u(1u, 0u, 0u)), negative2(x));
}

fn sum_join(a: Sum, b: Sum) -> Sum {
    let x = a.x + b.x;
    let y0 = a.y + b.y;
    let y = y0 + carry(x, a.x);
    return vec3u(x, y, a.z + b.z + (carry(y0, a.y) | carry(y, y0)));
}

fn sum_add(sum: Sum, x: Coordinate) -> Sum {
    return sum_join(sum, vec3u(x, bitcast<u32>(bitcast<i32>(x.y) >> 31u)));
}

// As at f32: |sum| ≤ 2^53·count, a quotient of at most 54 bits.
fn mean(sum: Sum, count: u32) -> Coordinate {
    let negative = (sum.z >> 31u) == 1u;
    let s = select(sum, sum_join(~sum, vec3u(1u, 0u, 0u)), negative);
    var rest = (s.z << 10u) | (s.y >> 22u);
    var quotient = vec2u(0u);
    for (var i = 54u; i > 0u; i--) {
        let bit = i - 1u;
        let over = rest >> 31u;
        rest = (rest << 1u) | ((select(s.x, s.y, bit >= 32u) >> (bit & 31u)) & 1u);
        quotient = vec2u(quotient.x << 1u, (quotient.y << 1u) | (quotient.x >> 31u));
        if over == 1u || rest >= count {
            rest -= count;
            quotient.x |= 1u;
        }
    }
    let other = count - rest;
    if rest > other || (rest == other && (quotient.x & 1u) == 1u) {
        quotient = add2(quotient, vec2u(1u, 0u));
    }
    return select(quotient, subtract2(vec2u(0u), quotient), negative);
}

fn advanced(x: Coordinate, y: Coordinate, gain: vec2u) -> Coordinate {
    let t = subtract2(y, x);
    if all(t == vec2u(0u)) {
        return x;
    }
    let product = multiply2(magnitude2(t), gain);
    var length = add2(product.zw, vec2u(product.y >> 31u, 0u));
    if all(length == vec2u(0u)) {
        length = vec2u(1u, 0u);
    }
    return select(add2(x, length), subtract2(x, length), negative2(t));
}

fn differ(a: Coordinate, b: Coordinate) -> bool {
    return any(a != b);
}
