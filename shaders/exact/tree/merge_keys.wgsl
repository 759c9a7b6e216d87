// needs: dispatch, integers, exact/tree/summed
// Keys in their new order, equal neighbours as one: its row, weight and least token, and where each old key went.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read> order: array<u32>;
@group(1) @binding(2) var<storage, read> counts: array<u32>;
@group(1) @binding(3) var<storage, read> blocks: array<u32>;
@group(1) @binding(4) var<storage, read> marks: array<vec2u>;
@group(1) @binding(5) var<storage, read_write> next_state: array<Coordinate>;
@group(1) @binding(6) var<storage, read_write> next_marks: array<atomic<u32>>;
@group(1) @binding(7) var<storage, read_write> moved: array<u32>;

@compute @workgroup_size(64)
fn merge_keys(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let place = linear(group, groups) * LANES + lane;
    if place >= job.n {
        return;
    }
    let old = order[place];
    let key = summed(place) - 1u;
    moved[old] = key;
    atomicAdd(&next_marks[2u * key], marks[old].x);
    atomicMin(&next_marks[2u * key + 1u], marks[old].y);
    if place == 0u || summed(place - 1u) != summed(place) {
        for (var k = 0u; k < job.dims; k++) {
            next_state[key * job.dims + k] = row_state[old * job.dims + k];
        }
    }
}
