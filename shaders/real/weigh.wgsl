// needs: dispatch, real/records, arithmetic/exponential
// Scores of a row in a chunk into weights, with their mass and the row's maximum there: a workgroup
// a row and chunk.

@group(1) @binding(0) var<storage, read> rows: array<Row>;
@group(1) @binding(1) var<storage, read_write> scores: array<f32>;
@group(1) @binding(2) var<storage, read_write> partials: array<Partial>;

var<workgroup> best: array<f32, LANES>;
var<workgroup> best_key: array<u32, LANES>;

@compute @workgroup_size(64)
fn weigh(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let across = (job.key_end - job.key_first + CHUNK - 1u) / CHUNK;
    let index = linear(group, groups);
    let row = job.row_first + index / across;
    if row >= job.row_end {
        return;
    }
    let first = job.key_first + (index % across) * CHUNK;
    let end = min(min(first + CHUNK, job.key_end), visible(row));
    let record = rows[row - job.slice_first];
    let line = (row - job.slice_first) * job.width - job.group_first;
    let at = (row - job.slice_first) * job.chunks + first / CHUNK;
    // The keys that it or rows beside it may see; a lane has the same of them in any slices.
    var begun = first;
    var ended = min(first + CHUNK, job.key_end);
    if RANGED {
        let beside = row - (row - job.row_first) % TILE;
        begun = clamp(first_visible(beside) / LANES * LANES, first, ended);
        ended = clamp(visible(min(beside + TILE, job.row_end) - 1u), begun, ended);
    }
    var most = LOWEST;
    var argmax = NOBODY;
    for (var key = begun + lane; key < end; key += LANES) {
        let s = scores[line + key];
        if s > most && (!RANGED || may_see(row, key)) {
            most = s;
            argmax = key;
        }
    }
    best[lane] = most;
    best_key[lane] = argmax;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            let other = best[lane + half];
            let key = best_key[lane + half];
            if other > best[lane] || (other == best[lane] && key < best_key[lane]) {
                best[lane] = other;
                best_key[lane] = key;
            }
        }
    }
    workgroupBarrier();
    most = best[0];
    argmax = best_key[0];
    workgroupBarrier();
    if job.mode == MAXIMUM {
        if lane == 0u && first < end {
            partials[at] = Partial(0.0, 0.0, most, argmax);
        }
        return;
    }
    // Keys that the row does not see weigh 0, for the rows beside it that do see them.
    var mass = 0.0;
    for (var key = begun + lane; key < ended; key += LANES) {
        var weight = 0.0;
        if key < end && (!RANGED || may_see(row, key)) {
            let s = scores[line + key];
            if job.mode == STRIP {
                weight = select(0.0, 1.0, s >= record.limit || key == record.key);
            } else {
                weight = exponential(record.beta * (s - most));
            }
        }
        mass += weight;
        scores[line + key] = weight;
    }
    best[lane] = mass;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            best[lane] += best[lane + half];
        }
    }
    if lane == 0u && first < end {
        partials[at] = Partial(most, best[0], most, argmax);
    }
}
