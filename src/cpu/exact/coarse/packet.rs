//! One packet: the strips and sums of up to 64 rows, one lane each, over all keys that they see, by
//! scores in 8 bits.
//!
//! The first pass notes an upper bound of every lane's scores in every part of 16 keys, and a lower
//! bound of its maximum. The second visits the parts that can hold a maximum, the third those that
//! can hold a key of the strip; what they do not rule out is decided by exact scores.
// Its loops must be inlined into what is compiled for an instruction set; lanes are best read by
// index.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

use crate::exact::StripWidth;

use crate::cpu::aligned::Aligned;
use crate::cpu::exact::cloud::Cloud;
use crate::cpu::exact::coarse::keys::{ByteKeys, SEGMENTS};
use crate::cpu::exact::coarse::rotation::PART;
use crate::cpu::exact::coarse::rows::{NOTHING, RowBuffers, Rows, above, below};
use crate::cpu::exact::step::{PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::bytes::{ByteJob, Bytes};
use crate::cpu::lanes::{LANES, MOST_KEYS, VECTORS};

/// Parts after which a packet asks whether leaving keys early pays, and the share of the products
/// that it must save.
const TRIED: usize = 64;
const SAVED: u64 = 8;

/// Buffers that a thread keeps from packet to packet.
pub(crate) struct ByteScratch<W: Width> {
    rows: RowBuffers<W>,
    /// `[part][lane]`: upper bounds of scores.
    maxima: Aligned<f32>,
    /// Keys, with the lanes in which no earlier score was larger.
    leaders: Vec<(u32, u64)>,
    /// Sums of strips, row-major, and how many keys each has that are not folded.
    partial: Vec<W::Int>,
    total: Vec<W::Wide>,
    pending: [usize; LANES],
    count: [u32; LANES],
    counts: Vec<W::Wide>,
}

impl<W: Width> ByteScratch<W> {
    pub(crate) fn new(keys: &ByteKeys, n: usize, d: usize, lanes: usize) -> Self {
        Self {
            rows: RowBuffers::new(keys, d, lanes),
            maxima: Aligned::new(n.div_ceil(PART) * lanes),
            leaders: Vec::new(),
            partial: vec![W::Int::default(); lanes * d],
            total: vec![W::Wide::default(); lanes * d],
            pending: [0; LANES],
            count: [0; LANES],
            counts: vec![W::Wide::default(); d],
        }
    }
}

/// A packet of rows, to be computed against all keys that it sees.
pub(crate) struct BytePacket<'a, W: Width> {
    pub(crate) cloud: &'a Cloud<W>,
    pub(crate) keys: &'a ByteKeys,
    pub(crate) plan: &'a PreparedStep<'a, W>,
    pub(crate) scratch: &'a mut ByteScratch<W>,
    /// Ascending, at least one and no more than lanes.
    pub(crate) rows: &'a [u32],
    pub(crate) purpose: Purpose<'a, W>,
    /// Where it says so, the packet is left without a result.
    pub(crate) watch: &'a Watch<'a>,
}

/// The largest exact score of each lane so far, and the lowest index that attains it.
struct Best<W: Width> {
    max: [W::Wide; LANES],
    argmax: [u32; LANES],
}

impl<W: Width> ByteJob for BytePacket<'_, W> {
    type Output = Tally;

    #[inline(always)]
    fn run<B: Bytes>(mut self, b: B) -> Tally {
        let lanes = VECTORS * B::WIDTH;
        let mut tally = Tally { rows: self.rows.len() as u64, ..Tally::default() };
        let buffers = &mut self.scratch.rows;
        let mut rows = Rows::of::<B>(self.cloud, self.keys, self.plan, self.rows, buffers);
        self.find_bounds(b, &mut rows, &mut tally);
        let best = self.find_maxima(b, &rows, &mut tally);
        if self.watch.is_left() {
            return tally;
        }
        self.clear(lanes);
        match self.plan.step.width {
            StripWidth::Argmax => (0..self.rows.len()).for_each(|l| self.take(l, best.argmax[l])),
            StripWidth::Constant(0) => {
                let leaders = std::mem::take(&mut self.scratch.leaders);
                for &(key, lanes) in &leaders {
                    // From the first maximiser on these are the others.
                    bits(lanes).filter(|&l| key >= best.argmax[l]).for_each(|l| self.take(l, key));
                }
                self.scratch.leaders = leaders;
            }
            _ => self.find_strips(b, &rows, &best, &mut tally),
        }
        tally.redone -= self.rows.len() as u64;
        if self.watch.is_left() {
            return tally;
        }
        self.finish(&best, &mut tally);
        tally
    }
}

