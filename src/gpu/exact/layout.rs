//! Every byte and every slice of an engine, computed and checked before anything is allocated.

use crate::error::Result;
use crate::gpu::exact::kernels::{STRIPS_DENSE, limbs, quads, score_rows};
use crate::gpu::memory::{Line, Memory, exceeds, index_of, largest_binding, scratch_bytes};
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
    /// Rows or keys that one binding reaches.
    pub(crate) window: u32,
    /// Supertiles of a block, which a workgroup of the scores takes.
    pub(crate) tiles: u32,
    /// Whether `sums` holds every row, so that all move in one dispatch, or a slice of them.
    pub(crate) moves_at_once: bool,
    /// Whether wide strips have a kernel of their own.
    pub(crate) has_dense: bool,
    /// Whether keys may have an order that is not the tokens'.
    pub(crate) has_order: bool,
    /// What the steps take.
    pub(crate) uses: Uses,
}

/// What steps take beside the tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uses {
    /// Whether A is anything but the identity.
    pub(crate) matrix: bool,
    /// Whether supertiles are ruled out by scores of limbs.
    pub(crate) limbs: bool,
}

/// Bytes of a coordinate, a sum and a row's record on the device.
pub(crate) const fn element_bytes(precision: Precision) -> [u64; 3] {
    match precision {
        Precision::F32 => [4, 8, 40],
        Precision::F64 => [8, 16, 64],
    }
}

/// Bytes of a token's floats for filters.
pub(crate) fn filter_bytes(d: u64) -> u64 {
    u64::from(quads(d)) * 16
}

/// Bytes of a token's limbs.
pub(crate) fn limb_bytes(d: u64) -> u64 {
    u64::from(limbs(d)) * 2
}

/// Bytes of a supertile's box and sum.
fn supertile_bytes(d: u64) -> u64 {
    u64::from(quads(d)) * 64
}

/// The most tokens of which keys have an order of their own: what every WebGPU adapter binds, so that devices which
/// share a step have the same.
const MOST_ORDERED: u64 = 1 << 25;

/// Workgroups of the scores that a step should have at least, so that all of a card works.
const WORKGROUPS: u64 = 2048;
/// Most supertiles of a block.
const MOST_TILES: u32 = 32;

/// Supertiles of a block: as many as leave a step its workgroups of so many rows.
fn tiles_of(rows: u64, workgroup: u64) -> u64 {
    let enough = |tiles: &u32| rows.div_ceil(workgroup) * rows.div_ceil(u64::from(LANES) << tiles) >= WORKGROUPS;
    1 << (1..=MOST_TILES.ilog2()).rev().find(enough).unwrap_or(0)
}

/// Bytes of a row's maxima over some keys: of their supertiles, then of their blocks.
fn maxima_bytes(keys: u64, tiles: u64) -> u64 {
    let supertiles = keys.div_ceil(LANES.into());
    (supertiles + supertiles.div_ceil(tiles)) * 4
}

impl Layout {
    /// The layout for n tokens in R^d; `card` is the memory of a card, if it is known.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::error::Error::Memory), if a buffer exceeds what the adapter can
    /// allocate or bind.
    pub(crate) fn new(
        (n, d): (usize, usize),
        precision: Precision,
        uses: Uses,
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
        let binding = largest_binding(limits);
        let lanes = u64::from(LANES);
        let workgroup = u64::from(score_rows(dim));
        let tiles = tiles_of(rows, workgroup);

        // A window holds whole supertiles, so that its offset is a multiple of 256 bytes, and so few
        // that the maxima of a workgroup's rows, or of the fewest where that is too much, can be bound.
        let filter = filter_bytes(dim);
        let widest = (dim * coordinate).max(filter).max(record).max(if uses.limbs { limb_bytes(dim) } else { 0 });
        if lanes * widest > binding {
            return Err(exceeds("one window of tokens on this adapter", lanes * widest, binding, mend));
        }
        let whole = |fit: u64, block: u64| (fit / block * block).min(rows.next_multiple_of(block));
        let block = tiles * lanes;
        let of_maxima = |slice: u64| binding / (slice * (tiles + 1) * 4) * block;
        let fewest = if of_maxima(workgroup) < workgroup { lanes } else { workgroup };
        let window = whole((binding / widest).min(of_maxima(fewest).max(lanes)), lanes);
        let in_windows = |name, what, line: u64| Line::new(name, what, rows * line).in_windows(window * line);
        let mut lines = vec![
            in_windows(("tokens", 0), "tokens", dim * coordinate),
            in_windows(("tokens", 1), "next tokens", dim * coordinate),
            in_windows(("state_filter", 0), "tokens as f32", filter),
            in_windows(("rows", 0), "rows", record),
        ];
        if uses.limbs {
            // Units read whole sides of rows and keys.
            let [bytes, padded] = [limb_bytes(dim), rows.next_multiple_of(lanes)];
            let of = |name, what| Line::new((name, 0), what, padded * bytes).in_windows(window * bytes);
            lines.extend([of("state_limbs", "limbs of tokens"), of("query_limbs", "limbs of queries")]);
        }
        if uses.matrix {
            lines.push(in_windows(("query", 0), "queries", dim * coordinate));
            lines.push(in_windows(("query_filter", 0), "queries as f32", filter));
            lines.push(Line::new(("matrix", 0), "matrix", dim * dim * 8));
        }
        let boxes = rows.div_ceil(lanes) * supertile_bytes(dim);
        let has_dense = STRIPS_DENSE.is_for(precision, d) && boxes <= binding;
        if has_dense {
            lines.push(Line::new(("tile_boxes", 0), "boxes of supertiles", boxes));
        }
        let has_order = rows <= MOST_ORDERED && rows * 4 <= binding;
        lines.push(Line::new(("order", 0), "order of keys", if has_order { rows * 4 } else { 4 }));
        let state: u64 = lines.iter().map(|line| line.bytes).sum();
        let scratch = scratch_bytes(card, state);
        let of_sums = scratch.min(binding);
        let moves_at_once = rows * dim * sum <= of_sums / 4;
        // The maxima of a row, of supertiles and blocks: in a window, and over all keys.
        let line = |keys: u64| maxima_bytes(keys, tiles);
        let others = (rows - 1) / window;
        let bound = line(window.min(rows));
        let all = others * bound + line(rows - others * window);
        let fit = (scratch / all).min(binding / bound);
        let fit = if moves_at_once { fit } else { fit.min(of_sums / (dim * sum)) };
        // Whole workgroups of the scores, unless a card has no room for one.
        let has_room = card.is_none_or(|card| state + fewest * all <= card / 8 * 7);
        let least = if has_room { fewest } else { lanes };
        let slice_rows = whole(fit.max(least), workgroup.min(fit.max(least) / lanes * lanes)).min(window);
        let slice = slice_rows.min(rows);
        lines.push(Line::new(("maxima", 0), "supertile maxima", slice * all).in_windows(slice * bound));
        lines.push(Line::new(("sums", 0), "strip sums", if moves_at_once { rows } else { slice } * dim * sum));
        let [slice_rows, window, tiles] = [slice_rows, window, tiles].map(|count| count as u32);
        let memory = Memory { n, d, lines, slice_rows, mend };
        memory.check_each(limits)?;
        let (n, d) = (count, d as u32);
        Ok(Self { n, d, memory, window, tiles, moves_at_once, has_dense, has_order, uses })
    }

