// needs: exact/decide
// C_i as bits, by the very decisions that a step takes: word w of a row holds keys 32w to 32w + 31.

@group(1) @binding(6) var<storage, read_write> bits: array<u32>;

@compute @workgroup_size(32)
fn masks(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups);
    if row >= job.row_end {
        return;
    }
    let cut = cut_of(row);
    let last = visible(row);
    let words = (job.n + SUPERTILE - 1u) / SUPERTILE * (SUPERTILE / 32u);
    for (var word = job.tile_first * (SUPERTILE / 32u) + lane; word < job.tile_end * (SUPERTILE / 32u); word += ROW_LANES) {
        var members = 0u;
        if supertile_most(row, word / (SUPERTILE / 32u)) >= cut.reached {
            for (var i = 0u; i < 32u; i++) {
                let key = word * 32u + i;
                if key < last && (!RANGED || may_see(row, key)) {
                    members |= (verdict(cut, row, key) & 1u) << i;
                }
            }
        }
        bits[(row - job.slice_first) * words + word] = members;
    }
}
