// needs: dispatch, exact/tree/boxes
// Boxes and sums of keys that moved, fitted in integers. One thread a coordinate of a node.

@group(1) @binding(0) var<storage, read> row_state: array<Coordinate>;
@group(1) @binding(1) var<storage, read> marks: array<vec2u>; // of each key: its weight, the least token in it
@group(1) @binding(2) var<storage, read_write> bounds: array<Coordinate>; // [node][low.., high..]
@group(1) @binding(3) var<storage, read_write> boxes: array<u32>; // as vectors, see exact/tree/boxes
@group(1) @binding(4) var<storage, read_write> wholes: array<Whole>;

fn keep(node: u32, k: u32, low: Coordinate, high: Coordinate, sum: Sum, weight: u32, first: u32, last: u32) {
    bounds[node * 2u * D + k] = low;
    bounds[node * 2u * D + D + k] = high;
    let centre = middle(low, high);
    let words = boxed(centre, coordinate_real(apart(high, centre))); // the larger half
    for (var w = 0u; w < 4u / BOXED; w++) {
        boxes[node * 4u * BOX_FOURS + k * (4u / BOXED) + w] = words[w];
    }
    wholes[node].sum[k] = sum;
    if k == 0u {
        wholes[node].weight = weight;
        wholes[node].first = first;
        wholes[node].last = last;
    }
}
