// needs: dispatch
// Running sums of job.row_end counts: within blocks, then of the blocks, which `summed` adds.

@group(1) @binding(0) var<storage, read_write> counts: array<u32>;
@group(1) @binding(1) var<storage, read_write> blocks: array<u32>;

const SCANNERS = 256u;
const HELD = BLOCK / SCANNERS;

var<workgroup> lane_sum: array<u32, SCANNERS>;

// The sum of `own` over this lane and those before it.
fn scan_lanes(lane: u32, own: u32) -> u32 {
    var sum = own;
    lane_sum[lane] = sum;
    workgroupBarrier();
    for (var back = 1u; back < SCANNERS; back *= 2u) {
        if lane >= back {
            sum += lane_sum[lane - back];
        }
        workgroupBarrier();
        lane_sum[lane] = sum;
        workgroupBarrier();
    }
    return sum;
}

@compute @workgroup_size(256)
fn scan_counts(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let block = linear(group, groups);
    if block * BLOCK >= job.row_end {
        return;
    }
    let first = block * BLOCK + lane * HELD;
    var held: array<u32, HELD>;
    var own = 0u;
    for (var i = 0u; i < HELD; i++) {
        if first + i < job.row_end {
            own += counts[first + i];
        }
        held[i] = own;
    }
    let before = scan_lanes(lane, own) - own;
    for (var i = 0u; i < HELD; i++) {
        if first + i < job.row_end {
            counts[first + i] = before + held[i];
        }
    }
    if lane == SCANNERS - 1u {
        blocks[block] = before + own;
    }
}

// What lies before each block. One workgroup.
@compute @workgroup_size(256)
fn scan_blocks(@builtin(local_invocation_index) lane: u32) {
    let end = (job.row_end + BLOCK - 1u) / BLOCK;
    var carry = 0u;
    for (var first = 0u; first < end; first += SCANNERS) {
        let i = first + lane;
        var own = 0u;
        if i < end {
            own = blocks[i];
        }
        let sum = carry + scan_lanes(lane, own);
        if i < end {
            blocks[i] = sum - own;
        }
        carry += lane_sum[SCANNERS - 1u];
        workgroupBarrier();
    }
}
