// needs: dispatch, exact/row, arithmetic/ordered
// HOSTILE needs: exact/dot, exact/hostile
// Largest filter score of each row in each supertile, larger d: 64 rows by 64 keys at a time, 16
// coordinates deep through workgroup memory, 8 by 8 scores a thread, 4 coordinates a load. What comes next
// is read while the products of what is there are added. A token is FOURS_HELD fours of numbers: floats
// (scores_of_floats) or limbs (scores_of_limbs).

@group(1) @binding(2) var<storage, read_write> maxima: array<f32>;
@group(1) @binding(3) var<storage, read_write> rows: array<Row>;
// HOSTILE: @group(1) @binding(4) var<storage, read> key_state: array<Coordinate>;
// HOSTILE: @group(1) @binding(5) var<storage, read> query: array<Coordinate>;

// A supertile's keys by as many rows.
const SIDE = SUPERTILE;
// Fours of coordinates at a time.
const DEEP = 4u;
// One more than SIDE, so that the stores of a token's fours fall on different banks.
const STRIDE = SIDE + 1u;
// Rows and keys of a thread: rows side by side, keys 8 apart, so that its neighbours read
// neighbours.
const HELD = 8u;
const ACROSS = SIDE / HELD;

var<workgroup> some_queries: array<vec4f, DEEP * STRIDE>;
var<workgroup> some_keys: array<vec4f, DEEP * STRIDE>;
var<workgroup> most_of: array<f32, SIDE * ACROSS>; // [part of the keys][row]

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
    let last_tile = min(first_tile + job.tiles, job.tile_end);
    // Supertiles from here on hold nothing that these rows see.
    let end = visible(min(first_row + SIDE, job.row_end) - 1u);
    let seen_tile = clamp((end + SUPERTILE - 1u) / SUPERTILE, first_tile, last_tile);
    // Supertiles before this one, too.
    let begun_tile = clamp(first_visible(first_row) / SUPERTILE, first_tile, seen_tile);
    // Past the last key of the window, or that these rows see, it is met again.
    let last_key = min(end, job.tile_end * SUPERTILE) - 1u;
    let row = first_row + lane;
    var peak = LOWEST;
    let my_row = lane / ACROSS * HELD;
    let my_key = lane % ACROSS;
    // A lane reads one four of every 16th token.
    let load_four = lane % DEEP;
    let load_at = load_four * STRIDE + lane / DEEP;
    // EACH i: 4
    let query_at$i = (min(first_row + lane / DEEP + 16u * $i, job.row_end - 1u) - job.row_base) * FOURS_HELD;
    var next_query$i = query_four(query_at$i + min(load_four, FOURS_HELD - 1u));
    var next_key$i = vec4f();
    if begun_tile < seen_tile {
        let key = min(begun_tile * SUPERTILE + lane / DEEP + 16u * $i, last_key) - job.key_base;
        next_key$i = key_four(key * FOURS_HELD + min(load_four, FOURS_HELD - 1u));
    }
    // END
    for (var tile = begun_tile; tile < seen_tile; tile++) {
        let first = tile * SUPERTILE;
        // EACH r: 8
        // EACH c: 8
        var s$r_$c = 0.0;
        // END
        // END
        for (var four = 0u; four < FOURS_HELD; four += DEEP) {
            workgroupBarrier();
            // EACH i: 4
            some_queries[load_at + 16u * $i] = next_query$i;
            some_keys[load_at + 16u * $i] = next_key$i;
            // END
            workgroupBarrier();
            // The next fours of these tokens, or the first of the next keys. Past the last, some again.
            let goes_on = four + DEEP < FOURS_HELD;
            let next_four = min(select(0u, four + DEEP, goes_on) + load_four, FOURS_HELD - 1u);
            let next_first = select(first + SUPERTILE, first, goes_on) + lane / DEEP;
            // EACH i: 4
            next_query$i = query_four(query_at$i + next_four);
            next_key$i = key_four((min(next_first + 16u * $i, last_key) - job.key_base) * FOURS_HELD + next_four);
            // END
            for (var j = 0u; j < select(min(DEEP, FOURS_HELD - four), DEEP, FOURS_HELD % DEEP == 0u); j++) {
                let query_base = (j * STRIDE + my_row) & 511u;
                let key_base = (j * STRIDE + my_key) & 511u;
                // EACH r: 8
                let q$r = some_queries[query_base + $r];
                // END
                // EACH c: 8
                let x$c = some_keys[key_base + $c * ACROSS];
                // EACH r: 8
                // EACH z: PRODUCTS
                s$r_$c = fma(q$r.w, x$c.w, fma(q$r.z, x$c.z, fma(q$r.y, x$c.y, fma(q$r.x, x$c.x, s$r_$c))));
                // END
                // EACH z: DISTANCES
                let between$r_$c = q$r - x$c;
                s$r_$c -= dot(between$r_$c, between$r_$c);
                // END
                // END
                // END
            }
        }
        // EACH r: 8
        // EACH c: 8
        // HOSTILE: {
        // HOSTILE: let token = min(first_row + my_row + $r, job.row_end - 1u);
        // HOSTILE: let key = min(first + my_key + $c * ACROSS, end - 1u);
        // HOSTILE: s$r_$c = moved(exact_score(token, key), rows[token - job.row_base].reach, swing(token, key, 0u));
        // HOSTILE: }
        // END
        // END
        if RANGED {
            // EACH r: 8
            let token$r = first_row + my_row + $r;
            let end$r = visible(token$r);
            // EACH c: 8
            let key$r_$c = first + my_key + $c * ACROSS;
            s$r_$c = select(LOWEST, s$r_$c, (key$r_$c < end$r) & may_see(token$r, key$r_$c));
            // END
            // END
        } else if job.causal == 1u && first + SUPERTILE > first_row + 1u {
            // EACH r: 8
            // EACH c: 8
            s$r_$c = select(LOWEST, s$r_$c, first + my_key + $c * ACROSS <= first_row + my_row + $r);
            // END
            // END
        }
        // Past the last key it is met again.
        // EACH r: 8
        let left$r = max(max(s$r_0, s$r_1), max(s$r_2, s$r_3));
        let right$r = max(max(s$r_4, s$r_5), max(s$r_6, s$r_7));
        most_of[my_key * SIDE + my_row + $r] = max(left$r, right$r);
        // END
        workgroupBarrier();
        if row < job.row_end {
            var largest = most_of[lane];
            // EACH c: 1..8
            largest = max(largest, most_of[$c * SIDE + lane]);
            // END
            largest = score_of(largest, row);
            maxima[maximum_of(row, tile)] = largest;
            peak = max(peak, largest);
        }
    }
    if row < job.row_end {
        for (var tile = first_tile; tile < begun_tile; tile++) {
            maxima[maximum_of(row, tile)] = LOWEST;
        }
        for (var tile = seen_tile; tile < last_tile; tile++) {
            maxima[maximum_of(row, tile)] = LOWEST;
        }
        maxima[maximum_of_block(row, block)] = peak;
        atomicMax(&rows[row - job.row_base].peak, ordered(peak));
    }
}
