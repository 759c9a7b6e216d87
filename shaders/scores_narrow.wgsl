// Largest filter score of each row in each supertile, small d: a thread keeps four queries in registers and the keys
// stream past, the same key for all threads.

@group(1) @binding(0) var<storage, read> key_filter: array<f32>;
@group(1) @binding(1) var<storage, read> query_filter: array<f32>;
@group(1) @binding(2) var<storage, read_write> maxima: array<f32>;
@group(1) @binding(3) var<storage, read_write> rows: array<Row>;

const ROWS = 4u * LANES;

@compute @workgroup_size(64)
fn scores(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let tiles = job.tile_end - job.tile_first;
    let index = linear(group, groups);
    let first_row = job.row_first + (index / tiles) * ROWS;
    if first_row >= job.row_end {
        return;
    }
    let tile = job.tile_first + index % tiles;
    let row = vec4u(first_row + lane) + vec4u(0u, 1u, 2u, 3u) * LANES;
    let at = (min(row, vec4u(job.row_end - 1u)) - job.row_base) * D;
    var q: array<vec4f, D>;
    for (var k = 0u; k < D; k++) {
        q[k] = vec4f(query_filter[at.x + k], query_filter[at.y + k], query_filter[at.z + k], query_filter[at.w + k]);
    }
    let first = tile * SUPERTILE;
    let end = min(first + SUPERTILE, visible(first_row + ROWS - 1u));
    var most = vec4f(LOWEST);
    if job.causal == 0u || end <= first_row + 1u {
        var base = (first - job.key_base) * D;
        for (var key = first; key < end; key++) {
            var s = key_filter[base] * q[0];
            for (var k = 1u; k < D; k++) {
                s += key_filter[base + k] * q[k];
            }
            most = max(most, s);
            base += D;
        }
    } else {
        for (var key = first; key < end; key++) {
            let base = (key - job.key_base) * D;
            var s = key_filter[base] * q[0];
            for (var k = 1u; k < D; k++) {
                s += key_filter[base + k] * q[k];
            }
            most = max(most, select(vec4f(LOWEST), s, vec4u(key) <= row));
        }
    }
    for (var r = 0u; r < 4u; r++) {
        if row[r] < job.row_end {
            maxima[(row[r] - job.slice_first) * job.supertiles + tile] = most[r];
            atomicMax(&rows[row[r] - job.row_base].peak, ordered(most[r]));
        }
    }
}
