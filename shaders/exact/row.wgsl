// needs: integers
// The maxima of a row in a window of keys: of each supertile from job.tile_first on, then of each block of
// job.tiles of them.
fn line_of(row: u32) -> u32 {
    let supertiles = job.tile_end - job.tile_first;
    return (row - job.slice_first) * (supertiles + (supertiles + job.tiles - 1u) / job.tiles);
}

fn maximum_of(row: u32, tile: u32) -> u32 {
    return line_of(row) + tile - job.tile_first;
}

fn maximum_of_block(row: u32, block: u32) -> u32 {
    return line_of(row) + job.tile_end - job.tile_first + block;
}

// Rows whose strips are summed by strips_dense in the window of keys in hand.
const DENSE = 1u;

// The record of a row within a step.
struct Row {
    best: Score,       // m_i
    width: Score,      // D_i
    argmax: u32,
    count: u32,        // |C_i|
    error: f32,        // bound on |filter score − score|
    reach: f32,        // bound on |maximum − score| of the largest score of a supertile
    scale: f32,        // of sums of limbs to scores
    peak: atomic<u32>, // largest maximum, as an ordered integer; then whether its strip is DENSE
}
