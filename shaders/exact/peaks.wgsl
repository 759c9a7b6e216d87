// needs: exact/decide, exact/opened, arithmetic/ordered
// m_i and the key that attains it, of several the lowest token. The largest maximum is off by `reach`, R, at most, so that the
// largest score is no less than it less R. Candidates are the keys whose filter score, off by E at most, is no less
// than that less E, in supertiles whose maximum is no less than that less R. A key's filter score less E, too, is
// a score that the largest is no less than.

@group(1) @binding(7) var<storage, read> order: array<u32>; // the token of every key, unless it is the key

var<workgroup> lane_best: array<Score, ROW_LANES>;
var<workgroup> lane_argmax: array<u32, ROW_LANES>;

fn token_of(key: u32) -> u32 {
    if arrayLength(&order) < job.n {
        return key;
    }
    return order[key];
}

// A filter score less what it and another may be off by.
fn less_bounds(score: f32, bounds: f32) -> f32 {
    var least = score - 1.001 * bounds - 2.0 * ROUNDING * abs(score);
    // HOSTILE: least = score - 1.0001 * bounds - 1.2 * ROUNDING * abs(score);
    return least;
}

@compute @workgroup_size(32)
fn peaks(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups);
    if row >= job.row_end {
        return;
    }
    let at = row - job.row_base;
    let peak = unordered(atomicLoad(&rows[at].peak));
    let error = rows[at].error;
    let reach = rows[at].reach;
    let reached = less_bounds(peak, 2.0 * reach);
    var least = less_bounds(peak, reach + error);
    let last = visible(row);
    var best = LEAST;
    var argmax = NOBODY;
    for (var first_block = 0u; first_block < block_count(); first_block += BATCH) {
        let blocks = list_blocks(row, first_block, reached, lane);
        for (var batch = 0u; batch < blocks; batch += batch_blocks()) {
            let keys = list_keys(row, batch, blocks, reached, lane);
            count_opened(keys, lane);
            for (var i = lane; i < keys; i += ROW_LANES) {
                let key = listed_key(i);
                if key >= last || (RANGED && !may_see(row, key)) {
                    continue;
                }
                let seems = filter_score(row, key);
                if seems >= least {
                    least = max(least, less_bounds(seems, 2.0 * error));
                    let s = exact_score(row, key);
                    if argmax == NOBODY || less(best, s) || (!less(s, best) && token_of(key) < token_of(argmax)) {
                        best = s;
                        argmax = key;
                    }
                }
            }
        }
    }
    lane_best[lane] = best;
    lane_argmax[lane] = argmax;
    workgroupBarrier();
    if lane == 0u {
        best = rows[at].best;
        argmax = rows[at].argmax;
        for (var l = 0u; l < ROW_LANES; l++) {
            let key = lane_argmax[l];
            if key != NOBODY {
                let s = lane_best[l];
                if argmax == NOBODY || less(best, s) || (!less(s, best) && token_of(key) < token_of(argmax)) {
                    best = s;
                    argmax = key;
                }
            }
        }
        rows[at].best = best;
        rows[at].argmax = argmax;
    }
}
