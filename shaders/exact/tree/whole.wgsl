// needs: exact/tree/search, exact/width
// A search of all keys at once, of which the row is one: scores are measured from a key.

var<private> origin_key: u32;

fn measure_from(key: u32) {
    origin_key = key;
    for (var k = 0u; k < dims(); k++) {
        origin[k] = row_state[key * D + k];
        origin_real[k] = coordinate_real(origin[k]);
    }
}

fn exact_score(key: u32) -> Score {
    redone += 1u;
    var dot = Dot();
    for (var k = 0u; k < job.dims; k++) {
        dot_add(&dot, query[row * D + k], apart(row_state[key * D + k], row_state[origin_key * D + k]));
    }
    return dot_total(&dot);
}

fn champion_token() -> u32 {
    return marks[champion].y;
}

// Everything of a row, in this order: champion, then strip. `likely` is a key that may be near the
// champion, or nobody.
fn search(likely: u32) {
    horizon = marks[row].y;
    read_query();
    champion = job.first_key;
    if !idle {
        champion = NOBODY;
        if likely == NOBODY {
            measure_from(row);
            at_least = LOWEST;
        } else {
            start_from(likely);
        }
        find_champion();
    }
    if job.width_kind == ARGMAX {
        take_key(champion);
    } else {
        measure_from(champion);
        find_strip(width_of(row));
    }
}
