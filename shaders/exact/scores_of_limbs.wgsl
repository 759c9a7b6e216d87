// needs: exact/scores_wide
// Scores of limbs, where a device has no unit for products of matrices: the same numbers as scores_by_units, since all
// sums are exact.

@group(1) @binding(0) var<storage, read> key_limbs: array<vec2u>;
@group(1) @binding(1) var<storage, read> query_limbs: array<vec2u>;

const FOURS_HELD = LIMBS / 4u;

fn key_four(at: u32) -> vec4f {
    return unpacked(key_limbs[at]);
}

fn query_four(at: u32) -> vec4f {
    return unpacked(query_limbs[at]);
}

// Four limbs of f16, whose exponents begin 112 below those of f32.
fn unpacked(limbs: vec2u) -> vec4f {
    let halves = vec4u(limbs.x & 0xffffu, limbs.x >> 16u, limbs.y & 0xffffu, limbs.y >> 16u);
    let bits = ((halves & vec4u(0x7fffu)) << vec4u(13u)) | ((halves & vec4u(0x8000u)) << vec4u(16u));
    return bitcast<vec4f>(bits) * 0x1p112f;
}

fn score_of(sum: f32, row: u32) -> f32 {
    var score = select(sum * rows[row - job.row_base].scale, LOWEST, sum == LOWEST);
    // HOSTILE: score = sum;
    return score;
}
