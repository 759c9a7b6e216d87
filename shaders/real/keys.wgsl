// needs: dispatch, arithmetic/powers
// The largest magnitude of a coordinate, and the keys scaled by its power of two: no score can
// overflow.

@group(1) @binding(0) var<storage, read> source: array<f32>;
@group(1) @binding(1) var<storage, read_write> extents: array<atomic<u32>>;
@group(1) @binding(2) var<storage, read_write> own_keys: array<f32>;

var<workgroup> most: atomic<u32>;

@compute @workgroup_size(64)
fn extent(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = (job.row_first - job.row_base) * job.d;
    let end = (job.row_end - job.row_base) * job.d;
    var bits = 0u;
    for (var i = 0u; i < EACH; i++) {
        let at = first + (linear(group, groups) * EACH + i) * LANES + lane;
        if at < end {
            bits = max(bits, bitcast<u32>(source[at]) & 0x7fffffffu);
        }
    }
    if lane == 0u {
        atomicStore(&most, 0u);
    }
    workgroupBarrier();
    atomicMax(&most, bits);
    workgroupBarrier();
    if lane == 0u {
        atomicMax(&extents[job.stage], atomicLoad(&most));
    }
}

@compute @workgroup_size(64)
fn scale(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = (job.row_first - job.row_base) * job.d + linear(group, groups) * LANES + lane;
    if at < (job.row_end - job.row_base) * job.d {
        own_keys[at] = source[at] * power(-exponent_above(atomicLoad(&extents[job.stage])));
    }
}
