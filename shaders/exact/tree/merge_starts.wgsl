// needs: dispatch, integers
// In order: 1 where a key differs from the one before it, in any bit, or none are merged; else 0. And room for what is merged.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read> order: array<u32>;
@group(1) @binding(2) var<storage, read_write> counts: array<u32>;
@group(1) @binding(3) var<storage, read_write> next_marks: array<vec2u>;

@compute @workgroup_size(64)
fn merge_starts(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = linear(group, groups) * LANES + lane;
    if place >= job.n {
        return;
    }
    var starts = place == 0u || job.apart == 1u;
    if !starts {
        for (var k = 0u; k < job.dims; k++) {
            starts = starts || differ(row_state[order[place] * job.dims + k], row_state[order[place - 1u] * job.dims + k]);
        }
    }
    counts[place] = select(0u, 1u, starts);
    next_marks[place] = vec2u(0u, NOBODY);
}
