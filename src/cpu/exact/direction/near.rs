//! Rows near the origin, whose strips hold a large share of the cloud: sums over half spaces.
//!
//! Let q be a query, m its maximum, which a list of [`Classes`] tells, and T = m − D. Its strip is all x of q·x ≥
//! T, whose sum [`super::sweep`] finds.
//!
//! **Complements.** Scores are integers, so the keys outside the strip are those of −q·x ≥ 1 − T. Where T ≤ 0, the
//! row asks for these, and its strip is all keys less what is found. So every T is at least 1.
//!
//! A row looks at all cones that its strip may reach, where a search looks at the boxes along the surface of its strip.
//! So this is for few rows, or where keys are not in order. A sample of the keys tells.

use rayon::prelude::*;

use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::direction::candidates::{most, sample};
use crate::cpu::exact::direction::classes::{Classes, Tokens};
use crate::cpu::exact::direction::cones::{Cones, HalfSpace, levels, square};
use crate::cpu::exact::direction::rows::query_coordinate;
use crate::cpu::exact::query::strip_width;
use crate::cpu::exact::step::{PreparedStep, Tally, Watch};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::InstructionSet;
use crate::space::Coordinate;

/// For a row that is near the origin a search takes as long as so many scores, times n^(1 − 1/d).
const SEARCHED: f64 = 16.0;

/// A row and its strip, or the complement of that.
struct Row<W: Width, const D: usize> {
    place: u32,
    own: [W::Int; D],
    argmax: u32,
    half: HalfSpace<W, D>,
    is_complement: bool,
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
    rows.par_sort_unstable_by(|a, b| a.half.bound.total_cmp(&b.half.bound).then(a.place.cmp(&b.place)));
    let levels = levels(D, keys.len());
    let mut squares: Vec<f64> = sample::<W, D>(tokens.x).map(square::<W>).collect();
    squares.sort_unstable_by(f64::total_cmp);
    let share = |row: &Row<W, D>| squares.len() - squares.partition_point(|&square| square < row.half.bound);
    let reached = rows.iter().map(share).sum::<usize>() as f64 / squares.len() as f64 * keys.len() as f64;
    let bounds = Tally { shared: Cones::<W, D>::bounds(set, levels, asked.len()), ..Tally::default() };
    let surface = (keys.len() as f64).powf(1.0 - 1.0 / D as f64) * asked.len() as f64;
    let scored = reached / f64::from(1 << levels);
    if prices.of_scores(1) * (scored - SEARCHED * surface) + prices.of(&bounds) as f64 > ordering {
        return None;
    }
    let least = rows.first()?.half.bound;
    let cones = Cones::new(set, keys, levels, least);
    let (mut halves, mut moves) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for Row { place, own, argmax, half, is_complement } in rows {
        halves.push(half);
        moves.push((place as usize, own, argmax, is_complement));
    }
    let (sums, found) = cones.sums(set, &halves, (prices, watch));
    let mut tally = Tally { rows: halves.len() as u64, ..Tally::default() };
    watch.spend(prices.of(&tally));
    tally = tally + found;
    for ((at, own, first, is_complement), found) in moves.into_iter().zip(sums) {
        let widened = |sum: [<W::Int as Coordinate>::Sum; D]| sum.map(<W::Int as Coordinate>::widened);
        let (mut sum, mut size) = (widened(found.x), found.keys);
        if is_complement {
            let all = widened(cones.total.x);
            (sum, size) = (std::array::from_fn(|k| all[k] - sum[k]), keys.len() as u64 - size);
        }
        // A step that is left has sums of nothing.
        let moved = |k| W::moved(own[k], W::wide(sum[k]), (size as u32).max(1), prepared.step.gain);
        let to: [W::Int; D] = std::array::from_fn(moved);
        next[at * D..][..D].copy_from_slice(&to);
        (argmax[at], count[at]) = (first, size as u32);
        tally.moved += u64::from(to != own);
    }
    Some(tally)
}

impl<W: Width, const D: usize> Row<W, D> {
    fn new(classes: &Classes<D>, prepared: &PreparedStep<'_, W>, own: [W::Int; D], place: u32) -> Self {
        let query: [W::Int; D] = std::array::from_fn(|k| query_coordinate(prepared, &own, k));
        let (most, argmax) = classes.maximum::<W>(&query);
        let width = strip_width::<W>(prepared.step.width, 1, 0, &query, &own);
        let least = W::narrow(W::threshold(most, W::wide(width)));
        let is_complement = least <= 0;
        let (query, least) =
            if is_complement { (query.map(|q| W::Int::of(-Integer::to_i64(q))), 1 - least) } else { (query, least) };
        Self { place, own, argmax, half: HalfSpace::new(query, least), is_complement }
    }
}
