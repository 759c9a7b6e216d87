//! Where the packets of a group of neighbouring rows begin.
//!
//! Rows that follow one another in the tree's order have queries in a small box, the fan, and much the same maxima and
//! strips. So the tree is descended once for all of them, by bounds over the fan that cost a scalar; what this leaves
//! open, boxes or keys, is divided once more by parts of the group, and there every packet begins. With scores measured from some key o,
//! a key whose score is below 0 for every query of the fan attains no maximum, since o is better; one below −D is in no strip of
//! width D or less.
//!
//! A group only decides where packets begin: what they find is the same from the root.
#![allow(clippy::inline_always)] // see `packet`

use super::super::lanes::{Job, Lanes};
use super::super::packet::{Plan, unrolled};
use super::super::width::{Integer, Width};
use super::Searched;
use super::list::List;
use super::scan::{Fan, Origin, fan_bounds};
use crate::contract::{StripWidth, TokenMatrix};
use crate::model::Mask;
use crate::space::{LEAF, Order};

/// Rows of a group, of its parts and of theirs; powers of two, the last at least as many as a packet has.
pub(in super::super) const ROWS: [usize; 3] = [1024, 256, 64];

/// Boxes that a packet begins with, at most; about.
const MOST: usize = 256;

/// Keys that are listed, at most, and the most coordinates that they may have: in more, boxes around them say little.
const LISTED: usize = 4096;
const MOST_COORDINATES: usize = 4;

/// Boxes to begin with, or all keys below them that matter.
pub(super) struct Around<W> {
    pub(super) boxes: Vec<u32>,
    /// If they are few.
    pub(super) list: Option<List<W>>,
    spare: Option<List<W>>,
}

/// What a group, or a part of it, begins with.
pub(super) struct Level<W> {
    /// All that may attain a maximum.
    pub(super) maxima: Around<W>,
    /// All that may be in a wide strip.
    pub(super) strips: Around<W>,
    /// A key near their maxima.
    best: u32,
}

/// A group and the part of it that is at hand.
pub(super) struct Group<W> {
    levels: [Level<W>; ROWS.len()],
    room: Room<W>,
}

/// For boxes of the next level, and for the keys of a leaf.
struct Room<W> {
    next: Vec<u32>,
    leaf: List<W>,
}

impl<W: Width> Around<W> {
    fn root(d: usize) -> Self {
        let spare = (d <= MOST_COORDINATES).then(|| List::new(d, LISTED));
        Self { boxes: vec![1], list: None, spare }
    }

    fn reset(&mut self) {
        self.boxes.clear();
        self.boxes.push(1);
        if let Some(list) = self.list.take() {
            self.spare = Some(list);
        }
    }

    /// Keeps of what is around all what some query of a fan brings up to a limit.
    #[inline(always)]
    fn narrow(
        &mut self,
        all: Option<&Self>,
        keys: &Searched<'_, W>,
        fan: &[Fan<W>],
        origin: Origin<'_, W>,
        limit: W,
        room: &mut Room<W>,
    ) {
        self.reset();
        if let Some(all) = all {
            self.boxes.clone_from(&all.boxes);
        }
        let Some(mut list) = self.spare.take() else {
            return descend(keys, fan, origin, limit, &mut self.boxes, &mut room.next);
        };
        list.clear();
        let mut fits = true;
        if let Some(listed) = all.and_then(|all| all.list.as_ref()) {
            // They fit: there are no more of them.
            listed.sift(fan, origin, limit, |place| list.push_of(listed, place));
        } else {
            descend(keys, fan, origin, limit, &mut self.boxes, &mut room.next);
            fits = self.boxes.first().is_none_or(|&node| node as usize >= keys.tree.first_leaf());
            if fits {
                let (cloud, d, leaf) = (keys.cloud, keys.cloud.d, &mut room.leaf);
                for &node in &self.boxes {
                    let range = keys.tree.range(node as usize);
                    let rows = &cloud.floats[range.start * d..range.end * d];
                    unrolled!(d, |d| leaf.fill(range.start, rows, d));
                    leaf.sift(fan, origin, limit, |place| {
                        fits &= list.push_of(leaf, place);
                        fits
                    });
                }
            }
        }
        *(if fits { &mut self.list } else { &mut self.spare }) = Some(list);
    }
}

impl<W: Width> Group<W> {
    /// Everything.
    pub(super) fn root(d: usize) -> Self {
        let level = || Level { maxima: Around::root(d), strips: Around::root(d), best: 0 };
        Self { levels: [level(), level(), level()], room: Room { next: Vec::new(), leaf: List::new(d, LEAF) } }
    }

    /// Where packets begin.
    pub(super) fn innermost(&self) -> &Level<W> {
        &self.levels[ROWS.len() - 1]
    }
}

/// Prepares a group, or a part of it, for the rows below a node.
pub(super) struct Enter<'a, W: Width> {
    pub(super) group: &'a mut Group<W>,
    pub(super) keys: &'a Searched<'a, W>,
    pub(super) plan: &'a Plan<'a, W>,
    pub(super) node: usize,
    pub(super) level: usize,
    /// A guess at a key near their maxima.
    pub(super) near: u32,
    pub(super) slack: W,
}

