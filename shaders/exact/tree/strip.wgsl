// The sum of a strip, in which boxes count as a whole.

var<private> count: u32;
var<private> sum: array<Sum, D>;

fn take_box(node: u32) {
    count += wholes[node].weight;
    for (var k = 0u; k < job.dims; k++) {
        sum[k] = sum_join(sum[k], wholes[node].sum[k]);
    }
}

fn take_key(key: u32) {
    let weight = select(marks[key].x, 1u, job.width_kind == ARGMAX);
    count += weight;
    for (var k = 0u; k < job.dims; k++) {
        sum[k] = sum_join(sum[k], weighted(row_state[key * D + k], weight));
    }
}
