// Adds to a 64-bit counter of the step's report.
fn tally(word: u32, amount: vec2u) {
    let at = job.report * REPORT_WORDS + word;
    let before = atomicAdd(&reports[at], amount.x);
    let over = amount.y + select(0u, 1u, before + amount.x < before);
    if over != 0u {
        atomicAdd(&reports[at + 1u], over);
    }
}
