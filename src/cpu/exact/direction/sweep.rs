//! Sums over many half spaces, one cone of keys after another ([`crate::cpu::exact::direction::cones`]).
//!
//! **Bins.** The keys of a cone are in bins by ρ, the largest first, and the sums up to the end of each bin are known.
//! A bin is taken whole if its least ρ is in for sure, and else scored if its largest ρ may be.
//!
//! **Roundings.** min q·r and max q·r are scores of corners, off by E at most, with `side` in place of max |x_k|
//! ([`crate::cpu::exact::filter`]); the largest terms sum to the largest score, since roundings are monotone. T, a
//! quotient, and its difference from the largest ρ meet fewer than 2^5 roundings in f64 each, relative to the quotient
//! or to the largest ρ, and 2^-48 of both pays for that. Of the keys that are scored, those of s̃ ≥ T + E are in, those
//! of s̃ < T − E are not, and exact scores decide in between. Sums are of integers, in any order of the keys.

// Kernels belong into the function of their instruction set.
#![allow(clippy::inline_always, clippy::needless_range_loop)]

use std::ops::Range;

use rayon::prelude::*;

use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::direction::cells::integer;
use crate::cpu::exact::direction::cones::{Cones, HalfSpace, Sum, size, square};
use crate::cpu::exact::filter::error_bound;
use crate::cpu::exact::step::{Tally, Watch};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{InstructionSet, Job, LANES, Lanes};
use crate::space::Coordinate;

/// Cones that a thread takes at once.
const CONES: usize = 32;
/// Bins of a cone.
const BINS: usize = 64;
/// Share by which quotients are lowered or raised, for their roundings.
const QUOTIENT: f64 = 1.0 / (1u64 << 48) as f64;

impl<W: Width, const D: usize> Cones<W, D> {
    /// The sums over some half spaces, in the order of their bounds.
    pub(super) fn sums(
        &self,
        set: InstructionSet,
        halves: &[HalfSpace<W, D>],
        (prices, watch): (Prices, &Watch<'_>),
    ) -> (Vec<Sum<W, D>>, Tally) {
        let halves = &Halves::new(halves, self);
        let none = || (vec![Sum::default(); halves.all.len()], Tally::default());
        let of_cones = |(mut sums, tally): (Vec<Sum<W, D>>, Tally), first: usize| {
            if watch.is_left() {
                return (sums, tally);
            }
            let range = first * CONES..((first + 1) * CONES).min(self.cells.count());
            let taken = W::run(set, Sweep { cones: self, range, halves, sums: &mut sums });
            watch.spend(prices.of(&taken));
            (sums, tally + taken)
        };
        let both = |(mut sums, tally): (Vec<Sum<W, D>>, Tally), (others, of_others): (Vec<Sum<W, D>>, Tally)| {
            sums.iter_mut().zip(&others).for_each(|(sum, other)| sum.add(other));
            (sums, tally + of_others)
        };
        (0..self.cells.count().div_ceil(CONES)).into_par_iter().fold(none, of_cones).reduce(none, both)
    }
}

/// Half spaces as a kernel reads them: floats of the queries by coordinate, in whole vectors.
struct Halves<'a, W: Width, const D: usize> {
    all: &'a [HalfSpace<W, D>],
    query: [Vec<W>; D],
    /// Not above side T less what the product of a corner may be off by, times the largest ρ.
    reached: Vec<W>,
    /// side T.
    scaled: Vec<f64>,
    /// E of the products with corners.
    corner: Vec<f64>,
    /// T − E and T + E.
    limits: Vec<[W; 2]>,
}

