//! The rows of a step in groups of neighbours, packet after packet.

use rayon::prelude::*;

use crate::cpu::exact::step::{PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::tree::TreeSearch;
use crate::cpu::exact::tree::search::group::ROWS;
use crate::cpu::exact::tree::search::keys::SortedKeys;
use crate::cpu::exact::tree::search::scratch::SearchScratch;
use crate::cpu::exact::tree::search::{Row, Search};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::Vectors;
use crate::cpu::share::Share;
use crate::model::Mask;
use crate::space::LEAF;

/// The most groups that a thread takes at once: some take a hundred times as long as others.
pub(super) const MOST_GROUPS: usize = 16;

impl<W: Width> TreeSearch<W> {
    /// The node above all keys of the group, or part of a group, that begins with a row.
    pub(super) fn node_of(&self, row: usize, level: usize) -> usize {
        (self.tree.first_leaf() + row / LEAF) >> (ROWS[level] / LEAF).ilog2().min(self.tree.first_leaf().ilog2())
    }

    /// Prepares for the packet at this row: for its group and the parts of it that are not the ones at hand. Returns
    /// the bounds computed for them.
    fn enter(
        &self,
        scratch: &mut SearchScratch<W>,
        sorted: &SortedKeys<'_, W>,
        plan: &PreparedStep<'_, W>,
        row: usize,
        at_hand: &mut [usize; ROWS.len()],
    ) -> u64 {
        if at_hand[0] == usize::MAX {
            scratch.begin(row as u32);
        }
        let mut bounds = 0;
        for (level, at_hand) in at_hand.iter_mut().enumerate() {
            let node = self.node_of(row, level);
            if *at_hand != node {
                bounds += scratch.enter(self.set, sorted, plan, node, level);
                *at_hand = node;
            }
        }
        bounds
    }

    /// Lists the rows of the keys from `base` on, by the number of tokens that they see.
    pub(super) fn rows(&self, mask: Mask, base: usize, count: usize, into: &mut Vec<Row>) {
        into.clear();
        into.extend((0..count).map(|place| {
            let key = base + place;
            let visible = mask.range(self.first[key] as usize, self.n).end as u32;
            Row { key: key as u32, visible, place: place as u32 }
        }));
        if mask == Mask::CAUSAL {
            into.sort_by_key(|row| row.visible);
        }
    }

    /// Moves all rows, or those with a count of 0 if some are moved already, in groups.
    pub(super) fn search_in_groups(
        &self,
        sorted: &SortedKeys<'_, W>,
        plan: &PreparedStep<'_, W>,
        (next, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
        has_thin: bool,
        (share, watch): (&Share, &Watch<'_>),
    ) -> Tally {
        let (d, lanes) = (self.cloud.d, self.lanes());
        let groups = next
            .par_chunks_mut(ROWS[0] * d)
            .zip(argmax.par_chunks_mut(ROWS[0]))
            .zip(count.par_chunks_mut(ROWS[0]))
            .enumerate()
            .with_max_len(MOST_GROUPS);
        let step = plan.step;
        groups
            .map_init(
                || (self.scratch(), Vec::with_capacity(lanes)),
                |(scratch, rows), (group, ((x, argmax), count))| {
                    if !share.has(group) {
                        return Tally::default();
                    }
                    let packets = x.chunks_mut(lanes * d).zip(argmax.chunks_mut(lanes)).zip(count.chunks_mut(lanes));
                    let (mut tally, mut spent, mut at_hand) = (Tally::default(), 0, [usize::MAX; ROWS.len()]);
                    for (packet, ((x, argmax), count)) in packets.enumerate() {
                        if watch.is_left() {
                            break;
                        }
                        let base = group * ROWS[0] + packet * lanes;
                        self.rows(step.mask, base, count.len(), rows);
                        if has_thin {
                            rows.retain(|row| count[row.place as usize] == 0);
                            if rows.is_empty() {
                                continue;
                            }
                        }
                        let shared = self.enter(scratch, sorted, plan, base, &mut at_hand);
                        let purpose = Purpose::Move { x, argmax, count };
                        let search = Search { keys: sorted, plan, scratch, rows, purpose, watch };
                        tally = tally + Tally { shared, ..<W as Vectors>::run(self.set, search) };
                        let cost = self.prices.of(&tally);
                        if cost - spent > watch.grain() {
                            watch.spend(cost - spent);
                            spent = cost;
                        }
                    }
                    watch.spend(self.prices.of(&tally) - spent);
                    tally
                },
            )
            .reduce(Tally::default, |a, b| a + b)
    }
}
