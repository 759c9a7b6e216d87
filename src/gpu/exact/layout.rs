//! Every byte and every slice of an engine, computed and checked before anything is allocated.

use crate::error::Result;
use crate::gpu::exact::kernels::{SUPERTILE, score_rows};
use crate::gpu::memory::{Line, Memory, exceeds, index_of, scratch_bytes};
use crate::gpu::table::LANES;
use crate::tokens::Precision;

/// The memory and the slices of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Number of tokens.
    pub(crate) n: u32,
    /// Dimension.
    pub(crate) d: u32,
    /// Every buffer.
    pub(crate) memory: Memory,
    /// Rows that one binding reaches.
    pub(crate) window_rows: u32,
    /// Keys that one binding reaches.
    pub(crate) window_keys: u32,
    /// Whether `sums` holds every row, so that all move in one dispatch, or a slice of them.
    pub(crate) moves_at_once: bool,
}

/// Bytes of a coordinate, a sum and a row's record on the device.
pub(crate) const fn element_bytes(precision: Precision) -> [u64; 3] {
    match precision {
        Precision::F32 => [4, 8, 32],
        Precision::F64 => [8, 16, 48],
    }
}

impl Layout {
    /// The layout for n tokens in R^d; `matrix` says whether A is anything but the identity, `card` is
    /// the memory of a card, if it is known.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::error::Error::Memory), if a buffer exceeds what the adapter can
    /// allocate or bind.
    pub(crate) fn new(
        (n, d): (usize, usize),
        precision: Precision,
        matrix: bool,
        limits: &wgpu::Limits,
        card: Option<u64>,
    ) -> Result<Self> {
        let [coordinate, sum, record] = element_bytes(precision);
        let (rows, dim) = (n as u64, d as u64);
        let mend = match precision {
            Precision::F32 => "take fewer tokens, or --engine cpu",
            Precision::F64 => "take fewer tokens, precision f32, or --engine cpu",
        };
        let count = index_of(n, mend)?;
        let binding = limits.max_storage_buffer_binding_size;
        let supertiles = rows.div_ceil(u64::from(SUPERTILE));

        // A window must hold one block of rows or keys; blocks keep its offset a multiple of 256
        // bytes.
        let lanes = u64::from(LANES);
        let widest = (dim * coordinate).max(record);
        let key_block = u64::from(SUPERTILE) * dim * coordinate;
        if key_block.max(lanes * widest) > binding {
            return Err(exceeds("one window of tokens on this adapter", key_block.max(lanes * widest), binding, mend));
        }
        let whole = |fit: u64, block: u64| (fit / block * block).min(rows.next_multiple_of(block)) as u32;
        let window_rows = whole(binding / widest, lanes);
        let window_keys = whole(binding / (dim * coordinate), u64::from(SUPERTILE));
        let mut lines = vec![
            Line::new(("tokens", 0), "tokens", rows * dim * coordinate),
            Line::new(("tokens", 1), "next tokens", rows * dim * coordinate),
            Line::new(("state_filter", 0), "tokens as f32", rows * dim * 4),
            Line::new(("rows", 0), "rows", rows * record),
        ];
        if matrix {
            lines.push(Line::new(("query", 0), "queries", rows * dim * coordinate));
            lines.push(Line::new(("query_filter", 0), "queries as f32", rows * dim * 4));
            lines.push(Line::new(("matrix", 0), "matrix", dim * dim * 8));
        }
        let scratch = scratch_bytes(limits, card, lines.iter().map(|line| line.bytes).sum());
        let moves_at_once = rows * dim * sum <= scratch / 4;
        let fit = scratch / (supertiles * 4).max(if moves_at_once { 0 } else { dim * sum });
        // Whole workgroups of the scores, where a slice holds one.
        let block = u64::from(score_rows(dim)).min((fit / lanes).max(1) * lanes);
        let slice_rows = whole(fit.max(lanes), block).min(window_rows);
        let slice = u64::from(slice_rows).min(rows);
        lines.push(Line::new(("maxima", 0), "supertile maxima", slice * supertiles * 4));
        lines.push(Line::new(("sums", 0), "strip sums", if moves_at_once { rows } else { slice } * dim * sum));
        let memory = Memory { n, d, lines, slice_rows, mend };
        memory.check_each(limits, |what| matches!(what, "supertile maxima" | "strip sums" | "matrix"))?;
        Ok(Self { n: count, d: d as u32, memory, window_rows, window_keys, moves_at_once })
    }

