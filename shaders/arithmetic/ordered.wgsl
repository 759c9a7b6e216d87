// Order-preserving integers for floats, for an atomic maximum.

fn ordered(x: f32) -> i32 {
    let bits = bitcast<i32>(x);
    return select(bits, bits ^ 0x7fffffff, bits < 0);
}

fn unordered(key: i32) -> f32 {
    return bitcast<f32>(select(key, key ^ 0x7fffffff, key < 0));
}
