// The place of a workgroup among all, and the keys that a row sees.

// Workgroups are counted along x, then y, since a dimension holds only 65,535.
fn linear(group: vec3u, groups: vec3u) -> u32 {
    return group.y * groups.x + group.x;
}

// The end of the keys that row i sees.
fn visible(row: u32) -> u32 {
    if RANGED {
        if job.fixed_keys > 0u {
            return job.n;
        }
        let here = min(row, job.n - 1u);
        return here + min(select(job.window, 0u, job.causal == 1u), job.n - 1u - here) + 1u;
    }
    return select(job.n, min(row + 1u, job.n), job.causal == 1u);
}

// The first of them. Its own key lies between them, also where a row does not see that, but for fixed keys: tokens see
// all of them, and they see nothing.
fn first_visible(row: u32) -> u32 {
    if job.fixed_keys > 0u {
        let first = job.n - job.fixed_keys;
        return select(job.n, first, row < first);
    }
    return select(0u, row - min(row, job.window), RANGED);
}

// Whether row i sees a key before the end: in modules for masks that are more than an end.
fn may_see(row: u32, key: u32) -> bool {
    return (key >= first_visible(row)) & ((job.own == 1u) | (key != row));
}

// Which of four rows see a key.
fn which_see(row: vec4u, key: u32) -> vec4<bool> {
    let seen = vec4<bool>(may_see(row.x, key), may_see(row.y, key), may_see(row.z, key), may_see(row.w, key));
    return seen & (vec4u(key) < vec4u(visible(row.x), visible(row.y), visible(row.z), visible(row.w)));
}

// How many keys row i sees.
fn seen_keys(row: u32) -> u32 {
    return visible(row) - first_visible(row) - select(0u, 1u - job.own, RANGED);
}
