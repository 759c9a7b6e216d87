// needs: exact/tree/sought, exact/tree/shares
// Step 4 of the contract for rows that have been through every part, and the step's report.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read> marks: array<vec2u>;
@group(1) @binding(2) var<storage, read> sought: array<Sought>;
@group(1) @binding(3) var<storage, read_write> next_state: array<Coordinate>;
@group(1) @binding(4) var<storage, read_write> found: array<u32>; // of each key: argmax (a token), |C|, nobody
@group(1) @binding(5) var<storage, read_write> reports: array<atomic<u32>>;

fn sum_of(record: u32, k: u32) -> Sum {
    if job.width_kind == ARGMAX {
        return weighted(sought[record].origin[k], 1u);
    }
    return sought[record].sum[k];
}

@compute @workgroup_size(64)
fn part_moves(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    var share = Share();
    if row < job.row_end && !(is_limited() && is_left(job.report)) {
        let record = record_of(row);
        let count = select(sought[record].count, 1u, job.width_kind == ARGMAX);
        var moved = false;
        for (var k = 0u; k < job.dims; k++) {
            let x = row_state[row * D + k];
            let next = advanced(x, mean(sum_of(record, k), count), job.gain);
            next_state[row * D + k] = next;
            moved = moved || differ(next, x);
        }
        found[3u * row] = sought[record].champion;
        found[3u * row + 1u] = count;
        found[3u * row + 2u] = NOBODY;
        let weight = marks[row].x;
        share = Share(select(0u, weight, moved), weight, count, 0u, 0u, 0u);
    }
    report_shares(lane, share);
}
