// needs: integers, arithmetic/roots
// D_i, exactly, of the token whose coordinates and query lie at a place of the bound windows.
fn width_of(at: u32) -> Score {
    if job.width_kind == CONSTANT || job.width_kind == ARGMAX {
        return constant_width(job.width);
    }
    var dot = Dot();
    for (var k = 0u; k < job.dims; k++) {
        let q = query[at * D + k];
        if job.width_kind == QUERY_NORM {
            dot_add(&dot, q, q);
        } else {
            dot_add(&dot, q, row_state[at * D + k]);
        }
    }
    var square = dot_total(&dot);
    if job.width_kind == A_NORM {
        square = select(square, Score(), less(square, Score()));
        square = select(square, plus(square, square), job.parity == 1u);
    }
    return strip_width(job.width, isqrt(square));
}
