// needs: dispatch, real/records, arithmetic/powers, arithmetic/words, report
// From the output y of the heads to the next token, in the parts that a step asks for: the
// direction k of the motion, the step along it, the retraction with the step's report. One thread a
// row.

@group(1) @binding(0) var<storage, read> tokens: array<f32>;        // x at the start of the step
@group(1) @binding(1) var<storage, read> stage: array<f32>;         // x at the stage
@group(1) @binding(2) var<storage, read_write> outputs: array<f32>; // y, then k
@group(1) @binding(3) var<storage, read> product: array<f32>;       // W x, P k or W x'
@group(1) @binding(4) var<storage, read_write> slopes: array<f32>;  // sums of k over the stages
@group(1) @binding(5) var<storage, read_write> next: array<f32>;
@group(1) @binding(6) var<storage, read_write> traces: array<Trace>;
@group(1) @binding(7) var<storage, read_write> reports: array<atomic<u32>>;

// The count of a lane without a row.
const NO_ROW = select(0u, NOBODY, RANGED);

var<workgroup> lane_moved: array<u32, LANES>;
var<workgroup> lane_count: array<u32, LANES>;
var<workgroup> lane_bad: array<u32, LANES>;

fn has(flags: u32) -> bool {
    return (job.flags & flags) != 0u;
}

@compute @workgroup_size(64)
fn moves(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    let real = row < job.row_end;
    let at = (row - job.row_base) * job.d;
    let line = (row - job.slice_first) * job.d;
    if real && has(DIRECT) {
        direct(row, at, line);
    }
    if real && has(ADVANCE) {
        advance(at, line);
    }
    if !has(FINISH) {
        return;
    }
    lane_count[lane] = NO_ROW;
    if real {
        if has(RETRACT | WEIGHTED) {
            retract(at, line);
        }
        finish(row, at, lane);
    }
    workgroupBarrier();
    if lane == 0u {
        report_lanes();
    }
}

fn direct(row: u32, at: u32, line: u32) {
    if RANGED && !has(TANGENT | ROUND | ELLIPSOID) && seen_keys(row) == 0u {
        // A token without keys stays.
        for (var k = 0u; k < job.d; k++) {
            outputs[line + k] = 0.0;
        }
        return;
    }
    var along = 0.0;
    if has(TANGENT) {
        for (var k = 0u; k < job.d; k++) {
            along += stage[at + k] * outputs[line + k];
        }
    } else if has(ROUND | ELLIPSOID) {
        var square = 0.0;
        for (var k = 0u; k < job.d; k++) {
            var normal = stage[at + k];
            if has(ELLIPSOID) {
                normal = product[line + k];
            }
            along += normal * outputs[line + k];
            square += normal * stage[at + k];
        }
        along /= square;
    } else {
        along = 1.0;
    }
    for (var k = 0u; k < job.d; k++) {
        outputs[line + k] -= along * stage[at + k];
    }
}

fn advance(at: u32, line: u32) {
    for (var k = 0u; k < job.d; k++) {
        var slope = outputs[line + k];
        if has(PRODUCT) {
            slope = product[line + k];
        }
        if has(SUMMED) {
            let sum = job.weight * slope + select(slopes[at + k], 0.0, has(FIRST));
            slopes[at + k] = sum;
            slope = select(slope, sum, has(LAST));
        }
        next[at + k] = tokens[at + k] + job.gain * slope;
    }
}

fn retract(at: u32, line: u32) {
    var most = 0u;
    for (var k = 0u; k < job.d; k++) {
        most = max(most, bitcast<u32>(next[at + k]) & 0x7fffffffu);
    }
    // Scaled, so that no square overflows.
    let down = power(-exponent_above(most));
    var square = 0.0;
    for (var k = 0u; k < job.d; k++) {
        var normal = next[at + k];
        if has(WEIGHTED) {
            normal = product[line + k];
        }
        square += (normal * down) * (next[at + k] * down);
    }
    let length = job.radius * inverseSqrt(square);
    for (var k = 0u; k < job.d; k++) {
        next[at + k] = (next[at + k] * down) * length;
    }
}

fn finish(row: u32, at: u32, lane: u32) {
    var moved = 0u;
    var bad = NOBODY;
    for (var k = 0u; k < job.d; k++) {
        moved |= select(0u, 1u, next[at + k] != tokens[at + k]);
        // No isNan in WGSL: infinities and NaN have an exponent of all ones.
        if bad == NOBODY && (bitcast<u32>(next[at + k]) & 0x7f800000u) == 0x7f800000u {
            bad = k;
        }
    }
    let line = row - job.row_base;
    // The first value that is not finite is kept: later steps do not touch it.
    if bad != NOBODY && traces[line].bad == NOBODY {
        traces[line].bad = bad;
        traces[line].bits = bitcast<u32>(next[at + bad]);
    }
    lane_moved[lane] = moved;
    lane_count[lane] = traces[line].count;
    lane_bad[lane] = select(row, NOBODY, bad == NOBODY);
}

fn report_lanes() {
    var moved = 0u;
    var low = NOBODY;
    var high = 0u;
    var bad = NOBODY;
    var total = vec2u(0u);
    for (var l = 0u; l < LANES; l++) {
        if lane_count[l] != NO_ROW {
            moved += lane_moved[l];
            low = min(low, lane_count[l]);
            high = max(high, lane_count[l]);
            bad = min(bad, lane_bad[l]);
            total = add2(total, vec2u(lane_count[l], 0u));
        }
    }
    report_rows(moved, low, high, total);
    atomicMin(&reports[job.report * REPORT_WORDS + REPORT_BAD], bad);
}
