// The sum of all counts up to and with this one.
fn summed(entry: u32) -> u32 {
    return counts[entry] + blocks[entry / BLOCK];
}
