// needs: exact/scores_wide
// Scores of the state as floats.

@group(1) @binding(0) var<storage, read> key_filter: array<vec4f>;
@group(1) @binding(1) var<storage, read> query_filter: array<vec4f>;

const FOURS_HELD = QUADS;

fn key_four(at: u32) -> vec4f {
    return key_filter[at];
}

fn query_four(at: u32) -> vec4f {
    return query_filter[at];
}

fn score_of(sum: f32, row: u32) -> f32 {
    return sum;
}
