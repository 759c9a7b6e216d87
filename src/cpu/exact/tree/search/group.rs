//! The boxes from which the packets of a group of neighbouring rows begin.
//!
//! Rows that follow one another in the tree's order have queries in a small box, the fan, and much
//! the same maxima and strips. So the tree is descended once for all of them, by bounds over the
//! fan that cost a scalar; what this leaves open, boxes or keys, is divided once more by parts of
//! the group, and there every packet begins. With scores measured from some key o, a key whose
//! score is below 0 for every query of the fan attains no maximum, since o is better; one below −D
//! is in no strip of width D or less; and where no score exceeds U, one of at least U − D is in
//! every strip of width D or more: such keys and boxes are summed once for all rows.
//!
//! A group only decides where packets begin: what they find is the same from the root.
#![allow(clippy::inline_always)] // see `packet`

use crate::cpu::exact::scores::{FEW_DIMENSIONS, unrolled};
use crate::cpu::exact::step::PreparedStep;
use crate::cpu::exact::tree::search::fan::{fan_of, nearest, widths};
use crate::cpu::exact::tree::search::keys::SortedKeys;
use crate::cpu::exact::tree::search::list::{List, SIDE};
use crate::cpu::exact::tree::search::scan::{Cutoffs, Fan, Origin, fan_bounds};
use crate::cpu::exact::width::Width;
use crate::cpu::lanes::{Job, Lanes};
use crate::model::Mask;
use crate::space::{Coordinate, LEAF, Order};

/// Rows of a group, of its parts and of their parts; powers of two, the last at least as many as a
/// packet has.
pub(crate) const ROWS: [usize; 3] = [1024, 256, 64];

/// About the most boxes that a packet begins with.
const MOST: usize = 256;

/// Keys that are listed, at most. They are listed in few dimensions only: in more, the boxes around
/// them say little.
const LISTED: usize = 4096;

/// Boxes that a search begins with or, if they are few, the keys below them that matter.
pub(crate) struct Frontier<W: Width> {
    pub(crate) boxes: Vec<u32>,
    /// The keys, if they are few.
    pub(crate) list: Option<List<W>>,
    spare: Option<List<W>>,
    /// The boxes beside the list, whose keys are not known.
    pub(crate) closed: Vec<u32>,
    /// Keys that are in the strip of every row.
    pub(crate) settled: Settled<W>,
}

/// Sum and count of the keys that are in the strip of every row.
#[derive(Clone)]
pub(crate) struct Settled<W: Width> {
    pub(crate) sum: Vec<<W::Int as Coordinate>::Sum>,
    pub(crate) count: u32,
}

impl<W: Width> Settled<W> {
    pub(crate) fn none(d: usize) -> Self {
        Self { sum: vec![Default::default(); d], count: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.sum.fill(Default::default());
        self.count = 0;
    }

    fn copy(&mut self, other: &Self) {
        self.sum.copy_from_slice(&other.sum);
        self.count = other.count;
    }

    #[inline(always)]
    fn add_box(&mut self, keys: &SortedKeys<'_, W>, node: u32) {
        debug_assert!(keys.tree.has_sum(node as usize), "strips that are boxes come with their sums");
        self.sum.iter_mut().zip(keys.tree.sum(node as usize)).for_each(|(sum, &of)| *sum += of);
        self.count += keys.tree.weight()[node as usize];
    }

    #[inline(always)]
    pub(crate) fn add_key(&mut self, keys: &SortedKeys<'_, W>, key: u32) {
        let (row, weight) = (keys.cloud.row(key as usize), keys.weight[key as usize]);
        self.sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x.times(weight));
        self.count += weight;
    }
}

/// The frontiers that a group, or a part of it, begins with.
pub(crate) struct Level<W: Width> {
    /// Everything that may attain a maximum.
    pub(crate) maxima: Frontier<W>,
    /// Everything that may be in a wide strip.
    pub(crate) strips: Frontier<W>,
    /// A key near the maxima of the rows.
    best: u32,
}

/// A group and the part of it that is at hand.
pub(crate) struct Group<W: Width> {
    levels: [Level<W>; ROWS.len()],
    room: Room<W>,
}

/// Buffers for the boxes of the next level and for the keys of a leaf.
struct Room<W: Width> {
    /// Bounds computed so far, [`SIDE`] listed keys as one.
    bounds: u64,
    next: Vec<u32>,
    settled: Settled<W>,
    leaf: List<W>,
}

