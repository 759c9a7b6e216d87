// needs: dispatch, real/records, arithmetic/exponential
// The key that a row draws, in the chunk where its level is crossed: sums of 16 keys a lane, then
// over the lanes, then in the lane that crosses it. A workgroup a row.

@group(1) @binding(0) var<storage, read> keys: array<f32>;
@group(1) @binding(1) var<storage, read> query: array<f32>;
@group(1) @binding(2) var<storage, read> partials: array<Partial>;
@group(1) @binding(3) var<storage, read_write> rows: array<Row>;

const KEYS_A_LANE = CHUNK / LANES;

var<workgroup> masses: array<f32, LANES>;
var<workgroup> chosen: u32;

@compute @workgroup_size(64)
fn draw(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups);
    if row >= job.row_end {
        return;
    }
    let line = row - job.slice_first;
    let record = rows[line];
    // The record is one for all lanes, which compilers cannot know: they refuse barriers below a
    // branch on it.
    if lane == 0u {
        chosen = record.chunk;
    }
    let chunk = workgroupUniformLoad(&chosen);
    let first = chunk * CHUNK;
    if first < job.key_first || first >= job.key_end {
        return;
    }
    let end = min(first + CHUNK, visible(row));
    // The chunk's own maximum, which its weights are relative to.
    let reference = partials[line * job.chunks + chunk].max;
    var weight: array<f32, KEYS_A_LANE>;
    var mass = 0.0;
    for (var j = 0u; j < KEYS_A_LANE; j++) {
        let key = first + lane * KEYS_A_LANE + j;
        weight[j] = 0.0;
        if key < end && (!RANGED || may_see(row, key)) {
            let at = (key - job.key_base) * job.d;
            var s = 0.0;
            for (var k = 0u; k < job.d; k++) {
                if DISTANCE {
                    let between = query[line * job.d + k] - keys[at + k];
                    s -= (0.5 * between) * between;
                } else {
                    s += query[line * job.d + k] * keys[at + k];
                }
            }
            if BIASED {
                s -= slope_of(record) * (f32(row) - f32(key));
            }
            weight[j] = exponential(record.beta * min(s - reference, 0.0));
            mass += weight[j];
        }
    }
    masses[lane] = mass;
    workgroupBarrier();
    var before = 0.0;
    var mine = NOBODY;
    for (var l = 0u; l < LANES; l++) {
        if masses[l] > 0.0 {
            // The last one with any mass, where rounding leaves the level above them all.
            mine = l;
            if before + masses[l] > record.level {
                break;
            }
            before += masses[l];
        }
    }
    if lane == mine {
        // Once more, since `before` holds this lane's own where no lane crosses the level.
        var sum = 0.0;
        for (var l = 0u; l < lane; l++) {
            sum += masses[l];
        }
        var key = 0u;
        for (var j = 0u; j < KEYS_A_LANE; j++) {
            if weight[j] > 0.0 {
                key = j;
                sum += weight[j];
                if sum > record.level {
                    break;
                }
            }
        }
        rows[line].key = first + lane * KEYS_A_LANE + key;
    }
}
