// needs: exact/place, integers
// Step 2 of the contract, and the floats that the filter reads: xf = f32(X); Q = floor((ÃX +
// 2^(b−1))/2^b), qf = f32(Q). One thread a coordinate.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read_write> state_filter: array<f32>;
@group(1) @binding(2) var<storage, read> matrix: array<vec2u>;
@group(1) @binding(3) var<storage, read_write> query: array<Coordinate>;
@group(1) @binding(4) var<storage, read_write> query_filter: array<f32>;

@compute @workgroup_size(64)
fn multiple(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = place(group, groups, lane);
    if at != NOBODY {
        let x = row_state[at];
        var dot = Dot();
        dot_add(&dot, matrix_entry(job.multiple), x);
        let q = query_of(dot_total(&dot));
        query[at] = q;
        if job.filtered == 1u {
            state_filter[filter_place(at)] = coordinate_real(x);
            query_filter[filter_place(at)] = coordinate_real(q);
        }
    }
}

@compute @workgroup_size(64)
fn dense(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = place(group, groups, lane);
    if at != NOBODY {
        let coordinate = at % D;
        let token = at - coordinate;
        var dot = Dot();
        for (var k = 0u; k < D; k++) {
            dot_add(&dot, matrix_entry(matrix[coordinate * D + k]), row_state[token + k]);
        }
        let q = query_of(dot_total(&dot));
        query[at] = q;
        if job.filtered == 1u {
            state_filter[filter_place(at)] = coordinate_real(row_state[at]);
            query_filter[filter_place(at)] = coordinate_real(q);
        }
    }
}
