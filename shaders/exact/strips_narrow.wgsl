// needs: exact/strips
// Small d: each thread sums its own keys, then one thread a coordinate joins their sums. Where a larger
// share of supertiles is in reach, strips_dense takes less, and the row is left to it.

var<workgroup> lane_sum: array<Sum, ROW_LANES * D>;

// The supertiles whose largest filter score reaches `cutoff`. Every thread of the workgroup must come here.
fn tiles_in_reach(row: u32, cutoff: f32, lane: u32) -> u32 {
    start_list(lane);
    var count = 0u;
    for (var block = lane; block < block_count(); block += ROW_LANES) {
        if maxima[maximum_of_block(row, block)] >= cutoff {
            let first = job.tile_first + block * job.tiles;
            for (var tile = first; tile < min(first + job.tiles, job.tile_end); tile++) {
                count += select(0u, 1u, supertile_most(row, tile) >= cutoff);
            }
        }
    }
    atomicAdd(&listed_count, count);
    return workgroupUniformLoad(&listed_count);
}

@compute @workgroup_size(32)
fn strips(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups);
    if row >= job.row_end {
        return;
    }
    let cut = cut_of(row);
    var is_dense = false;
    if !RANGED && DENSE_FROM > 0u && job.width_kind != ARGMAX {
        let tiles = tiles_in_reach(row, cut.reached, lane);
        is_dense = tiles * DENSE_FROM > job.tile_end - job.tile_first;
        count_opened(select(0u, tiles * SUPERTILE, is_dense), lane);
    }
    if lane == 0u {
        atomicStore(&rows[row - job.row_base].peak, select(0u, DENSE, is_dense));
    }
    if is_dense {
        return;
    }
    let last = visible(row);
    var sum: array<Sum, D>;
    var count = 0u;
    var redone = 0u;
    for (var first_block = 0u; first_block < block_count(); first_block += BATCH) {
        let blocks = list_blocks(row, first_block, cut.reached, lane);
        for (var batch = 0u; batch < blocks; batch += batch_blocks()) {
            let keys = list_keys(row, batch, blocks, cut.reached, lane);
            count_opened(keys, lane);
            for (var i = lane; i < keys; i += ROW_LANES) {
                let key = listed_key(i);
                if key >= last || (RANGED && !may_see(row, key)) {
                    continue;
                }
                let found = verdict(cut, row, key);
                redone += found >> 1u;
                if (found & 1u) == 1u {
                    count += 1u;
                    for (var k = 0u; k < D; k++) {
                        sum[k] = sum_add(sum[k], key_state[(key - job.key_base) * D + k]);
                    }
                }
            }
        }
    }
    lane_count[lane] = count;
    lane_redone[lane] = redone;
    for (var k = 0u; k < D; k++) {
        lane_sum[lane * D + k] = sum[k];
    }
    workgroupBarrier();
    keep_counts(row, lane);
    if lane < D {
        var total = Sum();
        for (var l = 0u; l < ROW_LANES; l++) {
            if lane_count[l] != 0u {
                total = sum_join(total, lane_sum[l * D + lane]);
            }
        }
        keep_sum(row, lane, total);
    }
}
