// needs: exact/decide, exact/opened, exact/sums
// |C_i| and Σ X_j over C_i, the shared part: the counts of a workgroup's lanes.

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
