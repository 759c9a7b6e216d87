// needs: exact/decide, exact/opened
// |C_i| and Σ X_j over C_i, the shared part: the counts and sums of a row between dispatches over parts of the keys.

@group(1) @binding(7) var<storage, read_write> sums: array<Sum>;

var<workgroup> lane_count: array<u32, ROW_LANES>;
var<workgroup> lane_redone: array<u32, ROW_LANES>;

// Called by every lane after lane_count and lane_redone are complete.
fn keep_counts(row: u32, lane: u32) {
    if lane == 0u {
        var count = 0u;
        var redone = 0u;
        for (var l = 0u; l < ROW_LANES; l++) {
            count += lane_count[l];
            redone += lane_redone[l];
        }
        rows[row - job.row_base].count += count;
        if redone != 0u {
            tally(REPORT_REDONE, vec2u(redone, 0u));
        }
    }
}

fn keep_sum(row: u32, k: u32, sum: Sum) {
    let at = (row - job.sums_first) * D + k;
    if job.begins == 1u {
        sums[at] = sum;
    } else {
        sums[at] = sum_join(sums[at], sum);
    }
}
