// needs: dispatch, arithmetic/powers
// y - <y,v>v/|v|^2 in the place of a row's output y, v the value of its own token: the product, or the token. One thread
// a row.

@group(1) @binding(0) var<storage, read> stage: array<f32>;
@group(1) @binding(1) var<storage, read> product: array<f32>;
@group(1) @binding(2) var<storage, read_write> outputs: array<f32>;

fn own_value(at: u32, line: u32, k: u32) -> f32 {
    if (job.flags & DENSE) != 0u {
        return product[line + k];
    }
    return stage[at + k];
}

@compute @workgroup_size(64)
fn exclude(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let at = (row - job.row_base) * job.d;
    let line = (row - job.slice_first) * job.d;
    var most = 0u;
    for (var k = 0u; k < job.d; k++) {
        most = max(most, bitcast<u32>(own_value(at, line, k)) & 0x7fffffffu);
    }
    // Nothing lies along 0.
    if most == 0u {
        return;
    }
    // Scaled, so that no square overflows.
    let down = power(-exponent_above(most));
    var along = 0.0;
    var square = 0.0;
    for (var k = 0u; k < job.d; k++) {
        let v = own_value(at, line, k) * down;
        along += outputs[line + k] * v;
        square += v * v;
    }
    along /= square;
    for (var k = 0u; k < job.d; k++) {
        outputs[line + k] -= along * (own_value(at, line, k) * down);
    }
}
