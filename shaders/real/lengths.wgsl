// needs: dispatch, arithmetic/powers
// Outputs brought to the length radius. One thread a row.

@group(1) @binding(0) var<storage, read_write> outputs: array<f32>;

@compute @workgroup_size(64)
fn lengthen(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let line = (row - job.slice_first) * job.d;
    var most = 0u;
    for (var k = 0u; k < job.d; k++) {
        most = max(most, bitcast<u32>(outputs[line + k]) & 0x7fffffffu);
    }
    let down = power(-exponent_above(most));
    var square = 0.0;
    for (var k = 0u; k < job.d; k++) {
        square += (outputs[line + k] * down) * (outputs[line + k] * down);
    }
    // 0 has no direction and stays.
    if most == 0u {
        return;
    }
    let length = job.radius * inverseSqrt(square);
    for (var k = 0u; k < job.d; k++) {
        outputs[line + k] = (outputs[line + k] * down) * length;
    }
}
