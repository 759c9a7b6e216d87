// The sum of a strip, in which boxes count as a whole, and the keys of a leaf, where each is one token, in
// few bits first.

var<private> count: u32;
var<private> sum: array<Sum, D>;
var<private> part: array<LeafSum, D>;

fn take_box(node: u32) {
    count += wholes[node].weight;
    for (var k = 0u; k < dims(); k++) {
        sum[k] = sum_join(sum[k], wholes[node].sum[k]);
    }
}

fn take_key(key: u32) {
    let weight = select(marks[key].x, 1u, job.width_kind == ARGMAX);
    count += weight;
    for (var k = 0u; k < dims(); k++) {
        sum[k] = sum_join(sum[k], weighted(row_state[key * D + k], weight));
    }
}

fn start_leaf() {
    for (var k = 0u; k < dims(); k++) {
        part[k] = LeafSum();
    }
}

// Takes the key in hand, of a leaf of single tokens, or not.
fn pass_in_hand(is_in: bool) {
    for (var k = 0u; k < dims(); k++) {
        part[k] = select(part[k], leaf_sum_add(part[k], in_hand[k]), is_in);
    }
}

fn end_leaf(first: u32, members: u32, is_single: bool) {
    for (var k = 0u; k < dims(); k++) {
        sum[k] = sum_join(sum[k], leaf_sum_total(part[k]));
    }
    count += select(0u, countOneBits(members), is_single);
    var left = select(members, 0u, is_single);
    while left != 0u {
        take_key(first + firstTrailingBit(left));
        left &= left - 1u;
    }
}
