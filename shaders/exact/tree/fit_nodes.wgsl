// needs: exact/tree/fit
// Up to four levels at once, each straight from the nodes of the last level fitted: those from job.row_end on, a power
// of two. This dispatch fits the nodes from job.row_first on that are above them.

@compute @workgroup_size(64)
fn fit_nodes(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let index = linear(group, groups) * LANES + lane;
    let node = job.row_first + index / D;
    let k = index % D;
    if node >= job.row_end || !occupied(node) {
        return;
    }
    let below = firstLeadingBit(job.row_end) - firstLeadingBit(node);
    let first = node << below;
    var low = bounds[first * 2u * D + k];
    var high = bounds[first * 2u * D + D + k];
    var sum = wholes[first].sum[k];
    var weight = wholes[first].weight;
    var least = wholes[first].first;
    var last = wholes[first].last;
    for (var child = first + 1u; child < first + (1u << below) && occupied(child); child++) {
        low = lesser(low, bounds[child * 2u * D + k]);
        high = greater(high, bounds[child * 2u * D + D + k]);
        sum = sum_join(sum, wholes[child].sum[k]);
        weight += wholes[child].weight;
        least = min(least, wholes[child].first);
        last = max(last, wholes[child].last);
    }
    keep(node, k, low, high, sum, weight, least, last);
}