impl<W: Width> Frontier<W> {
    fn root(d: usize) -> Self {
        let spare = (d <= FEW_DIMENSIONS).then(|| List::new(d, LISTED));
        Self { boxes: vec![1], list: None, spare, closed: Vec::new(), settled: Settled::none(d) }
    }

    fn reset(&mut self) {
        self.begin_below(1);
    }

    fn begin_below(&mut self, node: u32) {
        self.boxes.clear();
        self.boxes.push(node);
        self.closed.clear();
        self.settled.clear();
        if let Some(list) = self.list.take() {
            self.spare = Some(list);
        }
    }

    /// Keeps the part of the outer frontier that reaches the outer limit for some query of the fan,
    /// and sums what reaches the inner limit for every query.
    #[inline(always)]
    fn narrow(
        &mut self,
        all: Option<&Self>,
        keys: &SortedKeys<'_, W>,
        fan: &[Fan<W>],
        origin: Origin<'_, W>,
        limits: Cutoffs<W>,
        room: &mut Room<W>,
    ) {
        self.reset();
        if let Some(all) = all {
            self.boxes.clone_from(&all.boxes);
            self.settled.copy(&all.settled);
        }
        let listed = all.and_then(|all| all.list.as_ref());
        if listed.is_none() {
            self.descend(keys, fan, origin, limits, room);
        }
        let Some(mut list) = self.spare.take() else { return };
        list.clear();
        let mut fits = true;
        if let Some(listed) = listed {
            room.bounds += listed.keys().len().div_ceil(SIDE) as u64;
            for &node in all.map_or(&[][..], |all| &all.closed) {
                room.bounds += 1;
                let (lower, upper) = reach_of(keys, node, fan, origin);
                if limits.inside <= lower {
                    self.settled.add_box(keys, node);
                } else if limits.outside <= upper {
                    self.closed.push(node);
                }
            }
            // All fit: there are no more of them than before.
            let settled = &mut self.settled;
            listed.sift(fan, origin, limits, |place, whole| {
                if whole {
                    settled.add_key(keys, listed.keys()[place]);
                    true
                } else {
                    list.push_of(listed, place)
                }
            });
        } else {
            fits = self.boxes.first().is_none_or(|&node| node as usize >= keys.tree.first_leaf());
            if fits {
                let (cloud, d, Room { bounds, leaf, settled, .. }) = (keys.cloud, keys.cloud.d, room);
                settled.copy(&self.settled);
                for &node in &self.boxes {
                    keys.touch(node as usize);
                    if keys.tree.is_closed(node as usize) {
                        self.closed.push(node);
                        continue;
                    }
                    let range = keys.tree.range(node as usize);
                    let rows = &cloud.floats[range.start * d..range.end * d];
                    unrolled!(few d, |d| leaf.fill(range.start, rows, d));
                    *bounds += (LEAF / SIDE) as u64;
                    leaf.sift(fan, origin, limits, |place, whole| {
                        if whole {
                            settled.add_key(keys, leaf.keys()[place]);
                        } else {
                            fits &= list.push_of(leaf, place);
                        }
                        fits
                    });
                }
                if fits {
                    self.settled.copy(settled);
                }
            }
        }
        *(if fits { &mut self.list } else { &mut self.spare }) = Some(list);
    }

    /// Opens boxes level by level; drops those whose scores stay below the outer limit for every
    /// query of the fan, and sums those that reach the inner limit for every query.
    #[inline(always)]
    fn descend(
        &mut self,
        keys: &SortedKeys<'_, W>,
        fan: &[Fan<W>],
        origin: Origin<'_, W>,
        limits: Cutoffs<W>,
        room: &mut Room<W>,
    ) {
        let (tree, Room { bounds, next, settled, .. }) = (keys.tree, room);
        while let Some(&node) = self.boxes.first()
            && (node as usize) < tree.first_leaf()
        {
            next.clear();
            settled.copy(&self.settled);
            for child in self.boxes.iter().flat_map(|&node| [2 * node, 2 * node + 1]) {
                if tree.weight()[child as usize] == 0 {
                    continue;
                }
                *bounds += 1;
                let (lower, upper) = reach_of(keys, child, fan, origin);
                if limits.inside <= lower {
                    settled.add_box(keys, child);
                } else if limits.outside <= upper {
                    next.push(child);
                    if next.len() > MOST {
                        return;
                    }
                }
            }
            std::mem::swap(&mut self.boxes, next);
            self.settled.copy(settled);
        }
    }

