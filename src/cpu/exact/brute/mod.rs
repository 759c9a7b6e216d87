//! The state as tokens: a step compares every row with every key, by floats
//! ([`crate::cpu::exact::brute::packet`]) or in 8 bits first ([`crate::cpu::exact::coarse`]).

mod decisions;
mod neighbours;
pub(crate) mod packet;
mod pairs;

pub(crate) use pairs::Pairs;

use rayon::prelude::*;

use crate::choice;
use crate::cpu::exact::cloud::{BLOCK, Cloud};
use crate::cpu::exact::step::{Left, PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::InstructionSet;
use crate::cpu::share::{Rows, Share};
use crate::exact::Step;
use crate::interrupt::Interrupt;
use crate::outcome::{StepReport, Strips};

/// The cost of scores that one thread computes before another has woken up: 10 microseconds.
const ALONE: f64 = 1e7;

/// The tokens in their own order, and the strips of the last step.
pub(crate) struct BruteForce<W: Width> {
    pub(crate) cloud: Cloud<W>,
    /// X(t+1) in the making.
    next: Vec<W::Int>,
    strips: Strips,
    set: InstructionSet,
    /// Whether scores are computed in 8 bits first.
    coarse: bool,
}

impl<W: Width> BruteForce<W> {
    /// Builds the state from every token's lattice coordinates, row-major.
    pub(crate) fn of(mut x: Vec<W::Int>, d: usize, set: InstructionSet, coarse: bool) -> Self {
        let n = x.len() / d;
        let padded = n.next_multiple_of(BLOCK) * d;
        x.resize(padded, W::Int::default());
        let floats = vec![W::default(); padded];
        let cloud = Cloud { n, d, x, floats, largest: Vec::new(), twins: Vec::new() };
        let strips = Strips { argmax: vec![0; n], count: vec![0; n] };
        let mut state = Self { cloud, next: vec![W::Int::default(); padded], strips, set, coarse };
        state.cloud.refloat();
        state
    }

    /// The plan that it is.
    pub(crate) fn plan(&self) -> choice::Plan {
        if self.coarse { choice::Plan::Filter } else { choice::Plan::Brute }
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.cloud.n, self.cloud.d)
    }

    /// Takes the tokens out and empties the buffers.
    pub(crate) fn take_tokens(&mut self) -> Vec<W::Int> {
        let mut x = std::mem::take(&mut self.cloud.x);
        x.truncate(self.cloud.n * self.cloud.d);
        (self.cloud.floats, self.next, self.strips) = (Vec::new(), Vec::new(), Strips::default());
        x
    }

    /// Takes a step, of which this rank computes its share, unless it is interrupted or comes to cost more
    /// than `limit`.
    pub(crate) fn step(&mut self, step: &Step, share: &Share, limit: Option<f64>) -> Result<(StepReport, Tally), Left> {
        let (cloud, set) = (&self.cloud, self.set);
        let (pairs, watch) = (&Pairs::of(cloud, set, self.coarse), &Watch::new(&share.interrupt, limit));
        let (lanes, plan) = (pairs.lanes(), &PreparedStep::new(step));
        let prices = Pairs::<W>::prices(cloud.d, set, self.coarse);
        let fewest = if prices.of_scores(step.mask.pairs(cloud.n)) < ALONE { usize::MAX } else { 1 };
        let packets = self.next[..cloud.n * cloud.d]
            .par_chunks_mut(lanes * cloud.d)
            .zip(self.strips.argmax.par_chunks_mut(lanes))
            .zip(self.strips.count.par_chunks_mut(lanes))
            .enumerate();
        let tallies = packets.with_min_len(fewest).with_max_len(1).map_init(
            || pairs.scratch(),
            |scratch, (packet, ((x, argmax), count))| {
                if !share.has(packet) || watch.is_left() {
                    return Tally::default();
                }
                let first = (packet * lanes) as u32;
                let rows: Vec<u32> = (first..first + count.len() as u32).collect();
                let tally = pairs.run(plan, scratch, &rows, Purpose::Move { x, argmax, count }, watch);
                watch.spend(prices.of(&tally));
                tally
            },
        );
        let tally = tallies.reduce(Tally::default, |a, b| a + b);
        let (n, d, next) = (cloud.n, cloud.d, &mut self.next);
        let Strips { argmax, count } = &mut self.strips;
        let tally = watch.gather(share, tally, Rows { chunk: lanes, d, x: &mut next[..n * d], argmax, count })?;
        std::mem::swap(&mut self.cloud.x, &mut self.next);
        self.cloud.refloat();
        // Equal tokens share exact decisions, which pays once there are many.
        self.cloud.twins.clear();
        if tally.redone > self.cloud.n as u64 {
            self.cloud.find_twins();
        }
        Ok((StepReport::new(step.t, tally.moved, &self.strips.count, tally.redone), tally))
    }

    pub(crate) fn strips(&self) -> Strips {
        self.strips.clone()
    }

    pub(crate) fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        let (plan, never) = (&PreparedStep::new(step), Interrupt::default());
        let watch = &Watch::new(&never, None);
        let mut sorted: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let pairs = &Pairs::of(&self.cloud, self.set, self.coarse);
        let packets = sorted.par_chunks(pairs.lanes()).map_init(
            || pairs.scratch(),
            |scratch, rows| {
                let mut members = vec![Vec::new(); rows.len()];
                pairs.run(plan, scratch, rows, Purpose::Members(&mut members), watch);
                members
            },
        );
        let masks: Vec<Vec<u32>> = packets.flatten_iter().collect();
        // Every row was put into `sorted`.
        rows.iter().map(|&row| masks[sorted.partition_point(|&r| (r as usize) < row)].clone()).collect()
    }
}
