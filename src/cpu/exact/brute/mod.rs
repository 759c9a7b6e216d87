//! The state as tokens: a step compares every row with every key, by
//! [`crate::cpu::exact::brute::packet`].

pub(crate) mod packet;

use rayon::prelude::*;

use crate::cpu::exact::brute::packet::{Packet, PacketScratch};
use crate::cpu::exact::cloud::{BLOCK, Cloud};
use crate::cpu::exact::cost::Prices;
use crate::cpu::exact::step::{Left, PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{InstructionSet, Vectors};
use crate::exact::Step;
use crate::interrupt::Interrupt;
use crate::outcome::{StepReport, Strips};

/// The tokens in their own order, and the strips of the last step.
pub(crate) struct BruteForce<W: Width> {
    pub(crate) cloud: Cloud<W>,
    /// X(t+1) in the making.
    next: Vec<W::Int>,
    strips: Strips,
    set: InstructionSet,
}

impl<W: Width> BruteForce<W> {
    /// Builds the state from every token's lattice coordinates, row-major.
    pub(crate) fn of(mut x: Vec<W::Int>, d: usize, set: InstructionSet) -> Self {
        let n = x.len() / d;
        let padded = n.next_multiple_of(BLOCK) * d;
        x.resize(padded, W::Int::default());
        let floats = vec![W::default(); padded];
        let cloud = Cloud { n, d, x, floats, largest: Vec::new(), twins: Vec::new() };
        let strips = Strips { argmax: vec![0; n], count: vec![0; n] };
        let mut state = Self { cloud, next: vec![W::Int::default(); padded], strips, set };
        state.cloud.refloat();
        state
    }

    fn lanes(&self) -> usize {
        self.set.packet_rows(W::PRECISION)
    }

    fn scratch(&self) -> PacketScratch<W> {
        PacketScratch::new(self.cloud.n, self.cloud.d, self.lanes())
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.cloud.n, self.cloud.d)
    }

    /// Every token's coordinates, row-major.
    pub(crate) fn tokens(&self) -> &[W::Int] {
        &self.cloud.x[..self.cloud.n * self.cloud.d]
    }

    /// Takes the tokens out and empties the buffers.
    pub(crate) fn take_tokens(&mut self) -> Vec<W::Int> {
        let mut x = std::mem::take(&mut self.cloud.x);
        x.truncate(self.cloud.n * self.cloud.d);
        (self.cloud.floats, self.next, self.strips) = (Vec::new(), Vec::new(), Strips::default());
        x
    }

    /// Takes a step, unless it is interrupted or comes to cost more than `limit`.
    pub(crate) fn step(
        &mut self,
        step: &Step,
        interrupt: &Interrupt,
        limit: Option<f64>,
    ) -> Result<(StepReport, Tally), Left> {
        let (lanes, cloud, set) = (self.lanes(), &self.cloud, self.set);
        let (plan, watch) = (&PreparedStep::new(step), &Watch::new(interrupt, limit));
        let prices = Prices::of_pairs::<W>(cloud.d, set);
        let packets = self.next[..cloud.n * cloud.d]
            .par_chunks_mut(lanes * cloud.d)
            .zip(self.strips.argmax.par_chunks_mut(lanes))
            .zip(self.strips.count.par_chunks_mut(lanes))
            .enumerate();
        let tallies = packets.with_max_len(1).map_init(
            || PacketScratch::new(cloud.n, cloud.d, lanes),
            |scratch, (packet, ((x, argmax), count))| {
                if watch.is_left() {
                    return Tally::default();
                }
                let first = (packet * lanes) as u32;
                let rows: Vec<u32> = (first..first + count.len() as u32).collect();
                let purpose = Purpose::Move { x, argmax, count };
                let tally = <W as Vectors>::run(set, Packet { cloud, plan, scratch, rows: &rows, purpose, watch });
                watch.spend(prices.of(&tally));
                tally
            },
        );
        let tally = tallies.reduce(Tally::default, |a, b| a + b);
        watch.end()?;
        std::mem::swap(&mut self.cloud.x, &mut self.next);
        self.cloud.refloat();
        // Equal tokens share exact decisions, which pays once there are many.
        self.cloud.twins.clear();
        if tally.redone > self.cloud.n as u64 {
            self.cloud.find_twins();
        }
        Ok((StepReport::new(step.t, tally.moved, self.strips.count.iter().copied(), tally.redone), tally))
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
        let packets = sorted.par_chunks(self.lanes()).map_init(
            || self.scratch(),
            |scratch, rows| {
                let mut members = vec![Vec::new(); rows.len()];
                let purpose = Purpose::Members(&mut members);
                <W as Vectors>::run(self.set, Packet { cloud: &self.cloud, plan, scratch, rows, purpose, watch });
                members
            },
        );
        let masks: Vec<Vec<u32>> = packets.flatten_iter().collect();
        // Every row was put into `sorted`.
        rows.iter().map(|&row| masks[sorted.partition_point(|&r| (r as usize) < row)].clone()).collect()
    }
}
