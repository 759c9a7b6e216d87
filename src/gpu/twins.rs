//! The shaders' arithmetic in Rust, on i128: functions over words in, words out.

use crate::error::Result;
use crate::gpu::device::Device;
use crate::gpu::parts::{Part, Variant, part, with_needs};
use crate::num;
use crate::rng;
use crate::tokens::Precision;

/// Values that no compiler looks through, where there is no job to take a zero from.
const OPAQUE: Part = Part {
    name: "opaque",
    text: "fn opaque4(x: vec4f) -> vec4f { return bitcast<vec4f>(bitcast<vec4u>(x) ^ vec4u(arrayLength(&output) >> 31u)); }\n",
};

/// A function of the shaders' arithmetic: its name, its call in WGSL and its twin in Rust.
pub struct Function {
    /// The WGSL function.
    pub name: &'static str,
    /// WGSL statements from `a`, `b`, `c`: vec4u to `r`: vec4u.
    call: &'static str,
    /// The function in Rust; `None` where the operands are outside its domain.
    pub twin: fn(Operands) -> Option<[u32; 4]>,
}

/// Three operands of four words each.
pub type Operands = [[u32; 4]; 3];

impl Function {
    /// A module that applies the function to consecutive operands in `input`, one a thread.
    fn source(&self, precision: Precision) -> String {
        with_needs(part!("arithmetic/apply"), Variant::of(precision), OPAQUE).concat().replace("// CALL", self.call)
    }

    /// The function's results on a device, for each triple of operands.
    ///
    /// # Errors
    /// Device failures.
    pub async fn apply(&self, device: &Device, precision: Precision, operands: &[Operands]) -> Result<Vec<[u32; 4]>> {
        let count = operands.len();
        let input = device.buffer("operands", count as u64 * 48, wgpu::BufferUsages::STORAGE).await?;
        let output = device.buffer("results", count as u64 * 16, wgpu::BufferUsages::STORAGE).await?;
        device.write(&input, operands.as_flattened().as_flattened()).await?;
        device
            .run_alone(&self.source(precision), "apply", &[&input, &output], count.div_ceil(64) as u64, false)
            .await?;
        Ok(device.read(&output, count * 4).await?.as_chunks().0.to_vec())
    }
}

/// Lists functions: a name, the call, the twin.
macro_rules! functions {
    ($($name:literal, $call:literal, $twin:expr;)+) => { vec![$(Function { name: $name, call: $call, twin: $twin }),+] };
}

fn signed(words: [u32; 4]) -> i128 {
    words.iter().rev().fold(0u128, |acc, &w| acc << 32 | u128::from(w)) as i128
}

fn words(value: i128) -> [u32; 4] {
    [0, 32, 64, 96].map(|shift| (value as u128 >> shift) as u32)
}

fn signed2(w: [u32; 4]) -> i64 {
    (u64::from(w[1]) << 32 | u64::from(w[0])) as i64
}

fn words2(value: i64) -> [u32; 4] {
    [value as u32, (value as u64 >> 32) as u32, 0, 0]
}

fn flag(value: bool) -> [u32; 4] {
    [u32::from(value), 0, 0, 0]
}

