enable f16;
enable wgpu_cooperative_matrix;
// Sums of products of limbs by the unit that scores_by_units asks, of 16 rows and 16 keys in R^64.

@group(0) @binding(0) var<storage, read> rows: array<f16>;
@group(0) @binding(1) var<storage, read> keys: array<f16>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>; // [key][row]

@compute @workgroup_size(32)
fn units() {
    var sum = coop_mat16x16<f32, C>();
    for (var k = 0u; k < 64u; k += 16u) {
        let q = coopLoadT<coop_mat16x16<f16, A>>(&rows[k], 64u);
        let x = coopLoad<coop_mat16x16<f16, B>>(&keys[k], 64u);
        sum = coopMultiplyAdd(q, x, sum);
    }
    coopStore(sum, &sums[0], 16u);
}
