//! Strips of a width above 0: tables of directions for classes of width, and rows in the buckets of their cells.
//!
//! Let a query q ≠ 0 with ρ = |q|_inf be in a cell with corners r, D be the width of its strip, and w = D/ρ. A class
//! holds the rows of w ≤ W, and its table has a list of keys for every cell. A row is decided among these.
//!
//! **What a list leaves out.** Corners are scaled by `side`, and q·side/ρ = Σ λ_r r is a mean of them: λ ≥ 0, Σ λ = 1.
//! Let k be any key, and x one with r·(x − k) < −W·side for all r. Then
//!
//! > q·(x − k) = ρ/side · Σ λ_r r·(x − k) < −ρ W ≤ −D,
//!
//! so the score of x is below that of k less D, and x is in no strip of the cell's rows. Lists leave out such keys only,
//! in integers: W is at most 2^54 and a side at most 2^7. A maximum is in its strip, so it is listed.
//!
//! **What no list needs.** The cover of [`super`] by any keys, with H_r = min r·(k(c) − o) − W·side in place of H_r:
//! let all of these be above 0, and x be covered with a slack s > 0. Then for a query of any cell c of the cover
//!
//! > q·(x − o) ≤ (1 − s) ρ/side · Σ λ_r H_r < ρ/side · Σ λ_r H_r ≤ q·(k(c) − o) − ρ W ≤ q·(k(c) − o) − D.
//!
//! Nothing is kept from step to step: how near a token may come to a strip depends on the widths of the next step, too,
//! and on all that moves. So each step looks at every token once.
//!
//! **Rows.** They are counted into buckets, one for a cell of a class, and decided side by side against keys that are
//! the same for all of them. At f32 every score, width and sum is an integer below 2^53, so f64 rounds nothing: |q_k| ≤
//! 2^24 + 1.5, |x_k| ≤ 2^24, d ≤ 3; D ≤ W ρ < 2^52; and keys are of 2^24 tokens at most, which sum to 2^48.
//! isqrt(v) is the floor of the float root for v < 2^52: below an integer k by 1/2k at least, which is more than a float below k is off by.
//! At f64 scores are decided by the bounds of [`crate::cpu::exact::filter`], and a row with an entry that they leave
//! open by exact scores; coordinates are summed in halves of 27 bits, which sum to 2^51 at most.
//!
//! Rows wider than all classes, and of q = 0, are left to [`super::near`] or to a search.

#![allow(clippy::inline_always, clippy::needless_range_loop)] // kernels belong into the function of their instruction set

use std::cmp::Reverse;

use rayon::prelude::*;

use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::direction::candidates::{FEW, centre, farthest, levels, most, outside, sample, seed_levels};
use crate::cpu::exact::direction::cells::{Cells, integer};
use crate::cpu::exact::direction::cover::Cover;
use crate::cpu::exact::direction::packet::{Key, Packets};
use crate::cpu::exact::direction::rows::{BLOCK, place, query_coordinate};
use crate::cpu::exact::direction::table::Table;
use crate::cpu::exact::step::{PreparedStep, Tally, Watch};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{InstructionSet, Job, Lanes, Vectors};
use crate::exact::{Step, StripWidth, TokenMatrix};
use crate::model::Mask;
use crate::tokens::Precision;

/// Shares of the rows that are wider than a class.
const TAILS: [f64; 4] = [0.5, 0.125, 0.031_25, 0.007_812_5];
/// A class that is so little wider than the one before takes its place.
const NEAR: f64 = 1.3;
/// Some row is wider than all sampled ones, though by little.
const MARGIN: f64 = 1.1;
/// Rows of a cell, about.
const ROWS: usize = 768;
/// The widest class, and room for the roundings of a comparison of widths.
const WIDEST: f64 = (1u64 << 54) as f64;
const SLACK: f64 = 1.0 + 1.0 / (1u64 << 48) as f64;
/// Rows that a thread puts into buckets at once.
const CHUNKS: [usize; 2] = [1 << 14, 1 << 17];
/// The most tokens behind the keys.
const TOKENS: u64 = 1 << 24;

