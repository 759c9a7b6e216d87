//! All rows of a step by its table: their moves, and which of them have no slack after it.

use rayon::prelude::*;

use crate::cpu::exact::direction::candidates::CHUNK;
use crate::cpu::exact::direction::cover::Cover;
use crate::cpu::exact::direction::rows::{BLOCK, Block, MANY, Rows, place};
use crate::cpu::exact::step::{Tally, Watch};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::InstructionSet;

/// A cover, and the slacks that rows have by it before and after a step.
#[derive(Clone, Copy)]
pub(super) struct Covered<'a> {
    pub(super) cover: &'a Cover,
    pub(super) before: f64,
    pub(super) after: f64,
    /// Whether rows have never been looked at.
    pub(super) is_first: bool,
}

/// Rows, argmaxes and strip sizes in the making.
type Made<'a, A> = (&'a mut [A], &'a mut [u32], &'a mut [u32]);

/// Some rows, by the number of their chunk: before and after the step, with argmaxes and strip sizes.
type Chunk<'a, A> = (usize, ((&'a [A], &'a mut [A]), (&'a mut [u32], &'a mut [u32])));

/// Moves rows, each of which stands for as many tokens as its weight says. Returns the work, and the rows that were
/// looked at and lack slack after the step, ascending; not all rows are moved where `watch` is left.
pub(super) fn move_rows<W: Width, const D: usize>(
    rows: &Rows<'_, W, D>,
    set: InstructionSet,
    watch: &Watch<'_>,
    covered: Option<Covered<'_>>,
    (x, weights): (&[[W::Int; D]], Option<&[u32]>),
    (next, argmax, count): Made<'_, [W::Int; D]>,
) -> (Tally, Vec<u32>) {
    let of_chunk = |(chunk, ((own, next), (argmax, count))): Chunk<'_, [W::Int; D]>| {
        let (mut tally, mut outside) = (Tally::default(), Vec::new());
        if watch.is_left() {
            return (tally, outside);
        }
        let blocks = own.chunks(BLOCK).zip(next.chunks_mut(BLOCK));
        let results = argmax.chunks_mut(BLOCK).zip(count.chunks_mut(BLOCK));
        for (block, ((own, next), (argmax, count))) in blocks.zip(results).enumerate() {
            let (mut keys, base) = ([MANY; BLOCK], chunk * CHUNK + block * BLOCK);
            W::run(set, Block { rows, own, next, keys: &mut keys });
            for (at, (own, next)) in own.iter().zip(next).enumerate() {
                let row = if keys[at] == MANY { rows.row(own, next) } else { rows.alone(keys[at]) };
                (argmax[at], count[at]) = (row.argmax, row.count);
                let weight = weights.map_or(1, |weights| weights[base + at]);
                tally.moved += u64::from((0..D).any(|k| own[k] != next[k])) * u64::from(weight);
                tally.scores += row.scores;
                tally.redone += row.scores.saturating_sub(1);
                if let Some(Covered { cover, before, after, is_first }) = covered {
                    let is_covered = if row.is_led {
                        !is_first || cover.holds(place::<W, D>(own), before)
                    } else {
                        cover.holds(place::<W, D>(next), after)
                    };
                    if !is_covered {
                        outside.push((base + at) as u32);
                    }
                }
            }
        }
        tally.rows = own.len() as u64;
        watch.spend(tally.scores);
        (tally, outside)
    };
    let chunks = x.par_chunks(CHUNK).zip(next.par_chunks_mut(CHUNK));
    let results = argmax.par_chunks_mut(CHUNK).zip(count.par_chunks_mut(CHUNK));
    let (tallies, outside): (Vec<Tally>, Vec<Vec<u32>>) = chunks.zip(results).enumerate().map(of_chunk).unzip();
    (tallies.into_iter().fold(Tally::default(), |a, b| a + b), outside.concat())
}
