// The device's f32 multiply-add peak: 16 independent chains of vec4 a thread, ROUNDS · 16 · 4
// multiply-adds.

const ROUNDS = 512u;

@group(0) @binding(0) var<storage, read_write> value: array<vec4f>;

@compute @workgroup_size(64)
fn multiply_add(@builtin(global_invocation_id) id: vec3u) {
    let a = value[0];
    let b = value[1];
    var c: array<vec4f, 16>;
    for (var i = 0u; i < 16u; i++) {
        c[i] = vec4f(f32((i + id.x) & 15u));
    }
    for (var round = 0u; round < ROUNDS; round++) {
        for (var i = 0u; i < 16u; i++) {
            c[i] = fma(c[i], a, b);
        }
    }
    var total = vec4f(0.0);
    for (var i = 0u; i < 16u; i++) {
        total += c[i];
    }
    // Never true, which the compiler cannot know: no chain may be thrown away.
    if dot(total, vec4f(1.0)) == 1.5 {
        value[2] = total;
    }
}
