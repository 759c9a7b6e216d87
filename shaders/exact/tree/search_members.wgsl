// needs: exact/tree/whole, exact/tree/members
// C_i of the keys listed in `wanted`.

@group(1) @binding(5) var<storage, read> wanted: array<u32>;

@compute @workgroup_size(64)
fn search_members(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let index = job.row_first + linear(group, groups) * LANES + lane;
    if index >= job.row_end {
        return;
    }
    row = wanted[index];
    start_line(index);
    search(NOBODY);
}
