// needs: exact/cut
// HOSTILE needs: exact/hostile
// The keys in the strip of one row. One workgroup a row, its threads over the keys.

@group(1) @binding(0) var<storage, read> key_filter: array<vec4f>;
@group(1) @binding(2) var<storage, read> query_filter: array<vec4f>;

fn filter_score(row: u32, key: u32) -> f32 {
    let q = (row - job.row_base) * QUADS;
    let x = (key - job.key_base) * QUADS;
    var s = 0.0;
    for (var c = 0u; c < QUADS; c++) {
        if DISTANCE {
            let between = query_filter[q + c] - key_filter[x + c];
            s -= dot(between, between);
        } else {
            s += dot(query_filter[q + c], key_filter[x + c]);
        }
    }
    // HOSTILE: s = moved(exact_score(row, key), rows[row - job.row_base].error, swing(row, key, 1u));
    return s;
}

// Threads of a workgroup.
const ROW_LANES = 32u;

// The blocks that a row must look into, a batch of them at a time, and then a batch of their
// supertiles.
const BATCH = 8u * ROW_LANES;

var<workgroup> listed_blocks: array<u32, BATCH>;
var<workgroup> listed: array<u32, BATCH>;
var<workgroup> listed_count: atomic<u32>;

fn block_count() -> u32 {
    return (job.tile_end - job.tile_first + job.tiles - 1u) / job.tiles;
}

fn start_list(lane: u32) {
    workgroupBarrier();
    if lane == 0u {
        atomicStore(&listed_count, 0u);
    }
    workgroupBarrier();
}

// Lists the blocks from `first` on whose largest filter score reaches `cutoff`, in any order, and
// returns how many there are. Every thread of the workgroup must come here.
fn list_blocks(row: u32, first: u32, cutoff: f32, lane: u32) -> u32 {
    start_list(lane);
    for (var block = first + lane; block < min(first + BATCH, block_count()); block += ROW_LANES) {
        if maxima[maximum_of_block(row, block)] >= cutoff {
            listed_blocks[atomicAdd(&listed_count, 1u)] = block;
        }
    }
    // Between two barriers of its own, and one value for all as compilers see it, who otherwise
    // refuse the barriers of the loops over these blocks.
    return workgroupUniformLoad(&listed_count);
}

// Blocks whose supertiles are listed together.
fn batch_blocks() -> u32 {
    return BATCH / job.tiles;
}

// Lists the supertiles of the listed blocks from `first` to `end`, batch_blocks() at most, that
// reach `cutoff`, and returns how many keys they hold. Every thread of the workgroup must come here.
fn list_keys(row: u32, first: u32, end: u32, cutoff: f32, lane: u32) -> u32 {
    start_list(lane);
    let tiles = (min(first + batch_blocks(), end) - first) * job.tiles;
    for (var i = lane; i < tiles; i += ROW_LANES) {
        let tile = job.tile_first + listed_blocks[first + i / job.tiles] * job.tiles + i % job.tiles;
        if tile < job.tile_end && supertile_most(row, tile) >= cutoff {
            listed[atomicAdd(&listed_count, 1u)] = tile;
        }
    }
    return workgroupUniformLoad(&listed_count) * SUPERTILE;
}

fn listed_key(index: u32) -> u32 {
    return listed[index / SUPERTILE] * SUPERTILE + index % SUPERTILE;
}

// 0 out, 1 in, 2 out after an exact comparison, 3 in after one.
fn verdict(cut: Cut, row: u32, key: u32) -> u32 {
    if job.width_kind == ARGMAX {
        return select(0u, 1u, key == rows[row - job.row_base].argmax);
    }
    let s = filter_score(row, key);
    if s < cut.low {
        return 0u;
    }
    if s >= cut.high {
        return 1u;
    }
    return select(3u, 2u, less(exact_score(row, key), cut.threshold));
}
