//! Rows near the origin, whose strips hold a large share of the cloud: packets of alike rows that read the same
//! keys.
//!
//! Let q be a query, m its maximum, which a list of [`Classes`] tells, and T = m − D. Its strip is all x of q·x ≥
//! T.
//!
//! **Complements.** Scores are integers, so the keys outside the strip are those of −q·x ≥ 1 − T. Where T ≤ 0, the
//! row asks for these, and its strip is all keys less what is found. So every T is at least 1.
//!
//! **What a row reads.** q·x ≥ T ≥ 1 takes |x| ≥ T/|q|. Keys are in bins by |x|², the longest first, and a row
//! reads them up to the bin of B = (T/|q|)² (1 − 2^-46). The bin of a square is a difference times a number,
//! clamped and cut to an integer: float operations that are monotone each, so that a key is read if its square as
//! computed is at least B as computed. In f64 |x|² meets at most 2d roundings and B at most 2d + 8, those of its
//! integers to floats among them; 2^-46 pays for 2^7 of them. Where q = 0, B is infinite, and no key is read.
//!
//! **Scores** are floats from the origin, off by E at most ([`crate::cpu::exact::filter`]): with s̃ ≥ T + E a key
//! is in, with s̃ < T − E it is out, and exact scores decide in between. Sums are of integers, in any order of the
//! keys.
//!
//! A row reads a share of all keys, where a search reads those along the surface of its strip. So this is for few
//! rows, or where keys are not in order. A sample of the keys tells.

#![allow(clippy::inline_always, clippy::needless_range_loop)] // kernels belong into the function of their instruction set

use rayon::prelude::*;

use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::direction::candidates::{most, sample};
use crate::cpu::exact::direction::classes::{Classes, Tokens};
use crate::cpu::exact::direction::rows::query_coordinate;
use crate::cpu::exact::filter::error_bound;
use crate::cpu::exact::query::strip_width;
use crate::cpu::exact::step::{PreparedStep, Tally, Watch};
use crate::cpu::exact::sums::Sums;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{InstructionSet, Job, LANES, Lanes, VECTORS};
use crate::space::Coordinate;

/// Bins of keys.
const BINS: usize = 256;
/// Keys that are put into bins together.
const RUN: usize = 1 << 15;
/// Keys whose sums stay in registers; not more than fit a coordinate.
const TILE: usize = 96;
/// Vectors of lanes that are scored side by side.
const SIDE: usize = 2;
/// Share by which a bound is lowered, for its roundings.
const PAID: f64 = 1.0 / (1u64 << 46) as f64;
/// For a row that is near the origin a search takes as long as so many scores, times n^(1 − 1/d).
const SEARCHED: f64 = 16.0;

/// A row of a packet.
struct Row<W: Width, const D: usize> {
    place: u32,
    own: [W::Int; D],
    /// The query and its least score, or those of the complement.
    query: [W::Int; D],
    least: W::Wide,
    is_complement: bool,
    /// Keys of a lower square are not read.
    bound: f64,
    argmax: u32,
}

/// The bins of squares.
struct Bins {
    most: f64,
    /// Keys of a lower square are in none.
    least: f64,
    scale: f64,
}

/// Some keys in the order of their bins, and what is told of them all.
struct Run<W: Width, const D: usize> {
    x: Vec<[W::Int; D]>,
    /// End of each bin in `x`.
    ends: [u32; BINS + 1],
    sum: [<W::Int as Coordinate>::Sum; D],
    largest: [i64; D],
}

