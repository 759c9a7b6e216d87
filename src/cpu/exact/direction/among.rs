//! A table of directions for tokens of which each of several ranks holds a part: the pieces of a step between which
//! ranks tell one another what they have found.
//!
//! A cover may be by any keys (see the module above): in the first step they are tokens of the whole cloud, the farthest
//! from its centre in every cell of directions, so that the tokens that it leaves over are few on all ranks together.
//!
//! Then anchors are known by their places, one of which is an anchor as long as tokens are there that a step leaves
//! there. All ranks hear of all keys: each finds the same anchors, cover and slack, and looks at its own tokens alone. An
//! anchor whose place no rank tells may have moved, and everything is found anew.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::cpu::exact::direction::candidates::{CHUNK, cover_levels, farthest_in, levels, outside, seed_levels};
use crate::cpu::exact::direction::cells::Cells;
use crate::cpu::exact::direction::certificate::Certificate;
use crate::cpu::exact::direction::cover::Cover;
use crate::cpu::exact::direction::moves::{Moved, move_rows};
use crate::cpu::exact::direction::rows::{Found, Key, Rows, place};
use crate::cpu::exact::direction::table::Table;
use crate::cpu::exact::step::{PreparedStep, Tally, Watch};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::InstructionSet;
use crate::exact::Step;
use crate::space::Coordinate;

/// So few candidates are always told, and of more tokens one in so many.
const FEW: usize = 1024;
const SHARE: usize = 64;

/// The keys of one rank.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a, W: Width> {
    pub(crate) x: &'a [W::Int],
    pub(crate) weight: &'a [u32],
    pub(crate) first: &'a [u32],
}

/// A place where tokens of this rank are that may be a maximum.
pub(crate) struct Candidate<W: Width, const D: usize> {
    pub(crate) at: [W::Int; D],
    pub(crate) weight: u32,
    pub(crate) first: u32,
}

/// The facts of the whole cloud that all ranks know.
pub(crate) struct Whole<const D: usize> {
    /// The number of tokens.
    pub(crate) n: usize,
    /// Their sum.
    pub(crate) sum: [i128; D],
    /// Token 0.
    pub(crate) first: [i128; D],
}

impl<const D: usize> Whole<D> {
    fn centre(&self) -> [i64; D] {
        self.sum.map(|sum| (sum / self.n as i128) as i64)
    }

    /// The most candidates of all ranks.
    pub(crate) fn most(&self) -> usize {
        FEW.max(self.n / SHARE)
    }
}

/// The certificate of a rank. Its anchors are coordinates of places, and they and the cover are the same on all ranks.
pub(crate) type Known = Certificate<i64>;

impl Known {
    /// As [`Certificate::with_slack`], given what all ranks lack together.
    pub(crate) fn of_all(self, lacking: &[u64]) -> Option<Self> {
        self.with_slack(lacking, SHARE)
    }
}

/// The keys of a step, which all ranks know.
pub(crate) struct Shown<'a, W: Width, const D: usize>(Rows<'a, W, D>);

impl<'a, W: Width, const D: usize> Shown<'a, W, D> {
    /// The candidates of all ranks, the same on all of them in one order, some of which are anchors; `None`, on all of
    /// them, if a table does not serve these.
    pub(crate) fn new(
        step: &'a Step,
        whole: &Whole<D>,
        candidates: Vec<Candidate<W, D>>,
        known: Option<&Known>,
    ) -> Option<Self> {
        Some(Self(Rows {
            n: whole.n as u32,
            zero: whole.first,
            x: &[],
            plan: PreparedStep::new(step),
            found: table(candidates, whole, known.map_or(&[], |known| &known.anchors))?,
            total: OnceLock::from(whole.sum),
        }))
    }

    /// The anchors of a first step: the keys that it leaves where they are. `None` where they cover nothing.
    pub(crate) fn rest(&mut self, whole: &Whole<D>) -> Option<Known> {
        let is_at_rest: Vec<bool> =
            self.0.found.keys.par_iter().with_min_len(256).map(|key| self.is_at_rest(key)).collect();
        self.0.found.keys.iter_mut().zip(is_at_rest).for_each(|(key, is_at_rest)| key.is_anchor = is_at_rest);
        let anchors: Vec<[i64; D]> = self.anchors().map(|key| place::<W, D>(&key.at)).collect();
        let cover = Cover::new(whole.centre(), &anchors, cover_levels(D, whole.n), 0)?;
        Some(Known::new(anchors.concat(), cover))
    }

    fn anchors(&self) -> impl Iterator<Item = &Key<W, D>> {
        self.0.found.keys.iter().filter(|key| key.is_anchor)
    }

    fn is_at_rest(&self, key: &Key<W, D>) -> bool {
        let mut next = key.at;
        self.0.row(&key.at, &mut next);
        next == key.at
    }

    /// Whether all anchors are where they were, and stay there.
    fn all_rest(&self, known: &Known) -> bool {
        D * self.anchors().count() == known.anchors.len() && self.anchors().all(|key| self.is_at_rest(key))
    }
}

