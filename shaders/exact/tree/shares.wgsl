// needs: exact/tree/patience
// What the lanes of a workgroup add to the step's report.

struct Share {
    moved: u32,
    weight: u32, // tokens of a row whose strip is known; 0 for none
    count: u32,
    redone: u32,
    keys: u32,
    boxes: u32,
}

var<workgroup> shares: array<Share, LANES>;

fn report_shares(lane: u32, own: Share) {
    shares[lane] = own;
    workgroupBarrier();
    if lane == 0u {
        var moved = 0u;
        var low = NOBODY;
        var high = 0u;
        var totals: array<vec2u, 4>;
        for (var l = 0u; l < LANES; l++) {
            let share = shares[l];
            if share.weight != 0u {
                moved += share.moved;
                low = min(low, share.count);
                high = max(high, share.count);
                totals[0] = add2(totals[0], multiply(share.count, share.weight));
            }
            totals[1] = add2(totals[1], vec2u(share.redone, 0u));
            totals[2] = add2(totals[2], vec2u(share.keys, 0u));
            totals[3] = add2(totals[3], vec2u(share.boxes, 0u));
        }
        if high != 0u {
            report_rows(moved, low, high, totals[0]);
        }
        if (totals[2].x | totals[2].y | totals[3].x | totals[3].y) != 0u {
            tally(REPORT_REDONE, totals[1]);
            tally(REPORT_KEYS, totals[2]);
            tally(REPORT_BOXES, totals[3]);
        }
    }
}
