// needs: integers
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
