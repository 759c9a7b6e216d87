// A step's report. The kernel that adds to it binds `reports`.

// Adds to a 64-bit counter of the report.
fn tally(word: u32, amount: vec2u) {
    let at = job.report * REPORT_WORDS + word;
    let before = atomicAdd(&reports[at], amount.x);
    let over = amount.y + select(0u, 1u, before + amount.x < before);
    if over != 0u {
        atomicAdd(&reports[at + 1u], over);
    }
}

// Adds some rows: how many of them moved, their smallest and largest strip, the sum of their strips.
fn report_rows(moved: u32, least: u32, most: u32, total: vec2u) {
    let at = job.report * REPORT_WORDS;
    atomicAdd(&reports[at + REPORT_MOVED], moved);
    atomicMin(&reports[at + REPORT_LEAST], least);
    atomicMax(&reports[at + REPORT_MOST], most);
    tally(REPORT_TOTAL, total);
}
