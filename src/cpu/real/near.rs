//! The keys that carry all but a stated share of a row's attention.
//!
//! Softmax over n keys: those with `S_ij < m_i − ln(n/ε)/β` weigh less than ε/n of the largest
//! each, so together they carry less than the share ε of the row's mass. Without them the weights
//! change by at most 2ε in sum, and the mean by at most 2εR, R the largest distance of a token from
//! the centre of all. Tokens are put in the order of space, so that a tile of keys lies in a small
//! box; boxes are opened by the largest score that any row of a packet may have there, and when
//! that falls below every row's limit the rest is left out. What rounding costs a score widens the
//! limit.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use rayon::prelude::*;

use crate::model::Scoring;
use crate::num;
use crate::space::{self, Order};

use crate::cpu::real::cloud::Cloud;
use crate::cpu::real::kernels::{KEYS, Real};

/// The number of boxes in a box of the level above.
const BRANCHES: usize = 16;

/// Lattice bits that tell tokens apart where only their order matters.
const ORDER_BITS: i32 = 40;

/// Sorts tokens by the order of space: `order[place]` is a token.
pub(crate) fn order(x: &[f64], d: usize) -> Vec<u32> {
    let exponent = num::exponent_above(x.iter().fold(0.0, |m: f64, v| m.max(v.abs())));
    let rows: Vec<i64> = x.par_iter().map(|&v| num::scale(v, ORDER_BITS - exponent) as i64).collect();
    space::order(&rows, d, Order::Space)
}

/// Boxes around the tiles of a cloud, boxes around those, and so on to a handful.
pub(crate) struct Boxes {
    d: usize,
    scoring: Scoring,
    /// ε.
    pub(crate) omit: f64,
    /// `[level][box][centre.., half-width..]`, tiles first.
    levels: Vec<Vec<f64>>,
}

/// The box around a packet's queries: `[k][centre, half-width, largest |q_k|]`.
pub(crate) type Fan = [f64; 3];

/// A box to be opened, or a tile to be scored.
pub(crate) struct OpenBox {
    /// A bound on the scores in it, measured from the origin.
    pub(crate) upper: f64,
    level: usize,
    index: usize,
}

impl OpenBox {
    /// The tile, if it is one.
    pub(crate) fn tile(&self) -> Option<usize> {
        (self.level == 0).then_some(self.index)
    }
}

impl PartialEq for OpenBox {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for OpenBox {}

impl PartialOrd for OpenBox {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OpenBox {
    fn cmp(&self, other: &Self) -> Ordering {
        self.upper.total_cmp(&other.upper).then(other.level.cmp(&self.level)).then(other.index.cmp(&self.index))
    }
}

impl Boxes {
    pub(crate) fn new<W: Real>(cloud: &Cloud<'_, W>, omit: f64, scoring: Scoring) -> Self {
        let d = cloud.d;
        let tiles = cloud.keys()[..cloud.n * d].par_chunks(KEYS * d).flat_map_iter(|keys| {
            let ends = |k: usize| {
                keys.iter().skip(k).step_by(d).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                    (low.min(x.to_f64()), high.max(x.to_f64()))
                })
            };
            boxed(&(0..d).map(ends).collect::<Vec<_>>())
        });
        let mut levels = vec![tiles.collect::<Vec<f64>>()];
        while let Some(below) = levels.last().filter(|level| level.len() > BRANCHES * 2 * d) {
            let above = below.chunks(BRANCHES * 2 * d).flat_map(|boxes| {
                let ends = |k: usize| {
                    boxes.chunks_exact(2 * d).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), b| {
                        (low.min(b[k] - b[d + k]), high.max(b[k] + b[d + k]))
                    })
                };
                boxed(&(0..d).map(ends).collect::<Vec<_>>())
            });
            let above = above.collect();
            levels.push(above);
        }
        Self { d, scoring, omit, levels }
    }

    /// The uppermost boxes.
    pub(crate) fn top(&self, fan: &[Fan], origin: &[f64]) -> BinaryHeap<OpenBox> {
        let level = self.levels.len() - 1;
        (0..self.levels[level].len() / (2 * self.d)).map(|index| self.open(level, index, fan, origin)).collect()
    }

    /// The boxes in a box.
    pub(crate) fn inside(&self, outer: &OpenBox, fan: &[Fan], origin: &[f64]) -> impl Iterator<Item = OpenBox> {
        let level = outer.level - 1;
        let all = self.levels[level].len() / (2 * self.d);
        let first = outer.index * BRANCHES;
        (first..(first + BRANCHES).min(all)).map(move |index| self.open(level, index, fan, origin))
    }

    /// `max q·(x − o)`, or `max −|q − x|²/2`, over the queries of a fan and the points of a box.
    fn open(&self, level: usize, index: usize, fan: &[Fan], origin: &[f64]) -> OpenBox {
        let (centre, half) = self.levels[level][index * 2 * self.d..][..2 * self.d].split_at(self.d);
        let mut upper = 0.0;
        for (k, [middle, spread, largest]) in fan.iter().enumerate() {
            if self.scoring == Scoring::Distance {
                let apart = ((centre[k] - middle).abs() - half[k] - spread).max(0.0);
                upper -= 0.5 * apart * apart;
                continue;
            }
            let distance = centre[k] - origin[k];
            upper += middle * distance + spread * distance.abs() + largest * half[k];
        }
        OpenBox { upper, level, index }
    }

    /// The point that scores are measured from: the centre of the first tile, a place among the tokens.
    /// 0 where scores are distances, which need none.
    pub(crate) fn origin(&self) -> Vec<f64> {
        match self.scoring {
            Scoring::Inner => self.levels[0][..self.d].to_vec(),
            Scoring::Distance => vec![0.0; self.d],
        }
    }
}

/// Centre and half-widths, a little wider than their rounding.
fn boxed(ends: &[(f64, f64)]) -> Vec<f64> {
    let centre = ends.iter().map(|(low, high)| 0.5 * (low + high));
    let half = ends.iter().map(|(low, high)| 0.5 * (high - low) + 4.0 * f64::EPSILON * (low.abs() + high.abs()));
    centre.chain(half).collect()
}
