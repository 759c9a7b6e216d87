//! Rows that see the keys of a graph: each is compared with its neighbours alone, by exact scores.
//!
//! A step takes d multiply-adds an edge. No float decides anything, so that there is no filter and nothing to prove.

use rayon::prelude::*;

use crate::cpu::exact::brute::BruteForce;
use crate::cpu::exact::query::{queries, strip_width};
use crate::cpu::exact::step::{Left, PreparedStep, Tally, Watch};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::share::Share;
use crate::exact::{Step, StripWidth};
use crate::model::{Graph, Scoring};
use crate::outcome::StepReport;

/// Rows that a thread takes at least.
const FEW: usize = 64;

/// Buffers that a thread keeps from row to row.
struct Scratch<W: Width> {
    query: Vec<W::Int>,
    floats: Vec<W>,
    /// The neighbours that a row sees, and their scores.
    scores: Vec<(u32, W::Wide)>,
    sums: Vec<i128>,
}

impl<W: Width> Scratch<W> {
    fn new(d: usize) -> Self {
        Self { query: vec![W::Int::default(); d], floats: vec![W::default(); d], scores: Vec::new(), sums: vec![0; d] }
    }

    /// Keeps of the neighbours of row i those in its strip, and returns the argmax: i where it sees none.
    fn strip(&mut self, of: &BruteForce<W>, plan: &PreparedStep<'_, W>, graph: &Graph, i: usize) -> u32 {
        let (cloud, step) = (&of.cloud, plan.step);
        let own = cloud.row(i);
        queries(cloud, plan, 1, own, &mut self.query, &mut self.floats);
        let score = |j: u32| match step.scoring {
            Scoring::Inner => W::dot_rows(&self.query, cloud.row(j as usize)),
            Scoring::Distance => W::wide(-W::narrow(W::squared_distance(own, 1, 0, cloud.row(j as usize)))),
        };
        self.scores.clear();
        let seen = graph.row(i).iter().filter(|&&j| step.mask.sees(i, j as usize));
        self.scores.extend(seen.map(|&j| (j, score(j))));
        // The lowest of the indices that attain the maximum.
        let best = self.scores.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best });
        let Some((argmax, max)) = best else { return i as u32 };
        if step.width == StripWidth::Argmax {
            self.scores.retain(|(j, _)| *j == argmax);
        } else {
            let width = W::wide(strip_width::<W>(step.width_of(i), 1, 0, &self.query, own));
            let threshold = W::threshold(max, width);
            self.scores.retain(|(_, score)| *score >= threshold);
        }
        argmax
    }

    /// X'_i, from the strip that was found last; true if it moved.
    fn move_row(&mut self, of: &BruteForce<W>, step: &Step, i: usize, next: &mut [W::Int]) -> bool {
        let own = of.cloud.row(i);
        self.sums.fill(0);
        for (j, _) in &self.scores {
            for (sum, x) in self.sums.iter_mut().zip(of.cloud.row(*j as usize)) {
                *sum += i128::from(x.to_i64());
            }
        }
        let count = self.scores.len() as u32;
        for (k, ((next, &x), &sum)) in next.iter_mut().zip(own).zip(&self.sums).enumerate() {
            *next = match &step.own {
                _ if count == 0 => x,
                Some(of) => W::Int::of(of.moved((i, k), x.to_i64(), (sum, count), step.gain)),
                None => W::moved(x, W::wide(sum), count, step.gain),
            };
        }
        next != own
    }
}

impl<W: Width> BruteForce<W> {
    /// Takes a step on a graph, unless it is interrupted.
    pub(crate) fn step_on(&mut self, graph: &Graph, step: &Step, share: &Share) -> Result<(StepReport, Tally), Left> {
        let (mut next, mut strips) = (std::mem::take(&mut self.next), std::mem::take(&mut self.strips));
        let (n, d) = self.shape();
        let (plan, watch) = (&PreparedStep::new(step), &Watch::new(&share.interrupt, None));
        let rows = next[..n * d].par_chunks_mut(d).zip(&mut strips.argmax).zip(&mut strips.count).enumerate();
        let tallies = rows.with_min_len(FEW).map_init(
            || Scratch::new(d),
            |scratch, (i, ((next, argmax), count))| {
                if watch.is_left() {
                    return Tally::default();
                }
                *argmax = scratch.strip(self, plan, graph, i);
                *count = scratch.scores.len() as u32;
                let moved = u64::from(scratch.move_row(self, step, i, next));
                Tally { rows: 1, moved, scores: graph.row(i).len() as u64, ..Tally::default() }
            },
        );
        let tally = tallies.reduce(Tally::default, |a, b| a + b);
        (self.next, self.strips) = (next, strips);
        watch.end()?;
        std::mem::swap(&mut self.cloud.x, &mut self.next);
        self.cloud.refloat();
        self.cloud.twins.clear();
        Ok((StepReport::new(step.t, tally.moved, &self.strips.count, 0), tally))
    }

    /// The keys in the strips of some rows on a graph.
    pub(crate) fn masks_on(&self, graph: &Graph, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        let (plan, d) = (&PreparedStep::new(step), self.shape().1);
        let members = rows.par_iter().map_init(
            || Scratch::new(d),
            |scratch, &i| {
                scratch.strip(self, plan, graph, i);
                scratch.scores.iter().map(|(j, _)| *j).collect()
            },
        );
        members.collect()
    }
}
