// needs: dispatch, real/records, arithmetic/exponential
// Scores, weights and sums of a chunk in one pass, small d: a thread holds four rows in registers,
// the components of its vectors, and keys stream past, eight at a time. Weights are relative to a
// reference that is raised only where the maximum has passed it by a factor e^RISE: nothing
// overflows at any beta, and each rescaling takes a weight down by e^RISE or more.

@group(1) @binding(0) var<storage, read> keys: array<f32>;
@group(1) @binding(1) var<storage, read> query: array<f32>;
@group(1) @binding(2) var<storage, read> rows: array<Row>;
@group(1) @binding(3) var<storage, read_write> partials: array<Partial>;
@group(1) @binding(4) var<storage, read_write> sums: array<f32>;

const RISE = 1.4;
const KEYS = 8u;

@compute @workgroup_size(64)
fn attend(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let across = (job.key_end - job.key_first + CHUNK - 1u) / CHUNK;
    let index = linear(group, groups);
    let first_row = job.row_first + (index / across) * ROWS;
    if first_row >= job.row_end {
        return;
    }
    let first = job.key_first + (index % across) * CHUNK;
    let end = min(min(first + CHUNK, job.key_end), visible(min(first_row + ROWS, job.row_end) - 1u));
    let row = vec4u(first_row + lane) + vec4u(0u, 1u, 2u, 3u) * LANES;
    let line = min(row, vec4u(job.row_end - 1u)) - vec4u(job.slice_first);
    var slope = vec4f(0.0);
    if BIASED {
        slope = vec4f(slope_of(rows[line.x]), slope_of(rows[line.y]), slope_of(rows[line.z]), slope_of(rows[line.w]));
    }
    let beta = vec4f(rows[line.x].beta, rows[line.y].beta, rows[line.z].beta, rows[line.w].beta);
    var q: array<vec4f, D>;
    var total: array<vec4f, D>;
    for (var k = 0u; k < D; k++) {
        q[k] = vec4f(query[line.x * D + k], query[line.y * D + k], query[line.z * D + k], query[line.w * D + k]);
    }
    var mass = vec4f(0.0);
    var reference = vec4f(LOWEST);
    var most = vec4f(LOWEST);
    var argmax = vec4u(NOBODY);
    let begun = select(first, max(first, first_visible(first_row) / KEYS * KEYS), RANGED);
    for (var start = begun; start < end; start += KEYS) {
        let masked = RANGED || start + KEYS > end || (job.causal == 1u && start + KEYS > first_row + 1u);
        var s: array<vec4f, KEYS>;
        for (var j = 0u; j < KEYS; j++) {
            let at = (min(start + j, end - 1u) - job.key_base) * D;
            var score = keys[at] * q[0];
            for (var k = 1u; k < D; k++) {
                score += keys[at + k] * q[k];
            }
            if DISTANCE {
                score = vec4f(0.0);
                for (var k = 0u; k < D; k++) {
                    let between = q[k] - vec4f(keys[at + k]);
                    score -= (0.5 * between) * between;
                }
            }
            if BIASED {
                score -= slope * (vec4f(row) - vec4f(f32(start + j)));
            }
            s[j] = opaque4(score);
        }
        if masked {
            for (var j = 0u; j < KEYS; j++) {
                var seen = (vec4u(start + j) <= row) | vec4<bool>(job.causal == 0u);
                if RANGED {
                    seen = which_see(row, start + j);
                }
                s[j] = select(vec4f(LOWEST), s[j], seen & vec4<bool>(start + j < end));
            }
        }
        let high = max(max(max(s[0], s[1]), max(s[2], s[3])), max(max(s[4], s[5]), max(s[6], s[7])));
        if any(high > most) {
            for (var j = 0u; j < KEYS; j++) {
                argmax = select(argmax, vec4u(start + j), s[j] > most);
                most = max(most, s[j]);
            }
            let rises = beta * (most - reference) > vec4f(RISE);
            if any(rises) {
                let raised = select(reference, most, rises);
                let factor = exponential4(beta * (reference - raised));
                reference = raised;
                mass *= factor;
                for (var k = 0u; k < D; k++) {
                    total[k] *= factor;
                }
            }
        }
        var weights = vec4f(0.0);
        for (var j = 0u; j < KEYS; j++) {
            var w = exponential4(beta * (s[j] - reference));
            if masked {
                w = select(vec4f(0.0), w, s[j] > vec4f(LOWEST));
            }
            // Whether keys are masked depends on slices: opaque before and after, weights are one
            // piece of arithmetic for both, however a compiler splits the loop.
            s[j] = opaque4(w);
            weights += s[j];
        }
        mass += weights;
        for (var k = 0u; k < D; k++) {
            var part = vec4f(0.0);
            for (var j = 0u; j < KEYS; j++) {
                part += keys[(min(start + j, end - 1u) - job.key_base) * D + k] * s[j];
            }
            total[k] += part;
        }
    }
    for (var r = 0u; r < 4u; r++) {
        if row[r] < job.row_end && first < visible(row[r]) && (!RANGED || first + CHUNK > first_visible(row[r])) {
            let at = line[r] * job.chunks + first / CHUNK;
            partials[at] = Partial(reference[r], mass[r], most[r], argmax[r]);
            for (var k = 0u; k < D; k++) {
                sums[at * D + k] = total[k][r];
            }
        }
    }
}
