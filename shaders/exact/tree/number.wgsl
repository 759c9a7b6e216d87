// needs: dispatch
// Keys in the order they have.

@group(1) @binding(0) var<storage, read_write> order: array<u32>;

@compute @workgroup_size(64)
fn number(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let key = linear(group, groups) * LANES + lane;
    if key < job.n {
        order[key] = key;
    }
}
