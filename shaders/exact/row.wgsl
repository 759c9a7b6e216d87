// needs: integers
// The record of a row within a step.
struct Row {
    best: Score,       // m_i
    width: Score,      // D_i
    error: f32,        // bound on |filter score − score|
    argmax: u32,
    count: u32,        // |C_i|
    peak: atomic<u32>, // largest filter score, as an ordered integer
}
