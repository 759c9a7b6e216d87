// Order-preserving integers for floats, for an atomic maximum. Unsigned ones: compilers to HLSL and
// MSL have been wrong on signed atomics.

fn ordered(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) == 1u);
}

fn unordered(key: u32) -> f32 {
    return bitcast<f32>(key ^ select(0xffffffffu, 0x80000000u, (key >> 31u) == 1u));
}
