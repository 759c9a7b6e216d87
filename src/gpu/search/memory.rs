//! Every byte of a search, computed and checked before anything is allocated.

use crate::error::{Error, Result};
use crate::gpu::kernels::{BLOCK, RUN, Slot};
use crate::gpu::plan::element_bytes;
use crate::space::LEAF;
use crate::tokens::Precision;

/// Of each slot its bytes; those that come in pairs, to be exchanged, say so.
pub(super) struct Memory {
    pub(super) lines: Vec<(Slot, bool, u64)>,
}

impl Memory {
    /// For n tokens in R^d; `matrix` is whether A is anything but the identity.
    ///
    /// # Errors
    /// [`Error::Memory`], if a buffer exceeds what the adapter can bind, or all of them its memory.
    pub(super) fn new(
        n: u32,
        d: u32,
        precision: Precision,
        matrix: bool,
        limits: &wgpu::Limits,
        available: Option<u64>,
    ) -> Result<Self> {
        let [coordinate, sum, _] = element_bytes(precision);
        let (n, d) = (u64::from(n), u64::from(d));
        let nodes = 2 * n.div_ceil(LEAF as u64).next_power_of_two();
        let counts = (256 * n.div_ceil(u64::from(RUN))).max(n);
        let mut lines = vec![
            (Slot::RowState, true, n * d * coordinate),
            (Slot::Marks, true, n * 8),
            (Slot::Order, true, n * 4),
            (Slot::Owner, false, n * 4),
            (Slot::Moved, false, n * 4),
            (Slot::Counts, false, counts * 4),
            (Slot::Blocks, false, counts.div_ceil(u64::from(BLOCK)) * 4),
            (Slot::Sorted, false, 8),
            (Slot::Coding, false, (d + 2) * 4),
            (Slot::Lowest, false, d * coordinate),
            (Slot::Bounds, false, nodes * 2 * d * coordinate),
            (Slot::Boxes, false, nodes * (d * (coordinate + 4)).next_multiple_of(coordinate)),
            (Slot::Wholes, false, nodes * (d + 1) * sum),
            (Slot::Found, false, n * 12),
        ];
        if matrix {
            lines.push((Slot::Query, false, n * d * coordinate));
            lines.push((Slot::QueryFilter, false, n * d * 4));
            lines.push((Slot::Matrix, false, d * d * 8));
        }
        let exceeds = |what: String, needed, available| {
            Err(Error::Memory { what, needed, available, mend: "take --plan brute, or --engine cpu".into() })
        };
        let largest = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        if let Some((slot, _, bytes)) = lines.iter().find(|line| line.2 > largest) {
            return exceeds(format!("the buffer of {slot:?} of a search on this adapter"), *bytes, largest);
        }
        let memory = Self { lines };
        match available {
            Some(available) if memory.total() > available => {
                exceeds(format!("a search of {n} tokens in R^{d} on this adapter"), memory.total(), available)
            }
            _ => Ok(memory),
        }
    }

    fn total(&self) -> u64 {
        self.lines.iter().map(|&(_, pair, bytes)| if pair { 2 * bytes } else { bytes }).sum()
    }
}
