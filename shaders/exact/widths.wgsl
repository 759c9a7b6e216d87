// needs: dispatch, exact/row, exact/width, arithmetic/ordered
// Before the scores of a row: the strip's width D_i, and the bound on the error of a filter score,
//   E = 1.01·(d + roundings)·ROUNDING·Σ_k |q_k|·max_j |x_jk|,
// for any order, with or without fma, any direction of rounding. The column maxima are the initial
// ones: the bounding box is nested. One thread a row.

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
    rows[at].best = LEAST;
    rows[at].argmax = NOBODY;
    rows[at].count = 0u;
    atomicStore(&rows[at].peak, ordered(LOWEST));
}
