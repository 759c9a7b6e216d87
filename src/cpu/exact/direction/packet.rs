//! Packets of rows of one bucket: lanes are rows, and every key of their list is the same for all of them.

#![allow(clippy::inline_always, clippy::needless_range_loop)] // kernels belong into the function of their instruction set

use crate::cpu::exact::direction::cells::integer;
use crate::cpu::exact::direction::rows::query_coordinate;
use crate::cpu::exact::filter::{Limits, error_bound};
use crate::cpu::exact::query::strip_width;
use crate::cpu::exact::step::{PreparedStep, Tally};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{Job, Lanes};
use crate::exact::{StripWidth, TokenMatrix};
use crate::tokens::Precision;

/// The most rows of a packet: two vectors.
const MOST: usize = 16;
/// Bits of the low half of a coordinate at f64.
const LOW: u32 = 27;
/// An index is told by how much less than this it is, so that the least is the largest.
const LAST: f64 = (1u64 << 32) as f64;

/// A token that may be in a strip, in floats.
pub(super) struct Key<const D: usize> {
    pub(super) x: [f64; D],
    /// Coordinates times the weight; at f64 in two halves.
    low: [f64; D],
    high: [f64; D],
    weight: f64,
    rank: f64,
    pub(super) first: u32,
}

impl<const D: usize> Key<D> {
    /// The key of so many tokens at a place, of which the first is given.
    pub(super) fn new<W: Width>(at: [i64; D], weight: u32, first: u32) -> Self {
        let (count, part) = (f64::from(weight), (1i64 << LOW) - 1);
        let [low, high] = match W::PRECISION {
            Precision::F32 => [at, [0; D]],
            Precision::F64 => [at.map(|x| x & part), at.map(|x| x >> LOW)],
        };
        let times = |half: [i64; D]| half.map(|x| x as f64 * count);
        let rank = LAST - f64::from(first);
        Self { x: at.map(|x| x as f64), low: times(low), high: times(high), weight: count, rank, first }
    }
}

impl<const D: usize> Key<D> {
    /// The number of tokens at it.
    pub(super) fn tokens(&self) -> u64 {
        self.weight as u64
    }
}

/// A job: moves the rows of many buckets.
pub(super) struct Packets<'a, W: Width, const D: usize, F> {
    pub(super) keys: &'a [Key<D>],
    /// `max |x_k|` of them.
    pub(super) most: [f64; D],
    pub(super) prepared: &'a PreparedStep<'a, W>,
    /// The width of all strips, or the factor of them.
    pub(super) width: f64,
    /// The keys of a bucket.
    pub(super) list: F,
    /// Where the rows of each bucket begin among all, and end.
    pub(super) starts: &'a [u32],
    pub(super) order: &'a [u32],
    pub(super) own: &'a [[W::Int; D]],
    pub(super) weight: &'a [u32],
    pub(super) next: &'a mut [[W::Int; D]],
    pub(super) argmax: &'a mut [u32],
    pub(super) count: &'a mut [u32],
}

impl<'a, W: Width, const D: usize, F: Fn(u32) -> &'a [u32]> Job<f64, i64> for Packets<'a, W, D, F> {
    type Output = Tally;

    #[inline(always)]
    fn run<L: Lanes<f64, i64>>(mut self, lanes: L) -> Tally {
        let (mut tally, order) = (Tally::default(), self.order);
        for bucket in 0..self.starts.len() - 2 {
            let [start, end] = [0, 1].map(|k| self.starts[bucket + k] as usize);
            if start == end {
                continue;
            }
            let list = (self.list)(bucket as u32);
            tally.rows += (end - start) as u64;
            tally.thin += (end - start) as u64;
            tally.scores += ((end - start) * list.len()) as u64;
            for rows in order[start..end].chunks(2 * L::WIDTH) {
                if rows.len() > L::WIDTH {
                    self.packet::<2, L>(lanes, rows, list, &mut tally);
                } else {
                    self.packet::<1, L>(lanes, rows, list, &mut tally);
                }
            }
        }
        tally
    }
}

/// The strips of a packet: a sum of coordinates in two halves, a number of tokens, and the rank of the argmax.
struct Strips<const D: usize> {
    low: [[f64; MOST]; D],
    high: [[f64; MOST]; D],
    count: [f64; MOST],
    rank: [f64; MOST],
    /// Lanes that exact scores must decide.
    open: u64,
}

