// needs: arithmetic/words
// Philox4x32-10: 128 random bits of a counter and a key.
fn philox(start: vec4u, seed: vec2u) -> vec4u {
    var counter = start;
    var key = seed;
    for (var round = 0u; round < 10u; round++) {
        let first = multiply(0xd2511f53u, counter.x);
        let second = multiply(0xcd9e8d57u, counter.z);
        counter = vec4u(second.y ^ counter.y ^ key.x, second.x, first.y ^ counter.w ^ key.y, first.x);
        key += vec2u(0x9e3779b9u, 0xbb67ae85u);
    }
    return counter;
}
