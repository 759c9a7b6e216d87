// needs: exact/strips
// Larger d: the threads vote on some supertiles' keys, then each thread sums its own coordinates
// over the members.

const OWNED = (D + ROW_LANES - 1u) / ROW_LANES;

// Keys that a thread votes on at a time.
const VOTES = 8u;

var<workgroup> lane_members: array<u32, ROW_LANES>;

@compute @workgroup_size(32)
fn strips(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups);
    if row >= job.row_end {
        return;
    }
    let cut = cut_of(row);
    let last = visible(row);
    var sum: array<Sum, OWNED>;
    var count = 0u;
    var redone = 0u;
    for (var first_block = 0u; first_block < block_count(); first_block += BATCH) {
        let blocks = list_blocks(row, first_block, cut.reached, lane);
        for (var batch = 0u; batch < blocks; batch += batch_blocks()) {
            let keys = list_keys(row, batch, blocks, cut.reached, lane);
            count_opened(keys, lane);
            for (var first = 0u; first < keys; first += VOTES * ROW_LANES) {
                var members = 0u;
                for (var i = 0u; i < VOTES; i++) {
                    let index = first + i * ROW_LANES + lane;
                    if index < keys {
                        let key = listed_key(index);
                        if key < last && (!RANGED || may_see(row, key)) {
                            let found = verdict(cut, row, key);
                            redone += found >> 1u;
                            members |= (found & 1u) << i;
                        }
                    }
                }
                count += countOneBits(members);
                workgroupBarrier();
                lane_members[lane] = members;
                workgroupBarrier();
                for (var l = 0u; l < ROW_LANES; l++) {
                    var left = lane_members[l];
                    while left != 0u {
                        let key = listed_key(first + firstTrailingBit(left) * ROW_LANES + l);
                        left &= left - 1u;
                        for (var o = 0u; o < OWNED; o++) {
                            let k = o * ROW_LANES + lane;
                            if k < D {
                                sum[o] = sum_add(sum[o], key_state[(key - job.key_base) * D + k]);
                            }
                        }
                    }
                }
            }
        }
    }
    lane_count[lane] = count;
    lane_redone[lane] = redone;
    workgroupBarrier();
    keep_counts(row, lane);
    for (var o = 0u; o < OWNED; o++) {
        let k = o * ROW_LANES + lane;
        if k < D {
            keep_sum(row, k, sum[o]);
        }
    }
}
