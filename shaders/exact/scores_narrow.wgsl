// needs: dispatch, exact/row, arithmetic/ordered
// HOSTILE needs: exact/dot, exact/hostile
// Largest filter score of each row in each supertile, small d: a thread keeps its queries in
// registers, four to a vector, and the keys stream past, the same key for all threads.

@group(1) @binding(0) var<storage, read> key_filter: array<f32>;
@group(1) @binding(1) var<storage, read> query_filter: array<f32>;
@group(1) @binding(2) var<storage, read_write> maxima: array<f32>;
@group(1) @binding(3) var<storage, read_write> rows: array<Row>;
// HOSTILE: @group(1) @binding(4) var<storage, read> key_state: array<Coordinate>;
// HOSTILE: @group(1) @binding(5) var<storage, read> query: array<Coordinate>;

const FOURS = ROWS / (4u * LANES);

@compute @workgroup_size(64)
fn scores(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let across = (job.tile_end - job.tile_first + job.tiles - 1u) / job.tiles;
    let index = linear(group, groups);
    let first_row = job.row_first + (index / across) * ROWS;
    if first_row >= job.row_end {
        return;
    }
    let block = index % across;
    let first_tile = job.tile_first + block * job.tiles;
    var row: array<vec4u, FOURS>;
    var q: array<array<vec4f, D>, FOURS>;
    var peak: array<vec4f, FOURS>;
    for (var f = 0u; f < FOURS; f++) {
        row[f] = vec4u(first_row + lane) + (vec4u(0u, 1u, 2u, 3u) + 4u * f) * LANES;
        let at = (min(row[f], vec4u(job.row_end - 1u)) - job.row_base) * D;
        for (var k = 0u; k < D; k++) {
            q[f][k] = vec4f(query_filter[at.x + k], query_filter[at.y + k], query_filter[at.z + k], query_filter[at.w + k]);
        }
        peak[f] = vec4f(LOWEST);
    }
    for (var tile = first_tile; tile < min(first_tile + job.tiles, job.tile_end); tile++) {
        let first = tile * SUPERTILE;
        let end = min(first + SUPERTILE, visible(first_row + ROWS - 1u));
        let masked = job.causal == 1u && end > first_row + 1u;
        var most: array<vec4f, FOURS>;
        for (var f = 0u; f < FOURS; f++) {
            most[f] = vec4f(LOWEST);
        }
        for (var key = first; key < end; key++) {
            let base = (key - job.key_base) * D;
            var x: array<f32, D>;
            for (var k = 0u; k < D; k++) {
                x[k] = key_filter[base + k];
            }
            for (var f = 0u; f < FOURS; f++) {
                var s = x[0] * q[f][0];
                for (var k = 1u; k < D; k++) {
                    s += x[k] * q[f][k];
                }
                if DISTANCE {
                    s = vec4f(0.0);
                    for (var k = 0u; k < D; k++) {
                        let between = q[f][k] - vec4f(x[k]);
                        s -= between * between;
                    }
                }
                // HOSTILE: for (var r = 0u; r < 4u; r++) {
                // HOSTILE: let i = min(row[f][r], job.row_end - 1u);
                // HOSTILE: s[r] = moved(exact_score(i, key), rows[i - job.row_base].error, swing(i, key, 0u));
                // HOSTILE: }
                if masked {
                    s = select(vec4f(LOWEST), s, vec4u(key) <= row[f]);
                }
                most[f] = max(most[f], s);
            }
        }
        for (var f = 0u; f < FOURS; f++) {
            for (var r = 0u; r < 4u; r++) {
                if row[f][r] < job.row_end {
                    maxima[maximum_of(row[f][r], tile)] = most[f][r];
                }
            }
            peak[f] = max(peak[f], most[f]);
        }
    }
    for (var f = 0u; f < FOURS; f++) {
        for (var r = 0u; r < 4u; r++) {
            if row[f][r] < job.row_end {
                maxima[maximum_of_block(row[f][r], block)] = peak[f][r];
                atomicMax(&rows[row[f][r] - job.row_base].peak, ordered(peak[f][r]));
            }
        }
    }
}