impl<W: Width> Own<'_, W> {
    /// The sum of the tokens.
    pub(crate) fn sum<const D: usize>(&self) -> [i128; D] {
        let of_chunk = |(rows, weights): (&[W::Int], &[u32])| {
            let mut sum = [<W::Int as Coordinate>::Sum::default(); D];
            for (row, &weight) in rows.as_chunks::<D>().0.iter().zip(weights) {
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x.times(weight));
            }
            sum.map(<W::Int as Coordinate>::widened)
        };
        let add = |a: [i128; D], b: [i128; D]| std::array::from_fn(|k| a[k] + b[k]);
        self.x.par_chunks(CHUNK * D).zip(self.weight.par_chunks(CHUNK)).map(of_chunk).reduce(|| [0; D], add)
    }

    /// For every cell of directions a key that is far from the centre, if there is one, with how far it is: as numbers
    /// that are in order as the distances are, 0 without a key.
    pub(crate) fn farthest<const D: usize>(&self, set: InstructionSet, whole: &Whole<D>) -> Vec<(u64, u32)> {
        let cells = Cells::<D> { side: 1 << seed_levels(D, whole.n) };
        let found = farthest_in::<W, D>(set, self.x, cells, whole.centre());
        found.into_iter().map(|(square, key)| (square.to_bits(), key)).collect()
    }

    /// The places of keys among which every maximum is that this rank has; `None` if they are too many, or if these
    /// seeds cover nothing.
    pub(crate) fn candidates<const D: usize>(
        &self,
        set: InstructionSet,
        whole: &Whole<D>,
        seeds: &[[i64; D]],
    ) -> Option<Vec<Candidate<W, D>>> {
        let cover = Cover::new(whole.centre(), seeds, seed_levels(D, whole.n), 0)?;
        // Tokens that have met, and were not merged since, are many keys at one place.
        let keys = outside::<W, D>(set, self.x, &cover, 16 * whole.most())?;
        Some(self.places(&keys)).filter(|candidates| candidates.len() <= whole.most())
    }

    /// The places of some keys.
    pub(crate) fn places<const D: usize>(&self, keys: &[u32]) -> Vec<Candidate<W, D>> {
        let mut found: HashMap<[i64; D], usize> = HashMap::with_capacity(keys.len());
        let mut candidates: Vec<Candidate<W, D>> = Vec::new();
        for key in keys.iter().map(|&key| key as usize) {
            let row = &self.x[key * D..][..D];
            let at = *found.entry(place::<W, D>(row)).or_insert(candidates.len());
            if at == candidates.len() {
                let at = std::array::from_fn(|k| row[k]);
                candidates.push(Candidate { at, weight: 0, first: self.first[key] });
            }
            candidates[at].weight += self.weight[key];
            candidates[at].first = candidates[at].first.min(self.first[key]);
        }
        candidates
    }

    /// As [`Certificate::lacking`], of the keys of this rank.
    pub(crate) fn lacking<const D: usize>(&self, known: &Known) -> Vec<u64> {
        known.lacking::<W, D>(self.x)
    }

    /// Moves the rows, and finds what is known of the tokens then; all ranks know something, or none.
    pub(crate) fn take<const D: usize>(
        &self,
        set: InstructionSet,
        (step, watch): (&Step, &Watch<'_>),
        shown: &Shown<'_, W, D>,
        (known, is_first): (Option<Known>, bool),
        (next, argmax, count): (&mut [W::Int], &mut [u32], &mut [u32]),
    ) -> (Tally, Option<Known>) {
        let covered = known.as_ref().filter(|known| shown.all_rest(known));
        let covered = covered.and_then(|known| known.over::<W>(step.gain, is_first));
        let is_known = covered.is_some();
        let rows = (self.x.as_chunks().0, Some(self.weight));
        let made = (next.as_chunks_mut().0, Some((argmax, count)));
        let Moved { tally, outside, .. } = move_rows(&shown.0, set, watch, covered, rows, made);
        let known = known.filter(|_| is_known).map(|known| {
            let to = |_, key: u32| {
                let [own, mut to] = [self.x, &*next].map(|x| std::array::from_fn(|k| x[key as usize * D + k]));
                shown.0.row(&own, &mut to).is_led.then(|| place::<W, D>(&to))
            };
            known.after::<W, D>(step.gain, outside, to)
        });
        (tally, known)
    }
}

/// The keys that candidates are together, and their table, of n tokens.
fn table<W: Width, const D: usize>(
    candidates: Vec<Candidate<W, D>>,
    whole: &Whole<D>,
    anchors: &[i64],
) -> Option<Found<W, D>> {
    if candidates.len() > whole.most() {
        return None;
    }
    let anchors: HashSet<&[i64]> = anchors.chunks_exact(D).collect();
    let mut found: HashMap<[i64; D], usize> = HashMap::with_capacity(candidates.len());
    let (mut keys, mut places) = (Vec::<Key<W, D>>::new(), Vec::new());
    for Candidate { at, weight, first } in candidates {
        let place = at.map(Integer::to_i64);
        let key = *found.entry(place).or_insert(keys.len());
        if key == keys.len() {
            places.push(place);
            keys.push(Key { at, weight: 0, first, is_anchor: anchors.contains(&place[..]) });
        }
        keys[key].weight += weight;
        keys[key].first = keys[key].first.min(first);
    }
    Some(Found::new(keys, Table::new(&places, levels(D), 0)?))
}
