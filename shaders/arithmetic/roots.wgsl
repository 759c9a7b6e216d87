// needs: integers
// Roots and shifts of scores.

// isqrt of value ≥ 0, digit by digit.
fn isqrt(value: Score) -> Score {
    var rest = value;
    var bit = CLAMP;
    var root = Score();
    for (var i = 0u; i <= CLAMP_BITS / 2u; i++) {
        let trial = plus(root, bit);
        root = half(root);
        if !less(rest, trial) {
            rest = minus(rest, trial);
            root = plus(root, bit);
        }
        bit = quarter(bit);
    }
    return root;
}

// value ≫ exponent of value ≥ 0; a negative exponent goes left, clamped to 2^L.
fn shifted(value: Score, exponent: i32) -> Score {
    var v = value;
    for (var i = 0; i < min(abs(exponent), 128); i++) {
        if exponent > 0 {
            v = half(v);
        } else if less(v, half(CLAMP)) {
            v = plus(v, v);
        } else {
            return CLAMP;
        }
    }
    return v;
}
