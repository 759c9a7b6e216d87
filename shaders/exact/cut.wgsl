// needs: dispatch, exact/row, exact/dot
// Where the strip of a row begins, and which supertiles reach it.

@group(1) @binding(1) var<storage, read> key_state: array<Coordinate>;
@group(1) @binding(3) var<storage, read> query: array<Coordinate>;
@group(1) @binding(4) var<storage, read> maxima: array<f32>;
@group(1) @binding(5) var<storage, read_write> rows: array<Row>;

fn supertile_most(row: u32, tile: u32) -> f32 {
    return maxima[maximum_of(row, tile)];
}

// The decision in row i: a filter score below `low` is out, one from `high` on is in, between them
// the exact score is compared with `threshold` = m_i − D_i. A supertile whose maximum is below `reached`
// has no key of the strip.
struct Cut {
    threshold: Score,
    low: f32,
    high: f32,
    reached: f32,
}

fn cut_of(row: u32) -> Cut {
    let at = row - job.row_base;
    let threshold = below(rows[at].best, rows[at].width);
    let real = score_real(threshold);
    let bounds = vec2f(rows[at].error, rows[at].reach);
    var margins = 1.001 * bounds + (SCORE_ROUNDINGS + 2.0) * ROUNDING * abs(real);
    // HOSTILE: margins = 1.0001 * bounds + 0.6 * (SCORE_ROUNDINGS + 2.0) * ROUNDING * abs(real);
    return Cut(threshold, real - margins.x, real + margins.x, real - margins.y);
}
