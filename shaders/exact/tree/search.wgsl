// needs: dispatch, exact/tree/boxes, walk
// HOSTILE needs: exact/hostile
// A row's maximum and strip among the keys of a tree. One thread a row, no stack, no workgroup
// memory. Threads of a subgroup walk together where the device has them (`walk`): a row may then pass
// nodes that only others want, in which it counts, takes and tests nothing.
//
// Scores are measured from an origin o, a key: s = Q·(X − o) is exact in integers as it stands, and
// floats err in proportion to the distance from there, so that they tell keys apart in the tightest
// cluster. With r = 2^-23 (a rounding in any direction) and c the roundings of a conversion, each
// term of Σ q_k (x_k − o_k) meets at most d + 1 + 2c of them, the half-widths c, values made of
// both three more:
//   KAPPA = 1.01·(d + 8 + 3c)·r,
//   |s̃ − s| ≤ e = KAPPA·Σ|q_k|(|c_k − o_k| + h_k) for a key in the box (c, h),
// and with h + KAPPA·(h + |c − o|) in place of h a computed bound q·(c − o) ± |q|·h is a bound.
//
// `row_state`, `marks`, `boxes` and `wholes` are those of the keys that are searched, all or a part;
// see `exact/tree/whole` and `exact/tree/part`, which also have where scores are measured from. The
// kernel says what to do with a box of the strip, a key, and the keys of a leaf: `take_box`, `take_key`,
// `start_leaf`, `take_of_leaf`, `end_leaf`.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read> query: array<Coordinate>;
@group(1) @binding(2) var<storage, read> marks: array<vec2u>;
@group(1) @binding(3) var<storage, read> boxes: array<vec4u>;
@group(1) @binding(4) var<storage, read> wholes: array<Whole>;

const KAPPA = 1.01 * (f32(D) + 8.0 + 3.0 * COORDINATE_ROUNDINGS) * ROUNDING;

var<private> row: u32;
// The last token that the row sees.
var<private> horizon: u32;
var<private> query_real: array<f32, D>;
var<private> origin: array<Coordinate, D>;
var<private> origin_real: array<f32, D>;
// The coordinates of the key in hand.
var<private> in_hand: array<Coordinate, D>;
// All scores are 0.
var<private> idle: bool;

// The best key so far, its score between two floats, and exactly once that was needed.
var<private> champion: u32;
var<private> at_least: f32;
var<private> at_most: f32;
var<private> best: Score;
var<private> best_known: bool;

var<private> keys_seen: u32;
var<private> boxes_seen: u32;
var<private> redone: u32;

// The bound of loops that are worth unrolling, while they are short: drivers take minutes over some
// long ones.
fn dims() -> u32 {
    return select(job.dims, D, D <= 8u);
}

// Whether some key below a node is seen; whether all are.
fn sees(node: u32) -> bool {
    return occupied(node) && (job.causal == 0u || wholes[node].first <= horizon);
}

fn sees_all(node: u32) -> bool {
    return job.causal == 0u || wholes[node].last <= horizon;
}

fn sees_key(key: u32) -> bool {
    return job.causal == 0u || marks[key].y <= horizon;
}

// The middle and the reach of the scores in a box.
fn bound(node: u32) -> vec2f {
    boxes_seen += 1u;
    var at = 0.0;
    var reach = 0.0;
    // HOSTILE: var dot = Dot();
    // HOSTILE: var room = 0.0;
    for (var k = 0u; k < dims(); k++) {
        let four = boxes[node * BOX_FOURS + k / BOXED];
        let centre = centre_from(four, k, origin[k], origin_real[k]);
        let half = half_of(four, k);
        at += query_real[k] * centre;
        reach += abs(query_real[k]) * (half + KAPPA * (half + abs(centre)));
        // HOSTILE: dot_add(&dot, query[row * D + k], apart(centre_of(four, k), origin[k]));
        // HOSTILE: room += abs(query_real[k]) * (0.4 * half + 0.9 * abs(centre));
    }
    // HOSTILE: at = moved(dot_total(&dot), KAPPA * room, swing(row, node, boxes_seen));
    return vec2f(at, reach);
}

fn upper(node: u32) -> f32 {
    let b = bound(node);
    return b.x + b.y;
}

// e.
fn error_in(node: u32) -> f32 {
    var error = 0.0;
    for (var k = 0u; k < dims(); k++) {
        let four = boxes[node * BOX_FOURS + k / BOXED];
        error += abs(query_real[k]) * (abs(centre_from(four, k, origin[k], origin_real[k])) + half_of(four, k));
    }
    return KAPPA * error;
}

fn filter_score(key: u32) -> f32 {
    keys_seen += 1u;
    var s = 0.0;
    for (var k = 0u; k < dims(); k++) {
        s += query_real[k] * coordinate_real(apart(row_state[key * D + k], origin[k]));
    }
    return s;
}

fn start_from(key: u32) {
    measure_from(key);
    champion = key;
    at_least = 0.0;
    at_most = 0.0;
    best = Score();
    best_known = true;
}

