// needs: exact/tree/sort
// Counts each digit in each run: [digit][run].

@group(1) @binding(4) var<storage, read_write> counts: array<u32>;

var<workgroup> histogram: array<atomic<u32>, RADIX>;

@compute @workgroup_size(256)
fn sort_counts(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let run = linear(group, groups);
    if run >= runs() {
        return;
    }
    atomicStore(&histogram[lane], 0u);
    workgroupBarrier();
    for (var i = run * RUN + lane; i < min(run * RUN + RUN, job.n); i += SORTERS) {
        atomicAdd(&histogram[digit_of(order[i])], 1u);
    }
    workgroupBarrier();
    counts[lane * runs() + run] = atomicLoad(&histogram[lane]);
}
