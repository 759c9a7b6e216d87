// needs: report, arithmetic/words
// How dear a step may become: one whose tests reach the limit in its report is left, and so is the
// step after it, which may have been submitted before the host knew. The host takes them again. A
// step is left by its sum of tests alone, which only rises.

// The tests of a step.
fn tests(report: u32) -> vec2u {
    return add2(word_pair(report, REPORT_KEYS), word_pair(report, REPORT_BOXES));
}

fn word_pair(report: u32, word: u32) -> vec2u {
    let at = report * REPORT_WORDS + word;
    return vec2u(atomicLoad(&reports[at]), atomicLoad(&reports[at + 1u]));
}

// Whether a step is left.
fn is_left(report: u32) -> bool {
    return !less2(tests(report), word_pair(report, REPORT_LIMIT));
}

// Sets the step's limit, from the tests of the step before if that is in a report.
fn set_limit() {
    var limit = job.limit;
    if job.report > 0u {
        let before = tests(job.report - 1u);
        limit = add2(limit, vec2u(before.x * PATIENCE, multiply(before.x, PATIENCE).y + before.y * PATIENCE));
        if is_left(job.report - 1u) {
            limit = vec2u(0u);
        }
    }
    let at = job.report * REPORT_WORDS + REPORT_LIMIT;
    atomicStore(&reports[at], limit.x);
    atomicStore(&reports[at + 1u], limit.y);
}

fn is_limited() -> bool {
    return (job.limit.x | job.limit.y) != 0u;
}
