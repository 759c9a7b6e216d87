//! One search of the rows that are not decided yet, among own keys and what is known of the others.

use rayon::prelude::*;

use crate::cpu::exact::step::{PreparedStep, Purpose, Tally, Watch};
use crate::cpu::exact::tree::TreeSearch;
use crate::cpu::exact::tree::groups::MOST_GROUPS;
use crate::cpu::exact::tree::opened::asked::{self, Asked};
use crate::cpu::exact::tree::opened::view::View;
use crate::cpu::exact::tree::search::group::ROWS;
use crate::cpu::exact::tree::search::keys::{Marks, SortedKeys};
use crate::cpu::exact::tree::search::scratch::SearchScratch;
use crate::cpu::exact::tree::search::{Row, Search};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{LANES, Vectors};
use crate::model::Mask;

/// Number of groups of rows to one that is searched first, by a packet of neighbours (its scouts). Neighbours share
/// a key near their maxima; rows from all over a group would open boxes that better keys rule out.
const SCOUTED: usize = 4;

/// The rows that may be taken to share a box: one that needs boxes of more bits than so many times what it
/// takes to ask is answered by all ranks.
const SHARED_BY: u64 = 256;

/// In place of a count: a row that is decided with the others, after the scouts.
pub(crate) const ASIDE: u32 = u32::MAX - 1;

/// One search of the rows that are not decided yet.
pub(crate) struct Round<'a, W: Width> {
    /// The keys of this rank, with what is known of others behind them.
    pub(crate) own: &'a TreeSearch<W>,
    /// The number of all tokens.
    pub(crate) n: usize,
    /// The number of own keys.
    pub(crate) keys: u32,
    pub(crate) view: &'a View<W>,
    pub(crate) plan: &'a PreparedStep<'a, W>,
    pub(crate) watch: &'a Watch<'a>,
    /// Keys behind the own ones that are in no tree.
    pub(crate) extras: u32,
    /// The boxes of the view that were looked at.
    pub(crate) touched: &'a Marks,
    /// Whether few rows go ahead of the others.
    pub(crate) has_scouts: bool,
}

