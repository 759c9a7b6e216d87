// needs: dispatch, integers
// The box and the sum of each supertile, for strips_dense: centres, which are lattice points, half-widths, rounded
// once, and sums of 64 keys, which 32 bits hold. One thread a coordinate of a supertile.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read_write> tile_boxes: array<u32>; // [supertile][centre, half, sum, -][coordinate]

@compute @workgroup_size(64)
fn supertiles(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let index = linear(group, groups) * LANES + lane;
    let first = job.row_first + index / D * SUPERTILE;
    let k = index % D;
    if first >= job.row_end {
        return;
    }
    var low = row_state[(first - job.row_base) * D + k];
    var high = low;
    var sum = 0;
    for (var key = first; key < min(first + SUPERTILE, job.row_end); key++) {
        let x = row_state[(key - job.row_base) * D + k];
        low = min(low, x);
        high = max(high, x);
        sum += x;
    }
    let centre = middle(low, high);
    let at = first / SUPERTILE * 16u * QUADS + k;
    tile_boxes[at] = bitcast<u32>(coordinate_real(centre));
    tile_boxes[at + 4u * QUADS] = bitcast<u32>(coordinate_real(high - centre));
    tile_boxes[at + 8u * QUADS] = bitcast<u32>(sum);
}
