// Powers of two, of floats by their bits.

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