impl<'a, W: Width, const D: usize> Halves<'a, W, D> {
    fn new(all: &'a [HalfSpace<W, D>], cones: &Cones<W, D>) -> Self {
        let (padded, side) = (all.len().next_multiple_of(LANES), cones.cells.side as f64);
        let most = cones.largest.iter().fold(0, |most, &x| most.max(x)) as f64;
        let mut halves = Self {
            all,
            query: std::array::from_fn(|_| vec![W::default(); padded]),
            reached: vec![W::LOWEST.size(); padded],
            scaled: vec![0.0; padded],
            corner: vec![0.0; padded],
            limits: Vec::with_capacity(all.len()),
        };
        for (at, half) in all.iter().enumerate() {
            (0..D).for_each(|k| halves.query[k][at] = W::of(half.query[k]));
            let weight = |k: usize, most: f64| (Integer::to_i64(half.query[k]) as f64).abs() * most;
            let corner = error_bound::<W>(D, (0..D).map(|k| weight(k, side)).sum()).to_f64();
            // A product of two floats may be rounded once more.
            let scaled = W::approximate(half.least) * side;
            let reached = scaled * (1.0 - 4.0 * W::ROUNDING) - corner * most * 1.001;
            halves.reached[at] = W::above(-reached).negated();
            (halves.scaled[at], halves.corner[at]) = (scaled, corner);
            let error = error_bound::<W>(D, (0..D).map(|k| weight(k, cones.largest[k] as f64)).sum());
            let (below, above) = W::around(half.least);
            halves.limits.push([below.minus_down(error), above.plus_up(error)]);
        }
        halves
    }
}

/// The keys of a cone in their bins.
struct Shell<W: Width, const D: usize> {
    keys: Vec<[W::Int; D]>,
    sizes: Vec<i64>,
    /// A vector of keys after another, by coordinate.
    x: Vec<W::Int>,
    floats: Vec<W>,
    /// The first key of each bin, and the sum of the keys before it.
    starts: [u32; BINS + 1],
    before: Vec<Sum<W, D>>,
    /// The largest ρ, and the largest square.
    most: i64,
    longest: f64,
    /// log2 of the width of a bin.
    shift: u32,
}

impl<W: Width, const D: usize> Shell<W, D> {
    fn new() -> Self {
        Self {
            keys: Vec::new(),
            sizes: Vec::new(),
            x: Vec::new(),
            floats: Vec::new(),
            starts: [0; BINS + 1],
            before: vec![Sum::default(); BINS + 1],
            most: 0,
            longest: 0.0,
            shift: 0,
        }
    }

    /// Takes the keys of a cone, in vectors of so many lanes.
    #[inline(always)]
    fn fill<'a>(&mut self, pieces: impl Iterator<Item = &'a [[W::Int; D]]>, width: usize) {
        self.keys.clear();
        self.sizes.clear();
        pieces.for_each(|piece| self.keys.extend_from_slice(piece));
        self.sizes.extend(self.keys.iter().map(|key| size::<W>(key)));
        self.most = self.sizes.iter().fold(0, |most, &size| most.max(size));
        self.longest = self.keys.iter().fold(0.0, |most, key| f64::max(most, square::<W>(key)));
        self.shift = (i64::BITS - self.most.leading_zeros()).saturating_sub(BINS.ilog2());
        let mut places = [0u32; BINS + 1];
        self.sizes.iter_mut().for_each(|size| {
            *size = (self.most - *size) >> self.shift;
            places[*size as usize + 1] += 1;
        });
        (0..BINS).for_each(|bin| places[bin + 1] += places[bin]);
        self.starts = places;
        let length = self.keys.len().next_multiple_of(width) * D;
        self.x.resize(length, W::Int::default());
        self.floats.resize(length, W::default());
        let mut sums = [Sum::<W, D>::default(); BINS];
        for (key, &bin) in self.keys.iter().zip(&self.sizes) {
            let at = places[bin as usize] as usize;
            places[bin as usize] += 1;
            let vector = &mut self.x[at / width * width * D..][..width * D];
            (0..D).for_each(|k| vector[k * width + at % width] = key[k]);
            sums[bin as usize].add_key(key);
        }
        self.floats.iter_mut().zip(&self.x).for_each(|(float, &x)| *float = W::of(x));
        for (bin, sum) in sums.iter().enumerate() {
            self.before[bin + 1] = self.before[bin];
            self.before[bin + 1].add(sum);
        }
    }

    /// Up to which bin all are wholly in some half spaces, and up to which some key may be in, from the scaled T and
    /// the least and the largest products with a corner.
    #[inline(always)]
    fn bins(&self, least: &[f64], low: &[f64; LANES], high: &[f64; LANES]) -> [[i64; LANES]; 2] {
        let (most, scale, last) = (self.most as f64, 1.0 / (1u64 << self.shift) as f64, BINS as f64);
        let (mut whole, mut end) = ([0; LANES], [0; LANES]);
        let bound = |bin: f64| if bin > 0.0 { if bin < last { bin } else { last } } else { 0.0 };
        for (l, least) in least.iter().enumerate() {
            let from = least / high[l] * (1.0 - QUOTIENT);
            let bin = if high[l] > 0.0 { (most * (1.0 + QUOTIENT) - from) * scale } else { -1.0 };
            end[l] = integer(bound(bin.floor() + 1.0));
            let from = least / low[l] * (1.0 + QUOTIENT);
            let bin = if low[l] > 0.0 { (most * (1.0 - QUOTIENT) + 1.0 - from) * scale } else { 0.0 };
            whole[l] = integer(bound(bin.floor()));
        }
        [whole, end]
    }
}