    /// Bytes of a row's maxima in a window.
    pub(crate) fn maxima_bytes(&self) -> u64 {
        maxima_bytes(u64::from(self.window.min(self.n)), self.tiles.into())
    }

    /// Dispatches of a step, where no part of it is too long for a submission: two that prepare each
    /// window of rows, one more with limbs, and one more where wide strips have their own kernel; scores, peaks and
    /// strips of each slice over each window of keys, strips twice where wide ones have that kernel; moves.
    #[cfg(test)]
    pub(crate) fn dispatches(&self) -> u32 {
        let windows = self.n.div_ceil(self.window);
        let last = self.n - (windows - 1) * self.window;
        let slices_of = |rows: u32| rows.div_ceil(self.memory.slice_rows);
        let slices = (windows - 1) * slices_of(self.window) + slices_of(last);
        let moves = if self.moves_at_once { windows } else { slices };
        let kernels = 3 + u32::from(self.has_dense);
        (2 + u32::from(self.uses.limbs) + u32::from(self.has_dense)) * windows + kernels * slices * windows + moves
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
            let layout = Layout::new((n, d), precision, Uses { matrix: true, limbs: true }, &limits, card.then_some(80 << 30)).unwrap();
            let [coordinate, sum, record] = element_bytes(precision);
            let row = u64::from(layout.window).min(n as u64);
            prop_assert!(row * record.max(d as u64 * coordinate) <= 1 << log);
            let summed = if layout.moves_at_once { n as u64 } else { u64::from(layout.memory.slice_rows).min(n as u64) };
            prop_assert!(summed * d as u64 * sum <= 1 << log);
            prop_assert_eq!(layout.window % 64, 0);
            let tiles = u64::from(layout.tiles);
            let maxima = u64::from(layout.memory.slice_rows) * (row.div_ceil(64) + row.div_ceil(64 * tiles)) * 4;
            prop_assert!(maxima <= 1 << log);
            prop_assert!(layout.memory.slice_rows > 0 && layout.memory.slice_rows.is_multiple_of(64));
        }
    }

    /// States beyond one binding and one buffer once ended at 5·10⁸ coordinates, on a card of any size.
    #[test]
    fn states_fill_a_card() {
        for (n, memory) in [(100_000_000, 16 << 30), (1_000_000_000, 140 << 30)] {
            // The least that cards of these sizes bind and allocate.
            let limits = limits((1 << 31) - 1, (1 << 31) - 1);
            let layout = Layout::new((n, 3), Precision::F32, Uses::default(), &limits, Some(memory)).unwrap();
            assert!(layout.memory.check_total(memory).is_ok(), "{}", layout.memory);
        }
    }

    /// Too much memory must be refused with both numbers before anything is allocated.
    #[test]
    fn too_large_is_refused_with_both_numbers() {
        let error =
            Layout::new((10, 1 << 20), Precision::F32, Uses::default(), &limits(1 << 27, 1 << 31), None).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Memory { .. }));
        assert!(text.contains("268435456") && text.contains("134217728"), "{text}");
        let layout = Layout::new((1000, 3), Precision::F32, Uses::default(), &limits(1 << 27, 1 << 31), None).unwrap();
        assert!(layout.memory.check_total(layout.memory.total()).is_ok());
        assert!(layout.memory.check_total(layout.memory.total() - 1).is_err());
    }

    /// At a million tokens a step was once 23,450 dispatches in R^3 and 1.5 million in R^256: a card
    /// waited for the host, which takes some 10 microseconds for each.
    #[test]
    fn large_clouds_take_few_dispatches() {
        // What a card of 24 GiB or more binds and allocates, and the bindings that every WebGPU adapter has.
        let (card, least) = (limits((1 << 31) - 1, (1 << 32) - 1), limits(1 << 27, 1 << 31));
        let count = |n, d, limits, memory| {
            Layout::new((n, d), Precision::F32, Uses::default(), limits, memory).unwrap().dispatches()
        };
        for (n, d, most) in [(10_000, 3, 8), (100_000, 256, 10), (1_000_000, 3, 130), (1_000_000, 256, 1000)] {
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
