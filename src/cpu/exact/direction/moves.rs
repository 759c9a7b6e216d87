//! All rows of a step by its table: their moves, and which of them have no slack after it.

#![allow(clippy::inline_always)] // kernels belong into the function of their instruction set

use rayon::prelude::*;

use crate::cpu::exact::direction::candidates::CHUNK;
use crate::cpu::exact::direction::cover::Cover;
use crate::cpu::exact::direction::rows::{BLOCK, Rows, place};
use crate::cpu::exact::step::{Tally, Watch};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{InstructionSet, Job, Lanes};
use crate::outcome::StripSizes;

/// A cover, and the slacks that rows have by it before and after a step.
#[derive(Clone, Copy)]
pub(super) struct Covered<'a> {
    pub(super) cover: &'a Cover,
    pub(super) before: f64,
    pub(super) after: f64,
    /// Whether rows have never been looked at.
    pub(super) is_first: bool,
}

/// Argmaxes and strip sizes in the making.
type Strips<'a> = (&'a mut [u32], &'a mut [u32]);

/// What the rows of a step came to.
#[derive(Default)]
pub(super) struct Moved {
    pub(super) tally: Tally,
    pub(super) sizes: StripSizes,
    /// The rows that were looked at and lack slack after the step, ascending.
    pub(super) outside: Vec<u32>,
}

/// Moves rows, each of which stands for as many tokens as its weight says, and keeps their strips where they are asked for.
/// Not all rows are moved where `watch` is left.
pub(super) fn move_rows<W: Width, const D: usize>(
    rows: &Rows<'_, W, D>,
    set: InstructionSet,
    watch: &Watch<'_>,
    covered: Option<Covered<'_>>,
    (x, weights): (&[[W::Int; D]], Option<&[u32]>),
    (next, strips): (&mut [[W::Int; D]], Option<Strips<'_>>),
) -> Moved {
    let strips: Vec<Option<Strips<'_>>> = match strips {
        Some((argmax, count)) => argmax.chunks_mut(CHUNK).zip(count.chunks_mut(CHUNK)).map(Some).collect(),
        None => x.chunks(CHUNK).map(|_| None).collect(),
    };
    let of_chunk = |(chunk, ((own, next), strips))| {
        if watch.is_left() {
            return Moved::default();
        }
        let first = chunk * CHUNK;
        let weights = weights.map(|weights| &weights[first..]);
        let moved = W::run(set, Chunk { rows, covered, first, own, weights, next, strips });
        watch.spend(moved.tally.scores);
        moved
    };
    let chunks = x.par_chunks(CHUNK).zip(next.par_chunks_mut(CHUNK)).zip(strips);
    let parts: Vec<Moved> = chunks.enumerate().map(of_chunk).collect();
    let join = |mut all: Moved, part: Moved| {
        (all.tally, all.sizes) = (all.tally + part.tally, all.sizes.join(part.sizes));
        all.outside.extend(part.outside);
        all
    };
    parts.into_iter().fold(Moved::default(), join)
}

/// A job: moves some rows, of which the first has a number.
struct Chunk<'a, W: Width, const D: usize> {
    rows: &'a Rows<'a, W, D>,
    covered: Option<Covered<'a>>,
    first: usize,
    own: &'a [[W::Int; D]],
    weights: Option<&'a [u32]>,
    next: &'a mut [[W::Int; D]],
    strips: Option<Strips<'a>>,
}

impl<W: Width, const D: usize> Job<W, W::Int> for Chunk<'_, W, D> {
    type Output = Moved;

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(mut self, _: L) -> Moved {
        let mut all = Moved { tally: Tally { rows: self.own.len() as u64, ..Tally::default() }, ..Moved::default() };
        for (block, (own, next)) in self.own.chunks(BLOCK).zip(self.next.chunks_mut(BLOCK)).enumerate() {
            let (first, made) = (block * BLOCK, self.rows.block(own, next));
            let here = first..first + own.len();
            all.tally.scores += made.scores;
            all.tally.redone += made.redone;
            all.sizes = all.sizes.join(StripSizes::of(&made.count[..own.len()]));
            let moved = moved::<W, D>(own, next);
            all.tally.moved += u64::from(match self.weights {
                None => moved.iter().sum::<u32>(),
                Some(weights) => weights[here.clone()].iter().zip(moved).map(|(weight, moved)| weight * moved).sum(),
            });
            if let Some((argmax, count)) = &mut self.strips {
                argmax[here.clone()].copy_from_slice(&made.argmax[..own.len()]);
                count[here].copy_from_slice(&made.count[..own.len()]);
            }
            if let Some(covered) = self.covered {
                let lacking = covered.lacking::<W, D>(own, next, &made.is_led);
                all.outside.extend(lacking.map(|at| (self.first + first + at) as u32));
            }
        }
        all
    }
}

/// 1 for each of up to `BLOCK` rows that moved, 0 for the others.
#[inline(always)]
fn moved<W: Width, const D: usize>(own: &[[W::Int; D]], next: &[[W::Int; D]]) -> [u32; BLOCK] {
    let mut moved = [0; BLOCK];
    for ((moved, own), next) in moved.iter_mut().zip(own).zip(next) {
        *moved = u32::from(own != next);
    }
    moved
}

impl Covered<'_> {
    /// Those of up to `BLOCK` rows that lack slack after a step.
    #[inline(always)]
    fn lacking<W: Width, const D: usize>(
        self,
        own: &[[W::Int; D]],
        next: &[[W::Int; D]],
        is_led: &[bool; BLOCK],
    ) -> impl Iterator<Item = usize> {
        let mut is_covered = [true; BLOCK];
        if self.is_first {
            is_covered = self.cover.holds_each::<W, D>(own, self.before);
        }
        for (at, next) in next.iter().enumerate().filter(|&(at, _)| !is_led[at]) {
            is_covered[at] = self.cover.holds(place::<W, D>(next), self.after);
        }
        (0..own.len()).filter(move |&at| !is_covered[at])
    }
}
