//! One packet: the strips and sums of up to 64 rows, one lane each, over all keys that they see.
//!
//! Keys stream past in blocks. The first pass notes the largest float score of every lane in every
//! block. The second visits only the blocks whose maximum reaches a lane's strip
//! ([`crate::cpu::exact::filter`] says when), adds up the keys that are certainly inside, and puts
//! on two lists what floats cannot decide: candidates for the maximum, and entries in the band
//! around the strip's edge. The lists are then decided by exact scores. Key lists are pairs (key,
//! lanes as bits).
// Its loops must be inlined into what is compiled for an instruction set; lanes are best read by
// index.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

use std::ops::Range;

use crate::exact::StripWidth;

use crate::cpu::aligned::Aligned;
use crate::cpu::exact::brute::decisions::Decisions;
use crate::cpu::exact::cloud::{BLOCK, Cloud};
use crate::cpu::exact::filter::{self, Limits};
use crate::cpu::exact::query::{queries, strip_width, weights};
use crate::cpu::exact::scores::{
    FEW_LANES, at_least, block_maxima, block_maxima_seen, block_sets, exact, load, unrolled,
};
use crate::cpu::exact::step::{PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::sums::{Moved, Sums};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{Job, LANES, Lanes, VECTORS};

/// No key.
const NOBODY: u32 = u32::MAX;

/// Buffers that a thread keeps from packet to packet, laid out `[coordinate][lane]` if not said
/// otherwise.
pub(crate) struct PacketScratch<W: Width> {
    query: Aligned<W::Int>,
    query_floats: Aligned<W>,
    own: Aligned<W::Int>,
    /// `[block][lane]`.
    maxima: Aligned<W>,
    sums: Sums<W>,
    decisions: Decisions,
    candidates: Vec<(u32, u64)>,
    band: Vec<(u32, u64)>,
}

impl<W: Width> PacketScratch<W> {
    pub(crate) fn new(n: usize, d: usize, lanes: usize) -> Self {
        Self {
            query: Aligned::new(d * lanes),
            query_floats: Aligned::new(d * lanes),
            own: Aligned::new(d * lanes),
            maxima: Aligned::new(n.div_ceil(BLOCK) * lanes),
            sums: Sums::new(d, lanes),
            decisions: Decisions::new(),
            candidates: Vec::new(),
            band: Vec::new(),
        }
    }
}

/// A packet of rows, to be computed against all keys that it sees.
pub(crate) struct Packet<'a, W: Width> {
    pub(crate) cloud: &'a Cloud<W>,
    pub(crate) plan: &'a PreparedStep<'a, W>,
    pub(crate) scratch: &'a mut PacketScratch<W>,
    /// Ascending, at least one and no more than lanes.
    pub(crate) rows: &'a [u32],
    pub(crate) purpose: Purpose<'a, W>,
    /// Says when to leave the packet without a result.
    pub(crate) watch: &'a Watch<'a>,
}

/// State of the lanes of one packet. Lanes past the last row repeat it.
struct Rows<W: Width> {
    /// Lanes with a row of their own.
    own: u64,
    /// Keys first..visible are seen, both ascending, but for the row's own where it sees none of itself.
    first: [u32; LANES],
    visible: [u32; LANES],
    own_key: [u32; LANES],
    error: [W; LANES],
    width: [W::Wide; LANES],
    max: [W::Wide; LANES],
    argmax: [u32; LANES],
}

impl<W: Width> Rows<W> {
    /// The blocks that some of this many lanes sees, and those that all of them see whole, maybe none.
    #[inline(always)]
    fn blocks(&self, lanes: usize) -> [Range<usize>; 2] {
        let whole = if self.own_key[0] == NOBODY {
            (self.first[lanes - 1] as usize).div_ceil(BLOCK)..self.visible[0] as usize / BLOCK
        } else {
            0..0
        };
        [self.first[0] as usize / BLOCK..(self.visible[lanes - 1] as usize).div_ceil(BLOCK), whole]
    }

    /// The lanes whose maximum is known: all that see a key.
    fn found(&self, lanes: usize) -> impl Iterator<Item = usize> + '_ {
        (0..lanes).filter(|&l| self.max[l] > W::SMALLEST)
    }

    /// The lanes that see a key.
    #[inline(always)]
    fn seen(&self, lanes: usize, key: usize) -> u64 {
        let ended = match self.visible[..lanes].partition_point(|&visible| visible as usize <= key) {
            LANES.. => return 0,
            first => u64::MAX << first,
        };
        let begun = match self.first[..lanes].partition_point(|&first| first as usize <= key) {
            LANES.. => u64::MAX,
            end => (1 << end) - 1,
        };
        let mut seen = ended & begun;
        if self.own_key[0] != NOBODY {
            for l in 0..lanes {
                seen &= !(u64::from(self.own_key[l] as usize == key) << l);
            }
        }
        seen
    }
}

