// needs: exact/place, integers
// The floats that the filter reads, where Q is X: xf = f32(X). One thread a coordinate.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read_write> state_filter: array<f32>;

@compute @workgroup_size(64)
fn identity(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = place(group, groups, lane);
    if at != NOBODY {
        state_filter[filter_place(at)] = coordinate_real(row_state[at]);
    }
}
