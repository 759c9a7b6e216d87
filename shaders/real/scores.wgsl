// needs: dispatch, real/records
// Scores of 64 rows by 64 keys, 16 coordinates deep through workgroup memory, 8 by 8 a thread.

@group(1) @binding(0) var<storage, read> keys: array<f32>;
@group(1) @binding(1) var<storage, read> query: array<f32>;
@group(1) @binding(2) var<storage, read_write> scores: array<f32>;
@group(1) @binding(3) var<storage, read> rows: array<Row>;

const DEPTH = 16u;
// One more than TILE, so that transposed stores fall on different banks.
const STRIDE = 65u;

var<workgroup> some_queries: array<f32, DEPTH * STRIDE>;
var<workgroup> some_keys: array<f32, DEPTH * STRIDE>;

@compute @workgroup_size(64)
fn score(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let across = (job.key_end - job.key_first + TILE - 1u) / TILE;
    let index = linear(group, groups);
    let first_row = job.row_first + (index / across) * TILE;
    if first_row >= job.row_end {
        return;
    }
    let first = job.key_first + (index % across) * TILE;
    let end = min(min(first + TILE, job.key_end), visible(min(first_row + TILE, job.row_end) - 1u));
    if end <= first || (RANGED && first + TILE <= first_visible(first_row)) {
        return;
    }
    let my_row = (lane / 8u) * 8u;
    let my_key = (lane % 8u) * 8u;
    let load_k = lane % DEPTH;
    let load_line = lane / DEPTH;
    var s: array<array<f32, 8>, 8>;
    for (var depth = 0u; depth < job.d; depth += DEPTH) {
        workgroupBarrier();
        let k = depth + load_k;
        let here = min(k, job.d - 1u);
        for (var i = load_line; i < TILE; i += LANES / DEPTH) {
            let line = min(first_row + i, job.row_end - 1u) - job.slice_first;
            let key = min(first + i, end - 1u) - job.key_base;
            some_queries[load_k * STRIDE + i] = select(0.0, query[line * job.d + here], k < job.d);
            some_keys[load_k * STRIDE + i] = select(0.0, keys[key * job.d + here], k < job.d);
        }
        workgroupBarrier();
        for (var j = 0u; j < DEPTH; j++) {
            var q: array<f32, 8>;
            var x: array<f32, 8>;
            for (var r = 0u; r < 8u; r++) {
                q[r] = some_queries[j * STRIDE + my_row + r];
                x[r] = some_keys[j * STRIDE + my_key + r];
            }
            for (var r = 0u; r < 8u; r++) {
                for (var c = 0u; c < 8u; c++) {
                    if DISTANCE {
                        let between = q[r] - x[c];
                        s[r][c] -= (0.5 * between) * between;
                    } else {
                        s[r][c] += q[r] * x[c];
                    }
                }
            }
        }
    }
    for (var r = 0u; r < 8u; r++) {
        let row = first_row + my_row + r;
        let line = (row - job.slice_first) * job.width + first + my_key - job.group_first;
        var slope = 0.0;
        if BIASED {
            slope = slope_of(rows[min(row, job.row_end - 1u) - job.slice_first]);
        }
        for (var c = 0u; c < 8u; c++) {
            if row < job.row_end && first + my_key + c < end {
                if BIASED {
                    s[r][c] -= slope * (f32(row) - f32(first + my_key + c));
                }
                scores[line + c] = s[r][c];
            }
        }
    }
}
