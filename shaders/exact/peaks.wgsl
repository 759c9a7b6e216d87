// needs: exact/decide, arithmetic/ordered
// m_i and the lowest index that attains it: candidates are the keys whose filter score comes within
// 2E of the largest.

var<workgroup> lane_best: array<Score, ROW_LANES>;
var<workgroup> lane_argmax: array<u32, ROW_LANES>;

@compute @workgroup_size(32)
fn peaks(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups);
    if row >= job.row_end {
        return;
    }
    let at = row - job.row_base;
    let peak = unordered(atomicLoad(&rows[at].peak));
    var cutoff = peak - 2.002 * rows[at].error - 2.0 * ROUNDING * abs(peak);
    // HOSTILE: cutoff = peak - 2.0002 * rows[at].error - 1.2 * ROUNDING * abs(peak);
    let last = visible(row);
    var best = LEAST;
    var argmax = NOBODY;
    for (var first_block = 0u; first_block < block_count(); first_block += BATCH) {
        let blocks = list_blocks(row, first_block, cutoff, lane);
        for (var batch = 0u; batch < blocks; batch += batch_blocks()) {
            let keys = list_keys(row, batch, blocks, cutoff, lane);
            for (var i = lane; i < keys; i += ROW_LANES) {
                let key = listed_key(i);
                if key < last && (!RANGED || may_see(row, key)) && filter_score(row, key) >= cutoff {
                    let s = exact_score(row, key);
                    if argmax == NOBODY || less(best, s) || (key < argmax && !less(s, best)) {
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
                if argmax == NOBODY || less(best, s) || (key < argmax && !less(s, best)) {
                    best = s;
                    argmax = key;
                }
            }
        }
        rows[at].best = best;
        rows[at].argmax = argmax;
    }
}