// The first key from one on that is seen: there is one in a leaf that is.
fn first_seen(key: u32) -> u32 {
    var first = key;
    while first + 1u < job.n && !sees_key(first) {
        first += 1u;
    }
    return first;
}

fn see_leaf(node: u32) {
    let error = error_in(node);
    let first = (node - job.first_leaf) * LEAF;
    for (var key = first; key < min(first + LEAF, job.n); key++) {
        var s = filter_score(key);
        // HOSTILE: s = moved(exact_score(key), 0.9 * error, swing(row, key, 1u));
        if s + error < at_least || key == champion || !sees_key(key) {
            continue;
        }
        if s - error > at_most {
            champion = key;
            at_least = s - error;
            at_most = s + error;
            best_known = false;
            continue;
        }
        if !best_known {
            best = exact_score(champion);
            best_known = true;
        }
        let exact = exact_score(key);
        if less(best, exact) || (!less(exact, best) && marks[key].y < champion_token()) {
            champion = key;
            best = exact;
        }
        let real = score_real(best);
        var slack = (SCORE_ROUNDINGS + 2.0) * ROUNDING * abs(real);
        // HOSTILE: slack *= 0.6;
        at_least = real - slack;
        at_most = real + slack;
    }
}

// The key of the maximum, the one with the least token if several attain it. Depth first, the
// better half first; `trail` holds a bit a level, set where the other half is still to be looked
// at. If there is no champion yet, scores are measured from a key in the first leaf that is reached.
fn find_champion() {
    var node = 1u;
    var trail = 0u;
    var wants = true;
    loop {
        var open = false;
        if node >= job.first_leaf {
            if wants {
                if champion == NOBODY {
                    start_from(first_seen((node - job.first_leaf) * LEAF));
                }
                see_leaf(node);
            }
        } else {
            var left = LOWEST;
            if wants && sees(2u * node) {
                left = upper(2u * node);
            }
            var right = LOWEST;
            if wants && sees(2u * node + 1u) {
                right = upper(2u * node + 1u);
            }
            let wants_left = left > LOWEST && left >= at_least;
            let wants_right = right > LOWEST && right >= at_least;
            let go_left = any_wants(wants_left);
            let go_right = any_wants(wants_right);
            open = go_left || go_right;
            if open {
                let to_right = go_right && (!go_left || first_says(right > left));
                trail = (trail << 1u) | select(0u, 1u, go_left && go_right);
                node = 2u * node + select(0u, 1u, to_right);
                wants = select(wants_left, wants_right, to_right);
            }
        }
        while !open && trail != 0u {
            let up = firstTrailingBit(trail);
            node = (node >> up) ^ 1u;
            trail = (trail >> up) ^ 1u;
            wants = (!TOGETHER || sees(node)) && upper(node) >= at_least;
            open = any_wants(wants);
        }
        if !open {
            break;
        }
    }
}

// The strip: what scores at least −D from the champion, which scores are measured from. A box wholly outside is dropped, one wholly
// inside taken whole.
fn find_strip(width: Score) {
    let threshold = minus(Score(), width);
    let real = score_real(threshold);
    var slack = (SCORE_ROUNDINGS + 2.0) * ROUNDING * abs(real);
    // HOSTILE: slack *= 0.6;
    let low = real - slack;
    let high = real + slack;
    var node = 1u;
    // The depth of a box that the row is done with, while others may look into it; else NOBODY.
    var done = NOBODY;
    loop {
        let depth = firstLeadingBit(node);
        if depth <= done {
            done = NOBODY;
        }
        var wants = false;
        if done == NOBODY {
            done = depth;
            if sees(node) {
                let b = bound(node);
                if b.x + b.y >= low {
                    if b.x - b.y >= high && sees_all(node) {
                        take_box(node);
                    } else {
                        wants = true;
                        done = NOBODY;
                    }
                }
            }
        }
        if any_wants(wants) {
            if node < job.first_leaf {
                node *= 2u;
                continue;
            }
            if wants {
                see_strip(node, threshold, low, high);
            }
        }
        node += 1u;
        node >>= firstTrailingBit(node);
        if node == 1u {
            break;
        }
    }
}

fn see_strip(node: u32, threshold: Score, low: f32, high: f32) {
    let error = error_in(node);
    let first = (node - job.first_leaf) * LEAF;
    let end = min(first + LEAF, job.n);
    let is_single = wholes[node].weight == end - first;
    start_leaf();
    for (var key = first; key < end; key++) {
        keys_seen += 1u;
        var s = 0.0;
        for (var k = 0u; k < dims(); k++) {
            in_hand[k] = row_state[key * D + k];
            s += query_real[k] * coordinate_real(apart(in_hand[k], origin[k]));
        }
        // HOSTILE: s = moved(exact_score(key), 0.9 * error, swing(row, key, 2u));
        if s + error >= low && sees_key(key) && (s - error >= high || !less(exact_score(key), threshold)) {
            take_of_leaf(key, is_single);
        }
    }
    end_leaf();
}

// Reads a row's query.
fn read_query() {
    idle = true;
    for (var k = 0u; k < dims(); k++) {
        query_real[k] = coordinate_real(query[row * D + k]);
        idle = idle && query_real[k] == 0.0;
    }
}
