// needs: dispatch, exact/row, exact/width, arithmetic/ordered
// Before the scores of a row: the strip's width D_i, and the bound on the error of a filter score,
//   E = 1.01·(d + roundings)·ROUNDING·Σ_k |q_k|·max_j |x_jk|,
// for any order, with or without fma, any direction of rounding. The column maxima are the initial
// ones: the bounding box is nested. One thread a row.
//
// By distance, scores s = −|q − x|² matter near two values, the maximum, 0, and −D. Both coordinates may
// have been rounded, so that a difference is off by a vector of length e at most,
//   e = DISTANCE_ROUNDINGS·ROUNDING·(Σ_k (|q_k| + max_j |x_jk|)²)^(1/2),
// and what follows is a share of (d + 4)·ROUNDING of the sum of squares: one rounding of a difference, which
// is squared, and d + 1 more. A score of 0 is off by e² and a share of it. One of −D or more, whose difference
// is √D at most, is off by 2·e·√D + e² and the share; of one below −D the computed difference has a length of
// √D − e at least, so that it stays below −D + 2·e·√D + (d + 4)·ROUNDING·D. So
//   E = 1.01·((d + 4)·ROUNDING·(√D + e)² + 2·e·√D + e²)
// decides them all.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read> query: array<Coordinate>;
@group(1) @binding(2) var<storage, read> query_filter: array<f32>;
@group(1) @binding(3) var<storage, read> extent: array<f32>;
@group(1) @binding(4) var<storage, read_write> rows: array<Row>;

@compute @workgroup_size(64)
fn widths(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let at = row - job.row_base;
    var norm = 0.0;
    for (var k = 0u; k < D; k++) {
        norm += abs(query_filter[at * 4u * QUADS + k]) * extent[k];
    }
    rows[at].width = width_of(at);
    rows[at].error = 1.01 * (f32(D) + 1.0 + COORDINATE_ROUNDINGS) * ROUNDING * norm;
    if DISTANCE {
        var square = 0.0;
        for (var k = 0u; k < D; k++) {
            let most = abs(query_filter[at * 4u * QUADS + k]) + extent[k];
            square += most * most;
        }
        let off = DISTANCE_ROUNDINGS * ROUNDING * sqrt(square);
        let radius = sqrt(score_real(rows[at].width));
        let share = (f32(D) + 4.0) * ROUNDING;
        rows[at].error = 1.01 * (share * (radius + off) * (radius + off) + 2.0 * off * radius + off * off);
    }
    rows[at].reach = rows[at].error;
    rows[at].best = LEAST;
    rows[at].argmax = NOBODY;
    rows[at].count = 0u;
    atomicStore(&rows[at].peak, ordered(LOWEST));
}
