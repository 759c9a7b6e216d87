//! The memory of a search.

use crate::error::Result;
use crate::gpu::exact::kernels::{BLOCK, RUN, Slot};
use crate::gpu::exact::layout::element_bytes;
use crate::gpu::memory::{Line, Memory, exceeds};
use crate::space::LEAF;
use crate::tokens::Precision;

/// What lies in each line of the memory.
pub(crate) const LINES: [(&str, Slot); 20] = [
    ("keys", Slot::RowState),
    ("next keys", Slot::NextState),
    ("weights", Slot::Marks),
    ("next weights", Slot::NextMarks),
    ("order", Slot::Order),
    ("next order", Slot::NextOrder),
    ("keys of tokens", Slot::Owner),
    ("moves of keys", Slot::Moved),
    ("counts of digits", Slot::Counts),
    ("sums of blocks", Slot::Blocks),
    ("number of keys", Slot::Sorted),
    ("axes of codes", Slot::Coding),
    ("least coordinates", Slot::Lowest),
    ("bounds of nodes", Slot::Bounds),
    ("boxes", Slot::Boxes),
    ("sums of boxes", Slot::Wholes),
    ("strips", Slot::Found),
    ("queries", Slot::Query),
    ("queries as f32", Slot::QueryFilter),
    ("matrix", Slot::Matrix),
];

/// The memory for n tokens in R^d; `matrix` is whether A is anything but the identity.
///
/// # Errors
/// [`Error::Memory`](crate::error::Error::Memory), if a buffer exceeds what the adapter can bind.
pub(crate) fn memory(n: usize, d: usize, precision: Precision, matrix: bool, limits: &wgpu::Limits) -> Result<Memory> {
    let mend = "take --plan brute, fewer tokens or --engine cpu";
    let [coordinate, sum, _] = element_bytes(precision);
    let (rows, dim) = (n as u64, d as u64);
    let Ok(slice_rows) = u32::try_from(n) else {
        return Err(exceeds("a 32-bit index of the tokens on a GPU, whose tokens,", rows, u32::MAX.into(), mend));
    };
    let nodes = 2 * rows.div_ceil(LEAF as u64).next_power_of_two();
    let counts = (256 * rows.div_ceil(u64::from(RUN))).max(rows);
    let bytes = |slot| match slot {
        Slot::RowState | Slot::NextState | Slot::Query => rows * dim * coordinate,
        Slot::Marks | Slot::NextMarks => rows * 8,
        Slot::Counts => counts * 4,
        Slot::Blocks => counts.div_ceil(u64::from(BLOCK)) * 4,
        Slot::Sorted => 8,
        Slot::Coding => (dim + 2) * 4,
        Slot::Lowest => dim * coordinate,
        Slot::Bounds => nodes * 2 * dim * coordinate,
        Slot::Boxes => nodes * (dim * (coordinate + 4)).next_multiple_of(coordinate),
        // Sums, then three words.
        Slot::Wholes => nodes * (dim * sum + 12).next_multiple_of(sum),
        Slot::Found => rows * 12,
        Slot::QueryFilter => rows * dim * 4,
        Slot::Matrix => dim * dim * 8,
        // Order, NextOrder, Owner, Moved: an index each.
        _ => rows * 4,
    };
    let lines = LINES
        .into_iter()
        .filter(|(_, slot)| matrix || !matches!(slot, Slot::Query | Slot::QueryFilter | Slot::Matrix))
        .map(|(what, slot)| Line { what, bytes: bytes(slot) })
        .collect();
    let memory = Memory { n, d, lines, slice_rows, mend };
    memory.check_each(limits, |_| true)?;
    Ok(memory)
}