impl<W: Width> BytePacket<'_, W> {
    /// Finds upper bounds of the scores in every part, and lower bounds of the rows' maxima.
    #[inline(always)]
    fn find_bounds<B: Bytes>(&mut self, b: B, rows: &mut Rows<W>, tally: &mut Tally) {
        let lanes = VECTORS * B::WIDTH;
        let quads = self.keys.rotation.width() / 4;
        let ends: Vec<usize> = self.keys.rotation.ends().map(|end| end / 4).chain([quads]).collect();
        let (parts, whole) = ((rows.visible[lanes - 1] as usize).div_ceil(PART), rows.visible[0] as usize / PART);
        let last = ends.len() - 1;
        let width: [f32; LANES] = rows.width.map(above::<W>);
        let mut thresholds = [[0; LANES]; SEGMENTS];
        let (mut early, mut done) = (last > 0, 0u64);
        for part in 0..parts {
            if self.watch.is_left() {
                break;
            }
            let into = &mut self.scratch.maxima[part * lanes..][..lanes];
            if part >= whole {
                into.fill(f32::INFINITY); // keys that some lane does not see: each is looked at
                continue;
            }
            let (keys, bounds) = self.keys.part(part);
            if early {
                // Rounded down, as the difference of other numbers than equal ones is to be.
                let limit = |l: usize| {
                    let limit = rows.floor[l] - width[l];
                    limit - limit.abs() / (1 << 22) as f32
                };
                for s in 0..last {
                    let room = |l: usize| rows.error(l, bounds) + rows.rest[s][l] * bounds.rest[s];
                    thresholds[s] = rows.thresholds(bounds, s, limit, room);
                }
            }
            let nothing = [NOTHING; LANES];
            let mut most: [B::Ints; VECTORS] = std::array::from_fn(|r| b.load(&nothing[r * B::WIDTH..]));
            for j in (0..PART).step_by(B::KEYS) {
                let mut sums = no_sums(b);
                let mut from = 0;
                for (s, &to) in ends.iter().enumerate() {
                    if !early && s < last {
                        continue;
                    }
                    add_products(b, &self.scratch.rows.quads, keys, from..to, j, &mut sums);
                    done += ((to - from) * B::KEYS) as u64;
                    from = to;
                    if s < last && !reaches(b, &sums, &thresholds[s]) {
                        break;
                    }
                }
                if from == quads {
                    for sums in &sums[..B::KEYS] {
                        for r in 0..VECTORS {
                            most[r] = b.max(most[r], sums[r]);
                        }
                    }
                }
            }
            let mut sums = [0; LANES];
            for r in 0..VECTORS {
                b.store(most[r], &mut sums[r * B::WIDTH..]);
            }
            for l in 0..lanes {
                let error = rows.error(l, bounds);
                let score = (sums[l] - rows.offset[last][l]) as f32 * (bounds.scale * rows.scale[l]);
                into[l] = score + error;
                rows.floor[l] = if score - error > rows.floor[l] { score - error } else { rows.floor[l] };
            }
            let all = ((part + 1) * PART * quads) as u64;
            early &= part + 1 != TRIED || done + all / SAVED < all;
        }
        tally.scores += done * self.rows.len() as u64 / quads as u64;
    }

    /// Finds m and the lowest index that attains it.
    #[inline(always)]
    fn find_maxima<B: Bytes>(&mut self, b: B, rows: &Rows<W>, tally: &mut Tally) -> Best<W> {
        let mut best = Best { max: [W::SMALLEST; LANES], argmax: [0; LANES] };
        self.scratch.leaders.clear();
        self.visit(b, rows, &rows.floor, None, tally, |packet, key, [_, undecided]| {
            let mut leading = 0;
            for l in bits(undecided) {
                let score = packet.exact(l, key);
                leading |= u64::from(score >= best.max[l]) << l;
                if score > best.max[l] {
                    (best.max[l], best.argmax[l]) = (score, key);
                }
            }
            if leading != 0 {
                packet.scratch.leaders.push((key, leading));
            }
        });
        best
    }

    /// Adds the keys of each strip.
    #[inline(always)]
    fn find_strips<B: Bytes>(&mut self, b: B, rows: &Rows<W>, best: &Best<W>, tally: &mut Tally) {
        let mut thresholds = [W::SMALLEST; LANES];
        for l in 0..self.rows.len() {
            thresholds[l] = W::threshold(best.max[l], rows.width[l]);
        }
        let (low, high) = (thresholds.map(below::<W>), thresholds.map(above::<W>));
        self.visit(b, rows, &low, Some(&high), tally, |packet, key, [inside, undecided]| {
            for l in bits(inside) {
                packet.take(l, key);
            }
            for l in bits(undecided) {
                if packet.exact(l, key) >= thresholds[l] {
                    packet.take(l, key);
                }
            }
        });
    }

    /// Hands over every key whose score may reach the limit `low` in some lane: the lanes in which
    /// it certainly reaches `high`, and the others. Only lanes with a row of their own.
    #[inline(always)]
    fn visit<B: Bytes>(
        &mut self,
        b: B,
        rows: &Rows<W>,
        low: &[f32; LANES],
        high: Option<&[f32; LANES]>,
        tally: &mut Tally,
        mut take: impl FnMut(&mut Self, u32, [u64; 2]),
    ) {
        let lanes = VECTORS * B::WIDTH;
        let quads = self.keys.rotation.width() / 4;
        let (parts, whole) = ((rows.visible[lanes - 1] as usize).div_ceil(PART), rows.visible[0] as usize / PART);
        let last = self.keys.rotation.ends().count();
        for part in 0..parts {
            let maxima = &self.scratch.maxima[part * lanes..][..lanes];
            // Counted: vectors do not stop at the first.
            if maxima.iter().zip(low).map(|(max, low)| u32::from(max >= low)).sum::<u32>() == 0 {
                continue;
            }
            if self.watch.is_left() {
                break;
            }
            let (keys, bounds) = self.keys.part(part);
            let lows = rows.thresholds(bounds, last, |l| low[l], |l| rows.error(l, bounds));
            // Rounded down like the others: one more is certainly enough.
            let highs = high.map(|high| rows.thresholds(bounds, last, |l| high[l], |l| -rows.error(l, bounds)));
            let highs = highs.map(|highs| highs.map(|high| high + 1));
            for j in (0..PART).step_by(B::KEYS) {
                let mut sums = no_sums(b);
                add_products(b, &self.scratch.rows.quads, keys, 0..quads, j, &mut sums);
                for (c, sums) in sums[..B::KEYS].iter().enumerate() {
                    let key = part * PART + j + c;
                    let mut reached = at_least(b, sums, &lows) & rows.own;
                    if part >= whole {
                        reached &= rows.seen(lanes, key);
                    }
                    if reached != 0 {
                        let inside = highs.as_ref().map_or(0, |highs| at_least(b, sums, highs) & reached);
                        tally.redone += u64::from((reached & !inside).count_ones());
                        take(self, key as u32, [inside, reached & !inside]);
                    }
                }
            }
            tally.scores += (PART.min(self.cloud.n - part * PART) * self.rows.len()) as u64;
        }
    }

    /// The exact score of a lane and a key.
    #[inline(always)]
    fn exact(&self, lane: usize, key: u32) -> W::Wide {
        let d = self.cloud.d;
        W::dot_rows(&self.scratch.rows.query[lane * d..][..d], self.cloud.row(key as usize))
    }

    #[inline(always)]
    fn clear(&mut self, lanes: usize) {
        let length = lanes * self.cloud.d;
        self.scratch.partial[..length].fill(W::Int::default());
        self.scratch.total[..length].fill(W::Wide::default());
        (self.scratch.pending, self.scratch.count) = ([0; LANES], [0; LANES]);
    }

    /// Adds a key to the strip of a lane.
    #[inline(always)]
    fn take(&mut self, lane: usize, key: u32) {
        if let Purpose::Members(members) = &mut self.purpose {
            members[lane].push(key);
            return;
        }
        self.scratch.count[lane] += 1;
        if self.scratch.pending[lane] == W::ADDITIONS {
            self.fold(lane);
        }
        self.scratch.pending[lane] += 1;
        let d = self.cloud.d;
        W::add_rows(&mut self.scratch.partial[lane * d..][..d], self.cloud.row(key as usize));
    }

    #[inline(always)]
    fn fold(&mut self, lane: usize) {
        let (d, ByteScratch { partial, total, pending, .. }) = (self.cloud.d, &mut *self.scratch);
        W::fold(&mut partial[lane * d..][..d], &mut total[lane * d..][..d]);
        pending[lane] = 0;
    }

    /// Writes the result: step 4 of the contract.
    #[inline(always)]
    fn finish(&mut self, best: &Best<W>, tally: &mut Tally) {
        let d = self.cloud.d;
        for l in 0..self.rows.len() {
            self.fold(l);
            let Purpose::Move { x, argmax, count } = &mut self.purpose else { return };
            let own = self.cloud.row(self.rows[l] as usize);
            let ByteScratch { total, counts, count: sizes, .. } = &mut *self.scratch;
            (argmax[l], count[l]) = (best.argmax[l], sizes[l]);
            counts.fill(W::wide(i128::from(sizes[l])));
            let moved = &mut x[l * d..][..d];
            W::moved_lanes(own, &total[l * d..][..d], counts, self.plan.step.gain, moved);
            tally.moved += u64::from(own != moved);
        }
    }
}

