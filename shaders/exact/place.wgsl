// needs: dispatch
// The place of this thread's coordinate in the windows; NOBODY past the end.
fn place(group: vec3u, groups: vec3u, lane: u32) -> u32 {
    let index = linear(group, groups) * LANES + lane;
    let length = (job.row_end - job.row_first) * D;
    return select(NOBODY, (job.row_first - job.row_base) * D + index, index < length);
}

// The place of a coordinate among the floats for filters: vectors of four, the last filled up with zeros,
// which buffers begin with.
fn filter_place(at: u32) -> u32 {
    return at / D * (4u * QUADS) + at % D;
}
