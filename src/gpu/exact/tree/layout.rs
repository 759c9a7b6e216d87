//! The memory of a search.

use crate::error::Result;
use crate::gpu::exact::kernels::{BLOCK, RADIX, RUN};
use crate::gpu::exact::layout::element_bytes;
use crate::gpu::memory::{Line, Memory, Name, index_of, largest_binding};
use crate::gpu::table::LANES;
use crate::space::LEAF;
use crate::tokens::Precision;

/// Bytes from one part's words in `sorted` to the next: the largest alignment that WebGPU asks for.
pub(super) const SORTED_BYTES: u64 = 256;

/// Most bytes of `sought`.
const SOUGHT_BYTES: u64 = 128 << 20;

/// The buffers that only a matrix needs.
const OF_QUERIES: [&str; 3] = ["query", "query_filter", "matrix"];

/// The memory and the parts of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Every buffer, with those of queries.
    memory: Memory,
    /// Tokens of a part, whose keys one binding reaches.
    pub(super) part: u32,
}

/// The memory for n tokens in R^d; `matrix` is whether A is anything but the identity.
///
/// # Errors
/// As [`Layout::new`].
pub(crate) fn memory(n: usize, d: usize, precision: Precision, matrix: bool, limits: &wgpu::Limits) -> Result<Memory> {
    Ok(Layout::new((n, d), precision, limits)?.memory(matrix))
}

impl Layout {
    /// The layout for n tokens in R^d, in as few parts as the adapter's bindings allow.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::error::Error::Memory), if the adapter cannot bind the least part.
    pub(super) fn new((n, d): (usize, usize), precision: Precision, limits: &wgpu::Limits) -> Result<Self> {
        let mend = "take --plan brute, fewer tokens or --engine cpu";
        let count = index_of(n, mend)?;
        let binding = largest_binding(limits);
        let of = |part: u32| {
            let (lines, slice_rows) = lines((count, part), d as u64, precision, binding);
            Self { memory: Memory { n, d, lines, slice_rows, mend }, part }
        };
        let whole = of(count);
        if whole.memory.check_each(limits).is_ok() {
            return Ok(whole);
        }
        // A window of whole workgroups begins at a multiple of 256 bytes, whatever its lines.
        let fits = |blocks: u32| of(blocks * LANES).memory.check_each(limits).is_ok();
        let (mut most, mut refused) = (1, count.div_ceil(LANES));
        while refused - most > 1 {
            let middle = most.midpoint(refused);
            *(if fits(middle) { &mut most } else { &mut refused }) = middle;
        }
        let parts = count.div_ceil(LANES).div_ceil(most);
        let layout = of(count.div_ceil(LANES).div_ceil(parts) * LANES);
        layout.memory.check_each(limits)?;
        Ok(layout)
    }

    /// The memory; `matrix` is whether A is anything but the identity.
    pub(super) fn memory(&self, matrix: bool) -> Memory {
        let is_needed = |line: &&Line| matrix || line.name.is_none_or(|(name, _)| !OF_QUERIES.contains(&name));
        Memory { lines: self.memory.lines.iter().filter(is_needed).copied().collect(), ..self.memory.clone() }
    }

    /// Rows that are searched for at the same time.
    pub(super) fn slice_rows(&self) -> u32 {
        self.memory.slice_rows
    }

    /// The line of a buffer.
    pub(super) fn line(&self, name: Name) -> Option<&Line> {
        self.memory.lines.iter().find(|line| line.name == Some(name))
    }
}

