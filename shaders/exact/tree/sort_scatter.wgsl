// needs: exact/tree/sort, exact/tree/summed
// Puts the keys of each run behind those of earlier runs and smaller digits. Among SORTERS keys at
// a time, a key's rank is the number of earlier threads in the bit mask of its digit: the same
// order every time.

@group(1) @binding(4) var<storage, read> counts: array<u32>; // summed, see scan.wgsl
@group(1) @binding(5) var<storage, read> blocks: array<u32>;
@group(1) @binding(6) var<storage, read_write> next_order: array<u32>;

const MASKS = SORTERS / 32u;

var<workgroup> masks: array<atomic<u32>, RADIX * MASKS>;
var<workgroup> next_place: array<u32, RADIX>;

@compute @workgroup_size(256)
fn sort_scatter(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let run = linear(group, groups);
    if run >= runs() {
        return;
    }
    for (var m = 0u; m < MASKS; m++) {
        atomicStore(&masks[m * RADIX + lane], 0u);
    }
    let entry = lane * runs() + run;
    var before = 0u;
    if entry != 0u {
        before = summed(entry - 1u);
    }
    next_place[lane] = before;
    workgroupBarrier();
    for (var first = run * RUN; first < run * RUN + RUN; first += SORTERS) {
        let i = first + lane;
        let real = i < job.n;
        let key = order[min(i, job.n - 1u)];
        let digit = digit_of(key);
        let mine = lane / 32u;
        if real {
            atomicOr(&masks[digit * MASKS + mine], 1u << (lane % 32u));
        }
        workgroupBarrier();
        var rank = 0u;
        var total = 0u;
        for (var m = 0u; m < MASKS; m++) {
            let mask = atomicLoad(&masks[digit * MASKS + m]);
            total += countOneBits(mask);
            if m < mine {
                rank += countOneBits(mask);
            } else if m == mine {
                rank += countOneBits(mask & ((1u << (lane % 32u)) - 1u));
            }
        }
        if real {
            next_order[next_place[digit] + rank] = key;
        }
        workgroupBarrier();
        if real {
            atomicStore(&masks[digit * MASKS + mine], 0u);
            if rank + 1u == total {
                next_place[digit] += total;
            }
        }
        workgroupBarrier();
    }
}
