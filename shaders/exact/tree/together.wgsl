// Threads of a subgroup, neighbours in the order of keys, that walk together: they go wherever one of
// them wants to. What a thread gets is true wherever it asked for true, and that is all that a search
// rests on: any size of subgroup will do, and any part of it that a driver has in step.

const TOGETHER = true;

fn any_wants(wants: bool) -> bool {
    return subgroupAny(wants);
}

// What the first of them says: of two ways, one that all can take.
fn first_says(says: bool) -> bool {
    return subgroupBroadcastFirst(select(0u, 1u, says)) == 1u;
}