/// The buffers of n tokens in parts of so many, and the rows that are sought at the same time.
fn lines((n, part): (u32, u32), dim: u64, precision: Precision, binding: u64) -> (Vec<Line>, u32) {
    let [coordinate, sum, _] = element_bytes(precision);
    let (rows, keys, parts) = (u64::from(n), u64::from(part), u64::from(n.div_ceil(part.max(1))));
    // As many in a small part as begin the next one's at a multiple of 256 bytes.
    let least = if parts > 1 { u64::from(LANES) } else { 0 };
    let nodes = (2 * keys.div_ceil(LEAF as u64).next_power_of_two()).max(least);
    let counts = (u64::from(RADIX) * keys.div_ceil(u64::from(RUN))).max(keys);
    // A line a token or node, those of a part at a time.
    let of_rows = |name, what, bytes: u64| Line::new(name, what, rows * bytes).in_windows(keys * bytes);
    let of_nodes = |name, what, bytes: u64| Line::new(name, what, parts * nodes * bytes).in_windows(nodes * bytes);
    let mut lines = vec![
        of_rows(("tokens", 0), "keys", dim * coordinate),
        of_rows(("tokens", 1), "next keys", dim * coordinate),
        of_rows(("marks", 0), "weights", 8),
        of_rows(("marks", 1), "next weights", 8),
        of_rows(("owner", 0), "keys of tokens", 4),
        of_rows(("found", 0), "strips", 12),
        // Vectors of two coordinates, or of one.
        of_nodes(("boxes", 0), "boxes", dim.div_ceil(8 / coordinate) * 16),
        // Sums, then three words.
        of_nodes(("wholes", 0), "sums of boxes", (dim * sum + 12).next_multiple_of(sum)),
        Line::new(("sorted", 0), "number of keys", parts * SORTED_BYTES).in_windows(SORTED_BYTES),
        // For one part after the other.
        Line::new(("order", 0), "order", keys * 4),
        Line::new(("order", 1), "next order", keys * 4),
        Line::new(("moved", 0), "moves of keys", keys * 4),
        Line::new(("counts", 0), "counts of digits", counts * 4),
        Line::new(("blocks", 0), "sums of blocks", counts.div_ceil(u64::from(BLOCK)) * 4),
        Line::new(("bounds", 0), "bounds of nodes", nodes * 2 * dim * coordinate),
        Line::new(("coding", 0), "axes of codes", (dim + 2) * 4),
        Line::new(("lowest", 0), "least coordinates", dim * coordinate),
        of_rows(("query", 0), "queries", dim * coordinate),
        Line::new(("query_filter", 0), "queries as f32", keys * dim * 4),
        Line::new(("matrix", 0), "matrix", dim * dim * 8),
    ];
    let mut slice = keys;
    if parts > 1 {
        // Sums and a place, a score and three words.
        let record = (dim * (sum + coordinate) + sum + 12).next_multiple_of(sum);
        let block = u64::from(LANES);
        slice = (SOUGHT_BYTES.min(binding) / record / block * block).clamp(block, keys);
        lines.push(Line::new(("sought", 0), "searches through parts", slice * record));
    }
    (lines, slice as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(binding: u64, buffer: u64) -> wgpu::Limits {
        wgpu::Limits { max_storage_buffer_binding_size: binding, max_buffer_size: buffer, ..Default::default() }
    }

    /// A tree once ended where one binding did, on a card of any size.
    #[test]
    fn trees_fill_a_card() {
        let most = (1 << 31) - 1;
        let of = |n, limits: &wgpu::Limits| Layout::new((n, 3), Precision::F32, limits).unwrap();
        let card = limits(most, most);
        for (n, parts, memory) in [(170_000_000, 1, 16 << 30), (180_000_000, 2, 16 << 30), (1_000_000_000, 6, 64 << 30)]
        {
            let layout = of(n, &card);
            assert_eq!(n.div_ceil(layout.part as usize), parts, "n = {n}");
            assert!(layout.memory(false).check_total(memory).is_ok(), "{}", layout.memory);
        }
        // The least that WebGPU grants.
        assert!(of(1_000_000_000, &limits(128 << 20, 256 << 20)).part > 10_000_000);
    }

    /// A part that begins between two windows would read its neighbour's keys.
    #[test]
    fn parts_begin_where_windows_may() {
        for (n, d, precision, binding) in [
            (1_000_003, 3, Precision::F32, 1 << 20),
            (70_001, 64, Precision::F64, 1 << 20),
            (5000, 1, Precision::F32, 15_000),
            (3_000_000, 2, Precision::F64, 1 << 22),
        ] {
            let limits = limits(binding, binding + binding / 2);
            let layout = Layout::new((n, d), precision, &limits).unwrap();
            assert!(layout.part < n as u32);
            for line in &layout.memory.lines {
                assert!(line.window <= binding, "{line:?}");
                assert!(line.window == line.bytes || line.window.is_multiple_of(256), "{line:?}");
            }
        }
    }

    /// Whoever is refused must be told of what holds more.
    #[test]
    fn the_least_part_may_be_too_much() {
        let refused = Layout::new((1000, 64), Precision::F64, &limits(1 << 14, 1 << 15)).unwrap_err().to_string();
        assert!(refused.contains("take --plan brute") && refused.contains("16384"), "{refused}");
    }
}
