// needs: dispatch, exact/tree/summed
// The key of each of job.row_end tokens. `sorted` tells the host the number of keys and the key of token 0.

@group(1) @binding(0) var<storage, read> moved: array<u32>;
@group(1) @binding(1) var<storage, read> counts: array<u32>;
@group(1) @binding(2) var<storage, read> blocks: array<u32>;
@group(1) @binding(3) var<storage, read_write> owner: array<u32>;
@group(1) @binding(4) var<storage, read_write> sorted: array<u32>;

@compute @workgroup_size(64)
fn merge_owners(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let token = linear(group, groups) * LANES + lane;
    if token >= job.row_end {
        return;
    }
    let key = moved[owner[token]];
    owner[token] = key;
    if token == 0u {
        sorted[0] = summed(job.n - 1u);
        sorted[1] = key;
    }
}
