// Larger d: the threads vote on a supertile's keys, then each thread sums its own coordinates over the members.

const OWNED = (D + LANES - 1u) / LANES;

var<workgroup> lane_members: array<u32, LANES>;

@compute @workgroup_size(64)
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
    for (var tile = job.tile_first; tile < job.tile_end; tile++) {
        if supertile_most(row, tile) < cut.low {
            continue;
        }
        let first = tile * SUPERTILE;
        var members = 0u;
        for (var i = 0u; i < SUPERTILE / LANES; i++) {
            let key = first + i * LANES + lane;
            if key < last {
                let found = verdict(cut, row, key);
                redone += found >> 1u;
                members |= (found & 1u) << i;
            }
        }
        count += countOneBits(members);
        workgroupBarrier();
        lane_members[lane] = members;
        workgroupBarrier();
        for (var l = 0u; l < LANES; l++) {
            var left = lane_members[l];
            while left != 0u {
                let key = first + firstTrailingBit(left) * LANES + l;
                left &= left - 1u;
                for (var o = 0u; o < OWNED; o++) {
                    let k = o * LANES + lane;
                    if k < D {
                        sum[o] = sum_add(sum[o], key_state[(key - job.key_base) * D + k]);
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
        let k = o * LANES + lane;
        if k < D {
            keep_sum(row, k, sum[o]);
        }
    }
}
