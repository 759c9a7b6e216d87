// needs: exact/strips
// |C_i| and Σ X_j over C_i, small d and integers that f32 holds, of rows that many supertiles may belong to
// (`DENSE`, see strips_narrow): each thread has rows, and all keys come through workgroup memory. The
// coordinates of a supertile's members are summed in 32 bits, which they fit (64·2^24), then joined.

// Threads of a workgroup are LANES, with FOURS rows each.
var<workgroup> some_keys: array<vec4i, 2u * QUADS * SUPERTILE>; // [half][four of coordinates][key]
var<workgroup> wanted: atomic<u32>;

// Above every score.
const NEVER = 3.0e38;

// Whether a key whose score a float leaves open is in the strip.
fn is_member(row: u32, key: u32, threshold: Score) -> bool {
    tally(REPORT_REDONE, vec2u(1u, 0u));
    return !less(exact_score(row, key), threshold);
}

fn place_of_key(tile: u32, lane: u32) -> u32 {
    return (min(tile * SUPERTILE + lane, job.n - 1u) - job.key_base) * QUADS;
}

@compute @workgroup_size(64)
fn strips_dense(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first_row = job.row_first + linear(group, groups) * LANES * FOURS;
    if first_row >= job.row_end {
        return;
    }
    if lane == 0u {
        atomicStore(&wanted, 0u);
    }
    workgroupBarrier();
    // EACH f: FOURS
    let row$f = first_row + lane + $f * LANES;
    let here$f = min(row$f, job.row_end - 1u);
    let at$f = here$f - job.row_base;
    let dense$f = row$f < job.row_end && atomicLoad(&rows[at$f].peak) == DENSE;
    if dense$f {
        atomicOr(&wanted, 1u);
    }
    // END
    if workgroupUniformLoad(&wanted) == 0u {
        return;
    }
    // EACH f: FOURS
    let cut$f = cut_of(here$f);
    let reached$f = select(NEVER, cut$f.reached, dense$f);
    let low$f = select(NEVER, cut$f.low, dense$f);
    let high$f = select(NEVER, cut$f.high, dense$f);
    let last$f = visible(here$f);
    // EACH c: QUADS
    let a$f_$c = query_filter[at$f * QUADS + $c];
    // END
    var count$f = 0u;
    // EACH k: D
    var sum$f_$k = Sum();
    // END
    // END
    let last_row = min(first_row + LANES * FOURS, job.row_end) - 1u;
    let seen_tile = clamp((visible(last_row) + SUPERTILE - 1u) / SUPERTILE, job.tile_first, job.tile_end);
    var half = 0u;
    if job.tile_first < seen_tile {
        let key = place_of_key(job.tile_first, lane);
        // EACH c: QUADS
        some_keys[$c * SUPERTILE + lane] = vec4i(key_filter[key + $c]);
        // END
    }
    for (var tile = job.tile_first; tile < seen_tile; tile++) {
        workgroupBarrier();
        let next = place_of_key(min(tile + 1u, seen_tile - 1u), lane);
        // EACH c: QUADS
        let next$c = vec4i(key_filter[next + $c]);
        // END
        let first = tile * SUPERTILE;
        // Some row may not see all of them.
        let masked = first + SUPERTILE > visible(first_row);
        var reaches = false;
        // EACH f: FOURS
        reaches = reaches | (supertile_most(here$f, tile) >= reached$f);
        // EACH k: D
        var part$f_$k = 0;
        // END
        // END
        if reaches {
            // EACH m: 2
            if masked == ($m == 1) {
                for (var i = 0u; i < SUPERTILE; i++) {
                    // Known to be small, so that what is added to it becomes a part of each load.
                    let at = (half + i) & 1023u;
                    // EACH c: QUADS
                    let n$c = some_keys[at + $c * SUPERTILE];
                    let x$c = vec4f(n$c);
                    // END
                    var is_open = false;
                    // EACH f: FOURS
                    // EACH z: PRODUCTS
                    var s$f = x0.x * a$f_0.x;
                    // EACH k: 1..D
                    s$f = fma(x$k/4[$k%4], a$f_$k/4[$k%4], s$f);
                    // END
                    // END
                    // EACH z: DISTANCES
                    var s$f = 0.0;
                    // EACH k: D
                    let between$f_$k = a$f_$k/4[$k%4] - x$k/4[$k%4];
                    s$f = fma(-between$f_$k, between$f_$k, s$f);
                    // END
                    // END
                    // HOSTILE: let key$f = min(first + i, job.n - 1u);
                    // HOSTILE: s$f = moved(exact_score(here$f, key$f), rows[at$f].error, swing(here$f, key$f, 1u));
                    if $m == 1 {
                        s$f = select(LOWEST, s$f, first + i < last$f);
                    }
                    is_open = is_open | ((s$f >= low$f) & (s$f < high$f));
                    // END
                    if is_open {
                        // EACH f: FOURS
                        if (s$f >= low$f) & (s$f < high$f) {
                            s$f = select(LOWEST, NEVER, is_member(here$f, first + i, cut$f.threshold));
                        }
                        // END
                    }
                    // EACH f: FOURS
                    let is_in$f = s$f >= high$f;
                    count$f += u32(is_in$f);
                    // EACH k: D
                    part$f_$k += select(0, n$k/4[$k%4], is_in$f);
                    // END
                    // END
                }
            }
            // END
            // EACH f: FOURS
            // EACH k: D
            sum$f_$k = sum_join(sum$f_$k, extend2(part$f_$k));
            // END
            // END
        }
        half = QUADS * SUPERTILE - half;
        // EACH c: QUADS
        some_keys[half + $c * SUPERTILE + lane] = next$c;
        // END
    }
    // EACH f: FOURS
    if dense$f {
        rows[at$f].count += count$f;
        // EACH k: D
        keep_sum(here$f, $k, sum$f_$k);
        // END
    }
    // END
}
