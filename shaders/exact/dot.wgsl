// needs: integers
// The score of a row and a key, exactly, from the windows of `query` and `key_state`: their inner product,
// or minus the square of their distance.

// Squares of differences, which have a bit more than coordinates, that a Dot holds unfolded.
const SQUARES = 16u;

fn exact_score(row: u32, key: u32) -> Score {
    let q = (row - job.row_base) * D;
    let x = (key - job.key_base) * D;
    if DISTANCE {
        var total = Score();
        for (var first = 0u; first < D; first += SQUARES) {
            var squares = Dot();
            for (var k = first; k < min(first + SQUARES, D); k++) {
                let between = apart(query[q + k], key_state[x + k]);
                dot_add(&squares, between, between);
            }
            total = plus(total, dot_total(&squares));
        }
        return minus(Score(), total);
    }
    var dot = Dot();
    for (var k = 0u; k < D; k++) {
        dot_add(&dot, query[q + k], key_state[x + k]);
    }
    return dot_total(&dot);
}
