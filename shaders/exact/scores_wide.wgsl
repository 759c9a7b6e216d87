// needs: dispatch, exact/row, arithmetic/ordered
// HOSTILE needs: exact/dot, exact/hostile
// Largest filter score of each row in each supertile, larger d: 64 rows by 64 keys at a time, 16
// coordinates deep through workgroup memory, 8 by 8 scores a thread, 4 coordinates a load.

@group(1) @binding(0) var<storage, read> key_filter: array<f32>;
@group(1) @binding(1) var<storage, read> query_filter: array<f32>;
@group(1) @binding(2) var<storage, read_write> maxima: array<f32>;
@group(1) @binding(3) var<storage, read_write> rows: array<Row>;
// HOSTILE: @group(1) @binding(4) var<storage, read> key_state: array<Coordinate>;
// HOSTILE: @group(1) @binding(5) var<storage, read> query: array<Coordinate>;

// A supertile's keys by as many rows.
const SIDE = SUPERTILE;
// Fours of coordinates at a time.
const FOURS = 4u;
// One more than SIDE, so that the stores of a token's fours fall on different banks.
const STRIDE = SIDE + 1u;
// Rows and keys of a thread: rows side by side, keys 8 apart, so that its neighbours read
// neighbours.
const HELD = 8u;
const ACROSS = SIDE / HELD;

var<workgroup> some_queries: array<vec4f, FOURS * STRIDE>;
var<workgroup> some_keys: array<vec4f, FOURS * STRIDE>;
var<workgroup> most_of: array<f32, SIDE * ACROSS>;

@compute @workgroup_size(64)
fn scores(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let across = (job.tile_end - job.tile_first + job.tiles - 1u) / job.tiles;
    let index = linear(group, groups);
    let first_row = job.row_first + (index / across) * SIDE;
    if first_row >= job.row_end {
        return;
    }
    let block = index % across;
    let first_tile = job.tile_first + block * job.tiles;
    let row = first_row + lane;
    var peak = LOWEST;
    let my_row = lane / ACROSS * HELD;
    let my_key = lane % ACROSS;
    let load_four = lane % FOURS;
    for (var tile = first_tile; tile < min(first_tile + job.tiles, job.tile_end); tile++) {
        let first = tile * SUPERTILE;
        let end = min(first + SUPERTILE, visible(min(first_row + SIDE, job.row_end) - 1u));
        if end <= first {
            if row < job.row_end {
                maxima[maximum_of(row, tile)] = LOWEST;
            }
            continue;
        }
        var s: array<array<f32, HELD>, HELD>;
        for (var depth = 0u; depth < D; depth += 4u * FOURS) {
            workgroupBarrier();
            let k = vec4u(depth + 4u * load_four) + vec4u(0u, 1u, 2u, 3u);
            let here = min(k, vec4u(D - 1u));
            let inside = k < vec4u(D);
            for (var i = lane / FOURS; i < SIDE; i += LANES / FOURS) {
                let q = (min(first_row + i, job.row_end - 1u) - job.row_base) * D + here;
                let x = (min(first + i, end - 1u) - job.key_base) * D + here;
                let four_q = vec4f(query_filter[q.x], query_filter[q.y], query_filter[q.z], query_filter[q.w]);
                let four_x = vec4f(key_filter[x.x], key_filter[x.y], key_filter[x.z], key_filter[x.w]);
                some_queries[load_four * STRIDE + i] = select(vec4f(), four_q, inside);
                some_keys[load_four * STRIDE + i] = select(vec4f(), four_x, inside);
            }
            workgroupBarrier();
            for (var j = 0u; j < FOURS; j++) {
                var q: array<vec4f, HELD>;
                for (var r = 0u; r < HELD; r++) {
                    q[r] = some_queries[j * STRIDE + my_row + r];
                }
                for (var c = 0u; c < HELD; c++) {
                    let x = some_keys[j * STRIDE + my_key + c * ACROSS];
                    for (var r = 0u; r < HELD; r++) {
                        if DISTANCE {
                            let between = q[r] - x;
                            s[r][c] -= dot(between, between);
                        } else {
                            s[r][c] += dot(q[r], x);
                        }
                    }
                }
            }
        }
        for (var r = 0u; r < HELD; r++) {
            let last = min(end, visible(first_row + my_row + r));
            var most = LOWEST;
            for (var c = 0u; c < HELD; c++) {
                // HOSTILE: let i = min(first_row + my_row + r, job.row_end - 1u);
                // HOSTILE: let key = min(first + my_key + c * ACROSS, end - 1u);
                // HOSTILE: s[r][c] = moved(exact_score(i, key), rows[i - job.row_base].error, swing(i, key, 0u));
                most = max(most, select(LOWEST, s[r][c], first + my_key + c * ACROSS < last));
            }
            most_of[(my_row + r) * ACROSS + my_key] = most;
        }
        workgroupBarrier();
        if row < job.row_end {
            var largest = LOWEST;
            for (var c = 0u; c < ACROSS; c++) {
                largest = max(largest, most_of[lane * ACROSS + c]);
            }
            maxima[maximum_of(row, tile)] = largest;
            peak = max(peak, largest);
        }
    }
    if row < job.row_end {
        maxima[maximum_of_block(row, block)] = peak;
        atomicMax(&rows[row - job.row_base].peak, ordered(peak));
    }
}
