// needs: exact/strips
// Small d: each thread sums its own keys, then one thread a coordinate joins their sums.

var<workgroup> lane_sum: array<Sum, ROW_LANES * D>;

@compute @workgroup_size(32)
fn strips(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups);
    if row >= job.row_end {
        return;
    }
    let cut = cut_of(row);
    let last = visible(row);
    var sum: array<Sum, D>;
    var count = 0u;
    var redone = 0u;
    for (var first_block = 0u; first_block < block_count(); first_block += BATCH) {
        let blocks = list_blocks(row, first_block, cut.low, lane);
        for (var batch = 0u; batch < blocks; batch += batch_blocks()) {
            let keys = list_keys(row, batch, blocks, cut.low, lane);
            for (var i = lane; i < keys; i += ROW_LANES) {
                let key = listed_key(i);
                if key >= last {
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
