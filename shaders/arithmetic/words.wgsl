// Integers wider than 32 bits: little-endian u32 words, two's complement. No 64-bit type is assumed
// of the device.

fn carry(sum: u32, term: u32) -> u32 {
    return select(0u, 1u, sum < term);
}

// a·b, both unsigned, by 16-bit halves.
fn multiply(a: u32, b: u32) -> vec2u {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let low = al * bl;
    let left = ah * bl + (low >> 16u);
    let right = al * bh + (left & 0xffffu);
    return vec2u((right << 16u) | (low & 0xffffu), ah * bh + (left >> 16u) + (right >> 16u));
}

fn add2(a: vec2u, b: vec2u) -> vec2u {
    let x = a.x + b.x;
    return vec2u(x, a.y + b.y + carry(x, a.x));
}

fn subtract2(a: vec2u, b: vec2u) -> vec2u {
    return vec2u(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

fn less2(a: vec2u, b: vec2u) -> bool {
    return bitcast<i32>(a.y) < bitcast<i32>(b.y) || (a.y == b.y && a.x < b.x);
}

fn negative2(a: vec2u) -> bool {
    return (a.y >> 31u) == 1u;
}

fn magnitude2(a: vec2u) -> vec2u {
    return select(a, subtract2(vec2u(0u), a), negative2(a));
}

// a ≫ 1 of a ≥ 0.
fn halved2(a: vec2u) -> vec2u {
    return vec2u((a.x >> 1u) | (a.y << 31u), a.y >> 1u);
}

fn extend2(a: i32) -> vec2u {
    return vec2u(bitcast<u32>(a), bitcast<u32>(a >> 31u));
}

fn add4(a: vec4u, b: vec4u) -> vec4u {
    let x = a.x + b.x;
    let y0 = a.y + b.y;
    let y = y0 + carry(x, a.x);
    let z0 = a.z + b.z;
    let z = z0 + (carry(y0, a.y) | carry(y, y0));
    return vec4u(x, y, z, a.w + b.w + (carry(z0, a.z) | carry(z, z0)));
}

fn negate4(a: vec4u) -> vec4u {
    return add4(~a, vec4u(1u, 0u, 0u, 0u));
}

fn subtract4(a: vec4u, b: vec4u) -> vec4u {
    return add4(a, negate4(b));
}

fn less4(a: vec4u, b: vec4u) -> bool {
    if a.w != b.w {
        return bitcast<i32>(a.w) < bitcast<i32>(b.w);
    }
    if a.z != b.z {
        return a.z < b.z;
    }
    if a.y != b.y {
        return a.y < b.y;
    }
    return a.x < b.x;
}

fn magnitude4(a: vec4u) -> vec4u {
    return select(a, negate4(a), (a.w >> 31u) == 1u);
}

// a·b, both unsigned.
fn multiply2(a: vec2u, b: vec2u) -> vec4u {
    let outer = vec4u(multiply(a.x, b.x), multiply(a.y, b.y));
    let cross = add4(vec4u(0u, multiply(a.x, b.y), 0u), vec4u(0u, multiply(a.y, b.x), 0u));
    return add4(outer, cross);
}
