// needs: dispatch, real/records
// Scores of a row, all of them at hand, into weights that are sparse or linear: a workgroup a row. Sparse weights end
// at the level τ that Newton's method climbs to from -1, as on the CPU, where this is derived.

@group(1) @binding(0) var<storage, read_write> rows: array<Row>;
@group(1) @binding(1) var<storage, read_write> scores: array<f32>;
@group(1) @binding(2) var<storage, read_write> partials: array<Partial>;
@group(1) @binding(3) var<storage, read_write> traces: array<Trace>;

var<workgroup> best: array<f32, LANES>;
var<workgroup> best_key: array<u32, LANES>;
var<workgroup> parts: array<vec3f, LANES>;
var<workgroup> joined: vec3f;

// Number, sum and weight of the levels above τ.
fn above(u: f32, end: f32) -> vec3f {
    let height = max(u - end, 0.0);
    return vec3f(select(0.0, 1.0, height > 0.0), height, select(height, height * height, job.mode == ENTMAX));
}

// The level of a score; none below -2 matters.
fn level(record: Row, score: f32) -> f32 {
    return max(record.beta * (score - record.max), -4.0) * select(1.0, 0.5, job.mode == ENTMAX);
}

// Sums over all lanes.
fn over_lanes(value: vec3f, lane: u32) -> vec3f {
    parts[lane] = value;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            parts[lane] += parts[lane + half];
        }
    }
    if lane == 0u {
        joined = parts[0];
    }
    return workgroupUniformLoad(&joined);
}

// Sums of `above` over the keys of a row, 16 at a time.
fn over_keys(record: Row, row: u32, line: u32, end: f32, lane: u32) -> vec3f {
    let seen = visible(row);
    var total = vec3f(0.0);
    for (var first = first_visible(row) / (16u * LANES) * (16u * LANES) + lane; first < seen; first += 16u * LANES) {
        var part = vec3f(0.0);
        for (var key = first; key < min(first + 16u * LANES, seen); key += LANES) {
            if !RANGED || may_see(row, key) {
                part += above(level(record, scores[line + key]), end);
            }
        }
        total += part;
    }
    return over_lanes(total, lane);
}

@compute @workgroup_size(64)
fn whole(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups);
    if row >= job.row_end {
        return;
    }
    let seen = visible(row);
    let line = (row - job.slice_first) * job.width;
    var record = rows[row - job.slice_first];
    var most = LOWEST;
    var argmax = NOBODY;
    for (var key = first_visible(row) / LANES * LANES + lane; key < seen; key += LANES) {
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
    record.max = best[0];
    let sparse = job.mode == SPARSEMAX || job.mode == ENTMAX;
    var end = -1.0;
    if sparse {
        // m < 2^32: what exceeds 1, times its slope, is at most 2^64 / 4^48 in the end.
        for (var step = 0u; step < 48u; step++) {
            let sums = over_keys(record, row, line, end, lane);
            var next = end + (sums.z - 1.0) / sums.x;
            if job.mode == ENTMAX {
                let root = sqrt(sums.z);
                next = end + (root - 1.0) * root / sums.y;
            }
            // Not up any more, but for rounding.
            if !(next > end) {
                break;
            }
            end = next;
        }
    }
    let sums = over_keys(record, row, line, end, lane);
    // Keys that the row does not see weigh 0, for the rows beside it that do see them.
    var begun = 0u;
    var ended = job.key_end;
    if RANGED {
        let beside = row - (row - job.row_first) % TILE;
        begun = first_visible(beside) / LANES * LANES;
        ended = visible(min(beside + TILE, job.row_end) - 1u);
    }
    for (var key = begun + lane; key < ended; key += LANES) {
        var weight = 0.0;
        if key < seen && (!RANGED || may_see(row, key)) {
            weight = scores[line + key];
            if sparse {
                weight = above(level(record, weight), end).z;
            } else if job.mode == RELU {
                weight = max(weight, 0.0);
            }
        }
        scores[line + key] = weight;
    }
    let first = (row - job.slice_first) * job.chunks;
    for (var chunk = first_visible(row) / CHUNK + lane; chunk < (seen + CHUNK - 1u) / CHUNK; chunk += LANES) {
        partials[first + chunk].reference = 1.0;
    }
    if lane == 0u {
        var count = seen_keys(row);
        record.share = record.beta / f32(count);
        if sparse {
            record.share = 1.0 / sums.z;
            count = u32(sums.x);
        }
        if RANGED && seen_keys(row) == 0u {
            best_key[0] = row;
            count = 0u;
        }
        rows[row - job.slice_first] = record;
        if (job.flags & RECORDED) != 0u {
            traces[row - job.row_base].argmax = best_key[0];
            traces[row - job.row_base].count = count;
        }
    }
}
