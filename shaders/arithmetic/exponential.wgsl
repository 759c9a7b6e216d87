// needs: opaque
// e^t for t <= 80 to 2 ulps, fused or not, and 0 exactly below -80: WGSL's own exp is only within 3 + 2|t| ulps.
// k = rne(t·log2 e), f = t - k·ln 2 in two parts, e^t = 2^k·(1 + f + f²·g(f)); as on the CPU, where this is derived.

fn exponential4(t: vec4f) -> vec4f {
    let held = clamp(t, vec4f(-81.0), vec4f(81.0));
    let k = round(held * 1.44269504);
    let f = opaque4(held - k * 0.693359375) + k * 2.1219444e-4;
    var g = vec4f(0.001392625);
    g = g * f + 0.008363233;
    g = g * f + 0.041666552;
    g = g * f + 0.16666576;
    g = g * f + 0.5;
    let mantissa = f * f * g + f + 1.0;
    let value = bitcast<vec4f>(bitcast<vec4i>(mantissa) + (vec4i(k) << vec4u(23u)));
    return select(vec4f(0.0), value, t >= vec4f(-80.0));
}

fn exponential(t: f32) -> f32 {
    return exponential4(vec4f(t)).x;
}

// The same for every t, to infinity.
fn exponential_of_any(t: f32) -> f32 {
    let part = exponential(clamp(t, -80.0, 240.0) * 0.33333334);
    return select(part * part * part, exponential(t), t <= 80.0);
}
