// needs: dispatch, exact/row, report
// Step 4 of the contract: Y = rne(S/c), X' = X + the step towards Y; and the step's report.
// SHARE threads share a row, LANES / SHARE rows a workgroup.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read> sums: array<Sum>;
@group(1) @binding(2) var<storage, read_write> rows: array<Row>;
@group(1) @binding(3) var<storage, read_write> next_state: array<Coordinate>;
@group(1) @binding(4) var<storage, read_write> reports: array<atomic<u32>>;

const SHARE = select(LANES, 1u, D <= 16u);

// The count of a lane without a row: one of a mask that may leave rows without keys, or below them all.
const NO_ROW = select(0u, NOBODY, RANGED);

var<workgroup> lane_moved: array<u32, LANES>;
var<workgroup> lane_count: array<u32, LANES>;

@compute @workgroup_size(64)
fn moves(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * (LANES / SHARE) + lane / SHARE;
    let real = row < job.row_end;
    var moved = 0u;
    var count = NO_ROW;
    if real {
        let at = row - job.row_base;
        count = rows[at].count;
        for (var k = lane % SHARE; k < D; k += SHARE) {
            let x = row_state[at * D + k];
            var next = x;
            if !RANGED || count > 0u {
                let y = mean(sums[(row - job.sums_first) * D + k], count);
                next = advanced(x, y, job.gain);
            }
            next_state[at * D + k] = next;
            moved |= select(0u, 1u, differ(next, x));
        }
    }
    lane_moved[lane] = moved;
    lane_count[lane] = count;
    workgroupBarrier();
    if lane == 0u {
        var total_moved = 0u;
        var low = NOBODY;
        var high = 0u;
        var total = vec2u(0u);
        for (var r = 0u; r < LANES; r += SHARE) {
            if lane_count[r] == NO_ROW {
                continue;
            }
            var any_moved = 0u;
            for (var l = 0u; l < SHARE; l++) {
                any_moved |= lane_moved[r + l];
            }
            total_moved += any_moved;
            low = min(low, lane_count[r]);
            high = max(high, lane_count[r]);
            total = add2(total, vec2u(lane_count[r], 0u));
        }
        if select(high != 0u, low != NOBODY, RANGED) {
            report_rows(total_moved, low, high, total);
        }
    }
}
