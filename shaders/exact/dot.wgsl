// needs: integers
// The score of a row and a key, exactly, from the windows of `query` and `key_state`.
fn exact_score(row: u32, key: u32) -> Score {
    let q = (row - job.row_base) * D;
    let x = (key - job.key_base) * D;
    var dot = Dot();
    for (var k = 0u; k < D; k++) {
        dot_add(&dot, query[q + k], key_state[x + k]);
    }
    return dot_total(&dot);
}
