// needs: dispatch, integers
// The sum of a row between dispatches over parts of the keys.

@group(1) @binding(7) var<storage, read_write> sums: array<Sum>;

fn keep_sum(row: u32, k: u32, sum: Sum) {
    let at = (row - job.sums_first) * D + k;
    if job.begins == 1u {
        sums[at] = sum;
    } else {
        sums[at] = sum_join(sums[at], sum);
    }
}
