// needs: exact/tree/part, exact/tree/strip, exact/tree/shares
// The keys of a part that are in the strip of each row, whose champion is known.

@group(1) @binding(6) var<storage, read_write> reports: array<atomic<u32>>;

@compute @workgroup_size(64)
fn part_strips(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    row = job.row_first + linear(group, groups) * LANES + lane;
    var share = Share();
    if row < job.row_end && !(is_limited() && is_left(job.report)) {
        go_on();
        find_strip(sought[record].width);
        sought[record].count += count;
        for (var k = 0u; k < job.dims; k++) {
            sought[record].sum[k] = sum_join(sought[record].sum[k], sum[k]);
        }
        share = Share(0u, 0u, 0u, redone, keys_seen, boxes_seen);
    }
    report_shares(lane, share);
}
