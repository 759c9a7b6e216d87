// needs: dispatch, integers
// Least significant digit first: stable sorts of keys by 8 bits at a time of their Morton codes, which are never stored.
// A code interleaves the bits of some coordinates, measured from the cloud's lowest; where it cannot hold them all, two
// digits of a hash of the whole key come before it, so that equal keys become neighbours all the same.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read> coding: array<u32>; // bits left out, number of axes, the axes
@group(1) @binding(2) var<storage, read> lowest: array<Coordinate>;
@group(1) @binding(3) var<storage, read> order: array<u32>;

// Threads of a workgroup.
const SORTERS = 256u;

fn runs() -> u32 {
    return (job.n + RUN - 1u) / RUN;
}

fn digit_of(key: u32) -> u32 {
    if job.digit >= HASHED {
        var hash = 0x811c9dc5u;
        for (var k = 0u; k < job.dims; k++) {
            hash = (hash ^ folded(row_state[key * job.dims + k])) * 0x01000193u;
            hash ^= hash >> 15u;
        }
        return (hash >> (8u * (job.digit - HASHED))) & 255u;
    }
    var digit = 0u;
    for (var b = 0u; b < 8u; b++) {
        let place = job.digit * 8u + b;
        let axis = coding[2u + place % coding[1]];
        let bit = bit_of(apart(row_state[key * job.dims + axis], lowest[axis]), place / coding[1] + coding[0]);
        digit |= bit << b;
    }
    return digit;
}
