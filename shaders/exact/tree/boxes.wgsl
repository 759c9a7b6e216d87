// needs: integers
// The tree of boxes over keys in order. Nodes are numbered like a heap: root 1, children 2i and 2i
// + 1, leaf l the node job.first_leaf + l over the keys 32l to 32l + 31. Nodes past the last key
// are never looked at.

// Vectors of a box: BOXED coordinates to a vector, each a centre, which is a lattice point, and a
// half-width, rounded once.
const BOX_FOURS = (D + BOXED - 1u) / BOXED;

// The sum and weight of the keys in a box.
struct Whole {
    sum: array<Sum, D>,
    weight: u32,
    first: u32, // the least token, and the last one
    last: u32,
}

fn leaves() -> u32 {
    return (job.n + LEAF - 1u) / LEAF;
}

// Whether some key lies below a node.
fn occupied(node: u32) -> bool {
    let below = firstLeadingBit(job.first_leaf) - firstLeadingBit(node);
    return (node << below) - job.first_leaf < leaves();
}
