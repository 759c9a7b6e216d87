// Whether the driver runs loops to their end: one known that stops an invocation after 65,535
// iterations, all its loops together. A generator without a closed form is stepped 200 × 1,000
// times.

@group(0) @binding(0) var<storage, read_write> value: array<u32>;

@compute @workgroup_size(64)
fn probe(@builtin(local_invocation_index) lane: u32) {
    var x = value[lane];
    for (var i = 0u; i < 200u; i++) {
        for (var j = 0u; j < 1000u; j++) {
            x ^= x << 13u;
            x ^= x >> 17u;
            x ^= x << 5u;
        }
    }
    value[lane] = x;
}
