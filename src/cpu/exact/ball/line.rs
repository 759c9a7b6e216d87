//! Tokens on a line: a ball is an interval, and the sums over intervals are differences of two sums.

use rayon::prelude::*;

use crate::cpu::exact::ball::radii::radius;
use crate::cpu::exact::step::Tally;
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::share::Share;
use crate::exact::Step;
use crate::space::{Coordinate, Order, order};

/// Rows of a line in a chunk.
pub(crate) const CHUNK: usize = 1 << 10;

/// Keys on a line, ascending, with the sums over those before each.
pub(crate) struct Line<'a, W: Width> {
    x: &'a [W::Int],
    weight: &'a [u32],
    /// The least token at each key.
    first: &'a [u32],
    /// The sum, and the number, of the tokens before each key, and of all.
    sums: Vec<<W::Int as Coordinate>::Sum>,
    counts: Vec<u32>,
}

/// Keys put in order, and the new place of each.
pub(crate) struct InOrder<I> {
    pub(crate) x: Vec<I>,
    pub(crate) weight: Vec<u32>,
    pub(crate) first: Vec<u32>,
    pub(crate) places: Vec<u32>,
}

/// Puts keys in order and merges those that coincide, if it is to; `None` where that changes nothing.
pub(crate) fn in_order<I: Coordinate>(x: &[I], weight: &[u32], first: &[u32], merges: bool) -> Option<InOrder<I>> {
    let is_ascending = |of: fn(I, I) -> bool| x.par_windows(2).with_min_len(1 << 12).all(|pair| of(pair[0], pair[1]));
    if is_ascending(if merges { |a, b| a < b } else { |a, b| a <= b }) {
        return None;
    }
    let order: Vec<u32> =
        if is_ascending(|a, b| a <= b) { (0..x.len() as u32).collect() } else { order(x, 1, Order::Space) };
    let mut keys =
        InOrder { x: Vec::with_capacity(x.len()), weight: Vec::new(), first: Vec::new(), places: vec![0; x.len()] };
    for key in order {
        let key = key as usize;
        if merges && keys.x.last() == Some(&x[key]) {
            let last = keys.x.len() - 1;
            keys.weight[last] += weight[key];
            keys.first[last] = keys.first[last].min(first[key]);
        } else {
            keys.x.push(x[key]);
            keys.weight.push(weight[key]);
            keys.first.push(first[key]);
        }
        keys.places[key] = keys.x.len() as u32 - 1;
    }
    Some(keys)
}

impl<'a, W: Width> Line<'a, W> {
    /// Sums up keys in order.
    pub(crate) fn new(x: &'a [W::Int], weight: &'a [u32], first: &'a [u32]) -> Self {
        let (mut sum, mut count) = (<W::Int as Coordinate>::Sum::default(), 0);
        let (mut sums, mut counts) = (Vec::with_capacity(x.len() + 1), Vec::with_capacity(x.len() + 1));
        for (x, &weight) in x.iter().zip(weight) {
            sums.push(sum);
            counts.push(count);
            sum += x.times(weight);
            count += weight;
        }
        sums.push(sum);
        counts.push(count);
        Self { x, weight, first, sums, counts }
    }

    /// The keys within a distance of each key of a run that begins with `first`.
    fn intervals(&self, first: usize, reach: i64) -> impl FnMut(usize) -> std::ops::Range<usize> + '_ {
        let at = |key: usize| Integer::to_i64(self.x[key]);
        let place = |of: i64| self.x.partition_point(|&x| Integer::to_i64(x) < of);
        let (mut low, mut high) = (place(at(first) - reach), place(at(first) + reach + 1));
        move |key| {
            while at(key) - at(low) > reach {
                low += 1;
            }
            while high < self.x.len() && at(high) - at(key) <= reach {
                high += 1;
            }
            low..high
        }
    }

    /// The keys within a distance of one.
    fn interval(&self, key: usize, reach: i64) -> std::ops::Range<usize> {
        let at = Integer::to_i64(self.x[key]);
        let place = |of: i64| self.x.partition_point(|&x| Integer::to_i64(x) < of);
        place(at - reach)..place(at + reach + 1)
    }

    /// Moves the rows of this rank's chunks to the means of their intervals.
    pub(crate) fn step(&self, step: &Step, share: &Share, next: &mut [W::Int], count: &mut [u32]) -> Tally {
        let reach = radius(step.width);
        let has_own = step.own.as_ref().is_some_and(|own| own.widths.is_some());
        let chunks = next.par_chunks_mut(CHUNK).zip(count.par_chunks_mut(CHUNK)).enumerate();
        let tallies = chunks.with_min_len(4).map(|(chunk, (next, count))| {
            if !share.has(chunk) || share.interrupt.is_raised() {
                return Tally::default();
            }
            let base = chunk * CHUNK;
            let mut interval = self.intervals(base, reach);
            let mut tally = Tally { rows: next.len() as u64, ..Tally::default() };
            for (l, (next, count)) in next.iter_mut().zip(count).enumerate() {
                let key = base + l;
                let token = self.first[key] as usize;
                let near = if has_own { self.interval(key, radius(step.width_of(token))) } else { interval(key) };
                *count = self.counts[near.end] - self.counts[near.start];
                let sum = W::between(self.sums[near.start], self.sums[near.end]);
                *next = match &step.own {
                    None => W::moved(self.x[key], sum, *count, step.gain),
                    Some(own) => {
                        let (x, sum) = (Integer::to_i64(self.x[key]), (W::narrow(sum), *count));
                        Integer::of(own.moved((token, 0), x, sum, step.gain))
                    }
                };
                tally.moved += u64::from(*next != self.x[key]) * u64::from(self.weight[key]);
            }
            tally
        });
        tallies.reduce(Tally::default, |a, b| a + b)
    }
}
