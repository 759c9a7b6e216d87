// needs: dispatch
// target = factor·M source, or added to it: one thread a coordinate.

@group(1) @binding(0) var<storage, read> source: array<f32>;
@group(1) @binding(1) var<storage, read> matrix: array<f32>;
@group(1) @binding(2) var<storage, read_write> product: array<f32>;

@compute @workgroup_size(64)
fn apply(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let index = linear(group, groups) * LANES + lane;
    if index >= (job.row_end - job.row_first) * job.d {
        return;
    }
    let row = job.row_first + index / job.d;
    let k = index % job.d;
    let start = (row - job.source_base) * job.d;
    var sum = 0.0;
    for (var c = 0u; c < job.d; c++) {
        sum += matrix[k * job.d + c] * source[start + c];
    }
    let at = (row - job.slice_first) * job.d + k;
    product[at] = job.factor * sum + select(0.0, product[at], (job.flags & ADDED) != 0u);
}