impl<W: Width> Round<'_, W> {
    /// Moves the rows with a count of 0 that can be decided, and marks the boxes that the others need. Returns
    /// those that are to be asked for.
    pub(crate) fn take(
        &self,
        (next, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
        marks: &Marks,
    ) -> (Tally, Vec<Asked<W>>) {
        let (own, keys) = (self.own, self.keys);
        let d = own.cloud.d;
        let sorted = &self.view.sorted_keys(own, keys, self.extras, Some(self.touched));
        let groups = next[..keys as usize * d]
            .par_chunks_mut(ROWS[0] * d)
            .zip(argmax.par_chunks_mut(ROWS[0]))
            .zip(count.par_chunks_mut(ROWS[0]))
            .enumerate()
            .with_max_len(MOST_GROUPS);
        groups
            .map_init(
                || own.scratch(),
                |scratch, (group, ((x, argmax), count))| self.group(sorted, scratch, group, (x, argmax, count), marks),
            )
            .reduce(
                || (Tally::default(), Vec::new()),
                |mut a, mut b| {
                    a.1.append(&mut b.1);
                    (a.0 + b.0, a.1)
                },
            )
    }

    /// Computes a group of rows, as far as what is known decides them.
    fn group(
        &self,
        sorted: &SortedKeys<'_, W>,
        scratch: &mut SearchScratch<W>,
        group: usize,
        (x, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
        marks: &Marks,
    ) -> (Tally, Vec<Asked<W>>) {
        let (d, lanes) = (self.own.cloud.d, self.own.lanes());
        let (mut tally, mut asked, mut at_hand) = (Tally::default(), Vec::new(), [usize::MAX; ROWS.len()]);
        let base = group * ROWS[0];
        if self.has_scouts {
            if group.is_multiple_of(SCOUTED) {
                let rows = self.rows(base, &count[..lanes.min(count.len())]);
                tally = self.packet(sorted, scratch, &rows, &mut at_hand, (x, argmax, count), marks, &mut asked);
            }
            return (tally, asked);
        }
        let packets = x.chunks_mut(lanes * d).zip(argmax.chunks_mut(lanes)).zip(count.chunks_mut(lanes));
        for (packet, ((x, argmax), count)) in packets.enumerate() {
            let rows = self.rows(base + packet * lanes, count);
            tally = tally + self.packet(sorted, scratch, &rows, &mut at_hand, (x, argmax, count), marks, &mut asked);
        }
        (tally, asked)
    }

    /// Computes a packet of rows, as far as what is known decides them.
    #[expect(clippy::too_many_arguments, reason = "what a packet reads, what it is left, and what it writes")]
    fn packet(
        &self,
        sorted: &SortedKeys<'_, W>,
        scratch: &mut SearchScratch<W>,
        rows: &[Row],
        at_hand: &mut [usize; ROWS.len()],
        (x, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
        marks: &Marks,
        asked: &mut Vec<Asked<W>>,
    ) -> Tally {
        let Some(first) = rows.first().filter(|_| !self.watch.is_left()) else { return Tally::default() };
        let shared = self.enter(scratch, sorted, first.key as usize, at_hand);
        let purpose = Purpose::Move { x, argmax, count: &mut *count };
        let search = Search { keys: sorted, plan: self.plan, scratch, rows, purpose, watch: self.watch };
        let tally = Tally { shared, ..<W as Vectors>::run(self.own.set, search) };
        if !self.watch.is_left() && !scratch.needs.is_empty() {
            self.settle(scratch, rows, count, marks, asked);
        }
        tally
    }

    /// Lists those of some rows that are not decided yet, by the number of tokens that they see.
    fn rows(&self, base: usize, count: &[u32]) -> Vec<Row> {
        let of = |place: usize| {
            let key = base + place;
            let visible = self.plan.step.mask.range(self.own.first[key] as usize, self.n).end as u32;
            Row { key: key as u32, visible, place: place as u32 }
        };
        let mut rows: Vec<Row> = (0..count.len()).filter(|&place| count[place] == 0).map(of).collect();
        if self.plan.step.mask == Mask::CAUSAL {
            rows.sort_by_key(|row| row.visible);
        }
        rows
    }

    /// Prepares for a packet of rows. Returns the bounds computed for its group.
    fn enter(
        &self,
        scratch: &mut SearchScratch<W>,
        sorted: &SortedKeys<'_, W>,
        row: usize,
        at_hand: &mut [usize; ROWS.len()],
    ) -> u64 {
        if at_hand[0] == usize::MAX {
            scratch.begin(row as u32);
        }
        let mut bounds = 0;
        for (level, at_hand) in at_hand.iter_mut().enumerate() {
            let node = self.view.node_of(row, level);
            if *at_hand != node {
                bounds += scratch.enter(self.own.set, sorted, self.plan, node, level);
                *at_hand = node;
            }
        }
        bounds
    }

    /// Marks what the rows of a packet need, or has a row asked for that needs too much.
    fn settle(
        &self,
        scratch: &SearchScratch<W>,
        rows: &[Row],
        count: &mut [u32],
        marks: &Marks,
        asked: &mut Vec<Asked<W>>,
    ) {
        let own = u64::MAX >> (LANES - rows.len());
        let mut bits = [0u64; LANES];
        for &(node, lanes) in &scratch.needs {
            let cost = self.view.bits_below(node);
            (0..rows.len()).filter(|l| lanes >> l & 1 == 1).for_each(|l| bits[l] += cost);
        }
        let most = SHARED_BY * asked::bits::<W>(self.own.cloud.d);
        let is_wide = |l: &usize| bits[*l] > most && scratch.maxless >> l & 1 == 0;
        let wide = (0..rows.len()).filter(is_wide).fold(0u64, |wide, l| wide | 1 << l);
        for &(node, lanes) in &scratch.needs {
            if lanes & own & !wide != 0 {
                marks.set(self.view.id_of(node) as usize);
            }
        }
        for (l, row) in rows.iter().enumerate().filter(|(l, _)| wide >> l & 1 == 1) {
            if self.has_scouts {
                // Others will open much of what it needs. Were it to take the rest then, so would the next, and in the
                // end all that any of them needs would be open.
                count[row.place as usize] = ASIDE;
                continue;
            }
            asked.push(Asked { key: row.key, visible: row.visible, threshold: scratch.thresholds[l] });
            count[row.place as usize] = u32::MAX;
        }
    }
}
