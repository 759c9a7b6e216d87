// needs: exact/cut, exact/opened, exact/sums
// HOSTILE needs: exact/hostile
// |C_i| and Σ X_j over C_i, small d and integers that f32 holds, of rows that many supertiles may belong to
// (`DENSE`, see strips_narrow): each thread has rows. A supertile whose box is wholly in a row's strip is added by
// its sum. Of one that the strip's border cuts, the keys come through workgroup memory, and the signs of
//   t = T − s, T = m_i − D_i,
// are bits, by four of which a row finds the sum of these four keys' members in a table of the sums of all subsets,
// in 32 bits, which 64 coordinates fit (64·2^24).
//
// With r = ROUNDING, and E and c as in `widths`: T is one more term of the sum, and its own float meets
// SCORE_ROUNDINGS, so that t is off, in any order, by no more than
//   E·(d + 2 + c)/(d + 1 + c) + 1.01·(d + SCORE_ROUNDINGS)·r·|T|.
// By distance t = Σ b² − D. Where Σ b² ≤ 2D it is off by (d + 4)·r·3D, which is below 4E; where Σ b² is more, t is
// Σ b²/2 at least, and off by a small share of that. `margin_of` is more than either. If no |t| is as small, all signs
// are right. Else keys are looked at again: one that was near is within 3 margins by any other sum.
//
// The largest t in a box (c, h) is T − Σ q_k c_k + Σ |q_k| h_k: 2d + 1 terms, of no more than twice what E counts,
// since neither |c_k| nor h_k is above max |x_k|. By distance it is Σ (|q_k − c_k| + h_k)² − D. So 6 margins are enough.

// Keys of a group, and its subsets.
const GROUP = 4u;
const SUBSETS = 16u;
// Keys whose subsets are in workgroup memory at a time: a word has a bit for each.
const TABLED = 32u;

// Threads of a workgroup are LANES, with FOURS rows each, side by side, so that those of few threads agree.
var<workgroup> some_keys: array<vec4f, QUADS * SUPERTILE>; // [four of coordinates][key]
var<workgroup> subsets: array<vec4i, TABLED / GROUP * SUBSETS * QUADS>; // [group][subset][four of coordinates]
var<workgroup> wanted: atomic<u32>;

@group(1) @binding(0) var<storage, read> tile_boxes: array<vec4u>;
@group(1) @binding(2) var<storage, read> query_filter: array<vec4f>;

// Above every score.
const NEVER = 3.0e38;

// What t is off by, at most.
fn margin_of(from_here: f32, error: f32) -> f32 {
    let terms = f32(D) + COORDINATE_ROUNDINGS;
    let share = select((terms + 2.0) / (terms + 1.0), 4.0, DISTANCE);
    return 1.001 * share * error + 1.01 * (terms + SCORE_ROUNDINGS + 2.0) * ROUNDING * abs(from_here);
}

// Whether a key whose score floats leave open is in the strip.
fn is_member(row: u32, key: u32, threshold: Score) -> bool {
    tally(REPORT_REDONE, vec2u(1u, 0u));
    return !less(exact_score(row, key), threshold);
}

// The first `count` bits of a group, of a count that may be more or below 0.
fn first_of_group(count: i32) -> u32 {
    return (1u << u32(clamp(count, 0, i32(GROUP)))) - 1u;
}

