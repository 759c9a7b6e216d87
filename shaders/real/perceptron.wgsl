// needs: dispatch, arithmetic/exponential
// Adds Σ_k ω_k σ(<a_k, x>) a_k to the output of a row: a unit is ω_k and a_k, `width` of them. One thread a row.

@group(1) @binding(0) var<storage, read> stage: array<f32>;
@group(1) @binding(1) var<storage, read> units: array<f32>;
@group(1) @binding(2) var<storage, read_write> outputs: array<f32>;

fn activation(s: f32) -> f32 {
    if (job.flags & TANH) == 0u {
        return max(s, 0.0);
    }
    let e = exponential(-2.0 * min(abs(s), 50.0));
    return sign(s) * (1.0 - e) / (1.0 + e);
}

@compute @workgroup_size(64)
fn perceptron(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let at = (row - job.row_base) * job.d;
    let line = (row - job.slice_first) * job.d;
    for (var unit = 0u; unit < job.width; unit++) {
        let first = unit * (job.d + 1u);
        let omega = units[first];
        // Adding 0 would still turn -0 into 0.
        if omega == 0.0 {
            continue;
        }
        var s = 0.0;
        for (var k = 0u; k < job.d; k++) {
            s += units[first + 1u + k] * stage[at + k];
        }
        let moved = omega * activation(s);
        for (var k = 0u; k < job.d; k++) {
            outputs[line + k] += moved * units[first + 1u + k];
        }
    }
}
