// needs: dispatch, real/records, arithmetic/powers
// The query of a row, scaled by its own power of two, and with it beta and the width of the row's
// strip. One thread a row.

@group(1) @binding(0) var<storage, read> own_keys: array<f32>;
@group(1) @binding(1) var<storage, read_write> product: array<f32>;
@group(1) @binding(2) var<storage, read> extents: array<u32>;
@group(1) @binding(3) var<storage, read_write> query: array<f32>;
@group(1) @binding(4) var<storage, read_write> rows: array<Row>;

@compute @workgroup_size(64)
fn queries(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let start = (row - job.row_base) * job.d;
    let to = (row - job.slice_first) * job.d;
    var most = 0u;
    for (var k = 0u; k < job.d; k++) {
        var q = job.factor * own_keys[start + k];
        if (job.flags & DENSE) != 0u {
            q = product[to + k];
        }
        query[to + k] = q;
        most = max(most, bitcast<u32>(q) & 0x7fffffffu);
    }
    // Distances need one scale for queries and keys.
    let extent = exponent_above(extents[job.stage]);
    var own = select(exponent_above(most), 0, DISTANCE);
    if BIASED {
        // Scores are scaled as the bias is, where that is larger.
        own = clamp(max(own, job.bias_above - 2 * extent), -126, 126);
    }
    var square = 0.0;
    var along = 0.0;
    for (var k = 0u; k < job.d; k++) {
        let q = query[to + k] * power(-own);
        query[to + k] = q;
        square += q * q;
        along += q * own_keys[start + k];
    }
    let exponent = own + 2 * extent;
    // delta·s_i, as scores are scaled.
    var width = 0.0;
    if job.form == WIDTH {
        width = scaled(job.delta, job.delta_exponent - extent) * sqrt(square);
    } else if job.form == A_NORM {
        let half = exponent >> 1u;
        let odd = select(1.0, 0.70710678, (exponent & 1) == 1);
        width = scaled(job.delta, job.delta_exponent - half) * odd * sqrt(max(along, 0.0));
    } else {
        width = scaled(job.delta, job.delta_exponent - exponent);
    }
    let beta = scaled(job.beta, job.beta_exponent + exponent);
    rows[row - job.slice_first] = Row(beta, exponent, LOWEST, width, 0.0, NOBODY, 0u, 0.0);
}
