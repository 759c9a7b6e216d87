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
use crate::cpu::exact::tree::search::keys::SortedKeys;
use crate::cpu::exact::tree::search::list::{List, SIDE};
use crate::cpu::exact::tree::search::scan::{Cutoffs, Fan, Origin, fan_bounds};
use crate::cpu::exact::width::{Integer, Width};
use crate::cpu::lanes::{Job, Lanes};
use crate::exact::{StripWidth, TokenMatrix};
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

/// A box around the queries of the rows below a node.
fn fan_of<W: Width>(keys: &SortedKeys<'_, W>, plan: &PreparedStep<'_, W>, node: usize) -> Vec<Fan<W>> {
    let d = keys.cloud.d;
    let (centre, half) = keys.tree.boxes()[node * 2 * d..][..2 * d].split_at(d);
    let unit = (-f64::from(W::PRECISION.state_bits())).exp2();
    let row = |k: usize| -> (f64, f64) {
        let mut weighted = (0.0, 0.0);
        let mut add = |entry: W::Int, c: W, h: W| {
            let entry = Integer::to_i64(entry) as f64 * unit;
            weighted.0 += entry * c.to_f64();
            // Room for the rounding of the sum.
            weighted.1 += entry.abs() * (h.to_f64() + (d + 4) as f64 * f64::EPSILON * (c.to_f64().abs() + h.to_f64()));
        };
        match &plan.step.matrix {
            TokenMatrix::Identity => return (centre[k].to_f64(), half[k].to_f64()),
            TokenMatrix::Multiple(entry) => add(W::Int::of(*entry), centre[k], half[k]),
            TokenMatrix::Dense(_) => {
                for (&entry, (&c, &h)) in plan.dense[k * d..][..d].iter().zip(centre.iter().zip(half)) {
                    add(entry, c, h);
                }
            }
        }
        (weighted.0, weighted.1 + 1.0) // queries are rounded to integers
    };
    (0..d)
        .map(|k| {
            let (middle, half) = row(k);
            let centre = W::nearest(middle);
            let half = half + (middle - centre.to_f64()).abs();
            [centre, W::above(half), W::above(centre.to_f64().abs() + half)]
        })
        .collect()
}

/// Bounds on the widths of these rows' strips: the narrowest and the widest.
fn widths<W: Width>(keys: &SortedKeys<'_, W>, plan: &PreparedStep<'_, W>, node: usize, fan: &[Fan<W>]) -> [W; 2] {
    let d = keys.cloud.d;
    let around = &keys.tree.boxes()[node * 2 * d..][..2 * d];
    // Ranges of |q_k|, and of q_k x_k.
    let size = |k: usize| {
        let [centre, half, largest] = fan[k].map(W::to_f64);
        [(centre.abs() - half).max(0.0), largest]
    };
    let product = |k: usize| {
        let ([q, r, _], x, h) = (fan[k].map(W::to_f64), around[k].to_f64(), around[d + k].to_f64());
        let spread = q.abs() * h + r * x.abs() + r * h;
        [q * x - spread, q * x + spread]
    };
    let sums = |of: &dyn Fn(usize) -> [f64; 2]| (0..d).map(of).fold([0.0, 0.0], |a, b| [a[0] + b[0], a[1] + b[1]]);
    // Squares and widths are clamped; roots are taken of whole numbers, and rounded down.
    let clamp = f64::from(W::PRECISION.clamp_bits()).exp2();
    let of_squares = |factor: i128, [least, most]: [f64; 2]| {
        let least = (least.min(clamp) - 1.0).max(0.0).sqrt() - 1.0;
        [(factor as f64 * least).min(clamp), factor as f64 * most.max(0.0).sqrt()]
    };
    let [narrowest, widest] = match plan.step.width {
        StripWidth::Argmax => [0.0; 2],
        StripWidth::Constant(width) => [width as f64; 2],
        StripWidth::QueryNorm { factor } => of_squares(factor, sums(&|k| size(k).map(|q| q * q))),
        StripWidth::ANorm { factor, parity } => {
            let scale = f64::from(parity).exp2();
            // Rounding costs the sums far less than the share of their largest term that is taken
            // off.
            let largest = |k: usize| [0.0, fan[k][2].to_f64() * (around[k].to_f64().abs() + around[d + k].to_f64())];
            let spared = 1e-6 * sums(&largest)[1];
            let [least, most] = sums(&product);
            of_squares(factor, [(least - spared) * scale, (most + spared) * scale])
        }
    };
    // Room for their rounding.
    let narrowest = W::nearest((0.999 * narrowest - 2.0).max(0.0));
    [narrowest, if widest == 0.0 { W::default() } else { W::above(1.001 * widest + 2.0) }]
}

/// A key, of those in the tree, that is far in a direction.
pub(crate) fn farthest_key<W: Width>(keys: &SortedKeys<'_, W>, direction: &[W]) -> u32 {
    let fan: Vec<Fan<W>> = direction.iter().map(|&q| [q, W::default(), q.size()]).collect();
    nearest(keys, &fan, 0, &mut 0)
}

/// A key with a large score for the middle of a fan: by floats alone, since any key will do. Adds
/// to the number of `bounds`.
#[inline(always)]
fn nearest<W: Width>(keys: &SortedKeys<'_, W>, fan: &[Fan<W>], near: u32, bounds: &mut u64) -> u32 {
    let (tree, d, floats) = (keys.tree, keys.cloud.d, &keys.cloud.floats);
    let score = |key: usize| fan.iter().zip(&floats[key * d..]).fold(W::default(), |sum, (q, &x)| sum + q[0] * x);
    let upper = |node: usize| {
        let (centre, half) = tree.boxes()[node * 2 * d..][..2 * d].split_at(d);
        fan.iter()
            .zip(centre.iter().zip(half))
            .fold(W::default(), |sum, (q, (&c, &h))| sum + q[0] * c + q[0].size() * h)
    };
    let (mut best, mut key) = (score(near as usize), near);
    for seed in keys.seeds.clone() {
        let score = score(seed as usize);
        if score > best {
            (best, key) = (score, seed);
        }
    }
    let mut open = vec![(1, W::LOWEST.size())];
    while let Some((node, bound)) = open.pop() {
        if bound <= best || tree.weight()[node] == 0 {
            continue;
        }
        *bounds += 1;
        if node >= tree.first_leaf() {
            *bounds += LEAF as u64 / 4;
            for other in tree.range(node) {
                let score = score(other);
                if score > best {
                    (best, key) = (score, other as u32);
                }
            }
            continue;
        }
        let [a, b] = [2 * node, 2 * node + 1].map(|child| (child, upper(child)));
        open.extend(if a.1 < b.1 { [a, b] } else { [b, a] });
    }
    key
}