/// The functions of one precision.
pub fn functions(precision: Precision) -> Vec<Function> {
    let shared = functions! {
        "multiply", "r = vec4u(multiply(a.x, b.x), 0u, 0u);",
            |[a, b, _]| Some(words(i128::from(a[0]) * i128::from(b[0])));
        "add2", "r = vec4u(add2(a.xy, b.xy), 0u, 0u);",
            |[a, b, _]| Some(words2(signed2(a).wrapping_add(signed2(b))));
        "subtract2", "r = vec4u(subtract2(a.xy, b.xy), 0u, 0u);",
            |[a, b, _]| Some(words2(signed2(a).wrapping_sub(signed2(b))));
        "less2", "r.x = select(0u, 1u, less2(a.xy, b.xy));",
            |[a, b, _]| Some(flag(signed2(a) < signed2(b)));
        "magnitude2", "r = vec4u(magnitude2(a.xy), 0u, 0u);",
            |[a, ..]| Some(words2(signed2(a).wrapping_abs()));
        "add4", "r = add4(a, b);",
            |[a, b, _]| Some(words(signed(a).wrapping_add(signed(b))));
        "subtract4", "r = subtract4(a, b);",
            |[a, b, _]| Some(words(signed(a).wrapping_sub(signed(b))));
        "less4", "r.x = select(0u, 1u, less4(a, b));",
            |[a, b, _]| Some(flag(signed(a) < signed(b)));
        "multiply2", "r = multiply2(a.xy, b.xy);",
            |[a, b, _]| Some(words((u128::from(signed2(a) as u64) * u128::from(signed2(b) as u64)) as i128));
        "philox", "r = philox(a, b.xy);",
            |[a, b, _]| Some(rng::philox(a, [b[0], b[1]]));
        "ordered", "let s = bitcast<f32>(a.x & 0xbfffffffu); let t = bitcast<f32>(b.x & 0xbfffffffu); \
            r = vec4u(select(0u, 1u, ordered(s) < ordered(t)), bitcast<u32>(unordered(ordered(s))), 0u, 0u);",
            |[a, b, _]| {
                // Exponents below 128 keep infinities and NaN out; those above 0 keep denormals
                // out.
                let [s, t] = [a, b].map(|w| f32::from_bits(w[0] & 0xbfff_ffff));
                (s.is_normal() && t.is_normal()).then(|| [u32::from(s < t), s.to_bits(), 0, 0])
            };
    };
    let own = match precision {
        Precision::F32 => f32_functions(),
        Precision::F64 => f64_functions(),
    };
    shared.into_iter().chain(own).collect()
}

/// The exponential of the rules in real numbers, of the four floats of `a`: within 2 ulps, so it
/// has no twin.
pub fn exponential() -> Function {
    Function { name: "exponential4", call: "r = bitcast<vec4u>(exponential4(bitcast<vec4f>(a)));", twin: |_| None }
}

fn clamped(value: Option<i128>, bits: u32) -> i128 {
    value.unwrap_or(i128::MAX).min(1 << bits)
}

/// `X + sgn(T)·max(1, floor((|T|·G + 2^(K−1))/2^K))`.
fn advanced(x: i64, y: i64, gain: u64, bits: u32) -> i64 {
    let t = i128::from(y) - i128::from(x);
    let length = (t.unsigned_abs() * u128::from(gain) + (1 << (bits - 1))) >> bits;
    x + (t.signum() * (length as i128).max(1)) as i64
}

