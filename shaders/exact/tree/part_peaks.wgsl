// needs: exact/tree/part, exact/tree/shares
// The best key of each row among those of a part and of the parts before.

@group(1) @binding(6) var<storage, read_write> reports: array<atomic<u32>>;

fn take_box(node: u32) {}

fn take_key(key: u32) {}

fn start_leaf() {}

fn take_of_leaf(key: u32, is_single: bool) {}

fn end_leaf() {}

// The best key of an idle row is the first token's, in the one part that has it.
fn find_peak() {
    if !idle {
        if sees(1u) {
            find_champion();
        }
    } else if job.first_key != NOBODY {
        champion = job.first_key;
    }
}

@compute @workgroup_size(64)
fn part_peaks(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    row = job.row_first + linear(group, groups) * LANES + lane;
    var share = Share();
    if row < job.row_end && !(is_limited() && is_left(job.report)) {
        go_on();
        find_peak();
        if champion < job.n {
            sought[record].champion = marks[champion].y;
            for (var k = 0u; k < job.dims; k++) {
                sought[record].origin[k] = row_state[champion * D + k];
            }
        }
        share = Share(0u, 0u, 0u, redone, keys_seen, boxes_seen);
    }
    report_shares(lane, share);
}
