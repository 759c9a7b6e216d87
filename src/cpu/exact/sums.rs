//! Exact sums of the keys in each lane's strip, and their number, which is the sum of a coordinate
//! that is always 1.
//!
//! Additions run in the width of a coordinate, 127 keys (f32) or 1023 keys (f64) at a time, and are
//! then folded into the wide totals.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

use crate::cpu::aligned::Aligned;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{Lanes, VECTORS};
use crate::space::Coordinate;

/// The sums of one packet, `[coordinate][lane]`; row d holds the counts.
pub(crate) struct Sums<W: Width> {
    d: usize,
    partial: Aligned<W::Int>,
    /// The most keys that have been added to a lane of `partial`.
    pending: usize,
    total: Vec<W::Wide>,
    /// New coordinates of the lanes.
    moved: Aligned<W::Int>,
}

/// The result of a packet: new coordinates and sums, `[coordinate][lane]`, and the number of keys in each strip.
pub(crate) struct Moved<'a, W: Width> {
    pub(crate) x: &'a [W::Int],
    pub(crate) sums: &'a [W::Wide],
    pub(crate) counts: &'a [W::Wide],
}

impl<W: Width> Sums<W> {
    pub(crate) fn new(d: usize, lanes: usize) -> Self {
        let length = (d + 1) * lanes;
        let total = vec![W::Wide::default(); length];
        Self { d, partial: Aligned::new(length), pending: 0, total, moved: Aligned::new(d * lanes) }
    }

    pub(crate) fn clear(&mut self) {
        self.partial.fill(W::Int::default());
        self.total.fill(W::Wide::default());
        self.pending = 0;
    }

    /// The partial sums, with room for this many more keys (at most `ADDITIONS`).
    #[inline(always)]
    pub(crate) fn room_for(&mut self, keys: usize) -> &mut [W::Int] {
        self.pending += keys;
        if self.pending > W::ADDITIONS {
            self.fold();
            self.pending = keys;
        }
        &mut self.partial
    }

    /// Adds each key (at most `ADDITIONS` of them) to the lanes in its mask.
    #[inline(always)]
    pub(crate) fn add<L: Lanes<W, W::Int>>(&mut self, lanes: L, x: &[W::Int], list: &[(u32, u64)]) {
        if list.is_empty() {
            return;
        }
        self.room_for(list.len());
        let mut k = 0;
        while k + 4 <= self.d {
            self.columns::<4, L>(lanes, x, k, list);
            k += 4;
        }
        match self.d - k {
            1 => self.columns::<1, L>(lanes, x, k, list),
            2 => self.columns::<2, L>(lanes, x, k, list),
            3 => self.columns::<3, L>(lanes, x, k, list),
            _ => {}
        }
        let mut count = self.load::<1, L>(lanes, self.d);
        for &(_, bits) in list {
            for r in 0..VECTORS {
                let mask = lanes.mask(bits >> (r * L::WIDTH));
                count[0][r] = lanes.add_where(mask, count[0][r], lanes.splat_int(W::Int::one()));
            }
        }
        self.store(lanes, self.d, count);
    }

    /// Adds the sum of many tokens, and their number, to the lanes of a mask.
    #[inline(always)]
    pub(crate) fn add_whole(&mut self, bits: u64, sum: impl Iterator<Item = <W::Int as Coordinate>::Sum>, count: u32) {
        let lanes = self.total.len() / (self.d + 1);
        let (sums, counts) = self.total.split_at_mut(self.d * lanes);
        for (total, sum) in sums.chunks_exact_mut(lanes).zip(sum) {
            W::add_sum(total, bits, sum);
        }
        W::add_count(counts, bits, count);
    }

    /// Adds the coordinates k..k+N of the keys; their sums stay in registers.
    #[inline(always)]
    fn columns<const N: usize, L: Lanes<W, W::Int>>(&mut self, lanes: L, x: &[W::Int], k: usize, list: &[(u32, u64)]) {
        let mut sums = self.load::<N, L>(lanes, k);
        for &(key, bits) in list {
            let row: &[W::Int; N] = x[key as usize * self.d + k..].first_chunk().expect("a row holds its coordinates");
            for r in 0..VECTORS {
                let mask = lanes.mask(bits >> (r * L::WIDTH));
                for c in 0..N {
                    sums[c][r] = lanes.add_where(mask, sums[c][r], lanes.splat_int(row[c]));
                }
            }
        }
        self.store(lanes, k, sums);
    }

    #[inline(always)]
    fn load<const N: usize, L: Lanes<W, W::Int>>(&self, lanes: L, k: usize) -> [[L::Ints; VECTORS]; N] {
        let mut sums = [[lanes.splat_int(W::Int::default()); VECTORS]; N];
        for c in 0..N {
            for r in 0..VECTORS {
                sums[c][r] = lanes.load_ints(&self.partial[((k + c) * VECTORS + r) * L::WIDTH..]);
            }
        }
        sums
    }

    #[inline(always)]
    fn store<const N: usize, L: Lanes<W, W::Int>>(&mut self, lanes: L, k: usize, sums: [[L::Ints; VECTORS]; N]) {
        for c in 0..N {
            for r in 0..VECTORS {
                lanes.store_ints(sums[c][r], &mut self.partial[((k + c) * VECTORS + r) * L::WIDTH..]);
            }
        }
    }

    #[inline(always)]
    fn fold(&mut self) {
        W::fold(&mut self.partial, &mut self.total);
    }

    /// The sums of a lane, and the number of its keys.
    pub(crate) fn of_lane(&mut self, lane: usize) -> impl Iterator<Item = W::Wide> {
        self.fold();
        self.total.iter().skip(lane).step_by(self.total.len() / (self.d + 1)).copied()
    }

    /// Step 4 of the contract, of lanes whose own coordinates are `[coordinate][lane]`.
    #[inline(always)]
    pub(crate) fn moved(&mut self, own: &[W::Int], gain: u64) -> Moved<'_, W> {
        self.fold();
        let lanes = self.total.len() / (self.d + 1);
        let (sums, counts) = self.total.split_at(self.d * lanes);
        let rows = own.chunks_exact(lanes).zip(sums.chunks_exact(lanes)).zip(self.moved.chunks_exact_mut(lanes));
        for ((own, sum), moved) in rows {
            W::moved_lanes(own, sum, counts, gain, moved);
        }
        Moved { x: &self.moved, sums, counts }
    }
}
