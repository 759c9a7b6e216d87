// needs: dispatch
// Sums of the keys of a chunk by their weights: 64 rows by 64 coordinates, 8 by 8 a thread, 16 keys
// at a time through workgroup memory. What is summed up to 128 keys is added to the rest as one.

@group(1) @binding(0) var<storage, read> keys: array<f32>;
@group(1) @binding(1) var<storage, read> weights: array<f32>;
@group(1) @binding(2) var<storage, read_write> sums: array<f32>;

const DEPTH = 16u;
const STRIDE = 65u;
const TERMS = 128u;

var<workgroup> some_weights: array<f32, DEPTH * STRIDE>;
var<workgroup> some_keys: array<f32, DEPTH * STRIDE>;

@compute @workgroup_size(64)
fn values(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let blocks = (job.d + TILE - 1u) / TILE;
    let across = (job.key_end - job.key_first + CHUNK - 1u) / CHUNK;
    let index = linear(group, groups);
    let block = index % blocks;
    let first_row = job.row_first + (index / blocks / across) * TILE;
    if first_row >= job.row_end {
        return;
    }
    let first = job.key_first + (index / blocks % across) * CHUNK;
    let end = min(min(first + CHUNK, job.key_end), visible(min(first_row + TILE, job.row_end) - 1u));
    if end <= first {
        return;
    }
    // Keys before this one have no weights in the rows at hand.
    let begun = select(first, first_visible(first_row) / LANES * LANES, RANGED);
    if RANGED && first + CHUNK <= begun {
        return;
    }
    let my_row = (lane / 8u) * 8u;
    let my_k = (lane % 8u) * 8u;
    var total: array<array<f32, 8>, 8>;
    for (var start = max(first, begun / TERMS * TERMS); start < end; start += TERMS) {
        var part: array<array<f32, 8>, 8>;
        for (var deep = start; deep < min(start + TERMS, end); deep += DEPTH) {
            workgroupBarrier();
            for (var i = 0u; i < TILE * DEPTH; i += LANES) {
                // Lanes follow one another along keys in the weights, along coordinates in the
                // keys.
                let j = (i + lane) % DEPTH;
                let line = min(first_row + (i + lane) / DEPTH, job.row_end - 1u) - job.slice_first;
                let seen = deep + j < end && deep + j >= begun;
                let key = min(deep + j, end - 1u);
                some_weights[j * STRIDE + (i + lane) / DEPTH] = select(0.0, weights[line * job.width + key - job.group_first], seen);
                let row = (i + lane) / TILE;
                let k = block * TILE + (i + lane) % TILE;
                let there = deep + row < end && k < job.d;
                let there_at = (min(deep + row, end - 1u) - job.key_base) * job.d + min(k, job.d - 1u);
                some_keys[row * STRIDE + (i + lane) % TILE] = select(0.0, keys[there_at], there);
            }
            workgroupBarrier();
            for (var j = 0u; j < DEPTH; j++) {
                var w: array<f32, 8>;
                var x: array<f32, 8>;
                for (var r = 0u; r < 8u; r++) {
                    w[r] = some_weights[j * STRIDE + my_row + r];
                    x[r] = some_keys[j * STRIDE + my_k + r];
                }
                for (var r = 0u; r < 8u; r++) {
                    for (var c = 0u; c < 8u; c++) {
                        part[r][c] += w[r] * x[c];
                    }
                }
            }
        }
        for (var r = 0u; r < 8u; r++) {
            for (var c = 0u; c < 8u; c++) {
                total[r][c] += part[r][c];
            }
        }
    }
    for (var r = 0u; r < 8u; r++) {
        let row = first_row + my_row + r;
        for (var c = 0u; c < 8u; c++) {
            let k = block * TILE + my_k + c;
            if row < job.row_end && k < job.d {
                sums[((row - job.slice_first) * job.chunks + first / CHUNK) * job.d + k] = total[r][c];
            }
        }
    }
}
