// needs: dispatch, exact/row, arithmetic/ordered
// Largest score of limbs of each row in each supertile, by a unit that multiplies matrices: one subgroup a workgroup,
// 32 rows by 64 keys at a time. Every sum is an integer that f32 holds, so that no unit that keeps 24 bits
// rounds, which a probe checks when a device is opened.

@group(1) @binding(0) var<storage, read> key_limbs: array<f16>;
@group(1) @binding(1) var<storage, read> query_limbs: array<f16>;
@group(1) @binding(2) var<storage, read_write> maxima: array<f32>;
@group(1) @binding(3) var<storage, read_write> rows: array<Row>;

// Threads of a workgroup, and its rows.
const HELD = 32u;
// Rows, keys and coordinates of a product.
const SIDE = 16u;

var<workgroup> sums: array<f32, HELD * SUPERTILE>; // [key][row]

@compute @workgroup_size(32)
fn scores(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let across = (job.tile_end - job.tile_first + job.tiles - 1u) / job.tiles;
    // Whole products of rows: some before the first are computed, and not kept.
    let begin = job.row_first / SIDE * SIDE;
    let down = (job.row_end - begin + HELD - 1u) / HELD;
    // Workgroups side by side read the same keys.
    let index = linear(group, groups);
    let first_row = begin + index % down * HELD;
    // Surplus workgroups have no tiles and keep nothing; units ask for code without returns.
    let block = min(index / down, across);
    let first_tile = min(job.tile_first + block * job.tiles, job.tile_end);
    let last_tile = min(first_tile + job.tiles, job.tile_end);
    let last_row = min(first_row + HELD, job.row_end) - 1u;
    let seen_tile = clamp((visible(last_row) + SUPERTILE - 1u) / SUPERTILE, first_tile, last_tile);
    let row = first_row + lane;
    let is_mine = block < across && row >= job.row_first && row < job.row_end;
    let at = min(max(row, job.row_first), job.row_end - 1u) - job.row_base;
    let scale = rows[at].scale;
    let end = visible(row);
    var peak = LOWEST;
    // The last products of rows may be past the end of the window; those before them are taken again.
    // EACH r: 2
    let from$r = (min(first_row + $r * SIDE, last_row / SIDE * SIDE) - job.row_base) * LIMBS;
    // END
    for (var tile = first_tile; tile < seen_tile; tile++) {
        let first = tile * SUPERTILE;
        // EACH c: 4
        let key$c = (first + $c * SIDE - job.key_base) * LIMBS;
        // EACH r: 2
        var sum$r_$c = coop_mat16x16<f32, C>();
        // END
        // END
        for (var k = 0u; k < LIMBS; k += SIDE) {
            // EACH r: 2
            let q$r = coopLoadT<coop_mat16x16<f16, A>>(&query_limbs[from$r + k], LIMBS);
            // END
            // EACH c: 4
            let x$c = coopLoad<coop_mat16x16<f16, B>>(&key_limbs[key$c + k], LIMBS);
            // EACH r: 2
            sum$r_$c = coopMultiplyAdd(q$r, x$c, sum$r_$c);
            // END
            // END
        }
        workgroupBarrier();
        // EACH r: 2
        // EACH c: 4
        coopStore(sum$r_$c, &sums[$c * SIDE * HELD + $r * SIDE], HELD);
        // END
        // END
        workgroupBarrier();
        var largest = LOWEST;
        if first + SUPERTILE > visible(first_row) {
            for (var key = 0u; key < SUPERTILE; key++) {
                largest = select(largest, max(largest, sums[key * HELD + lane]), first + key < end);
            }
        } else {
            // EACH c: 64
            largest = max(largest, sums[$c * HELD + lane]);
            // END
        }
        if is_mine {
            let score = select(largest * scale, LOWEST, largest == LOWEST);
            maxima[maximum_of(row, tile)] = score;
            peak = max(peak, score);
        }
    }
    if is_mine {
        for (var tile = seen_tile; tile < last_tile; tile++) {
            maxima[maximum_of(row, tile)] = LOWEST;
        }
        maxima[maximum_of_block(row, block)] = peak;
        atomicMax(&rows[row - job.row_base].peak, ordered(peak));
    }
}