impl<'a, W: Width, const D: usize, F: Fn(u32) -> &'a [u32]> Packets<'a, W, D, F> {
    const IS_EXACT: bool = matches!(W::PRECISION, Precision::F32);

    #[inline(always)]
    fn packet<const R: usize, L: Lanes<f64, i64>>(&mut self, lanes: L, rows: &[u32], list: &[u32], tally: &mut Tally) {
        let (width, gain) = (R * L::WIDTH, self.prepared.step.gain);
        let (mut own, mut query) = ([[W::Int::default(); D]; MOST], [[W::Int::default(); D]; MOST]);
        for l in 0..width {
            own[l] = self.own[rows[l.min(rows.len() - 1)] as usize];
        }
        if self.prepared.step.matrix == TokenMatrix::Identity {
            query = own;
        } else {
            for l in 0..width {
                query[l] = std::array::from_fn(|k| query_coordinate(self.prepared, &own[l], k));
            }
        }
        let mut floats = [[0.0; MOST]; D];
        for k in 0..D {
            for l in 0..width {
                floats[k][l] = Integer::to_i64(query[l][k]) as f64;
            }
        }
        let strips = self.strips::<R, L>(lanes, &floats, &own, &query, list);
        let (mut sums, mut counts) = ([[W::Wide::default(); D]; MOST], [[W::Wide::default(); D]; MOST]);
        for l in 0..width {
            counts[l] = [W::wide(i128::from(integer(strips.count[l]))); D];
            for k in 0..D {
                let low = integer(strips.low[k][l]);
                sums[l][k] = match W::PRECISION {
                    Precision::F32 => W::wide(i128::from(low)),
                    Precision::F64 => W::wide((i128::from(integer(strips.high[k][l])) << LOW) + i128::from(low)),
                };
            }
        }
        let mut next = [[W::Int::default(); D]; MOST];
        W::moved_lanes(
            own[..width].as_flattened(),
            sums[..width].as_flattened(),
            counts[..width].as_flattened(),
            gain,
            next[..width].as_flattened_mut(),
        );
        for (l, &row) in rows.iter().enumerate() {
            let row = row as usize;
            (self.argmax[row], self.count[row]) =
                (integer(LAST - strips.rank[l]) as u32, integer(strips.count[l]) as u32);
            if strips.open >> l & 1 == 1 {
                (next[l], self.argmax[row], self.count[row]) = self.exactly(&own[l], &query[l], list);
                tally.redone += list.len() as u64 - 1;
            }
            self.next[row] = next[l];
            tally.moved += u64::from(next[l] != own[l]) * self.weight.get(row).map_or(1, |&weight| u64::from(weight));
        }
    }

    /// The strips by scores in floats.
    #[inline(always)]
    fn strips<const R: usize, L: Lanes<f64, i64>>(
        &self,
        lanes: L,
        floats: &[[f64; MOST]; D],
        own: &[[W::Int; D]; MOST],
        query: &[[W::Int; D]; MOST],
        list: &[u32],
    ) -> Strips<D> {
        let (zero, one) = (lanes.splat(0.0), lanes.splat(1.0));
        let load =
            |from: &[f64; MOST]| -> [L::Floats; R] { std::array::from_fn(|r| lanes.load(&from[r * L::WIDTH..])) };
        let q: [[L::Floats; R]; D] = std::array::from_fn(|k| load(&floats[k]));
        let score =
            |key: &Key<D>, r: usize| (0..D).fold(zero, |sum, k| lanes.mul_add(q[k][r], lanes.splat(key.x[k]), sum));
        let mut most = [lanes.splat(f64::NEG_INFINITY); R];
        for &key in list {
            let key = &self.keys[key as usize];
            for r in 0..R {
                most[r] = lanes.max(most[r], score(key, r));
            }
        }
        let (mut top, mut low, mut high) = ([0.0; MOST], [0.0; MOST], [0.0; MOST]);
        for r in 0..R {
            lanes.store(most[r], &mut top[r * L::WIDTH..]);
        }
        if Self::IS_EXACT {
            let widths = self.exact_widths::<R, L>(floats, own);
            for l in 0..R * L::WIDTH {
                low[l] = top[l] - widths[l];
            }
        } else {
            for l in 0..R * L::WIDTH {
                let weight = (0..D).map(|k| floats[k][l].abs() * self.most[k]).sum();
                let width = strip_width::<W>(self.prepared.step.width, 1, 0, &query[l], &own[l]);
                let limits = Limits::<f64>::new(top[l], width, error_bound::<f64>(D, weight));
                (top[l], low[l], high[l]) = (limits.top, limits.low, limits.high);
            }
        }
        let [top, low, high] = [&top, &low, &high].map(load);
        let (mut sums, mut highs, mut count, mut rank) = ([[zero; R]; D], [[zero; R]; D], [zero; R], [zero; R]);
        let (mut seen, mut open) = (0, 0);
        for &key in list {
            let key = &self.keys[key as usize];
            let scores: [L::Floats; R] = std::array::from_fn(|r| score(key, r));
            let bits = |limits: &[L::Floats; R]| {
                (0..R).fold(0, |bits, r| bits | lanes.at_least(scores[r], limits[r]) << (r * L::WIDTH))
            };
            let inside = bits(&low);
            if inside == 0 {
                continue;
            }
            for r in 0..R {
                let is_inside = lanes.where_at_least(scores[r], low[r], one);
                for k in 0..D {
                    sums[k][r] = lanes.mul_add(is_inside, lanes.splat(key.low[k]), sums[k][r]);
                    if !Self::IS_EXACT {
                        highs[k][r] = lanes.mul_add(is_inside, lanes.splat(key.high[k]), highs[k][r]);
                    }
                }
                count[r] = lanes.mul_add(is_inside, lanes.splat(key.weight), count[r]);
                rank[r] = lanes.max(rank[r], lanes.where_at_least(scores[r], top[r], lanes.splat(key.rank)));
            }
            if !Self::IS_EXACT {
                let tops = bits(&top);
                open |= (inside & !bits(&high)) | (seen & tops);
                seen |= tops;
            }
        }
        let store = |from: &[L::Floats; R]| {
            let mut to = [0.0; MOST];
            for r in 0..R {
                lanes.store(from[r], &mut to[r * L::WIDTH..]);
            }
            to
        };
        Strips {
            low: std::array::from_fn(|k| store(&sums[k])),
            high: std::array::from_fn(|k| store(&highs[k])),
            count: store(&count),
            rank: store(&rank),
            open,
        }
    }

    /// The strip widths at f32.
    #[inline(always)]
    fn exact_widths<const R: usize, L: Lanes<f64, i64>>(
        &self,
        floats: &[[f64; MOST]; D],
        own: &[[W::Int; D]; MOST],
    ) -> [f64; MOST] {
        let (mut squares, lanes) = ([0.0; MOST], R * L::WIDTH);
        let (factor, scale) = match self.prepared.step.width {
            StripWidth::Argmax | StripWidth::Constant(_) => return [self.width; MOST],
            StripWidth::QueryNorm { .. } => {
                for k in 0..D {
                    (0..lanes).for_each(|l| squares[l] += floats[k][l] * floats[k][l]);
                }
                (self.width, 1.0)
            }
            StripWidth::ANorm { parity, .. } => {
                for k in 0..D {
                    (0..lanes).for_each(|l| squares[l] += floats[k][l] * Integer::to_i64(own[l][k]) as f64);
                }
                (self.width, f64::from(1u32 << parity))
            }
        };
        squares.map(|square| factor * (square.max(0.0) * scale).sqrt().floor())
    }

    /// A row by exact scores: where it goes, argmax and count.
    #[inline(never)]
    fn exactly(&self, own: &[W::Int; D], query: &[W::Int; D], list: &[u32]) -> ([W::Int; D], u32, u32) {
        let at = |key: &Key<D>| key.x.map(|x| W::Int::of(x as i64));
        let keys = || list.iter().map(|&key| &self.keys[key as usize]);
        let score = |key: &Key<D>| W::dot(query, 1, 0, &at(key));
        let best = keys().map(score).max().unwrap_or_default();
        let width = strip_width::<W>(self.prepared.step.width, 1, 0, query, own);
        let threshold = W::threshold(best, W::wide(width));
        let (mut sum, mut count, mut argmax) = ([0i128; D], 0, u32::MAX);
        for key in keys() {
            let score = score(key);
            if score >= threshold {
                let weight = key.weight as u32;
                count += weight;
                let at = at(key);
                (0..D).for_each(|k| sum[k] += i128::from(Integer::to_i64(at[k])) * i128::from(weight));
            }
            if score == best {
                argmax = argmax.min(key.first);
            }
        }
        let gain = self.prepared.step.gain;
        (std::array::from_fn(|k| W::moved(own[k], W::wide(sum[k]), count, gain)), argmax, count)
    }
}
