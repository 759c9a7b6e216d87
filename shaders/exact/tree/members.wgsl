// C_i as bits over keys, by the very decisions that a step takes.

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

// Empties the line of a row, the one at an index.
fn start_line(index: u32) {
    line = index * leaves();
    for (var leaf = 0u; leaf < leaves(); leaf++) {
        bits[line + leaf] = 0u;
    }
}

fn start_leaf() {}

fn take_of_leaf(key: u32, is_single: bool) {
    take_key(key);
}

fn end_leaf() {}
