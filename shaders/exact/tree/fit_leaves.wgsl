// needs: exact/tree/fit, exact/tree/patience
// Fits the boxes of leaves to their keys, and sets the limit of the step.

@group(1) @binding(5) var<storage, read_write> reports: array<atomic<u32>>;

@compute @workgroup_size(64)
fn fit_leaves(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let index = linear(group, groups) * LANES + lane;
    if index == 0u && is_limited() {
        set_limit();
    }
    let leaf = index / D;
    let k = index % D;
    if leaf >= leaves() {
        return;
    }
    let first = leaf * LEAF;
    var low = row_state[first * D + k];
    var high = low;
    var sum = Sum();
    var weight = 0u;
    var least = NOBODY;
    var last = 0u;
    for (var key = first; key < min(first + LEAF, job.n); key++) {
        let x = row_state[key * D + k];
        let tokens = marks[key].x;
        least = min(least, marks[key].y);
        last = max(last, marks[key].y);
        low = lesser(low, x);
        high = greater(high, x);
        sum = sum_join(sum, weighted(x, tokens));
        weight += tokens;
    }
    keep(job.first_leaf + leaf, k, low, high, sum, weight, least, last);
}
