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

// Takes a key of a leaf, the one in hand.
fn take_of_leaf(key: u32, is_single: bool) {
    if !is_single {
        take_key(key);
        return;
    }
    count += 1u;
    for (var k = 0u; k < dims(); k++) {
        part[k] = leaf_sum_add(part[k], in_hand[k]);
    }
}

fn end_leaf() {
    for (var k = 0u; k < dims(); k++) {
        sum[k] = sum_join(sum[k], leaf_sum_total(part[k]));
    }
}