/// Whether classes serve a step in R^d: of strips of a width above 0, in which all rows see all keys.
pub(crate) fn serves(step: &Step, d: usize) -> bool {
    let has_width = match step.width {
        StripWidth::Argmax => false,
        StripWidth::Constant(width) => width > 0,
        StripWidth::QueryNorm { factor } | StripWidth::ANorm { factor, .. } => factor > 0,
    };
    has_width && step.mask == Mask::FULL && (2..=3).contains(&d)
}

/// Distinct tokens, or not, with their numbers and least indices.
pub(crate) struct Tokens<'a, W: Width> {
    /// Row-major.
    pub(crate) x: &'a [W::Int],
    /// 1 each where it is empty.
    pub(crate) weight: &'a [u32],
    pub(crate) first: &'a [u32],
}

/// Places, argmaxes and counts of some rows, to be written, by the number of their chunk.
type Chunk<'a, A> = (usize, ((&'a mut [A], &'a mut [u32]), &'a mut [u32]));

/// The tables of a step.
pub(crate) struct Classes<const D: usize> {
    /// Classes, the narrowest first.
    all: Vec<Class<D>>,
    /// Keys of all classes, those of narrow ones first: a class has a table of a leading part of them.
    keys: Vec<Key<D>>,
    /// Indices of the keys among the tokens.
    candidates: Vec<u32>,
}

/// Rows up to a width, and the table of them.
struct Class<const D: usize> {
    width: i64,
    table: Table<D>,
    /// The bucket of its first cell.
    base: u32,
}

/// A width and the number of cells of a class to be.
struct Plan {
    width: i64,
    levels: u32,
}

/// Floats of some rows, by coordinate.
type Floats<const N: usize, const D: usize> = [[f64; N]; D];

/// Not less than the strip widths of some rows, from the width of all or the factor of them.
#[inline(always)]
fn widths_above<const N: usize, const D: usize>(
    step: &Step,
    width: f64,
    query: &Floats<N, D>,
    own: &Floats<N, D>,
) -> [f64; N] {
    let mut squares = [0.0; N];
    match step.width {
        StripWidth::Argmax | StripWidth::Constant(_) => return [width * SLACK; N],
        StripWidth::QueryNorm { .. } => {
            for k in 0..D {
                (0..N).for_each(|at| squares[at] += query[k][at] * query[k][at]);
            }
        }
        StripWidth::ANorm { parity, .. } => {
            let (mut off, scale) = ([0.0; N], f64::from(1u32 << parity));
            for k in 0..D {
                for at in 0..N {
                    let product = query[k][at] * own[k][at];
                    squares[at] += product;
                    // Products of both signs may cancel.
                    off[at] += product.abs() * (SLACK - 1.0);
                }
            }
            for at in 0..N {
                squares[at] = (if squares[at] > 0.0 { squares[at] } else { 0.0 } + off[at]) * scale;
            }
        }
    }
    squares.map(|square| width * square.sqrt() * SLACK)
}

/// The width of all strips, or the factor of them.
fn width_or_factor(step: &Step) -> f64 {
    match step.width {
        StripWidth::Argmax => 0.0,
        StripWidth::Constant(width) => width as f64,
        StripWidth::QueryNorm { factor } | StripWidth::ANorm { factor, .. } => factor as f64,
    }
}

/// The most that D/|q|_inf can be, by |q|_2 ≤ √d |q|_inf.
fn bound<const D: usize>(step: &Step, factor: f64) -> f64 {
    let is_own = step.matrix == TokenMatrix::Identity;
    match step.width {
        StripWidth::QueryNorm { .. } => factor * (D as f64).sqrt() * SLACK.powi(4),
        StripWidth::ANorm { parity, .. } if is_own => factor * ((D << parity) as f64).sqrt() * SLACK.powi(4),
        _ => f64::INFINITY,
    }
}

