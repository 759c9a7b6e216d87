// Threads that walk alone, where the device has no subgroups: see exact/tree/together.

const TOGETHER = false;

fn any_wants(wants: bool) -> bool {
    return wants;
}

fn first_says(says: bool) -> bool {
    return says;
}
