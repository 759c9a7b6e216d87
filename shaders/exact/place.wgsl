// needs: dispatch
// Where this thread's coordinate lies in the windows; NOBODY past the end.
fn place(group: vec3u, groups: vec3u, lane: u32) -> u32 {
    let index = linear(group, groups) * LANES + lane;
    let length = (job.row_end - job.row_first) * D;
    return select(NOBODY, (job.row_first - job.row_base) * D + index, index < length);
}
