// needs: dispatch, real/records, arithmetic/powers, arithmetic/compensated
// The mean of what a row attends to, over its chunks or the token it chose; relative to its own
// token if asked for. One thread a coordinate.

@group(1) @binding(0) var<storage, read> partials: array<Partial>;
@group(1) @binding(1) var<storage, read> sums: array<f32>;
@group(1) @binding(2) var<storage, read> rows: array<Row>;
@group(1) @binding(3) var<storage, read> own_keys: array<f32>;
@group(1) @binding(4) var<storage, read> keys: array<f32>;
@group(1) @binding(5) var<storage, read> extents: array<u32>;
@group(1) @binding(6) var<storage, read_write> mean: array<f32>;

@compute @workgroup_size(64)
fn means(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let index = linear(group, groups) * LANES + lane;
    if index >= (job.row_end - job.row_first) * job.d {
        return;
    }
    let row = job.row_first + index / job.d;
    let k = index % job.d;
    let line = row - job.slice_first;
    var value = 0.0;
    if (job.flags & CHOSEN) != 0u {
        let key = rows[line].key;
        if key < job.key_first || key >= job.key_end {
            return;
        }
        value = keys[(key - job.key_base) * job.d + k];
    } else {
        let first = line * job.chunks + first_visible(row) / CHUNK;
        let end = line * job.chunks + (visible(row) + CHUNK - 1u) / CHUNK;
        var sum = vec2f(0.0);
        for (var at = first; at < end; at++) {
            sum = compensated(sum, partials[at].reference * sums[at * job.d + k]);
        }
        value = (sum.x + sum.y) * rows[line].share;
    }
    if RANGED && seen_keys(row) == 0u {
        value = 0.0;
    } else if (job.flags & RELATIVE) != 0u {
        value -= own_keys[(row - job.row_base) * job.d + k];
    }
    value *= power(exponent_above(extents[job.stage]));
    mean[line * job.d + k] = job.factor * value + select(0.0, mean[line * job.d + k], (job.flags & ADDED) != 0u);
}