    /// Dispatches of a step, where no part of it is too long for a submission: two that prepare each
    /// window of rows; scores, peaks and strips of each slice over each window of keys; moves.
    #[cfg(test)]
    pub(crate) fn dispatches(&self) -> u32 {
        let windows = self.n.div_ceil(self.window_rows);
        let last = self.n - (windows - 1) * self.window_rows;
        let slices_of = |rows: u32| rows.div_ceil(self.memory.slice_rows);
        let slices = (windows - 1) * slices_of(self.window_rows) + slices_of(last);
        let moves = if self.moves_at_once { windows } else { slices };
        2 * windows + 3 * slices * self.n.div_ceil(self.window_keys) + moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use proptest::prelude::*;

    fn limits(binding: u64, buffer: u64) -> wgpu::Limits {
        wgpu::Limits { max_storage_buffer_binding_size: binding, max_buffer_size: buffer, ..Default::default() }
    }

    proptest! {
        /// A slice or window past the adapter's limits would be refused in the middle of a run.
        #[test]
        fn slices_fit_the_limits(
            n in 1usize..3_000_000, d in 1usize..2000, wide in any::<bool>(), log in 27u32..32, card in any::<bool>(),
        ) {
            let precision = if wide { Precision::F64 } else { Precision::F32 };
            let limits = limits(1 << log, 1 << 40);
            let layout = Layout::new((n, d), precision, true, &limits, card.then_some(80 << 30)).unwrap();
            let [coordinate, sum, record] = element_bytes(precision);
            let row = u64::from(layout.window_rows).min(n as u64);
            prop_assert!(row * record.max(d as u64 * coordinate) <= 1 << log);
            prop_assert!(u64::from(layout.window_keys).min(n as u64) * d as u64 * coordinate <= 1 << log);
            let summed = if layout.moves_at_once { n as u64 } else { u64::from(layout.memory.slice_rows).min(n as u64) };
            prop_assert!(summed * d as u64 * sum <= 1 << log);
            prop_assert_eq!(layout.window_rows % 64, 0);
            prop_assert_eq!(layout.window_keys % 64, 0);
            prop_assert!(layout.memory.slice_rows > 0 && layout.memory.slice_rows.is_multiple_of(64));
        }
    }

    /// Too much memory must be refused with both numbers before anything is allocated.
    #[test]
    fn too_large_is_refused_with_both_numbers() {
        let error = Layout::new((1 << 20, 1024), Precision::F32, false, &limits(1 << 27, 1 << 31), None).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Memory { .. }));
        assert!(text.contains("4294967296") && text.contains("2147483648"), "{text}");
        let layout = Layout::new((1000, 3), Precision::F32, false, &limits(1 << 27, 1 << 31), None).unwrap();
        assert!(layout.memory.check_total(layout.memory.total()).is_ok());
        assert!(layout.memory.check_total(layout.memory.total() - 1).is_err());
    }

    /// At a million tokens a step was once 23,450 dispatches in R^3 and 1.5 million in R^256: a card
    /// waited for the host, which takes some 10 microseconds for each.
    #[test]
    fn large_clouds_take_few_dispatches() {
        // What a card of 24 GiB or more binds and allocates, and the bindings that every WebGPU adapter has.
        let (card, least) = (limits((1 << 31) - 1, (1 << 32) - 1), limits(1 << 27, 1 << 31));
        let count =
            |n, d, limits, memory| Layout::new((n, d), Precision::F32, false, limits, memory).unwrap().dispatches();
        for (n, d, most) in [(10_000, 3, 6), (100_000, 256, 10), (1_000_000, 3, 100), (1_000_000, 256, 1000)] {
            let dispatches = count(n, d, &card, Some(24 << 30));
            assert!(dispatches <= most, "{dispatches} at n = {n}, d = {d}");
        }
        for n in [10_000, 100_000, 1_000_000] {
            let of = |limits, memory| [3, 64, 256].map(|d| count(n, d, limits, memory));
            println!(
                "n = {n}, d = 3, 64, 256: {:?}; at the least limits {:?}",
                of(&card, Some(24 << 30)),
                of(&least, None)
            );
        }
    }
}
