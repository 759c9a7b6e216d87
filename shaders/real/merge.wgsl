// needs: dispatch, real/records, arithmetic/exponential, arithmetic/powers, arithmetic/compensated, arithmetic/philox
// Joins the chunks of a row: its maximum and argmax, the factor of its sums, the chunk of the key
// it draws. One thread a row.

@group(1) @binding(0) var<storage, read_write> partials: array<Partial>;
@group(1) @binding(1) var<storage, read_write> rows: array<Row>;
@group(1) @binding(2) var<storage, read_write> traces: array<Trace>;

@compute @workgroup_size(64)
fn merge(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = job.row_first + linear(group, groups) * LANES + lane;
    if row >= job.row_end {
        return;
    }
    let seen = visible(row);
    let line = (row - job.slice_first) * job.chunks;
    let first = line + first_visible(row) / CHUNK;
    let end = line + (seen + CHUNK - 1u) / CHUNK;
    var record = rows[row - job.slice_first];
    var most = LOWEST;
    var argmax = select(0u, row, RANGED);
    var reference = LOWEST;
    for (var at = first; at < end; at++) {
        let partial = partials[at];
        if partial.max > most {
            most = partial.max;
            argmax = partial.argmax;
        }
        reference = max(reference, partial.reference);
    }
    var count = seen_keys(row);
    var mass = vec2f(0.0);
    if job.mode == MAXIMUM {
        record.max = most;
        record.key = argmax;
        // Finite, so that no key is inside that the row does not see.
        record.limit = max(most - record.limit, LOWEST);
        count = 1u;
    } else if job.mode == STRIP {
        count = 0u;
        for (var at = first; at < end; at++) {
            partials[at].reference = 1.0;
            count += u32(partials[at].mass);
        }
        record.share = 1.0 / f32(count);
        argmax = record.key;
    } else {
        for (var at = first; at < end; at++) {
            let factor = exponential(record.beta * (partials[at].reference - reference));
            partials[at].reference = factor;
            mass = compensated(mass, partials[at].mass * factor);
        }
        let total = mass.x + mass.y;
        record.share = 1.0 / total;
        if job.mode == SCALE {
            let origin = scaled(job.origin, job.origin_exponent - record.exponent);
            record.share = exponential_of_any(record.beta * (reference - origin)) / f32(count);
        }
        if job.mode == DRAW {
            let bits = philox(vec4u(job.t, row, 0u), job.seed);
            let level = f32(bits.y >> 8u) * 5.9604645e-8 * total;
            record.max = reference;
            record.chunk = NOBODY;
            var sum = vec2f(0.0);
            for (var at = first; at < end; at++) {
                let next = compensated(sum, partials[at].mass * partials[at].reference);
                if partials[at].reference > 0.0 && (!RANGED || partials[at].mass > 0.0) {
                    // Past the last one only by rounding at the very top.
                    record.chunk = at - line;
                    record.level = ((level - sum.x) - sum.y) / partials[at].reference;
                }
                if next.x + next.y > level {
                    break;
                }
                sum = next;
            }
            count = 1u;
        }
    }
    if RANGED && seen_keys(row) == 0u {
        // It chooses itself, to stay.
        record.key = row;
        argmax = row;
        count = 0u;
    }
    rows[row - job.slice_first] = record;
    if (job.flags & RECORDED) != 0u {
        traces[row - job.row_base].argmax = argmax;
        traces[row - job.row_base].count = count;
    }
}
