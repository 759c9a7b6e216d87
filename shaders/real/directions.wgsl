// needs: dispatch, arithmetic/powers
// Keys x/|x| in place of scaled tokens, halved, so that none is above 1 by rounding. One thread a row.

@group(1) @binding(0) var<storage, read> source: array<f32>;
@group(1) @binding(1) var<storage, read_write> extents: array<atomic<u32>>;
@group(1) @binding(2) var<storage, read_write> own_keys: array<f32>;

@compute @workgroup_size(64)
fn turn(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let at = (row - job.row_base) * job.d;
    var most = 0u;
    for (var k = 0u; k < job.d; k++) {
        most = max(most, bitcast<u32>(source[at + k]) & 0x7fffffffu);
    }
    // Scaled, so that no square overflows.
    let down = power(-exponent_above(most));
    var square = 0.0;
    for (var k = 0u; k < job.d; k++) {
        square += (source[at + k] * down) * (source[at + k] * down);
    }
    let length = 0.5 * inverseSqrt(square);
    for (var k = 0u; k < job.d; k++) {
        own_keys[at + k] = (source[at + k] * down) * length;
    }
    // 1, whose power of two is 2: what the keys are multiplied by in the end.
    atomicMax(&extents[job.stage], 0x3f800000u);
}
