//! The memory of a search.

use crate::error::Result;
use crate::gpu::exact::kernels::{BLOCK, RADIX, RUN};
use crate::gpu::exact::layout::element_bytes;
use crate::gpu::memory::{Line, Memory, index_of};
use crate::space::LEAF;
use crate::tokens::Precision;

/// The memory for n tokens in R^d; `matrix` is whether A is anything but the identity.
///
/// # Errors
/// [`Error::Memory`](crate::error::Error::Memory), if a buffer exceeds what the adapter can bind.
pub(crate) fn memory(n: usize, d: usize, precision: Precision, matrix: bool, limits: &wgpu::Limits) -> Result<Memory> {
    let mend = "take --plan brute, fewer tokens or --engine cpu";
    let [coordinate, sum, _] = element_bytes(precision);
    let (rows, dim) = (n as u64, d as u64);
    let slice_rows = index_of(n, mend)?;
    let nodes = 2 * rows.div_ceil(LEAF as u64).next_power_of_two();
    let counts = (u64::from(RADIX) * rows.div_ceil(u64::from(RUN))).max(rows);
    let index = rows * 4;
    let mut lines = vec![
        Line::new(("tokens", 0), "keys", rows * dim * coordinate),
        Line::new(("tokens", 1), "next keys", rows * dim * coordinate),
        Line::new(("marks", 0), "weights", rows * 8),
        Line::new(("marks", 1), "next weights", rows * 8),
        Line::new(("order", 0), "order", index),
        Line::new(("order", 1), "next order", index),
        Line::new(("owner", 0), "keys of tokens", index),
        Line::new(("moved", 0), "moves of keys", index),
        Line::new(("counts", 0), "counts of digits", counts * 4),
        Line::new(("blocks", 0), "sums of blocks", counts.div_ceil(u64::from(BLOCK)) * 4),
        Line::new(("sorted", 0), "number of keys", 8),
        Line::new(("coding", 0), "axes of codes", (dim + 2) * 4),
        Line::new(("lowest", 0), "least coordinates", dim * coordinate),
        Line::new(("bounds", 0), "bounds of nodes", nodes * 2 * dim * coordinate),
        Line::new(("boxes", 0), "boxes", nodes * (dim * (coordinate + 4)).next_multiple_of(coordinate)),
        // Sums, then three words.
        Line::new(("wholes", 0), "sums of boxes", nodes * (dim * sum + 12).next_multiple_of(sum)),
        Line::new(("found", 0), "strips", rows * 12),
    ];
    if matrix {
        lines.push(Line::new(("query", 0), "queries", rows * dim * coordinate));
        lines.push(Line::new(("query_filter", 0), "queries as f32", rows * dim * 4));
        lines.push(Line::new(("matrix", 0), "matrix", dim * dim * 8));
    }
    let memory = Memory { n, d, lines, slice_rows, mend };
    memory.check_each(limits)?;
    Ok(memory)
}