fn f32_functions() -> Vec<Function> {
    // Operands are folded into each function's domain in one way on both sides.
    functions! {
        "dot", "var dot = Dot(); \
            for (var i = 0u; i < 70u; i++) { dot_add(&dot, (bitcast<i32>(a[i & 3u]) >> 7u) + i32(i), bitcast<i32>(b[i & 3u]) >> 7u); } \
            r = vec4u(dot_total(&dot), 0u, 0u);",
            |[a, b, _]| {
                Some(words2(
                    (0..70usize)
                        .map(|i| i64::from((a[i & 3] as i32 >> 7) + i as i32) * i64::from(b[i & 3] as i32 >> 7))
                        .sum(),
                ))
            };
        "mean", "let count = max(c.x, 1u); let y = bitcast<i32>(a.x) >> 7u; \
            var s = multiply(u32(abs(y)), count); s = select(s, subtract2(vec2u(0u), s), y < 0); \
            s = select(subtract2(s, vec2u(b.x % count, 0u)), add2(s, vec2u(b.x % count, 0u)), y < 0); \
            r.x = bitcast<u32>(mean(s, count));",
            |[a, b, c]| {
                let (count, y) = (i128::from(c[0].max(1)), i128::from(a[0] as i32 >> 7));
                let rest = i128::from(b[0]) % count;
                let s = y * count + if y < 0 { rest } else { -rest };
                Some([num::divide_to_nearest_even(s, count) as i32 as u32, 0, 0, 0])
            };
        "advanced", "r.x = bitcast<u32>(advanced(bitcast<i32>(a.x) >> 7u, bitcast<i32>(b.x) >> 7u, c.xy));",
            |[a, b, c]| {
                let [x, y] = [a, b].map(|w| i64::from(w[0] as i32 >> 7));
                Some([advanced(x, y, u64::from(c[0]), 32) as i32 as u32, 0, 0, 0])
            };
        "isqrt", "r = vec4u(isqrt(vec2u(a.x, a.y >> 1u)), 0u, 0u);",
            |[a, ..]| Some(words2(signed2([a[0], a[1] >> 1, 0, 0]).isqrt()));
        "strip_width", "r = vec4u(strip_width(vec4u(vec2u(a.x, a.y >> 2u) >> vec2u(c.x & 31u), 0u, 0u), vec2u(b.x >> 1u, 0u)), 0u, 0u);",
            |[a, b, c]| {
                let factor = [a[0] >> (c[0] & 31), (a[1] >> 2) >> (c[0] & 31), 0, 0];
                Some(words2(clamped(Some(i128::from(signed2(factor)) * i128::from(b[0] >> 1)), 62) as i64))
            };
        "below", "r = vec4u(below(a.xy, vec2u(b.x, b.y >> 1u)), 0u, 0u);",
            |[a, b, _]| Some(words2(signed2(a).saturating_sub(signed2([b[0], b[1] >> 1, 0, 0]))));
        "query_of", "r.x = bitcast<u32>(query_of(vec2u(a.x, bitcast<u32>(bitcast<i32>(a.y) >> 8u))));",
            |[a, ..]| {
                let value = signed2([a[0], (a[1] as i32 >> 8) as u32, 0, 0]);
                Some([((value + (1 << 23)) >> 24) as u32, 0, 0, 0])
            };
        "weighted", "r = vec4u(weighted(bitcast<i32>(a.x) >> 7u, b.x), 0u, 0u);",
            |[a, b, _]| Some(words2(i64::from(a[0] as i32 >> 7) * i64::from(b[0])));
        "middle", "let x = bitcast<i32>(a.x) >> 7u; let y = bitcast<i32>(b.x) >> 7u; \
            r.x = bitcast<u32>(middle(lesser(x, y), greater(x, y)));",
            |[a, b, _]| Some([(((a[0] as i32 >> 7) + (b[0] as i32 >> 7)) >> 1) as u32, 0, 0, 0]);
        "bit_of", "r.x = bit_of(bitcast<i32>(a.x >> 6u), b.x & 63u);",
            |[a, b, _]| Some([(u64::from(a[0] >> 6) >> (b[0] & 63)) as u32 & 1, 0, 0, 0]);
        "sum_add", "r = vec4u(sum_add(a.xy, bitcast<i32>(b.x)), 0u, 0u);",
            |[a, b, _]| Some(words2(signed2(a).wrapping_add(i64::from(b[0] as i32))));
    }
}