/// Moves the rows with a count of 0, of tokens that are a key each, if that costs less than to search with keys whose
/// order is still to be paid for.
pub(crate) fn take<W: Width, const D: usize>(
    set: InstructionSet,
    (classes, tokens): (&Classes<D>, &Tokens<'_, W>),
    prepared: &PreparedStep<'_, W>,
    (next, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
    (prices, ordering, watch): (Prices, f64, &Watch<'_>),
) -> Option<Tally> {
    let keys: &[[W::Int; D]] = tokens.x.as_chunks().0;
    let asked: Vec<u32> = (0..).zip(&*count).filter(|&(_, &count)| count == 0).map(|(row, _)| row).collect();
    if asked.len() > most(keys.len()) {
        return None;
    }
    let row = |&row: &u32| Row::new(classes, prepared, keys[row as usize], row);
    let mut rows: Vec<Row<W, D>> = asked.par_iter().with_min_len(256).map(row).collect();
    rows.par_sort_unstable_by(|a, b| b.bound.total_cmp(&a.bound).then(a.place.cmp(&b.place)));
    let (lanes, least) = (set.packet_rows(W::PRECISION), |rows: &[Row<W, D>]| rows.last().map_or(0.0, |row| row.bound));
    let mut squares: Vec<f64> = sample::<W, D>(tokens.x).map(square::<W>).collect();
    squares.sort_unstable_by(f64::total_cmp);
    let read = |bound| squares.len() - squares.partition_point(|&square| square < bound);
    let share =
        rows.chunks(lanes).map(|rows| rows.len() * read(least(rows))).sum::<usize>() as f64 / squares.len() as f64;
    let surface = (keys.len() as f64).powf(1.0 - 1.0 / D as f64) * asked.len() as f64;
    if prices.of_scores(1) * (share * keys.len() as f64 - SEARCHED * surface) > ordering {
        return None;
    }
    // The bound of a complement can be far above all squares.
    let largest = classes.largest().iter().map(|x| x * x).sum::<f64>();
    let (longest, shortest) = (rows.first()?.bound.min(largest), least(&rows));
    let bins = &Bins { most: longest, least: shortest, scale: BINS as f64 / (longest - shortest).max(1.0) };
    let runs: Vec<Run<W, D>> = keys.par_chunks(RUN).map(|keys| Run::new(keys, bins)).collect();
    let (mut sum, mut largest) = ([0; D], [0; D]);
    for run in &runs {
        sum = std::array::from_fn(|k| sum[k] + <W::Int as Coordinate>::widened(run.sum[k]));
        largest = std::array::from_fn(|k| run.largest[k].max(largest[k]));
    }
    let of_packet = |sums: &mut Sums<W>, rows: &[Row<W, D>]| {
        if watch.is_left() {
            return (Vec::new(), Tally::default());
        }
        let last = bins.of(least(rows));
        let (found, redone) = W::run(set, Packet { rows, runs: &runs, last, largest, sums });
        let step = |(row, (found, size)): (&Row<W, D>, ([i128; D], i128))| {
            let (sum, size): ([i128; D], i128) = if row.is_complement {
                (std::array::from_fn(|k| sum[k] - found[k]), keys.len() as i128 - size)
            } else {
                (found, size)
            };
            let moved = |k| W::moved(row.own[k], W::wide(sum[k]), size as u32, prepared.step.gain);
            (std::array::from_fn(moved), size as u32)
        };
        let moves: Vec<([W::Int; D], u32)> = rows.iter().zip(found).map(step).collect();
        let read: u64 = runs.iter().map(|run| u64::from(run.ends[last])).sum();
        let rows = rows.len() as u64;
        let tally = Tally { rows, scores: rows * read, redone, ..Tally::default() };
        watch.spend(prices.of(&tally));
        (moves, tally)
    };
    let packets = rows.par_chunks(lanes).with_max_len(1).map_init(|| Sums::new(D, lanes), of_packet);
    let packets: Vec<_> = packets.collect();
    let mut all = Tally::default();
    for ((moves, tally), rows) in packets.into_iter().zip(rows.chunks(lanes)) {
        all = all + tally;
        for ((to, size), row) in moves.into_iter().zip(rows) {
            let at = row.place as usize;
            next[at * D..][..D].copy_from_slice(&to);
            (argmax[at], count[at]) = (row.argmax, size);
            all.moved += u64::from(to != row.own);
        }
    }
    Some(all)
}

/// The square of a length.
#[inline(always)]
fn square<W: Width>(row: &[W::Int]) -> f64 {
    row.iter().fold(0.0, |sum, &x| {
        let x = Integer::to_i64(x) as f64;
        sum + x * x
    })
}

impl<W: Width, const D: usize> Row<W, D> {
    fn new(classes: &Classes<D>, prepared: &PreparedStep<'_, W>, own: [W::Int; D], place: u32) -> Self {
        let query: [W::Int; D] = std::array::from_fn(|k| query_coordinate(prepared, &own, k));
        let (most, argmax) = classes.maximum::<W>(&query);
        let width = strip_width::<W>(prepared.step, 1, 0, &query, &own);
        let least = W::narrow(W::threshold(most, W::wide(width)));
        let is_complement = least <= 0;
        let (query, least) =
            if is_complement { (query.map(|q| W::Int::of(-Integer::to_i64(q))), 1 - least) } else { (query, least) };
        let bound = (least as f64).powi(2) / square::<W>(&query) * (1.0 - PAID);
        Self { place, own, query, least: W::wide(least), is_complement, bound, argmax }
    }
}

impl Bins {
    #[inline(always)]
    fn of(&self, square: f64) -> usize {
        (((self.most - square) * self.scale) as usize).min(BINS - 1)
    }
}

impl<W: Width, const D: usize> Run<W, D> {
    fn new(keys: &[[W::Int; D]], bins: &Bins) -> Self {
        let (mut sum, mut largest, mut ends) = ([Default::default(); D], [0; D], [0; BINS + 1]);
        let bin = |key: &[W::Int; D]| {
            for k in 0..D {
                sum[k] += key[k].times(1);
                largest[k] = Integer::to_i64(key[k]).abs().max(largest[k]);
            }
            let square = square::<W>(key);
            let bin = if square >= bins.least { bins.of(square) } else { BINS };
            ends[bin] += 1;
            bin as u16
        };
        let bin: Vec<u16> = keys.iter().map(bin).collect();
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        // Each end is where its bin begins, until its keys are there.
        let mut x = vec![[W::Int::default(); D]; ends[BINS] as usize];
        for (key, &bin) in keys.iter().zip(&bin) {
            let end = &mut ends[bin as usize];
            if let Some(x) = x.get_mut(*end as usize) {
                *x = *key;
                *end += 1;
            }
        }
        Self { x, ends, sum, largest }
    }
}

/// A job: the strips of a packet, or their complements.
struct Packet<'a, W: Width, const D: usize> {
    rows: &'a [Row<W, D>],
    runs: &'a [Run<W, D>],
    /// The last bin to be read.
    last: usize,
    /// `max |x_k|`.
    largest: [i64; D],
    sums: &'a mut Sums<W>,
}

impl<W: Width, const D: usize> Job<W, W::Int> for Packet<'_, W, D> {
    /// Sums and numbers of keys, and the number of exact scores.
    type Output = (Vec<([i128; D], i128)>, u64);

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, lanes: L) -> Self::Output {
        let Packet { rows, runs, last, largest, sums } = self;
        let mut query = [[W::default(); LANES]; D];
        // No score reaches those of lanes without a row.
        let [mut low, mut high] = [[W::LOWEST.size(); LANES]; 2];
        for (l, row) in rows.iter().enumerate() {
            for k in 0..D {
                query[k][l] = W::of(row.query[k]);
            }
            let weight = |k: usize| (Integer::to_i64(row.query[k]) as f64).abs() * largest[k] as f64;
            let error = error_bound::<W>(D, (0..D).map(weight).sum());
            let (below, above) = W::around(row.least);
            (low[l], high[l]) = (below.minus_down(error), above.plus_up(error));
        }
        let (mut near, mut bands, mut redone) = ([[W::default(); D]; TILE], Vec::new(), 0);
        sums.clear();
        for run in runs {
            for keys in run.x[..run.ends[last] as usize].chunks(TILE) {
                near.iter_mut().zip(keys).for_each(|(near, key)| *near = key.map(W::of));
                let near = &near[..keys.len()];
                let into = sums.room_for(keys.len());
                for first in (0..rows.len()).step_by(SIDE * L::WIDTH) {
                    add_tile(lanes, first, &query, [&low, &high], (near, keys), into, &mut bands);
                }
                for (key, band) in bands.drain(..) {
                    let key: &[W::Int; D] = &keys[key];
                    redone += u64::from(u64::count_ones(band));
                    let is_inside =
                        |&l: &usize| band >> l & 1 == 1 && W::dot_rows(&rows[l].query, key) >= rows[l].least;
                    let inside = (0..rows.len()).filter(is_inside).fold(0, |bits, l| bits | 1 << l);
                    sums.add_whole(inside, key.iter().map(|x| x.times(1)), 1);
                }
            }
        }
        let of_lane = |l| {
            let mut found = sums.of_lane(l).map(W::narrow);
            (std::array::from_fn(|_| found.next().unwrap_or_default()), found.next().unwrap_or_default())
        };
        ((0..rows.len()).map(of_lane).collect(), redone)
    }
}

