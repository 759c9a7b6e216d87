// needs: dispatch, report
// The keys that a filter left to read, counted where its effort decides the plan.

@group(1) @binding(6) var<storage, read_write> reports: array<atomic<u32>>;

fn count_opened(keys: u32, lane: u32) {
    if job.limbs == 1u && lane == 0u && keys != 0u {
        tally(REPORT_KEYS, vec2u(keys, 0u));
    }
}
