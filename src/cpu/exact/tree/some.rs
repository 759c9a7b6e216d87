//! Some rows of a state in order: their masks, and what they tell of the cost of all.

use rayon::prelude::*;

use crate::cpu::exact::direction;
use crate::cpu::exact::step::{PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::tree::TreeSearch;
use crate::cpu::exact::tree::search::group::ROWS;
use crate::cpu::exact::tree::search::scratch::SearchScratch;
use crate::cpu::exact::tree::search::{Row, Search};
use crate::cpu::exact::tree::tokens::KeyTokens;
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::Vectors;
use crate::exact::{Step, StripWidth};
use crate::interrupt::Interrupt;

impl<W: Width> TreeSearch<W> {
    /// The masks of some rows.
    pub(crate) fn masks(&self, step: &Step, rows: &[usize]) -> Vec<Vec<u32>> {
        if !self.is_fitted {
            return direction::masks::<W>(&self.tokens(), self.cloud.d, step, rows);
        }
        let (sorted, plan, d, lanes) = (&self.sorted_keys(), &PreparedStep::new(step), self.cloud.d, self.lanes());
        let never = Interrupt::default();
        let watch = &Watch::new(&never, None);
        let mut asked: Vec<(Row, usize)> = rows
            .iter()
            .enumerate()
            .map(|(at, &i)| {
                let visible = step.mask.range(i, self.n).end as u32;
                (Row { key: self.places.of(i) as u32, visible, place: 0 }, at)
            })
            .collect();
        asked.sort_by_key(|(row, _)| row.visible);
        let tokens = KeyTokens::of(&self.weight, self.n, |i| self.places.of(i));
        let packets = asked.par_chunks(lanes).map_init(
            || SearchScratch::new(d, lanes), // asks from the root, which kept buffers have left
            |scratch, asked| {
                let rows: Vec<Row> = asked.iter().map(|(row, _)| *row).collect();
                let mut members = vec![Vec::new(); rows.len()];
                let purpose = Purpose::Members(&mut members);
                <W as Vectors>::run(self.set, Search { keys: sorted, plan, scratch, rows: &rows, purpose, watch });
                let masks = members.iter().zip(&rows).map(|(keys, row)| match step.width {
                    StripWidth::Argmax => keys.iter().map(|&key| self.first[key as usize]).collect(),
                    _ => tokens.below(keys, row.visible),
                });
                masks.zip(asked).map(|(mask, (_, at))| (*at, mask)).collect::<Vec<_>>()
            },
        );
        let mut masks = vec![Vec::new(); rows.len()];
        for (at, mask) in packets.flatten_iter().collect::<Vec<_>>() {
            masks[at] = mask;
        }
        masks
    }

    /// The cost of a step, estimated from `runs` runs of neighbouring packets; and that of the runs.
    pub(crate) fn estimate(&self, step: &Step, runs: usize, interrupt: &Interrupt) -> [f64; 2] {
        /// Packets in a run.
        const RUN: usize = 4;
        let (sorted, plan, lanes) = (&self.sorted_keys(), &PreparedStep::new(step), self.lanes());
        let (all, watch) = (self.cloud.n.div_ceil(lanes), &Watch::new(interrupt, None));
        let runs = runs.min(all);
        let tallies = (0..runs).into_par_iter().map_init(
            || (self.scratch(), Vec::with_capacity(lanes)),
            |(scratch, rows), run| {
                let first = run * all / runs / RUN * RUN;
                let last = (first + RUN).min(all);
                let (mut tally, mut shared) = (Tally::default(), 0.0);
                scratch.begin((first * lanes) as u32);
                for packet in first..last {
                    let base = packet * lanes;
                    for (level, &of) in ROWS.iter().enumerate() {
                        if packet == first || base.is_multiple_of(of) {
                            let bounds = scratch.enter(self.set, sorted, plan, self.node_of(base, level), level);
                            shared += bounds as f64 * ((last - first) * lanes).min(of) as f64 / of as f64;
                        }
                    }
                    self.rows(step.mask, base, lanes.min(self.cloud.n - base), rows);
                    let search = Search { keys: sorted, plan, scratch, rows, purpose: Purpose::Trial, watch };
                    tally = tally + <W as Vectors>::run(self.set, search);
                }
                Tally { shared: shared as u64, ..tally }
            },
        );
        let tally = tallies.reduce(Tally::default, |a, b| a + b);
        let cost = self.prices.of(&tally) as f64;
        [cost * self.cloud.n as f64 / tally.rows.max(1) as f64, cost]
    }
}