/// Adds the keys of a tile to the sums of the lanes from `first` on whose score reaches `high`; lists the keys whose
/// score only reaches `low`, with these lanes.
#[inline(always)]
fn add_tile<W: Width, const D: usize, L: Lanes<W, W::Int>>(
    lanes: L,
    first: usize,
    query: &[[W; LANES]; D],
    limits: [&[W; LANES]; 2],
    (near, keys): (&[[W; D]], &[[W::Int; D]]),
    sums: &mut [W::Int],
    bands: &mut Vec<(usize, u64)>,
) {
    let at = |r: usize| first + r * L::WIDTH;
    let load = |from: &[W; LANES]| -> [L::Floats; SIDE] { std::array::from_fn(|r| lanes.load(&from[at(r)..])) };
    let (query, [low, high]) = (query.each_ref().map(load), limits.map(load));
    let (zero, one, width) = (lanes.splat(W::default()), lanes.splat_int(W::Int::one()), VECTORS * L::WIDTH);
    let score =
        |key: &[W; D], r: usize| (0..D).fold(zero, |sum, k| lanes.mul_add(query[k][r], lanes.splat(key[k]), sum));
    let none = lanes.splat_int(W::Int::default());
    let (mut sum, mut count, mut reached) = ([[none; SIDE]; D], [none; SIDE], [none; SIDE]);
    for (near, key) in near.iter().zip(keys) {
        for r in 0..SIDE {
            let score = score(near, r);
            let inside = lanes.mask(lanes.at_least(score, high[r]));
            for k in 0..D {
                sum[k][r] = lanes.add_where(inside, sum[k][r], lanes.splat_int(key[k]));
            }
            count[r] = lanes.add_where(inside, count[r], one);
            reached[r] = lanes.add_where(lanes.mask(lanes.at_least(score, low[r])), reached[r], one);
        }
    }
    let mut any = false;
    for r in 0..SIDE {
        let [mut counts, mut all] = [[W::Int::default(); LANES]; 2];
        lanes.store_ints(count[r], &mut counts);
        lanes.store_ints(reached[r], &mut all);
        any |= counts != all;
        for (k, sum) in sum.iter().map(|sum| sum[r]).chain([count[r]]).enumerate() {
            let (sums, mut tile) = (&mut sums[k * width + at(r)..][..L::WIDTH], [W::Int::default(); LANES]);
            lanes.store_ints(sum, &mut tile);
            W::add_rows(sums, &tile);
        }
    }
    if any {
        let band = |score: L::Floats, r: usize| lanes.at_least(score, low[r]) & !lanes.at_least(score, high[r]);
        for (place, near) in near.iter().enumerate() {
            let bits = (0..SIDE).fold(0, |bits, r| bits | band(score(near, r), r) << at(r));
            if bits != 0 {
                bands.push((place, bits));
            }
        }
    }
}
