// needs: arithmetic/powers
// The records of rows, in the order of their words.

// A row of a slice.
struct Row {
    beta: f32,      // of its scaled scores
    exponent: i32,  // scores are scaled by 2^-exponent
    max: f32,
    limit: f32,     // the width of its strip, then the score where that ends
    share: f32,     // what its sums are multiplied by
    key: u32,       // the key it chose
    chunk: u32,     // of the key drawn
    level: f32,     // in that chunk
}

// What a place between row and key takes from the row's scores.
fn slope_of(record: Row) -> f32 {
    return scaled(job.bias, job.bias_exponent - record.exponent);
}

// The partial result of a row in a chunk. Its weights are relative to `reference`; `merge` puts
// their common factor there.
struct Partial {
    reference: f32,
    mass: f32,
    max: f32,
    argmax: u32,
}

// A row's argmax and the number of keys that it attended to in the last step, and the first
// coordinate of its token that stopped being finite, with what it became.
struct Trace {
    argmax: u32,
    count: u32,
    bad: u32,
    bits: u32,
}
