// needs: dispatch, arithmetic/philox
// Adds gain·P_x ξ to the output of a row, ξ its normal draws: a piece of the inverse of the normal tail for each number
// of leading zeros. One thread a row.

@group(1) @binding(0) var<storage, read> stage: array<f32>;
@group(1) @binding(1) var<storage, read> tails: array<f32>;
@group(1) @binding(2) var<storage, read_write> outputs: array<f32>;

fn normal(word: u32) -> f32 {
    let bits = max(word & 0x7fffffffu, 1u);
    let zeros = countLeadingZeros(bits) - 1u;
    let fraction = ((bits << zeros) & 0x3fffffffu) >> 7u;
    // 24 bits and a sign: exact.
    let s = f32(i32(2u * fraction + 1u) - 8388608) * 1.1920929e-7;
    var value = tails[zeros * 8u + 7u];
    for (var j = 7u; j > 0u; j--) {
        value = value * s + tails[zeros * 8u + j - 1u];
    }
    return select(value, -value, (word >> 31u) == 1u);
}

// Words of four coordinates of a row.
fn words(row: u32, block: u32) -> vec4u {
    let token = select(row, 0xffffffffu, (job.flags & COMMON) != 0u);
    return philox(vec4u(job.t, token, block + 1u), job.seed);
}

@compute @workgroup_size(64)
fn noise(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let at = (row - job.row_base) * job.d;
    let line = (row - job.slice_first) * job.d;
    var along = 0.0;
    var bits = vec4u();
    for (var k = 0u; k < job.d; k++) {
        if k % 4u == 0u {
            bits = words(row, k / 4u);
        }
        along += stage[at + k] * normal(bits[k % 4u]);
    }
    for (var k = 0u; k < job.d; k++) {
        if k % 4u == 0u {
            bits = words(row, k / 4u);
        }
        outputs[line + k] += job.gain * (normal(bits[k % 4u]) - along * stage[at + k]);
    }
}
