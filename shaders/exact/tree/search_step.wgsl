// needs: exact/tree/search, exact/tree/patience
// A step of each key: its strip's sum, then step 4 of the contract; and the step's report, with
// multiplicities.

@group(1) @binding(5) var<storage, read_write> next_state: array<Coordinate>;
@group(1) @binding(6) var<storage, read_write> found: array<u32>; // of each key: argmax (a token), |C|, argmax (a key)
@group(1) @binding(7) var<storage, read_write> reports: array<atomic<u32>>;

var<private> count: u32;
var<private> sum: array<Sum, D>;

fn take_box(node: u32) {
    count += wholes[node].weight;
    for (var k = 0u; k < job.dims; k++) {
        sum[k] = sum_join(sum[k], wholes[node].sum[k]);
    }
}

fn take_key(key: u32) {
    let weight = select(marks[key].x, 1u, job.width_kind == ARGMAX);
    count += weight;
    for (var k = 0u; k < job.dims; k++) {
        sum[k] = sum_join(sum[k], weighted(row_state[key * D + k], weight));
    }
}

// The numbers that a lane adds to the report.
struct Share {
    moved: u32,
    weight: u32,
    count: u32,
    redone: u32,
    keys: u32,
    boxes: u32,
}

var<workgroup> shares: array<Share, LANES>;

@compute @workgroup_size(64)
fn search_step(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    row = job.row_first + linear(group, groups) * LANES + lane;
    var share = Share();
    if row < job.row_end && !(is_limited() && is_left(job.report)) {
        var likely = NOBODY;
        if job.warm == 1u {
            likely = found[3u * row + 2u];
        }
        search(likely);
        var moved = false;
        for (var k = 0u; k < job.dims; k++) {
            let x = row_state[row * D + k];
            let next = advanced(x, mean(sum[k], count), job.gain);
            next_state[row * D + k] = next;
            moved = moved || differ(next, x);
        }
        let argmax = select(marks[champion].y, 0u, idle);
        found[3u * row] = argmax;
        found[3u * row + 1u] = count;
        found[3u * row + 2u] = champion;
        let weight = marks[row].x;
        share = Share(select(0u, weight, moved), weight, count, redone, keys_seen, boxes_seen);
    }
    shares[lane] = share;
    workgroupBarrier();
    if lane == 0u {
        var moved = 0u;
        var low = NOBODY;
        var high = 0u;
        var totals: array<vec2u, 4>;
        for (var l = 0u; l < LANES; l++) {
            share = shares[l];
            if share.weight != 0u {
                moved += share.moved;
                low = min(low, share.count);
                high = max(high, share.count);
                totals[0] = add2(totals[0], multiply(share.count, share.weight));
                totals[1] = add2(totals[1], vec2u(share.redone, 0u));
                totals[2] = add2(totals[2], vec2u(share.keys, 0u));
                totals[3] = add2(totals[3], vec2u(share.boxes, 0u));
            }
        }
        if high != 0u {
            report_rows(moved, low, high, totals[0]);
            tally(REPORT_REDONE, totals[1]);
            tally(REPORT_KEYS, totals[2]);
            tally(REPORT_BOXES, totals[3]);
        }
    }
}
