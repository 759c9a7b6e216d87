// Where a workgroup stands among all, and which keys a row sees.

// Workgroups are counted along x, then y, since a dimension holds only 65,535.
fn linear(group: vec3u, groups: vec3u) -> u32 {
    return group.y * groups.x + group.x;
}

// The end of the keys that row i sees.
fn visible(row: u32) -> u32 {
    return select(job.n, min(row + 1u, job.n), job.causal == 1u);
}