/// The classes that suit the widths of some rows, narrowest first.
fn plan<W: Width, const D: usize>(x: &[W::Int], prepared: &PreparedStep<'_, W>) -> Vec<Plan> {
    let (n, factor) = (x.len() / D, width_or_factor(prepared.step));
    let width = |own: &[W::Int]| {
        let own: [W::Int; D] = std::array::from_fn(|k| own[k]);
        let query = std::array::from_fn(|k| query_coordinate(prepared, &own, k));
        let [query, own] = [query, own].map(|x: [W::Int; D]| x.map(|x| [Integer::to_i64(x) as f64]));
        let size = query.iter().fold(0.0, |size: f64, q| size.max(q[0].abs()));
        if size > 0.0 { widths_above(prepared.step, factor, &query, &own)[0] / size * SLACK } else { f64::INFINITY }
    };
    let mut widths: Vec<f64> = sample::<W, D>(x).map(width).collect();
    widths.sort_unstable_by(f64::total_cmp);
    let last = widths.len() - 1;
    // A class, and the share of rows up to its width.
    let mut found: Vec<(f64, usize)> = Vec::new();
    let places = TAILS.iter().map(|tail| ((1.0 - tail) * last as f64).ceil() as usize).chain([last]);
    for at in places {
        let mut width = widths[at].max(1.0).ceil();
        if width > WIDEST {
            break;
        }
        if at == last {
            width = (width * MARGIN).min(bound::<D>(prepared.step, factor)).max(width).ceil();
        }
        match found.last_mut() {
            Some(class) if width <= NEAR * class.0 => *class = (width, at + 1),
            // The widest of all, unless it is near.
            Some(_) if at == last => {}
            _ => found.push((width, at + 1)),
        }
    }
    let below = [0].into_iter().chain(found.iter().map(|class| class.1));
    let plan = |(&(width, up_to), below): (&(f64, usize), usize)| {
        let rows = (n as f64 * (up_to - below) as f64 / widths.len() as f64) as usize;
        Plan { width: width as i64, levels: ((rows / ROWS).max(1).ilog2() / (D as u32 - 1)).clamp(1, levels(D)) }
    };
    found.iter().zip(below).map(plan).collect()
}

impl<const D: usize> Classes<D> {
    /// The tables for a step, with candidates of the step before, if any; `None` where no table serves.
    pub(crate) fn new<W: Width>(
        set: InstructionSet,
        tokens: &Tokens<'_, W>,
        prepared: &PreparedStep<'_, W>,
        before: &[u32],
    ) -> Option<Self> {
        let (x, n) = (tokens.x, tokens.x.len() / D);
        let row = |i: u32| &x[i as usize * D..][..D];
        let mut plans = plan::<W, D>(x, prepared);
        let mut candidates: Vec<(usize, u32)>;
        if n <= FEW {
            candidates = (0..n as u32).map(|i| (0, i)).collect();
        } else {
            let (centre, levels) = (centre::<W, D>(x), seed_levels(D, n));
            let cells = Cells::<D> { side: 1 << levels };
            let seeds = if before.is_empty() {
                farthest::<W, D>(set, x, cells, centre)
            } else {
                let rows: Vec<W::Int> = before.iter().flat_map(|&i| row(i).iter().copied()).collect();
                farthest::<W, D>(set, &rows, cells, centre)
            };
            let mut covers: Vec<Cover> =
                plans.iter().map_while(|plan| Cover::new(centre, &seeds, levels, plan.width)).collect();
            let all = loop {
                match outside::<W, D>(set, x, covers.last()?, most(n)) {
                    Some(all) => break all,
                    None => covers.pop(),
                };
            };
            let narrowest = |&i: &u32| {
                let at = place::<W, D>(row(i));
                (covers.iter().position(|cover| !cover.holds(at, 0.0)).unwrap_or(covers.len() - 1), i)
            };
            candidates = all.par_iter().with_min_len(1024).map(narrowest).collect();
            candidates.sort_unstable();
            plans.truncate(covers.len());
        }
        let places: Vec<[i64; D]> = candidates.iter().map(|&(_, i)| place::<W, D>(row(i))).collect();
        let (mut classes, mut base) = (Vec::new(), 0);
        for (class, plan) in plans.iter().enumerate() {
            let some = candidates.partition_point(|&(narrowest, _)| narrowest <= class);
            let Some(table) = Table::new(&places[..some], plan.levels, plan.width) else { break };
            let cells = table.cells.count() as u32;
            classes.push(Class { width: plan.width, table, base });
            base += cells;
        }
        let key = |(&(_, i), &at): (&(usize, u32), &[i64; D])| {
            Key::new::<W>(at, tokens.weight.get(i as usize).copied().unwrap_or(1), tokens.first[i as usize])
        };
        let keys: Vec<Key<D>> = candidates.iter().zip(&places).map(key).collect();
        let candidates: Vec<u32> = candidates.into_iter().map(|(_, i)| i).collect();
        let weight: u64 = keys.iter().map(Key::tokens).sum();
        (!classes.is_empty() && weight <= TOKENS).then_some(Self { all: classes, keys, candidates })
    }