    /// A bound on the scores of the fan's queries on this frontier.
    #[inline(always)]
    fn most(&self, keys: &SortedKeys<'_, W>, fan: &[Fan<W>], origin: Origin<'_, W>) -> W {
        let (boxes, listed) = match &self.list {
            Some(list) => (&self.closed, list.most(fan, origin)),
            None => (&self.boxes, W::LOWEST),
        };
        let upper = |node: &u32| reach_of(keys, *node, fan, origin).1;
        boxes.iter().map(upper).fold(listed, |most, upper| if most < upper { upper } else { most })
    }
}

/// Bounds on the scores of a box with the queries of a fan: the least and the largest.
#[inline(always)]
fn reach_of<W: Width>(keys: &SortedKeys<'_, W>, node: u32, fan: &[Fan<W>], origin: Origin<'_, W>) -> (W, W) {
    let d = keys.cloud.d;
    let around = &keys.tree.boxes()[node as usize * 2 * d..][..2 * d];
    let (middle, reach) = unrolled!(d, |d| fan_bounds(fan, around, origin, d));
    (middle - reach, middle + reach)
}

impl<W: Width> Group<W> {
    /// The frontier that is the root, at every level.
    pub(crate) fn root(d: usize) -> Self {
        let level = || Level { maxima: Frontier::root(d), strips: Frontier::root(d), best: 0 };
        let room = Room { bounds: 0, next: Vec::new(), settled: Settled::none(d), leaf: List::new(d, LEAF) };
        Self { levels: [level(), level(), level()], room }
    }

    /// Has packets begin with a node.
    pub(crate) fn begin_below(&mut self, node: u32) {
        let Level { maxima, strips, .. } = &mut self.levels[ROWS.len() - 1];
        maxima.begin_below(node);
        strips.begin_below(node);
    }

    /// The bounds computed since the last call.
    pub(crate) fn take_bounds(&mut self) -> u64 {
        std::mem::take(&mut self.room.bounds)
    }

    /// The level at which packets begin.
    pub(crate) fn innermost(&self) -> &Level<W> {
        &self.levels[ROWS.len() - 1]
    }
}

/// Prepares a group, or a part of it, for the rows below a node.
pub(crate) struct Enter<'a, W: Width> {
    pub(crate) group: &'a mut Group<W>,
    pub(crate) keys: &'a SortedKeys<'a, W>,
    pub(crate) plan: &'a PreparedStep<'a, W>,
    pub(crate) node: usize,
    pub(crate) level: usize,
    /// A guess at a key near their maxima.
    pub(crate) near: u32,
    pub(crate) slack: W,
}

impl<W: Width> Job<W, W::Int> for Enter<'_, W> {
    /// A key near the maxima, if keys are in a tree that all rows see whole.
    type Output = Option<u32>;

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, _: L) -> Option<u32> {
        let Self { group, keys, plan, node, level, near, slack } = self;
        let (outer, inner) = group.levels.split_at_mut(level);
        let (outer, inner) = (outer.last(), &mut inner[0]);
        if keys.order != Order::Space || plan.step.mask != Mask::FULL {
            inner.maxima.reset();
            inner.strips.reset();
            return None;
        }
        let (d, n) = (keys.cloud.d, keys.cloud.n as u32);
        let fan = fan_of(keys, plan, node);
        let listed = outer.and_then(|outer| outer.maxima.list.as_ref());
        inner.best = match listed.and_then(|list| Some(list.keys()[list.best(&fan)?])) {
            Some(best) => best,
            None => nearest(keys, &fan, outer.map_or(near, |outer| outer.best).min(n - 1), &mut group.room.bounds),
        };
        let origin = Origin { at: &keys.cloud.floats[inner.best as usize * d..][..d], slack };
        let Level { maxima, strips, .. } = inner;
        maxima.narrow(
            outer.map(|outer| &outer.maxima),
            keys,
            &fan,
            origin,
            Cutoffs::above(W::default()),
            &mut group.room,
        );
        let [narrowest, widest] = widths(keys, plan, node, &fan);
        if widest > W::default() {
            let most = maxima.most(keys, &fan, origin);
            // Rounded once more, which the widths have room for.
            let inside = if most < narrowest { most - narrowest } else { W::LOWEST.size() };
            let limits = Cutoffs { outside: widest.negated(), inside };
            strips.narrow(outer.map(|outer| &outer.strips), keys, &fan, origin, limits, &mut group.room);
        } else {
            strips.reset();
        }
        Some(inner.best)
    }
}
