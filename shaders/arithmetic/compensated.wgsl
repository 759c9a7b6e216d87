// needs: opaque
// (a sum, what its roundings lost) and one term more.
fn compensated(sum: vec2f, term: f32) -> vec2f {
    let s = opaque(sum.x + term);
    let part = opaque(s - sum.x);
    let lost = opaque(sum.x - opaque(s - part)) + opaque(term - part);
    return vec2f(s, sum.y + lost);
}
