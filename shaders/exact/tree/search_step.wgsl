// needs: exact/tree/whole, exact/tree/strip, exact/tree/shares
// A step of each key: its strip's sum, then step 4 of the contract; and the step's report, with
// multiplicities.

@group(1) @binding(5) var<storage, read_write> next_state: array<Coordinate>;
@group(1) @binding(6) var<storage, read_write> found: array<u32>; // of each key: argmax (a token), |C|, argmax (a key)
@group(1) @binding(7) var<storage, read_write> reports: array<atomic<u32>>;

@compute @workgroup_size(64)
fn search_step(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    row = job.row_first + linear(group, groups) * LANES + lane;
    var share = Share();
    if row < job.row_end && !(is_limited() && is_left(job.report)) {
        var likely = NOBODY;
        if job.warm == 1u {
            likely = found[3u * row + 2u];
        }
        search(likely);
        var moved = false;
        for (var k = 0u; k < job.dims; k++) {
            let x = row_state[row * D + k];
            let next = advanced(x, mean(sum[k], count), job.gain);
            next_state[row * D + k] = next;
            moved = moved || differ(next, x);
        }
        let argmax = select(marks[champion].y, 0u, idle);
        found[3u * row] = argmax;
        found[3u * row + 1u] = count;
        found[3u * row + 2u] = champion;
        let weight = marks[row].x;
        share = Share(select(0u, weight, moved), weight, count, redone, keys_seen, boxes_seen);
    }
    report_shares(lane, share);
}