/// The places of the bits of a set, ascending.
#[inline(always)]
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(bit)
    })
}

#[inline(always)]
fn no_sums<B: Bytes>(b: B) -> [[B::Ints; VECTORS]; MOST_KEYS] {
    [[b.load(&[0; LANES]); VECTORS]; MOST_KEYS]
}

/// Adds the products of some quads of coordinates to the sums of the keys j, j+1, ... (`B::KEYS` of
/// them) of a part.
#[inline(always)]
fn add_products<B: Bytes>(
    b: B,
    rows: &[i32],
    keys: &[[i32; PART]],
    quads: std::ops::Range<usize>,
    j: usize,
    sums: &mut [[B::Ints; VECTORS]; MOST_KEYS],
) {
    let lanes = VECTORS * B::WIDTH;
    let rows = rows[quads.start * lanes..quads.end * lanes].chunks_exact(lanes);
    for (rows, keys) in rows.zip(&keys[quads]) {
        let rows: [B::Ints; VECTORS] = std::array::from_fn(|r| b.load(&rows[r * B::WIDTH..]));
        for (sums, &key) in sums.iter_mut().zip(&keys[j..j + B::KEYS]) {
            for r in 0..VECTORS {
                sums[r] = b.dot(sums[r], key, rows[r]);
            }
        }
    }
}

/// The lanes whose sums are at least these.
#[inline(always)]
fn at_least<B: Bytes>(b: B, sums: &[B::Ints; VECTORS], least: &[i32; LANES]) -> u64 {
    let mut bits = 0;
    for r in 0..VECTORS {
        bits |= b.at_least(sums[r], b.load(&least[r * B::WIDTH..])) << (r * B::WIDTH);
    }
    bits
}

/// Whether some key's sums are at least these in some lane.
#[inline(always)]
fn reaches<B: Bytes>(b: B, sums: &[[B::Ints; VECTORS]; MOST_KEYS], least: &[i32; LANES]) -> bool {
    let mut most = sums[0];
    for sums in &sums[1..B::KEYS] {
        for r in 0..VECTORS {
            most[r] = b.max(most[r], sums[r]);
        }
    }
    at_least(b, &most, least) != 0
}
