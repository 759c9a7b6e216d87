// needs: exact/tree/sought, exact/width
// Rows before their search through the parts. One thread a row.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read> query: array<Coordinate>;
@group(1) @binding(2) var<storage, read> marks: array<vec2u>;
@group(1) @binding(3) var<storage, read_write> sought: array<Sought>;

@compute @workgroup_size(64)
fn part_rows(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let record = record_of(row);
    for (var k = 0u; k < job.dims; k++) {
        sought[record].sum[k] = Sum();
        sought[record].origin[k] = row_state[row * D + k];
    }
    sought[record].width = width_of(row);
    sought[record].champion = NOBODY;
    sought[record].horizon = marks[row].y;
    sought[record].count = 0u;
}
