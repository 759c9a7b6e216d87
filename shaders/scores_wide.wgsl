// Largest filter score of each row in each supertile, larger d: 64 rows by 64 keys at a time, 16 coordinates deep
// through workgroup memory, 8 by 8 scores a thread.

@group(1) @binding(0) var<storage, read> key_filter: array<f32>;
@group(1) @binding(1) var<storage, read> query_filter: array<f32>;
@group(1) @binding(2) var<storage, read_write> maxima: array<f32>;
@group(1) @binding(3) var<storage, read_write> rows: array<Row>;

// A supertile's keys by as many rows.
const SIDE = SUPERTILE;
const DEPTH = 16u;
// One more than SIDE, so that transposed stores fall on different banks.
const STRIDE = 65u;

var<workgroup> some_queries: array<f32, DEPTH * STRIDE>;
var<workgroup> some_keys: array<f32, DEPTH * STRIDE>;
var<workgroup> most_of: array<f32, SIDE * 8u>;

@compute @workgroup_size(64)
fn scores(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let across = (job.tile_end - job.tile_first + TILES - 1u) / TILES;
    let index = linear(group, groups);
    let first_row = job.row_first + (index / across) * SIDE;
    if first_row >= job.row_end {
        return;
    }
    let first_tile = job.tile_first + (index % across) * TILES;
    let row = first_row + lane;
    var peak = LOWEST;
    let my_row = (lane / 8u) * 8u;
    let my_key = (lane % 8u) * 8u;
    let load_k = lane % DEPTH;
    let load_line = lane / DEPTH;
    for (var tile = first_tile; tile < min(first_tile + TILES, job.tile_end); tile++) {
        let first = tile * SUPERTILE;
        let end = min(first + SUPERTILE, visible(min(first_row + SIDE, job.row_end) - 1u));
        if end <= first {
            if row < job.row_end {
                maxima[(row - job.slice_first) * job.supertiles + tile] = LOWEST;
            }
            continue;
        }
        var s: array<array<f32, 8>, 8>;
        for (var depth = 0u; depth < D; depth += DEPTH) {
            workgroupBarrier();
            let k = depth + load_k;
            for (var i = load_line; i < SIDE; i += LANES / DEPTH) {
                let line = min(first_row + i, job.row_end - 1u) - job.row_base;
                let key = min(first + i, end - 1u) - job.key_base;
                let here = min(k, D - 1u);
                some_queries[load_k * STRIDE + i] = select(0.0, query_filter[line * D + here], k < D);
                some_keys[load_k * STRIDE + i] = select(0.0, key_filter[key * D + here], k < D);
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
                        s[r][c] += q[r] * x[c];
                    }
                }
            }
        }
        for (var r = 0u; r < 8u; r++) {
            let last = min(end, visible(first_row + my_row + r));
            var most = LOWEST;
            for (var c = 0u; c < 8u; c++) {
                most = max(most, select(LOWEST, s[r][c], first + my_key + c < last));
            }
            most_of[(my_row + r) * 8u + lane % 8u] = most;
        }
        workgroupBarrier();
        if row < job.row_end {
            var largest = LOWEST;
            for (var c = 0u; c < 8u; c++) {
                largest = max(largest, most_of[lane * 8u + c]);
            }
            maxima[(row - job.slice_first) * job.supertiles + tile] = largest;
            peak = max(peak, largest);
        }
    }
    if row < job.row_end {
        atomicMax(&rows[row - job.row_base].peak, ordered(peak));
    }
}