    /// Indices of the tokens that are keys.
    pub(crate) fn into_candidates(self) -> Vec<u32> {
        self.candidates
    }

    /// The number of buckets.
    fn buckets(&self) -> u32 {
        self.all.last().map_or(0, |class| class.base + class.table.cells.count() as u32)
    }

    /// The keys of a bucket.
    fn list(&self, bucket: u32) -> &[u32] {
        let class = self.all.partition_point(|class| class.base <= bucket) - 1;
        let class = &self.all[class];
        class.table.list((bucket - class.base) as usize)
    }

    /// Moves the rows that are in some class; a count of 0 is left where one is not.
    pub(crate) fn take<W: Width>(
        &self,
        set: InstructionSet,
        tokens: &Tokens<'_, W>,
        prepared: &PreparedStep<'_, W>,
        (next, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
        (prices, watch): (Prices, &Watch<'_>),
    ) -> Tally {
        let n = count.len();
        let size = n.div_ceil(4 * rayon::current_num_threads()).clamp(CHUNKS[0], CHUNKS[1]);
        let (buckets, most, width) = (self.buckets(), self.largest(), width_or_factor(prepared.step));
        let chunks = next.par_chunks_mut(size * D).zip(argmax.par_chunks_mut(size)).zip(count.par_chunks_mut(size));
        let of_chunk = |bucket: &mut Vec<u32>, (chunk, ((next, argmax), count)): Chunk<'_, W::Int>| {
            if watch.is_left() {
                return Tally::default();
            }
            let first = chunk * size;
            let own = tokens.x[first * D..][..next.len()].as_chunks().0;
            bucket.clear();
            bucket.resize(own.len(), buckets);
            for (rows, bucket) in own.chunks(BLOCK).zip(bucket.chunks_mut(BLOCK)) {
                W::run(set, Place { classes: self, prepared, width, rows, bucket });
            }
            let (starts, order) = sorted(bucket, buckets);
            order[starts[buckets as usize] as usize..].iter().for_each(|&row| count[row as usize] = 0);
            let weight = tokens.weight.get(first..first + own.len()).unwrap_or_default();
            let list = |bucket| self.list(bucket);
            let next = next.as_chunks_mut().0;
            let packets = Packets {
                keys: &self.keys,
                most,
                width,
                prepared,
                list,
                starts: &starts,
                order: &order,
                own,
                weight,
                next,
                argmax,
                count,
            };
            let tally = f64::run(set, packets);
            watch.spend(prices.of(&tally));
            tally
        };
        // Tests of keys for the lists are like bounds.
        let shared = self.all.iter().map(|class| class.table.tests).sum();
        let tables = Tally { shared, ..Tally::default() };
        watch.spend(prices.of(&tables));
        chunks.enumerate().map_init(Vec::new, of_chunk).reduce(Tally::default, |a, b| a + b) + tables
    }

    /// The maximum of a query among all tokens, and the least index of those that attain it.
    pub(super) fn maximum<W: Width>(&self, query: &[W::Int; D]) -> (W::Wide, u32) {
        let table = &self.all[0].table;
        let (cell, size) = table.cells.place(query.map(Integer::to_i64));
        if size == 0 {
            return (W::Wide::default(), 0);
        }
        let score = |&key: &u32| {
            let key = &self.keys[key as usize];
            (W::dot_rows(query, &key.x.map(|x| W::Int::of(x as i64))), Reverse(key.first))
        };
        table.list(cell).iter().map(score).max().map_or((W::Wide::default(), 0), |(most, first)| (most, first.0))
    }

    /// `max |x_k|` of the keys.
    pub(super) fn largest(&self) -> [f64; D] {
        self.keys.iter().fold([0.0; D], |most, key| std::array::from_fn(|k| most[k].max(key.x[k].abs())))
    }
}

/// Rows by their bucket: where each begins, and the rows.
fn sorted(bucket: &[u32], buckets: u32) -> (Vec<u32>, Vec<u32>) {
    let (mut starts, mut order) = (vec![0u32; buckets as usize + 3], vec![0; bucket.len()]);
    for &bucket in bucket {
        starts[bucket as usize + 2] += 1;
    }
    for bucket in 2..starts.len() {
        starts[bucket] += starts[bucket - 1];
    }
    for (row, &bucket) in bucket.iter().enumerate() {
        let place = &mut starts[bucket as usize + 1];
        order[*place as usize] = row as u32;
        *place += 1;
    }
    starts.pop();
    (starts, order)
}

/// A job: finds the buckets of some rows.
struct Place<'a, W: Width, const D: usize> {
    classes: &'a Classes<D>,
    prepared: &'a PreparedStep<'a, W>,
    width: f64,
    rows: &'a [[W::Int; D]],
    bucket: &'a mut [u32],
}

