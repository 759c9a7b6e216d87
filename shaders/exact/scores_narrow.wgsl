// needs: dispatch, exact/row, arithmetic/ordered
// HOSTILE needs: exact/dot, exact/hostile
// Largest filter score of each row in each supertile, small d: a thread keeps its queries in
// registers, four rows to a vector, and a supertile's keys come through workgroup memory, the same key
// for all threads, some at a time: two scores and the largest so far are one instruction of many cards.

@group(1) @binding(0) var<storage, read> key_filter: array<vec4f>;
@group(1) @binding(1) var<storage, read> query_filter: array<vec4f>;
@group(1) @binding(2) var<storage, read_write> maxima: array<f32>;
@group(1) @binding(3) var<storage, read_write> rows: array<Row>;
// HOSTILE: @group(1) @binding(4) var<storage, read> key_state: array<Coordinate>;
// HOSTILE: @group(1) @binding(5) var<storage, read> query: array<Coordinate>;

// The keys in hand, and those of the next supertile: [half][four of coordinates][key].
var<workgroup> some_keys: array<vec4f, 2u * QUADS * SUPERTILE>;

// The vectors of a lane's key of a supertile, before `end`.
fn place_of_key(tile: u32, lane: u32, end: u32) -> u32 {
    return (min(tile * SUPERTILE + lane, end - 1u) - job.key_base) * QUADS;
}

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
    let last_tile = min(first_tile + job.tiles, job.tile_end);
    // Supertiles from here on hold nothing that these rows see.
    let end = visible(first_row + ROWS - 1u);
    let seen_tile = clamp((end + SUPERTILE - 1u) / SUPERTILE, first_tile, last_tile);
    // Supertiles before this one, too.
    let begun_tile = clamp(first_visible(first_row) / SUPERTILE, first_tile, seen_tile);
    // EACH f: FOURS
    let row$f = vec4u(first_row + lane) + (vec4u(0u, 1u, 2u, 3u) + 4u * $f) * LANES;
    let at$f = (min(row$f, vec4u(job.row_end - 1u)) - job.row_base) * QUADS;
    // EACH c: QUADS
    let a$f_$c = query_filter[at$f.x + $c];
    let b$f_$c = query_filter[at$f.y + $c];
    let c$f_$c = query_filter[at$f.z + $c];
    let d$f_$c = query_filter[at$f.w + $c];
    // END
    // EACH k: D
    let q$f_$k = vec4f(a$f_$k/4[$k%4], b$f_$k/4[$k%4], c$f_$k/4[$k%4], d$f_$k/4[$k%4]);
    // END
    var peak$f = vec4f(LOWEST);
    // END
    var half = 0u;
    if begun_tile < seen_tile {
        let key = place_of_key(begun_tile, lane, end);
        // EACH c: QUADS
        some_keys[$c * SUPERTILE + lane] = key_filter[key + $c];
        // END
    }
    for (var tile = begun_tile; tile < seen_tile; tile++) {
        workgroupBarrier();
        let next = place_of_key(min(tile + 1u, seen_tile - 1u), lane, end);
        // EACH c: QUADS
        let next$c = key_filter[next + $c];
        // END
        // EACH f: FOURS
        var most$f = vec4f(LOWEST);
        // END
        let first = tile * SUPERTILE;
        let masked = RANGED || (job.causal == 1u && first + SUPERTILE > first_row + 1u);
        // Past the last key it is met again.
        // EACH m: 2
        if masked == ($m == 1) {
            for (var i = 0u; i < SUPERTILE; i += ABREAST) {
                // Known to be small, so that what is added to it becomes a part of each load.
                let at = (half + i) & 1023u;
                // EACH j: ABREAST
                // EACH c: QUADS
                let x$j_$c = some_keys[at + ($c * SUPERTILE + $j)];
                // END
                // END
                // EACH f: FOURS
                // EACH j: ABREAST
                // EACH z: PRODUCTS
                var s$f_$j = x$j_0.x * q$f_0;
                // EACH k: 1..D
                s$f_$j = fma(vec4f(x$j_$k/4[$k%4]), q$f_$k, s$f_$j);
                // END
                // END
                // EACH z: DISTANCES
                var s$f_$j = vec4f(0.0);
                // EACH k: D
                let between$f_$j_$k = q$f_$k - vec4f(x$j_$k/4[$k%4]);
                s$f_$j = fma(-between$f_$j_$k, between$f_$j_$k, s$f_$j);
                // END
                // END
                // HOSTILE: for (var r = 0u; r < 4u; r++) {
                // HOSTILE: let token = min(row$f[r], job.row_end - 1u);
                // HOSTILE: let key = min(first + i + $j, end - 1u);
                // HOSTILE: let error = rows[token - job.row_base].error;
                // HOSTILE: s$f_$j[r] = moved(exact_score(token, key), error, swing(token, key, 0u));
                // HOSTILE: }
                if $m == 1 {
                    if RANGED {
                        s$f_$j = select(vec4f(LOWEST), s$f_$j, which_see(row$f, first + i + $j));
                    } else {
                        s$f_$j = select(vec4f(LOWEST), s$f_$j, vec4u(first + i + $j) <= row$f);
                    }
                }
                // END
                // EACH p: ABREAST/2
                most$f = max(max(most$f, s$f_$p*2), s$f_$p*2+1);
                // END
                // END
            }
        }
        // END
        half = QUADS * SUPERTILE - half;
        // EACH c: QUADS
        some_keys[half + $c * SUPERTILE + lane] = next$c;
        // END
        // EACH f: FOURS
        // EACH r: 4
        if row$f[$r] < job.row_end {
            maxima[maximum_of(row$f[$r], tile)] = most$f[$r];
        }
        // END
        peak$f = max(peak$f, most$f);
        // END
    }
    // EACH f: FOURS
    // EACH r: 4
    if row$f[$r] < job.row_end {
        for (var tile = first_tile; tile < begun_tile; tile++) {
            maxima[maximum_of(row$f[$r], tile)] = LOWEST;
        }
        for (var tile = seen_tile; tile < last_tile; tile++) {
            maxima[maximum_of(row$f[$r], tile)] = LOWEST;
        }
        maxima[maximum_of_block(row$f[$r], block)] = peak$f[$r];
        atomicMax(&rows[row$f[$r] - job.row_base].peak, ordered(peak$f[$r]));
    }
    // END
    // END
}