impl<W: Width> Job<W, W::Int> for Enter<'_, W> {
    /// A key near the maxima, if keys are in a tree that all rows see whole.
    type Output = Option<u32>;

    #[inline(always)]
    fn run<L: Lanes<W, W::Int>>(self, _: L) -> Option<u32> {
        let Self { group, keys, plan, node, level, near, slack } = self;
        let (outer, inner) = group.levels.split_at_mut(level);
        let (outer, inner) = (outer.last(), &mut inner[0]);
        if keys.order != Order::Space || plan.step.mask != Mask::Full {
            inner.maxima.reset();
            inner.strips.reset();
            return None;
        }
        let (d, n) = (keys.cloud.d, keys.cloud.n as u32);
        let fan = fan_of(keys, plan, node);
        let listed = outer.and_then(|outer| outer.maxima.list.as_ref());
        inner.best = match listed.and_then(|list| Some(list.keys()[list.best(&fan)?])) {
            Some(best) => best,
            None => nearest(keys, &fan, outer.map_or(near, |outer| outer.best).min(n - 1)),
        };
        let origin = Origin { at: &keys.cloud.floats[inner.best as usize * d..][..d], slack };
        let width = widest(keys, plan, node, &fan);
        let Level { maxima, strips, .. } = inner;
        if width > W::default() {
            strips.narrow(outer.map(|outer| &outer.strips), keys, &fan, origin, width.negated(), &mut group.room);
        } else {
            strips.reset();
        }
        // What attains a maximum is in the strip.
        let within = if strips.list.is_some() { Some(&*strips) } else { outer.map(|outer| &outer.maxima) };
        maxima.narrow(within, keys, &fan, origin, W::default(), &mut group.room);
        Some(inner.best)
    }
}

/// A box around the queries of the rows below a node.
fn fan_of<W: Width>(keys: &Searched<'_, W>, plan: &Plan<'_, W>, node: usize) -> Vec<Fan<W>> {
    let d = keys.cloud.d;
    let (centre, half) = keys.tree.boxes()[node * 2 * d..][..2 * d].split_at(d);
    let unit = (-f64::from(W::PRECISION.state_bits())).exp2();
    let row = |k: usize| -> (f64, f64) {
        let mut weighted = (0.0, 0.0);
        let mut add = |entry: W::Int, c: W, h: W| {
            let entry = Integer::to_i64(entry) as f64 * unit;
            weighted.0 += entry * c.to_f64();
            // And what rounding the sum may cost.
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

/// No strip of these rows is wider.
fn widest<W: Width>(keys: &Searched<'_, W>, plan: &Plan<'_, W>, node: usize, fan: &[Fan<W>]) -> W {
    let d = keys.cloud.d;
    let around = &keys.tree.boxes()[node * 2 * d..][..2 * d];
    let width = match plan.step.width {
        StripWidth::Argmax => 0.0,
        StripWidth::Constant(width) => width as f64,
        StripWidth::QueryNorm { factor } => {
            factor as f64 * fan.iter().map(|[_, _, q]| q.to_f64().powi(2)).sum::<f64>().sqrt()
        }
        StripWidth::ANorm { factor } => {
            let largest = |k: usize| fan[k][2].to_f64() * (around[k].to_f64().abs() + around[d + k].to_f64());
            let square = (0..d).map(largest).sum::<f64>() * (-f64::from(plan.step.matrix_exponent)).exp2();
            factor as f64 * square.sqrt()
        }
    };
    if width == 0.0 { W::default() } else { W::above(1.001 * width) }
}

/// A key with a large score for the middle of a fan: by floats alone, since any key will do.
#[inline(always)]
fn nearest<W: Width>(keys: &Searched<'_, W>, fan: &[Fan<W>], near: u32) -> u32 {
    let (tree, d, floats) = (keys.tree, keys.cloud.d, &keys.cloud.floats);
    let score = |key: usize| fan.iter().zip(&floats[key * d..]).fold(W::default(), |sum, (q, &x)| sum + q[0] * x);
    let upper = |node: usize| {
        let (centre, half) = tree.boxes()[node * 2 * d..][..2 * d].split_at(d);
        fan.iter()
            .zip(centre.iter().zip(half))
            .fold(W::default(), |sum, (q, (&c, &h))| sum + q[0] * c + q[0].size() * h)
    };
    let (mut best, mut key) = (score(near as usize), near);
    let mut open = vec![(1, W::LOWEST.size())];
    while let Some((node, bound)) = open.pop() {
        if bound <= best || tree.weight()[node] == 0 {
            continue;
        }
        if node >= tree.first_leaf() {
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

/// Opens boxes level by level, and drops those whose scores stay below a limit for every query of the fan.
#[inline(always)]
fn descend<W: Width>(
    keys: &Searched<'_, W>,
    fan: &[Fan<W>],
    origin: Origin<'_, W>,
    limit: W,
    open: &mut Vec<u32>,
    next: &mut Vec<u32>,
) {
    let (tree, d) = (keys.tree, keys.cloud.d);
    while let Some(&node) = open.first()
        && (node as usize) < tree.first_leaf()
    {
        next.clear();
        for child in open.iter().flat_map(|&node| [2 * node, 2 * node + 1]) {
            if tree.weight()[child as usize] == 0 {
                continue;
            }
            let around = &tree.boxes()[child as usize * 2 * d..][..2 * d];
            let (middle, reach) = unrolled!(d, |d| fan_bounds(fan, around, origin, d));
            if limit <= middle + reach {
                next.push(child);
                if next.len() > MOST {
                    return;
                }
            }
        }
        std::mem::swap(open, next);
    }
}