impl<W: Width> Job<W, W::Int> for Packet<'_, W> {
    type Output = Tally;

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(mut self, lanes: L) -> Tally {
        let mut rows = self.gather(VECTORS * L::WIDTH);
        let mut tally = Tally { rows: self.rows.len() as u64, ..Tally::default() };
        self.scratch.sums.clear();
        let row_max = self.find_maxima(lanes, &rows, &mut tally);
        let [top, low, high] = self.limits(lanes, &rows, &row_max);
        self.find_strips(lanes, &rows, [&top, &low, &high], &mut tally);
        self.decide_maxima(VECTORS * L::WIDTH, &mut rows);
        if self.watch.is_left() {
            return tally;
        }
        if self.plan.step.width == StripWidth::Argmax {
            let own: Vec<(u32, u64)> = rows.found(self.rows.len()).map(|l| (rows.argmax[l], 1 << l)).collect();
            self.take_all(lanes, &own);
        } else {
            self.decide_band(lanes, &rows);
        }
        tally.redone -= rows.found(self.rows.len()).count() as u64;
        if self.watch.is_left() {
            return tally;
        }
        self.finish(VECTORS * L::WIDTH, &rows, &mut tally);
        tally
    }
}

impl<W: Width> Packet<'_, W> {
    /// True if every member of a strip is a maximiser, in every row.
    fn is_hardmax(&self) -> bool {
        matches!(self.plan.step.width, StripWidth::Constant(0) | StripWidth::Argmax)
    }

    /// Computes queries, widths and error bounds of the packet's rows.
    #[inline(always)]
    fn gather(&mut self, lanes: usize) -> Rows<W> {
        let (cloud, step) = (self.cloud, self.plan.step);
        let PacketScratch { query, query_floats, own, .. } = self.scratch;
        let count = self.rows.len();
        let (mut first, mut visible, mut own_key) = ([0; LANES], [0; LANES], [NOBODY; LANES]);
        let mut argmax = [0; LANES];
        for l in 0..lanes {
            let i = self.rows[l.min(count - 1)] as usize;
            let range = step.mask.range(i, cloud.n);
            (first[l], visible[l]) = (range.start as u32, range.end as u32);
            argmax[l] = if step.mask.is_prefix() { 0 } else { i as u32 };
            if !step.mask.own {
                own_key[l] = i as u32;
            }
            for (k, &x) in cloud.row(i).iter().enumerate() {
                own[k * lanes + l] = x;
            }
        }
        queries(cloud, self.plan, lanes, own, query, query_floats);
        let weight = weights(cloud, lanes, query_floats);
        let mut rows = Rows {
            own: u64::MAX >> (LANES - count),
            first,
            visible,
            own_key,
            error: weight.map(|weight| filter::error_bound(cloud.d, weight)),
            width: [W::Wide::default(); LANES],
            max: [W::SMALLEST; LANES],
            argmax,
        };
        for l in 0..lanes {
            rows.width[l] =
                W::wide(strip_width::<W>(step.width_of(self.rows[l.min(count - 1)] as usize), lanes, l, query, own));
        }
        rows
    }

    /// Finds the largest float score of each lane, and keeps those of every block.
    #[inline(always)]
    fn find_maxima<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        rows: &Rows<W>,
        tally: &mut Tally,
    ) -> [L::Floats; VECTORS] {
        let (d, width) = (self.cloud.d, VECTORS * L::WIDTH);
        let [blocks, whole] = rows.blocks(width);
        let mut row_max = [lanes.splat(W::LOWEST); VECTORS];
        tally.scores += ((blocks.end * BLOCK).min(self.cloud.n) - blocks.start * BLOCK) as u64 * self.rows.len() as u64;
        for block in blocks {
            if self.watch.is_left() {
                break;
            }
            let keys = &self.cloud.floats[block * BLOCK * d..][..BLOCK * d];
            let query = &self.scratch.query_floats[..];
            let max = if whole.contains(&block) {
                unrolled!(d, |d| block_maxima(lanes, query, keys, d))
            } else {
                let mut seen = [0; BLOCK];
                for j in 0..BLOCK {
                    seen[j] = rows.seen(width, block * BLOCK + j);
                }
                block_maxima_seen(lanes, query, keys, d, &seen)
            };
            let into = &mut self.scratch.maxima[block * width..][..width];
            for r in 0..VECTORS {
                lanes.store(max[r], &mut into[r * L::WIDTH..]);
                row_max[r] = lanes.max(row_max[r], max[r]);
            }
        }
        row_max
    }

    /// Limits of the lanes, from their largest float scores: top, low, and high.
    #[inline(always)]
    fn limits<L: Lanes<W, W::Int>>(
        &self,
        lanes: L,
        rows: &Rows<W>,
        row_max: &[L::Floats; VECTORS],
    ) -> [[L::Floats; VECTORS]; 3] {
        let hardmax = self.is_hardmax();
        let mut max = [W::default(); LANES];
        for r in 0..VECTORS {
            lanes.store(row_max[r], &mut max[r * L::WIDTH..]);
        }
        let mut limits = [[W::default(); LANES]; 3];
        for l in 0..VECTORS * L::WIDTH {
            let Limits { top, low, high } = Limits::new(max[l], rows.width[l], rows.error[l]);
            // In hardmax the candidates are all that matters.
            let (low, high) = if hardmax { (top, W::LOWEST.negated()) } else { (low, high) };
            for (limits, limit) in limits.iter_mut().zip([top, low, high]) {
                limits[l] = limit;
            }
        }
        limits.map(|limits| load::<W, L>(lanes, &limits))
    }

    /// Adds the keys that are certainly in a strip, and lists those that only exact scores decide.
    #[inline(always)]
    fn find_strips<L: Lanes<W, W::Int>>(
        &mut self,
        lanes: L,
        rows: &Rows<W>,
        [top, low, high]: [&[L::Floats; VECTORS]; 3],
        tally: &mut Tally,
    ) {
        let (d, width) = (self.cloud.d, VECTORS * L::WIDTH);
        let [blocks, whole] = rows.blocks(width);
        self.scratch.candidates.clear();
        self.scratch.band.clear();
        for block in blocks {
            let max = load::<W, L>(lanes, &self.scratch.maxima[block * width..][..width]);
            if at_least(lanes, &max, low) == 0 {
                continue;
            }
            if self.watch.is_left() {
                break;
            }
            let has_candidates = at_least(lanes, &max, top) != 0;
            let keys = &self.cloud.floats[block * BLOCK * d..][..BLOCK * d];
            let query = &self.scratch.query_floats[..];
            let [mut inside, mut band, mut candidates] =
                unrolled!(d, |d| block_sets(lanes, query, keys, d, [low, high, top]));
            tally.scores += (BLOCK.min(self.cloud.n - block * BLOCK) * self.rows.len()) as u64;
            if !whole.contains(&block) {
                for j in 0..BLOCK {
                    let seen = rows.seen(width, block * BLOCK + j);
                    inside[j] &= seen;
                    band[j] &= seen;
                    candidates[j] &= seen;
                }
            }
            if has_candidates || band != [0; BLOCK] {
                tally.redone += self.list_undecided(block, &band, &candidates, rows.own);
            }
            let mut list = [(0, 0); BLOCK];
            let mut length = 0;
            for (j, &bits) in inside.iter().enumerate() {
                list[length] = ((block * BLOCK + j) as u32, bits);
                length += usize::from(bits != 0);
            }
            self.take(lanes, &list[..length]);
        }
    }

    /// Lists the keys of a block that exact scores decide; returns for how many of the lanes `own`.
    #[inline(always)]
    fn list_undecided(&mut self, block: usize, band: &[u64; BLOCK], candidates: &[u64; BLOCK], own: u64) -> u64 {
        let hardmax = self.is_hardmax();
        let mut undecided = 0;
        for j in 0..BLOCK {
            let key = (block * BLOCK + j) as u32;
            if candidates[j] != 0 {
                self.scratch.candidates.push((key, candidates[j]));
            }
            if band[j] != 0 && !hardmax {
                self.scratch.band.push((key, band[j]));
            }
            undecided += u64::from(((candidates[j] | band[j]) & own).count_ones());
        }
        undecided
    }

    /// Adds each key to the strips of the lanes in its mask.
    #[inline(always)]
    fn take<L: Lanes<W, W::Int>>(&mut self, lanes: L, list: &[(u32, u64)]) {
        if let Purpose::Members(members) = &mut self.purpose {
            for &(key, bits) in list {
                for (l, members) in members.iter_mut().enumerate() {
                    if bits >> l & 1 == 1 {
                        members.push(key);
                    }
                }
            }
        } else {
            self.scratch.sums.add(lanes, &self.cloud.x, list);
        }
    }

    /// Finds m and the lowest index that attains it, by exact scores. A token that was compared
    /// before cannot win again.
    #[inline(always)]
    fn decide_maxima(&mut self, lanes: usize, rows: &mut Rows<W>) {
        let PacketScratch { decisions, candidates, query, .. } = self.scratch;
        let mut scores = [W::Wide::default(); LANES];
        decisions.clear();
        for (place, &(key, bits)) in candidates.iter().enumerate() {
            if place.is_multiple_of(1 << 12) && self.watch.is_left() {
                break;
            }
            let token = self.cloud.distinct(key);
            let compared = decisions.get(token).unwrap_or(0);
            let new = bits & !compared;
            if new == 0 {
                continue;
            }
            decisions.set(token, compared | new);
            exact::<W>(query, lanes, self.cloud.row(key as usize), new, &mut scores);
            for l in 0..lanes {
                let better = new >> l & 1 == 1 && scores[l] > rows.max[l];
                rows.max[l] = if better { scores[l] } else { rows.max[l] };
                rows.argmax[l] = if better { key } else { rows.argmax[l] };
            }
        }
    }

    /// Decides the band around the strip's edge by exact scores. A strip of width 0 lies in the
    /// candidates.
    #[inline(always)]
    fn decide_band<L: Lanes<W, W::Int>>(&mut self, lanes: L, rows: &Rows<W>) {
        let width = VECTORS * L::WIDTH;
        let mut thresholds = [W::SMALLEST; LANES];
        for l in 0..width {
            thresholds[l] = W::threshold(rows.max[l], rows.width[l]);
        }
        let hardmax = self.is_hardmax();
        let PacketScratch { decisions, band, candidates, query, .. } = self.scratch;
        let mut list = std::mem::take(if hardmax { candidates } else { band });
        let mut scores = [W::Wide::default(); LANES];
        decisions.clear();
        for (place, (key, bits)) in list.iter_mut().enumerate() {
            if place.is_multiple_of(1 << 12) && self.watch.is_left() {
                break;
            }
            let token = self.cloud.distinct(*key);
            if let Some(inside) = decisions.get(token) {
                *bits &= inside;
                continue;
            }
            exact::<W>(query, width, self.cloud.row(*key as usize), *bits, &mut scores);
            let mut inside = 0;
            for l in 0..width {
                inside |= u64::from(scores[l] >= thresholds[l]) << l;
            }
            if bits.count_ones() > FEW_LANES {
                decisions.set(token, inside);
            }
            *bits &= inside;
        }
        list.retain(|&(_, bits)| bits != 0);
        self.take_all(lanes, &list);
        *(if hardmax { &mut self.scratch.candidates } else { &mut self.scratch.band }) = list;
    }

    #[inline(always)]
    fn take_all<L: Lanes<W, W::Int>>(&mut self, lanes: L, list: &[(u32, u64)]) {
        for part in list.chunks(BLOCK) {
            self.take(lanes, part);
        }
    }

    /// Writes the result: step 4 of the contract.
    #[inline(always)]
    fn finish(&mut self, lanes: usize, rows: &Rows<W>, tally: &mut Tally) {
        let d = self.cloud.d;
        match &mut self.purpose {
            Purpose::Trial | Purpose::Answer { .. } => {}
            Purpose::Members(members) => members.iter_mut().for_each(|members| members.sort_unstable()),
            Purpose::Move { x, argmax, count } => {
                let PacketScratch { sums, own, .. } = self.scratch;
                let Moved { x: moved, sums: totals, counts: sizes } = sums.moved(own, self.plan.step.gain);
                for l in 0..self.rows.len() {
                    let row = &mut x[l * d..][..d];
                    for (k, x) in row.iter_mut().enumerate() {
                        *x = moved[k * lanes + l];
                    }
                    argmax[l] = rows.argmax[l];
                    count[l] = W::narrow(sizes[l]) as u32;
                    if let Some(of) = self.plan.step.own.as_ref().filter(|_| count[l] > 0) {
                        let (i, gain) = (self.rows[l] as usize, self.plan.step.gain);
                        for (k, x) in row.iter_mut().enumerate() {
                            let (own, sum) = (own[k * lanes + l].to_i64(), W::narrow(totals[k * lanes + l]));
                            *x = W::Int::of(of.moved((i, k), own, (sum, count[l]), gain));
                        }
                    }
                    if count[l] == 0 {
                        // It sees no key, and stays.
                        (0..d).for_each(|k| row[k] = own[k * lanes + l]);
                        continue;
                    }
                    tally.moved += u64::from(row.iter().enumerate().any(|(k, &x)| x != own[k * lanes + l]));
                }
            }
        }
    }
}