impl<W: Width, const D: usize> Job<W, W::Int> for Place<'_, W, D> {
    type Output = ();
    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, _: L) {
        let prepared = self.prepared;
        let (mut own, mut queries) = ([[W::Int::default(); D]; BLOCK], [[W::Int::default(); D]; BLOCK]);
        own[..self.rows.len()].copy_from_slice(self.rows);
        if prepared.step.matrix == TokenMatrix::Identity {
            queries = own;
        } else {
            for (query, own) in queries.iter_mut().zip(self.rows) {
                *query = std::array::from_fn(|k| query_coordinate(prepared, own, k));
            }
        }
        let floats = |of: &[[W::Int; D]; BLOCK]| {
            let mut floats = [[0.0; BLOCK]; D];
            for k in 0..D {
                (0..BLOCK).for_each(|at| floats[k][at] = Integer::to_i64(of[at][k]) as f64);
            }
            floats
        };
        let (query, own) = (floats(&queries), floats(&own));
        let widths = widths_above(prepared.step, self.width * SLACK, &query, &own);
        let mut sizes = [0.0; BLOCK];
        for query in &query {
            for at in 0..BLOCK {
                let size = query[at].abs();
                sizes[at] = if size > sizes[at] { size } else { sizes[at] };
            }
        }
        // Of the narrowest class that is wide enough.
        let (mut sides, mut bases) = ([1.0; BLOCK], [f64::from(u32::MAX); BLOCK]);
        for class in self.classes.all.iter().rev() {
            let (limit, side, base) = (class.width as f64, class.table.cells.side as f64, f64::from(class.base));
            for at in 0..BLOCK {
                let fits = widths[at] <= limit * sizes[at] && sizes[at] > 0.0;
                sides[at] = if fits { side } else { sides[at] };
                bases[at] = if fits { base } else { bases[at] };
            }
        }
        let mut buckets = [0i64; BLOCK];
        if W::PRECISION == Precision::F32 {
            for at in 0..BLOCK {
                let cell = Cells::<D>::place_of_floats(sides[at], std::array::from_fn(|k| query[k][at]));
                buckets[at] = integer(bases[at] + cell);
            }
        } else {
            for at in 0..BLOCK {
                let (cell, _) = Cells::<D> { side: sides[at] as i64 }.place(queries[at].map(Integer::to_i64));
                buckets[at] = bases[at] as i64 + cell as i64;
            }
        }
        for (bucket, of) in self.bucket.iter_mut().zip(buckets) {
            *bucket = i64::from(*bucket).min(of) as u32;
        }
    }
}