fn f64_functions() -> Vec<Function> {
    functions! {
        "dot", "var dot = Dot(); \
            dot_add(&dot, vec2u(a.x, bitcast<u32>(bitcast<i32>(a.y) >> 9u)), vec2u(b.x, bitcast<u32>(bitcast<i32>(b.y) >> 9u))); \
            dot_add(&dot, vec2u(a.z, bitcast<u32>(bitcast<i32>(a.w) >> 9u)), vec2u(b.z, bitcast<u32>(bitcast<i32>(b.w) >> 9u))); \
            r = dot_total(&dot);",
            |[a, b, _]| {
                let part = |w: [u32; 4], at: usize| i128::from(signed2([w[at], (w[at + 1] as i32 >> 9) as u32, 0, 0]));
                Some(words(part(a, 0) * part(b, 0) + part(a, 2) * part(b, 2)))
            };
        "mean", "let count = max(c.x, 1u); let y = vec2u(a.x, a.y >> 12u); \
            let p = multiply2(y, vec2u(count, 0u)); let s = sum_join(p.xyz, vec3u(b.x % count, 0u, 0u)); \
            let up = select(s, sum_join(~s, vec3u(1u, 0u, 0u)), (b.y & 1u) == 1u); r = vec4u(mean(up, count), 0u, 0u);",
            |[a, b, c]| {
                let (count, y) = (i128::from(c[0].max(1)), i128::from(signed2([a[0], a[1] >> 12, 0, 0])));
                let s = y * count + i128::from(b[0]) % count;
                Some(words2(num::divide_to_nearest_even(if b[1] & 1 == 1 { -s } else { s }, count) as i64))
            };
        "advanced", "r = vec4u(advanced(vec2u(a.x, bitcast<u32>(bitcast<i32>(a.y) >> 10u)), vec2u(b.x, bitcast<u32>(bitcast<i32>(b.y) >> 10u)), c.xy), 0u, 0u);",
            |[a, b, c]| {
                let [x, y] = [a, b].map(|w| signed2([w[0], (w[1] as i32 >> 10) as u32, 0, 0]));
                Some(words2(advanced(x, y, signed2(c) as u64, 64)))
            };
        "isqrt", "r = isqrt(vec4u(a.xyz, a.w >> 2u));",
            |[a, ..]| Some(words(signed([a[0], a[1], a[2], a[3] >> 2]).isqrt()));
        // Factors of 62 and of 126 bits.
        "strip_width", "let wide = (c.x & 1u) * 0xffffffffu; \
            r = strip_width(vec4u(a.x, a.y, a.z & wide, (a.w >> 2u) & wide), vec4u(b.x, b.y >> 1u, 0u, 0u));",
            |[a, b, c]| {
                let wide = (c[0] & 1) * u32::MAX;
                let factor = signed([a[0], a[1], a[2] & wide, (a[3] >> 2) & wide]);
                Some(words(clamped(factor.checked_mul(i128::from(signed2([b[0], b[1] >> 1, 0, 0]))), 126)))
            };
        "query_of", "r = vec4u(query_of(vec4u(a.xyz, bitcast<u32>(bitcast<i32>(a.w) >> 12u))), 0u, 0u);",
            |[a, ..]| {
                let value = signed([a[0], a[1], a[2], (a[3] as i32 >> 12) as u32]);
                Some(words2(((value + (1 << 52)) >> 53) as i64))
            };
        "weighted", "r = vec4u(weighted(vec2u(a.x, bitcast<u32>(bitcast<i32>(a.y) >> 10u)), b.x), 0u);",
            |[a, b, _]| {
                let x = signed2([a[0], (a[1] as i32 >> 10) as u32, 0, 0]);
                let [low, middle, high, _] = words(i128::from(x) * i128::from(b[0]));
                Some([low, middle, high, 0])
            };
        "middle", "let x = vec2u(a.x, bitcast<u32>(bitcast<i32>(a.y) >> 10u)); \
            let y = vec2u(b.x, bitcast<u32>(bitcast<i32>(b.y) >> 10u)); \
            r = vec4u(middle(lesser(x, y), greater(x, y)), 0u, 0u);",
            |[a, b, _]| {
                let [x, y] = [a, b].map(|w| signed2([w[0], (w[1] as i32 >> 10) as u32, 0, 0]));
                Some(words2((x + y) >> 1))
            };
        "bit_of", "r.x = bit_of(vec2u(a.x, a.y >> 9u), b.x & 127u);",
            |[a, b, _]| {
                let value = u128::from(signed2([a[0], a[1] >> 9, 0, 0]) as u64);
                Some([(value >> (b[0] & 127)) as u32 & 1, 0, 0, 0])
            };
        "sum_add", "r = vec4u(sum_add(a.xyz, b.xy), 0u);",
            |[a, b, _]| {
                let [x, y, z, _] = words(signed([a[0], a[1], a[2], 0]).wrapping_add(i128::from(signed2(b))));
                Some([x, y, z, 0])
            };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::table::validate;

    /// A call that does not validate would only be seen on a machine with a GPU.
    #[test]
    fn every_call_validates() {
        for precision in [Precision::F32, Precision::F64] {
            for function in functions(precision).into_iter().chain([exponential()]) {
                validate(function.name, &function.source(precision), false);
            }
        }
    }
}
