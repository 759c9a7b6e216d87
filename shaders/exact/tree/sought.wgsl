// needs: dispatch, integers
// What is known of a row between the parts of the keys, of which each is a tree.

struct Sought {
    sum: array<Sum, D>,
    width: Score, // D_i
    origin: array<Coordinate, D>, // where scores are measured from: the champion's place once there is one
    champion: u32, // the best token so far, or nobody
    horizon: u32, // the last token that the row sees
    count: u32,
}

// The row's place among those sought at the same time.
fn record_of(row: u32) -> u32 {
    return row - job.slice_first;
}
