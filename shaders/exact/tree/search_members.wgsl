// needs: exact/tree/search
// C_i as bits over keys, by the very decisions that a step takes, of the keys listed in `wanted`.

@group(1) @binding(5) var<storage, read> wanted: array<u32>;
@group(1) @binding(6) var<storage, read_write> bits: array<u32>;

var<private> line: u32;

fn take_box(node: u32) {
    let below = firstLeadingBit(job.first_leaf) - firstLeadingBit(node);
    let first = (node << below) - job.first_leaf;
    // A leaf's keys are one word.
    for (var leaf = first; leaf < min(first + (1u << below), leaves()); leaf++) {
        bits[line + leaf] = 0xffffffffu;
    }
}

fn take_key(key: u32) {
    bits[line + key / LEAF] |= 1u << (key % LEAF);
}

@compute @workgroup_size(64)
fn search_members(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let index = job.row_first + linear(group, groups) * LANES + lane;
    if index >= job.row_end {
        return;
    }
    row = wanted[index];
    line = index * leaves();
    for (var leaf = 0u; leaf < leaves(); leaf++) {
        bits[line + leaf] = 0u;
    }
    search(NOBODY);
}