/// A job: adds the keys of some cones to the sums of the half spaces that they are in.
struct Sweep<'a, W: Width, const D: usize> {
    cones: &'a Cones<W, D>,
    range: Range<usize>,
    halves: &'a Halves<'a, W, D>,
    sums: &'a mut [Sum<W, D>],
}

impl<W: Width, const D: usize> Job<W, W::Int> for Sweep<'_, W, D> {
    type Output = Tally;

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, lanes: L) -> Tally {
        let Sweep { cones, range, halves, sums } = self;
        let (mut shell, mut tally, cells) = (Shell::new(), Tally::default(), cones.cells);
        for cone in range {
            shell.fill(cones.keys(cone), L::WIDTH);
            if shell.keys.is_empty() {
                continue;
            }
            let rows = halves.all.partition_point(|half| half.bound <= shell.longest);
            tally.shared += rows.div_ceil(L::WIDTH) as u64;
            let cell = cells.cell(cone);
            let corners = [0, 1].map(|step| cells.corner(cell, [step; 2]).map(|x| W::of(W::Int::of(x))));
            let (most, zero) = (lanes.splat(W::above(shell.most as f64)), lanes.splat(W::default()));
            for first in (0..rows).step_by(L::WIDTH) {
                let highest = products(lanes, &halves.query, first, corners);
                let reached = lanes.mul_add(highest, most, zero);
                let mut hits = lanes.at_least(reached, lanes.load(&halves.reached[first..]));
                if hits == 0 {
                    continue;
                }
                let [mut low, mut high] = [[W::default(); LANES]; 2];
                lanes.store(highest, &mut high);
                lanes.store(
                    products(lanes, &halves.query, first, corners.map(|corner| corner.map(W::negated))),
                    &mut low,
                );
                let (mut lows, mut highs) = ([0.0; LANES], [0.0; LANES]);
                let (error, least) = (&halves.corner[first..][..L::WIDTH], &halves.scaled[first..][..L::WIDTH]);
                for l in 0..L::WIDTH {
                    lows[l] = -low[l].to_f64() - error[l];
                    highs[l] = high[l].to_f64() + error[l];
                }
                let [whole, end] = shell.bins(least, &lows, &highs);
                while hits != 0 {
                    let lane = hits.trailing_zeros() as usize;
                    hits &= hits - 1;
                    let row = first + lane;
                    let (half, sum) = (&halves.all[row], &mut sums[row]);
                    let [whole, end] = [whole, end].map(|bin| bin[lane] as usize);
                    if whole > 0 {
                        sum.add(&shell.before[whole]);
                    }
                    let keys = shell.starts[whole] as usize..shell.starts[end.max(whole)] as usize;
                    if !keys.is_empty() {
                        tally.scores += keys.len() as u64;
                        tally.redone += add_keys(lanes, &shell, keys, half, halves.limits[row], sum);
                    }
                }
            }
        }
        tally
    }
}

