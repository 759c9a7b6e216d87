//! Where the packets of a group of neighbouring rows begin.
//!
//! Rows that follow one another in the tree's order have queries in a small box, the fan, and much the same maxima and
//! strips. So the tree is descended once for all of them, by bounds over the fan that cost a scalar, and every packet of
//! the group begins at the boxes that this leaves open. With scores measured from some key o, a key whose score is below
//! 0 for every query of the fan attains no maximum, since o is better; one below −D is in no strip of width D or less.
//!
//! A group only decides where packets begin: what they find is the same from the root.

use super::super::packet::{Plan, unrolled};
use super::super::width::{Integer, Width};
use super::Searched;
use super::scan::{Fan, Origin, fan_bounds};
use crate::contract::{StripWidth, TokenMatrix};
use crate::model::Mask;
use crate::space::Order;

/// Boxes that a packet begins with, at most; about.
const MOST: usize = 256;

/// Boxes to begin with.
pub(super) struct Group {
    /// All boxes that may hold maxima are these or below them.
    pub(super) around_maxima: Vec<u32>,
    /// The same of members of wide strips.
    pub(super) around_strips: Vec<u32>,
    next: Vec<u32>,
}

impl Default for Group {
    /// The root.
    fn default() -> Self {
        Self { around_maxima: vec![1], around_strips: vec![1], next: Vec::new() }
    }
}

impl Group {
    /// Descends for the rows below a node; a key near their maxima, if keys are in a tree that all rows see whole. `near`
    /// is a guess at it.
    pub(super) fn enter<W: Width>(
        &mut self,
        keys: &Searched<'_, W>,
        plan: &Plan<'_, W>,
        node: usize,
        near: u32,
        slack: W,
    ) -> Option<u32> {
        self.around_maxima.clear();
        self.around_maxima.push(1);
        self.around_strips.clear();
        self.around_strips.push(1);
        if keys.order != Order::Space || plan.step.mask != Mask::Full {
            return None;
        }
        let fan = fan_of(keys, plan, node);
        let best = nearest(keys, &fan, near.min(keys.cloud.n as u32 - 1));
        let origin = Origin { at: &keys.cloud.floats[best as usize * keys.cloud.d..][..keys.cloud.d], slack };
        let width = widest(keys, plan, node, &fan);
        descend(keys, &fan, origin, W::default(), &mut self.around_maxima, &mut self.next);
        if width > W::default() {
            descend(keys, &fan, origin, width.negated(), &mut self.around_strips, &mut self.next);
        }
        Some(best)
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
            }
        }
        if next.len() > MOST {
            break;
        }
        std::mem::swap(open, next);
    }
}
