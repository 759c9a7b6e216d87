// needs: dispatch, exact/row
// Limbs of tokens: integers h so small that sums of products of theirs are exact in f32 in any order and on any unit,
// also one that multiplies matrices of f16. One thread a token.
//
// With a query's scale a and the keys' scale b, aq = h + r and bx = g + s, where h and g are the nearest
// integers. So
//   ab·q·x − h·g = r·(bx) + h·s,
// and with |r_k|, |s_k| <= 0.51 the score q·x is off from h·g/(ab) by
//   R = 0.51·(Σ_k b·max_j |x_jk| + Σ_k |h_k|)/(ab)
// at most. (0.5 is the rounding to integers; q and x are rounded to floats, and their products with a and b, which are
// no more than 2^11, by COORDINATE_ROUNDINGS + 2 roundings of 2^-23, and 6·2^(11-23) < 0.002.) The scales make
// the largest |q_k| and |x_jk| at most MOST_LIMB, which is 2^11, or less, so that d·MOST_LIMB² <= 2^24: f16 holds all
// limbs, f32 every sum of products. The sum is multiplied by 1/(ab), in two divisions (2.5 units in the last
// place each) and two products, of a value that is |q·x| + R at most: 16·ROUNDING·Σ_k |q_k|·max_j |x_jk| more, and
// a share of R. The factor 1.01 holds that share, and the roundings of these sums.

@group(1) @binding(0) var<storage, read> state_filter: array<vec4f>;
@group(1) @binding(1) var<storage, read> query_filter: array<vec4f>;
@group(1) @binding(2) var<storage, read> extent: array<f32>;
@group(1) @binding(3) var<storage, read_write> state_limbs: array<vec2u>;
@group(1) @binding(4) var<storage, read_write> query_limbs: array<vec2u>;
@group(1) @binding(5) var<storage, read_write> rows: array<Row>;

fn scale_to_limbs(largest: f32) -> f32 {
    return select(f32(MOST_LIMB) / largest, 1.0, largest == 0.0);
}

// Four limbs as f16. Their exponents begin 112 below those of f32; not every device has a function for it.
fn packed(limbs: vec4f) -> vec2u {
    let bits = bitcast<vec4u>(limbs * 0x1p-112f);
    let halves = ((bits >> vec4u(13u)) & vec4u(0x7fffu)) | ((bits >> vec4u(16u)) & vec4u(0x8000u));
    return halves.xz | (halves.yw << vec2u(16u));
}

fn extent_of(four: u32) -> vec4f {
    let k = 4u * four;
    let most = vec4f(extent[k], extent[min(k + 1u, D - 1u)], extent[min(k + 2u, D - 1u)], extent[min(k + 3u, D - 1u)]);
    return select(vec4f(), most, vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(D));
}

@compute @workgroup_size(64)
fn limbs(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let at = row - job.row_base;
    var of_queries = vec4f();
    var of_keys = vec4f();
    for (var four = 0u; four < QUADS; four++) {
        of_queries = max(of_queries, abs(query_filter[at * QUADS + four]));
        of_keys = max(of_keys, extent_of(four));
    }
    let query_scale = scale_to_limbs(max(max(of_queries.x, of_queries.y), max(of_queries.z, of_queries.w)));
    let key_scale = scale_to_limbs(max(max(of_keys.x, of_keys.y), max(of_keys.z, of_keys.w)));
    var off = 0.0;
    var norm = 0.0;
    for (var four = 0u; four < LIMBS / 4u; four++) {
        var query = vec4f();
        var key = vec4f();
        if four < QUADS {
            let q = query_filter[at * QUADS + four];
            query = round(query_scale * q);
            key = round(key_scale * state_filter[at * QUADS + four]);
            let most = extent_of(four);
            off += dot(key_scale * most + abs(query), vec4f(1.0));
            norm += dot(abs(q), most);
        }
        query_limbs[at * (LIMBS / 4u) + four] = packed(query);
        state_limbs[at * (LIMBS / 4u) + four] = packed(key);
    }
    let scale = (1.0 / query_scale) * (1.0 / key_scale);
    rows[at].scale = scale;
    rows[at].reach = 1.01 * (0.51 * off * scale + 16.0 * ROUNDING * norm);
}
