//! Every byte and every slice of an engine, computed and checked before anything is allocated.

use crate::error::Result;
use crate::gpu::exact::kernels::SUPERTILE;
use crate::gpu::memory::{Line, Memory, exceeds, index_of};
use crate::gpu::table::LANES;
use crate::tokens::Precision;

/// Most bytes of a scratch buffer; rows are taken in slices so that it suffices.
const SCRATCH_BYTES: u64 = 128 << 20;

/// Loop rounds that one invocation may come to in a dispatch, far below the 65,535 where a known
/// driver stops.
const ROUNDS: u64 = 1 << 15;

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
    /// Supertiles that one dispatch may take.
    pub(crate) dispatch_tiles: u32,
}

/// Bytes of a coordinate, a sum and a row's record on the device.
pub(crate) const fn element_bytes(precision: Precision) -> [u64; 3] {
    match precision {
        Precision::F32 => [4, 8, 32],
        Precision::F64 => [8, 16, 48],
    }
}

impl Layout {
    /// The layout for n tokens in R^d; `matrix` says whether A is anything but the identity.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::error::Error::Memory), if a buffer exceeds what the adapter can
    /// allocate or bind.
    pub(crate) fn new(n: usize, d: usize, precision: Precision, matrix: bool, limits: &wgpu::Limits) -> Result<Self> {
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
        let scratch = SCRATCH_BYTES.min(binding);
        let scratch_row = (supertiles * u64::from(SUPERTILE) / 8).max(dim * sum);
        let slice_rows = whole((scratch / scratch_row).max(lanes), lanes).min(window_rows);
        let dispatch_tiles = (ROUNDS / (6 * dim + 4)).max(1) as u32;

        let slice = u64::from(slice_rows).min(rows);
        let mut lines = vec![
            Line::new(("tokens", 0), "tokens", rows * dim * coordinate),
            Line::new(("tokens", 1), "next tokens", rows * dim * coordinate),
            Line::new(("state_filter", 0), "tokens as f32", rows * dim * 4),
            Line::new(("rows", 0), "rows", rows * record),
            Line::new(("maxima", 0), "supertile maxima", slice * supertiles * 4),
            Line::new(("sums", 0), "strip sums", slice * dim * sum),
        ];
        if matrix {
            lines.push(Line::new(("query", 0), "queries", rows * dim * coordinate));
            lines.push(Line::new(("query_filter", 0), "queries as f32", rows * dim * 4));
            lines.push(Line::new(("matrix", 0), "matrix", dim * dim * 8));
        }
        let memory = Memory { n, d, lines, slice_rows, mend };
        memory.check_each(limits, |what| matches!(what, "supertile maxima" | "strip sums" | "matrix"))?;
        Ok(Self { n: count, d: d as u32, memory, window_rows, window_keys, dispatch_tiles })
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
            n in 1usize..3_000_000, d in 1usize..2000, wide in any::<bool>(), log in 27u32..32,
        ) {
            let precision = if wide { Precision::F64 } else { Precision::F32 };
            let limits = limits(1 << log, 1 << 40);
            let layout = Layout::new(n, d, precision, true, &limits).unwrap();
            let [coordinate, sum, record] = element_bytes(precision);
            let row = u64::from(layout.window_rows).min(n as u64);
            prop_assert!(row * record.max(d as u64 * coordinate) <= 1 << log);
            prop_assert!(u64::from(layout.window_keys).min(n as u64) * d as u64 * coordinate <= 1 << log);
            prop_assert!(u64::from(layout.memory.slice_rows).min(n as u64) * d as u64 * sum <= 1 << log);
            prop_assert_eq!(layout.window_rows % 64, 0);
            prop_assert_eq!(layout.window_keys % 64, 0);
            prop_assert!(layout.memory.slice_rows > 0 && layout.memory.slice_rows.is_multiple_of(64));
        }
    }

    /// Too much memory must be refused with both numbers before anything is allocated.
    #[test]
    fn too_large_is_refused_with_both_numbers() {
        let error = Layout::new(1 << 20, 1024, Precision::F32, false, &limits(1 << 27, 1 << 31)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Memory { .. }));
        assert!(text.contains("4294967296") && text.contains("2147483648"), "{text}");
        let layout = Layout::new(1000, 3, Precision::F32, false, &limits(1 << 27, 1 << 31)).unwrap();
        assert!(layout.memory.check_total(layout.memory.total()).is_ok());
        assert!(layout.memory.check_total(layout.memory.total() - 1).is_err());
    }
}
