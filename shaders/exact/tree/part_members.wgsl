// needs: exact/tree/part, exact/tree/members
// C_i among the keys of a part, of rows whose champion is known; where it is that alone, its token.

@compute @workgroup_size(64)
fn part_members(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    go_on();
    start_line(record);
    if job.width_kind == ARGMAX {
        bits[line] = sought[record].champion;
    } else {
        find_strip(sought[record].width);
    }
}
