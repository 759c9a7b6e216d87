// needs: exact/tree/search, exact/tree/sought
// A search of one part of the keys, after others. The row is a key of any part. It begins with the best
// key of the parts before as its champion: scores are measured from there, so that it scores 0.

@group(1) @binding(5) var<storage, read_write> sought: array<Sought>;

// A champion of a part before.
const ELSEWHERE = NOBODY - 1u;

var<private> record: u32;

fn measure_from(key: u32) {
    for (var k = 0u; k < dims(); k++) {
        origin[k] = row_state[key * D + k];
        origin_real[k] = coordinate_real(origin[k]);
        sought[record].origin[k] = origin[k];
    }
}

fn exact_score(key: u32) -> Score {
    redone += 1u;
    var dot = Dot();
    for (var k = 0u; k < job.dims; k++) {
        dot_add(&dot, query[row * D + k], apart(row_state[key * D + k], sought[record].origin[k]));
    }
    return dot_total(&dot);
}

fn champion_token() -> u32 {
    if champion == ELSEWHERE {
        return sought[record].champion;
    }
    return marks[champion].y;
}

// Goes on with a row.
fn go_on() {
    record = record_of(row);
    horizon = sought[record].horizon;
    read_query();
    for (var k = 0u; k < dims(); k++) {
        origin[k] = sought[record].origin[k];
        origin_real[k] = coordinate_real(origin[k]);
    }
    champion = NOBODY;
    at_least = LOWEST;
    if sought[record].champion != NOBODY {
        champion = ELSEWHERE;
        at_least = 0.0;
        at_most = 0.0;
        best = Score();
        best_known = true;
    }
}
