// needs: integers
// The worst filter that the bounds allow, for tests: see `HOSTILE` in src/gpu/parts.rs.

// Between -1 and 1, at either end for half of all arguments.
fn swing(row: u32, key: u32, salt: u32) -> f32 {
    var hash = (row * 0x9e3779b1u) ^ (key * 0x85ebca6bu) ^ (salt * 0xc2b2ae35u);
    hash = (hash ^ (hash >> 15u)) * 0x2c1b3c6du;
    hash = (hash ^ (hash >> 12u)) * 0x297a2d39u;
    hash ^= hash >> 15u;
    let part = f32(hash >> 16u) / 32767.5 - 1.0;
    return select(part, sign(part), (hash & 1u) == 1u);
}

// A score moved by a share of a bound, less what its own way to f32 may have moved it on a device that
// rounds to nearest.
fn moved(score: Score, error: f32, swing: f32) -> f32 {
    let real = score_real(score);
    return real + HOSTILE_SHARE * swing * (error - 0.5 * (SCORE_ROUNDINGS + 1.0) * ROUNDING * abs(real));
}