/// The largest products of some queries with a corner of a cell, of which the lowest and the highest are given.
#[inline(always)]
fn products<W: Width, const D: usize, L: Lanes<W, W::Int>>(
    lanes: L,
    query: &[Vec<W>; D],
    first: usize,
    [low, high]: [[W; D]; 2],
) -> L::Floats {
    let mut sum = lanes.splat(W::default());
    for k in 0..D {
        let query = lanes.load(&query[k][first..]);
        let (a, b) = (lanes.mul_add(query, lanes.splat(low[k]), sum), lanes.mul_add(query, lanes.splat(high[k]), sum));
        sum = lanes.max(a, b);
    }
    sum
}

/// Adds some keys of a cone to the sum of a half space that they are in; returns the number of exact scores.
#[inline(always)]
fn add_keys<W: Width, const D: usize, L: Lanes<W, W::Int>>(
    lanes: L,
    shell: &Shell<W, D>,
    keys: Range<usize>,
    half: &HalfSpace<W, D>,
    limits: [W; 2],
    into: &mut Sum<W, D>,
) -> u64 {
    let (query, [low, high]) = (half.query.map(|q| lanes.splat(W::of(q))), limits.map(|limit| lanes.splat(limit)));
    let (zero, none) = (lanes.splat(W::default()), lanes.splat_int(W::Int::default()));
    let (width, mut redone, mut count) = (D * L::WIDTH, 0, 0);
    // Vectors that hold some of the keys, many at a time.
    let vectors = keys.start / L::WIDTH..keys.end.div_ceil(L::WIDTH);
    for start in vectors.clone().step_by(W::ADDITIONS) {
        let (mut sum, end) = ([none; D], vectors.end.min(start + W::ADDITIONS));
        let parts = shell.floats[start * width..end * width].chunks_exact(width);
        let parts = parts.zip(shell.x[start * width..end * width].chunks_exact(width));
        for (vector, (floats, x)) in (start..end).zip(parts) {
            let at = vector * L::WIDTH;
            let before = keys.start.saturating_sub(at);
            let after = (at + L::WIDTH).saturating_sub(keys.end);
            let there = (u64::MAX >> (u64::BITS as usize - L::WIDTH + after)) & (u64::MAX << before);
            let mut score = zero;
            for k in 0..D {
                score = lanes.mul_add(query[k], lanes.load(&floats[k * L::WIDTH..]), score);
            }
            let inside = lanes.at_least(score, high) & there;
            let mut open = lanes.at_least(score, low) & there & !inside;
            let mask = lanes.mask(inside);
            for k in 0..D {
                sum[k] = lanes.add_where(mask, sum[k], lanes.load_ints(&x[k * L::WIDTH..]));
            }
            count += u64::from(inside.count_ones());
            redone += u64::from(open.count_ones());
            while open != 0 {
                let lane = open.trailing_zeros() as usize;
                let key = std::array::from_fn(|k| x[k * L::WIDTH + lane]);
                open &= open - 1;
                if W::dot_rows(&half.query, &key) >= half.least {
                    into.add_key(&key);
                }
            }
        }
        for k in 0..D {
            let mut lane = [W::Int::default(); LANES];
            lanes.store_ints(sum[k], &mut lane);
            lane[..L::WIDTH].iter().for_each(|x| into.x[k] += x.times(1));
        }
    }
    into.keys += count;
    redone
}