@compute @workgroup_size(64)
fn strips_dense(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first_row = job.row_first + linear(group, groups) * LANES * FOURS;
    if first_row >= job.row_end {
        return;
    }
    if lane == 0u {
        atomicStore(&wanted, 0u);
    }
    workgroupBarrier();
    // EACH f: FOURS
    let row$f = first_row + lane * FOURS + $f;
    let here$f = min(row$f, job.row_end - 1u);
    let at$f = here$f - job.row_base;
    let dense$f = row$f < job.row_end && atomicLoad(&rows[at$f].peak) == DENSE;
    if dense$f {
        atomicOr(&wanted, 1u);
    }
    // END
    if workgroupUniformLoad(&wanted) == 0u {
        return;
    }
    // EACH f: FOURS
    let cut$f = cut_of(here$f);
    let reached$f = select(NEVER, cut$f.reached, dense$f);
    let from$f = score_real(cut$f.threshold);
    let margin$f = margin_of(from$f, rows[at$f].error);
    let last$f = visible(here$f);
    // EACH c: QUADS
    // EACH z: PRODUCTS
    let a$f_$c = -query_filter[at$f * QUADS + $c];
    // END
    // EACH z: DISTANCES
    let a$f_$c = query_filter[at$f * QUADS + $c];
    // END
    // END
    var count$f = 0u;
    // EACH k: D
    var sum$f_$k = Sum();
    // END
    // END
    let last_row = min(first_row + LANES * FOURS, job.row_end) - 1u;
    let seen_tile = clamp((visible(last_row) + SUPERTILE - 1u) / SUPERTILE, job.tile_first, job.tile_end);
    // A lane makes two subsets of a group, without its first key and with it.
    let my_group = lane / (SUBSETS / 2u);
    let my_subset = 2u * (lane % (SUBSETS / 2u));
    // EACH j: 1..4
    let has$j = vec4i(-i32((my_subset >> $ju) & 1u));
    // END
    for (var start = job.tile_first; start < seen_tile; start += 32u) {
        // The supertiles from `start` on that a row's border may cut, as bits.
        // EACH f: FOURS
        var cuts$f = 0u;
        // END
        for (var t = 0u; t < min(32u, seen_tile - start); t++) {
            let tile = start + t;
            let box = tile * 4u * QUADS;
            // EACH c: QUADS
            let centre$c = bitcast<vec4f>(tile_boxes[box + $c]);
            let half$c = bitcast<vec4f>(tile_boxes[box + QUADS + $c]);
            // END
            // EACH f: FOURS
            if supertile_most(here$f, tile) >= reached$f {
                var most$f = from$f;
                // EACH k: D
                // EACH z: PRODUCTS
                most$f = fma(abs(a$f_$k/4[$k%4]), half$k/4[$k%4], fma(a$f_$k/4[$k%4], centre$k/4[$k%4], most$f));
                // END
                // EACH z: DISTANCES
                let far$f_$k = abs(a$f_$k/4[$k%4] - centre$k/4[$k%4]) + half$k/4[$k%4];
                most$f = fma(far$f_$k, far$f_$k, most$f);
                // END
                // END
                if most$f <= -6.0 * margin$f && (tile + 1u) * SUPERTILE <= last$f {
                    count$f += SUPERTILE;
                    // EACH k: D
                    sum$f_$k = sum_join(sum$f_$k, extend2(bitcast<i32>(tile_boxes[box + 2u * QUADS + $k/4][$k%4])));
                    // END
                } else {
                    cuts$f |= 1u << t;
                }
            }
            // END
        }
        workgroupBarrier();
        if lane == 0u {
            atomicStore(&wanted, 0u);
        }
        workgroupBarrier();
        // EACH f: FOURS
        atomicOr(&wanted, cuts$f);
        // END
        var left = workgroupUniformLoad(&wanted);
        while left != 0u {
            let t = firstTrailingBit(left);
            left &= left - 1u;
            let first = (start + t) * SUPERTILE;
            // Some row may not see all of them.
            let masked = first + SUPERTILE > visible(first_row);
            let key = (min(first + lane, job.n - 1u) - job.key_base) * D;
            // EACH k: D
            let x$k = coordinate_real(key_state[key + $k]);
            // END
            // EACH k: D..QUADS*4
            let x$k = 0.0;
            // END
            // EACH c: QUADS
            some_keys[$c * SUPERTILE + lane] = vec4f(x$c*4, x$c*4+1, x$c*4+2, x$c*4+3);
            // END
            // EACH f: FOURS
            let keep$f = select(0u, SUBSETS - 1u, ((cuts$f >> t) & 1u) == 1u);
            // EACH k: D
            var part$f_$k = 0;
            // END
            // END
            var cuts = 0u;
            // EACH f: FOURS
            cuts |= keep$f;
            // END
            for (var begun = 0u; begun < SUPERTILE; begun += TABLED) {
                workgroupBarrier();
                let from_group = begun + my_group * GROUP;
                let to_subset = (my_group * SUBSETS + my_subset) * QUADS;
                // EACH c: QUADS
                let one$c = vec4i(some_keys[$c * SUPERTILE + from_group]) ;
                // EACH j: 1..4
                let other$c_$j = vec4i(some_keys[$c * SUPERTILE + from_group + $j]) & has$j;
                // END
                let others$c = other$c_1 + other$c_2 + other$c_3;
                subsets[to_subset + $c] = others$c;
                subsets[to_subset + QUADS + $c] = others$c + one$c;
                // END
                workgroupBarrier();
                // EACH f: FOURS
                var near$f = NEVER;
                var word$f = 0u;
                // END
                // EACH m: 2
                if cuts != 0u && masked == ($m == 1) {
                    for (var g = 0u; g < TABLED / GROUP; g++) {
                        // Known to be small, so that what is added to it becomes a part of each load.
                        let at = (begun + g * GROUP) & 63u;
                        // EACH j: 4
                        // EACH c: QUADS
                        let x$j_$c = some_keys[at + ($c * SUPERTILE + $j)];
                        // END
                        // END
                        // EACH f: FOURS
                        // EACH j: 4
                        var t$f_$j = from$f;
                        // EACH k: D
                        // EACH z: PRODUCTS
                        t$f_$j = fma(x$j_$k/4[$k%4], a$f_$k/4[$k%4], t$f_$j);
                        // END
                        // EACH z: DISTANCES
                        let between$f_$j_$k = a$f_$k/4[$k%4] - x$j_$k/4[$k%4];
                        t$f_$j = fma(between$f_$j_$k, between$f_$j_$k, t$f_$j);
                        // END
                        // END
                        // END
                        // HOSTILE: for (var j = 0u; j < GROUP; j++) {
                        // HOSTILE: let key = min(first + at + j, job.n - 1u);
                        // HOSTILE: let exact = minus(cut$f.threshold, exact_score(here$f, key));
                        // HOSTILE: let worst = moved(exact, margin$f, swing(here$f, key, 1u));
                        // EACH j: 4
                        // HOSTILE: t$f_$j = select(t$f_$j, worst, j == $ju);
                        // END
                        // HOSTILE: }
                        near$f = min(min(near$f, abs(t$f_0)), abs(t$f_1));
                        near$f = min(min(near$f, abs(t$f_2)), abs(t$f_3));
                        word$f = (word$f << 1u) | (bitcast<u32>(t$f_3) >> 31u);
                        word$f = (word$f << 1u) | (bitcast<u32>(t$f_2) >> 31u);
                        word$f = (word$f << 1u) | (bitcast<u32>(t$f_1) >> 31u);
                        word$f = (word$f << 1u) | (bitcast<u32>(t$f_0) >> 31u);
                        if $m == 1 {
                            word$f &= ~(SUBSETS - 1u) | first_of_group(i32(last$f - (first + at)));
                        }
                        let in$f = word$f & keep$f;
                        let found$f = (g * SUBSETS + in$f) * QUADS;
                        // EACH c: QUADS
                        let some$f_$c = subsets[found$f + $c];
                        // END
                        // EACH k: D
                        part$f_$k += some$f_$k/4[$k%4];
                        // END
                        // END
                    }
                }
                // END
                // EACH f: FOURS
                count$f += select(countOneBits(word$f), 0u, keep$f == 0u);
                if near$f <= margin$f && keep$f != 0u {
                    for (var i = 0u; i < min(TABLED, last$f - min(last$f, first + begun)); i++) {
                        let at = begun + i;
                        var t = from$f;
                        // EACH k: D
                        let x$k = some_keys[at + $k/4 * SUPERTILE][$k%4];
                        // EACH z: PRODUCTS
                        t += x$k * a$f_$k/4[$k%4];
                        // END
                        // EACH z: DISTANCES
                        t += (x$k - a$f_$k/4[$k%4]) * (x$k - a$f_$k/4[$k%4]);
                        // END
                        // END
                        // HOSTILE: let exact = minus(cut$f.threshold, exact_score(here$f, first + at));
                        // HOSTILE: t = moved(exact, margin$f, swing(here$f, first + at, 2u));
                        if abs(t) > 3.01 * margin$f {
                            continue;
                        }
                        let is_in = is_member(here$f, first + at, cut$f.threshold);
                        let was_in = ((word$f >> (TABLED - GROUP - i / GROUP * GROUP + i % GROUP)) & 1u) == 1u;
                        if is_in && !was_in {
                            count$f += 1u;
                            // EACH k: D
                            part$f_$k += i32(x$k);
                            // END
                        } else if was_in && !is_in {
                            count$f -= 1u;
                            // EACH k: D
                            part$f_$k -= i32(x$k);
                            // END
                        }
                    }
                }
                // END
            }
            // EACH f: FOURS
            // EACH k: D
            sum$f_$k = sum_join(sum$f_$k, extend2(part$f_$k));
            // END
            // END
            // Others may still read what comes next into the place of these keys.
            workgroupBarrier();
        }
    }
    // EACH f: FOURS
    if dense$f {
        rows[at$f].count += count$f;
        // EACH k: D
        keep_sum(here$f, $k, sum$f_$k);
        // END
    }
    // END
}
