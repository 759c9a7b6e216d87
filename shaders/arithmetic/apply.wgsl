// needs: arithmetic/words, integers, arithmetic/roots, arithmetic/ordered, arithmetic/philox, arithmetic/exponential
// A function of the arithmetic applied to consecutive operands, one thread each; its call stands in for the last comment.

@group(0) @binding(0) var<storage, read> input: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> output: array<vec4u>;

@compute @workgroup_size(64)
fn apply(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= arrayLength(&output) {
        return;
    }
    let a = input[3u * id.x];
    let b = input[3u * id.x + 1u];
    let c = input[3u * id.x + 2u];
    var r = vec4u();
    // CALL
    output[id.x] = r;
}
