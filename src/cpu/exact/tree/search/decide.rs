//! Exact decisions: which candidates attain a row's maximum, and the strips that follow from that
//! alone.
#![allow(clippy::inline_always, clippy::needless_range_loop)] // see `packet`

use crate::cpu::exact::scores::exact;
use crate::cpu::exact::step::{Purpose, Tally};
use crate::cpu::exact::tree::search::{LaneState, Search, Strip, places};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{LANES, Lanes};
use crate::space::{Coordinate, LEAF};

impl<W: Width> Search<'_, W> {
    /// Finds exact maxima and the least token that attains each, and strikes the candidates that
    /// attain none. Where only maximisers matter, a lane with one candidate needs no exact score.
    #[inline(always)]
    pub(crate) fn decide_maxima(&mut self, lanes: usize, known: &mut LaneState<W>, tally: &mut Tally) {
        let keys = self.keys;
        let mut candidates = std::mem::take(&mut self.scratch.candidates);
        let (mut once, mut twice) = (0, 0);
        for &(_, bits) in &candidates {
            twice |= once & bits;
            once |= bits;
        }
        let asked = if known.strip == Strip::Wide { u64::MAX } else { twice };
        // The place in the list where the maximum last rose: earlier candidates do not attain it.
        let mut risen = [0u32; LANES];
        let mut scores = [W::Wide::default(); LANES];
        for (place, (key, bits)) in candidates.iter_mut().enumerate() {
            if place.is_multiple_of(1 << 12) && self.watch.is_left() {
                break;
            }
            let first = keys.first[*key as usize];
            let of = *bits & asked;
            tally.redone += u64::from((*bits & twice & known.own).count_ones());
            if of != 0 {
                let row = keys.cloud.row(*key as usize);
                exact::<W>(&self.scratch.queries.exact, lanes, row, of, &mut scores);
            }
            for l in places(*bits) {
                if of >> l & 1 == 0 || scores[l] > known.max[l] {
                    known.max[l] = scores[l];
                    (known.argmax[l], known.argmax_key[l]) = (first, *key);
                    risen[l] = place as u32;
                } else if scores[l] == known.max[l] {
                    let least = (known.argmax[l], known.argmax_key[l]).min((first, *key));
                    (known.argmax[l], known.argmax_key[l]) = least;
                } else {
                    *bits &= !(1 << l);
                }
            }
        }
        for l in places(known.idle) {
            // Everything is a maximiser, and token 0 is seen by all.
            known.max[l] = W::Wide::default();
            (known.argmax[l], known.argmax_key[l]) = (0, keys.first_key);
        }
        for (place, (_, bits)) in candidates.iter_mut().enumerate() {
            for l in places(*bits) {
                *bits &= !(u64::from((place as u32) < risen[l]) << l);
            }
        }
        if let Some((key, _)) = candidates.iter().rev().find(|(_, bits)| bits & 1 == 1) {
            self.scratch.origin.next = *key;
        }
        self.scratch.winners.keys.clear();
        self.scratch.winners.keys.extend(candidates.iter().rev().take(LEAF).map(|(key, _)| key));
        self.scratch.candidates = candidates;
    }

    /// Adds each key to the strips of the lanes in its mask; at most as many keys as a leaf has.
    #[inline(always)]
    pub(crate) fn take<L: Lanes<W, W::Int>>(&mut self, lanes: L, list: &[(u32, u64)]) {
        let keys = self.keys;
        if let Purpose::Members(members) = &mut self.purpose {
            for &(key, bits) in list {
                for l in places(bits) {
                    if let Some(members) = members.get_mut(l) {
                        members.push(key);
                    }
                }
            }
        } else if keys.weighted {
            for &(key, bits) in list {
                let weight = keys.weight[key as usize];
                let sum = keys.cloud.row(key as usize).iter().map(|x| x.times(weight));
                self.scratch.sums.add_whole(bits, sum, weight);
            }
        } else {
            self.scratch.sums.add(lanes, &keys.cloud.x, list);
        }
    }

    /// Fills the strips of rows whose members are among their maximisers.
    #[inline(always)]
    pub(crate) fn take_maximisers<L: Lanes<W, W::Int>>(&mut self, lanes: L, known: &LaneState<W>) {
        if known.strip == Strip::Argmax {
            // One token of those that each key stands for.
            let mut list = [(0, 0); LANES];
            let list = &mut list[..self.rows.len()];
            for (l, entry) in list.iter_mut().enumerate() {
                *entry = (known.argmax_key[l], 1 << l);
            }
            if let Purpose::Members(members) = &mut self.purpose {
                members.iter_mut().zip(&*list).for_each(|(members, &(key, _))| members.push(key));
            } else {
                self.scratch.sums.add(lanes, &self.keys.cloud.x, list);
            }
            return;
        }
        let list = std::mem::take(&mut self.scratch.candidates);
        for part in list.chunks(LEAF) {
            self.take(lanes, part);
        }
        self.scratch.candidates = list;
    }
}
