//! Hulls in any dimension, by certificates (after Clarkson, FOCS 1994).
//!
//! Vertices V are found one by one. For a token p, the nearest point y of conv V to p (`side`,
//! Wolfe, Math. Programming 11, 1976) either lies within the tolerance of p, or the direction c = p
//! − y has p beyond all of V. Then the token that is extreme in the direction c is a new vertex,
//! and p is asked again. So the work goes with the number of vertices, not with all pairs.
//!
//! Either one token is extreme alone, by more than rounding, or several tie. Of those the one
//! farthest from their mean is a vertex of the face that they span, hence of the hull; the
//! direction is tilted towards it until it is alone.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::super::points::{Distinct, Points, mean};
use super::super::support::Directions;
use crate::num::{self, dot, dot_exactly, norm, squared_distance};

/// Distance from the hull that counts as inside, relative to the largest coordinate.
const TOLERANCE: f64 = 1.0 / (1u64 << 40) as f64;
/// Difference of scores that counts as a tie, relative to |c|·|difference of tokens|.
const TIE: f64 = 1e-13;
/// Number of directions, beside those of the axes, that give the first vertices.
const DIRECTIONS: usize = 64;

struct Search<'a> {
    points: &'a Points,
    vertices: Vec<u32>,
    is_vertex: Vec<bool>,
    tolerance: f64,
    /// Multiply-adds left.
    effort: u64,
}

/// Vertices, undecided tokens, and the tolerance of the others.
pub(super) fn hull(points: &Points, effort: u64) -> (Vec<u32>, Vec<u32>, f64) {
    let distinct = Distinct::of(points).in_order();
    let tolerance = TOLERANCE * points.largest_magnitude();
    let mut search = Search {
        points: &distinct.points,
        vertices: Vec::new(),
        is_vertex: vec![false; distinct.len()],
        tolerance,
        effort,
    };
    search.first();
    let mut undecided = Vec::new();
    for p in 0..distinct.len() as u32 {
        if !search.decide(p) {
            undecided.push(p);
        }
    }
    // A later vertex may be one that was given up on.
    undecided.retain(|&p| !search.is_vertex[p as usize]);
    let named = |found: Vec<u32>| -> Vec<u32> {
        let mut tokens: Vec<u32> = found.into_iter().map(|p| distinct.first[p as usize]).collect();
        tokens.sort_unstable();
        tokens
    };
    (named(search.vertices), named(undecided), tolerance)
}

impl Search<'_> {
    fn add(&mut self, p: u32) {
        if !std::mem::replace(&mut self.is_vertex[p as usize], true) {
            self.vertices.push(p);
        }
    }

    fn spend(&mut self, effort: usize) -> bool {
        let enough = self.effort >= effort as u64;
        self.effort = self.effort.saturating_sub(effort as u64);
        enough
    }

    /// Adds the token farthest from the mean, always a vertex, and the extreme ones in some
    /// directions.
    fn first(&mut self) {
        let (n, d) = (self.points.n(), self.points.d());
        let mean = mean(d, self.points.rows());
        let farthest = self.farthest(&(0..n as u32).collect::<Vec<_>>(), &mean);
        self.add(farthest);
        // Never fewer than a token or two, however small the effort.
        let most = (self.effort / 4 / (n * d) as u64) as usize;
        let directions = Directions::new(d, DIRECTIONS.min(most), 0);
        if most > 2 * d && self.spend(n * d * directions.len()) {
            for (j, support) in directions.support(self.points).into_iter().enumerate() {
                if let Some(vertex) = self.extreme(&directions.vector(j), Some(support.token)) {
                    self.add(vertex);
                }
            }
        }
    }

    /// The token of `among` that is farthest from a point; of several the first.
    fn farthest(&self, among: &[u32], from: &[f64]) -> u32 {
        let square = |i: u32| squared_distance(self.points.row(i as usize), from);
        among.iter().copied().reduce(|a, b| if square(b) > square(a) { b } else { a }).unwrap_or(0)
    }

    /// Decides whether p is a vertex; false where it could not.
    fn decide(&mut self, p: u32) -> bool {
        let (n, d) = (self.points.n(), self.points.d());
        loop {
            if self.is_vertex[p as usize] {
                return true;
            }
            if !self.spend(2 * d * self.vertices.len()) {
                return false;
            }
            let mut spent = 0;
            let side = side(self.points, &self.vertices, p, self.tolerance, &mut spent);
            self.effort = self.effort.saturating_sub(spent);
            match side {
                Side::Inside => return true,
                Side::Unknown => return false,
                Side::Beyond(direction) => {
                    if !self.spend(n * d) {
                        return false;
                    }
                    match self.extreme(&direction, None) {
                        Some(vertex) if !self.is_vertex[vertex as usize] => self.add(vertex),
                        _ => return false,
                    }
                }
            }
        }
    }

    /// A certified vertex among those extreme in a direction; `None` if rounding hides which.
    fn extreme(&mut self, direction: &[f64], hint: Option<u32>) -> Option<u32> {
        let top = hint.unwrap_or_else(|| self.top(direction));
        let ties = self.ties(direction, top);
        if ties.len() == 1 {
            return Some(top);
        }
        let d = self.points.d();
        let mean = mean(d, ties.iter().map(|&i| self.points.row(i as usize)));
        let corner = self.farthest(&ties, &mean);
        let tilt: Vec<f64> = self.points.row(corner as usize).iter().zip(&mean).map(|(x, m)| x - m).collect();
        let size = (dot(direction, direction) / dot(&tilt, &tilt)).sqrt();
        [1e-2, 1e-4, 1e-6, 1e-8].into_iter().find_map(|small| {
            self.spend(self.points.n() * d);
            let tilted: Vec<f64> = direction.iter().zip(&tilt).map(|(c, t)| c + small * size * t).collect();
            let is_alone = self.top(&tilted) == corner && self.ties(&tilted, corner).len() == 1;
            is_alone.then_some(corner)
        })
    }

    /// The lowest token with the largest score, in plain f64.
    fn top(&self, direction: &[f64]) -> u32 {
        let d = self.points.d();
        let chunks: Vec<(f64, u32)> = self
            .points
            .coordinates()
            .par_chunks(1024 * d)
            .enumerate()
            .map(|(chunk, rows)| {
                let mut best = (f64::NEG_INFINITY, 0);
                for (at, row) in rows.chunks_exact(d).enumerate() {
                    let score = dot(direction, row);
                    if score > best.0 {
                        best = (score, (chunk * 1024 + at) as u32);
                    }
                }
                best
            })
            .collect();
        chunks.into_iter().reduce(|a, b| if b.0 > a.0 { b } else { a }).map_or(0, |best| best.1)
    }

    /// Tokens that are not certainly below `top` in a direction, `top` among them.
    fn ties(&self, direction: &[f64], top: u32) -> Vec<u32> {
        let length = norm(direction);
        let at = self.points.row(top as usize);
        let d = self.points.d();
        // Plain scores tell all but a few.
        let slack = 8.0 * (d + 2) as f64 * f64::EPSILON * length * (d as f64).sqrt() * self.points.largest_magnitude();
        let highest = dot(direction, at);
        (0..self.points.n() as u32)
            .into_par_iter()
            .filter(|&i| {
                let row = self.points.row(i as usize);
                if i == top || dot(direction, row) < highest - slack {
                    return i == top;
                }
                let apart: Vec<f64> = at.iter().zip(row).map(|(a, x)| a - x).collect();
                dot_exactly(direction, &apart) <= TIE * length * norm(&apart)
            })
            .collect()
    }
}

/// The place of a token, seen from the vertices found so far.
enum Side {
    /// Within the tolerance of conv V: a convex combination comes that near.
    Inside,
    /// Beyond all of V, which is strictly below the token in this direction.
    Beyond(Vec<f64>),
    /// Hidden by rounding.
    Unknown,
}

/// Looks for the point of conv V nearest to p by Wolfe's method, until it decides; adds its
/// multiply-adds to `spent`.
fn side(points: &Points, vertices: &[u32], p: u32, tolerance: f64, spent: &mut u64) -> Side {
    let d = points.d();
    let at = points.row(p as usize);
    let way = |v: u32| -> Vec<f64> { points.row(v as usize).iter().zip(at).map(|(v, p)| v - p).collect() };
    let square = |v: u32| squared_distance(points.row(v as usize), at);
    let Some(closest) = vertices.iter().copied().min_by(|&a, &b| square(a).total_cmp(&square(b))) else {
        return Side::Unknown;
    };
    let mut corral = vec![(closest, way(closest), 1.0)];
    for _ in 0..64 + 16 * d {
        let nearest = combination(&corral, d);
        let square = dot(&nearest, &nearest);
        if num::within(square, tolerance * tolerance) {
            return Side::Inside;
        }
        *spent += (vertices.len() * d) as u64;
        let entering = vertices
            .iter()
            .map(|&v| (v, way(v)))
            .map(|(v, w)| (dot(&nearest, &w), v, w))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let Some((least, v, w)) = entering else { break };
        if least > TIE * square.sqrt() * norm(&w) {
            return Side::Beyond(nearest.iter().map(|x| -x).collect());
        }
        if corral.iter().any(|(member, _, _)| *member == v) {
            break;
        }
        corral.push((v, w, 0.0));
        if !descend(&mut corral, d, spent) {
            return Side::Unknown;
        }
    }
    Side::Unknown
}

/// A bound of the distance of token p from the hull of others, as small as rounding lets it be, by
/// Wolfe's method; infinite where the distance is certainly above `enough`.
///
/// The bound is the length of a convex combination, whose rounding is far below the tokens'.
pub(super) fn distance(points: &Points, others: &[u32], p: u32, enough: f64) -> f64 {
    let d = points.d();
    let at = points.row(p as usize);
    let way = |v: u32| -> Vec<f64> { points.row(v as usize).iter().zip(at).map(|(v, p)| v - p).collect() };
    let square = |v: u32| squared_distance(points.row(v as usize), at);
    let Some(closest) = others.iter().copied().min_by(|&a, &b| square(a).total_cmp(&square(b))) else {
        return f64::INFINITY;
    };
    let mut corral = vec![(closest, way(closest), 1.0)];
    let mut least = f64::INFINITY;
    for _ in 0..64 + 16 * d {
        let nearest = exact_combination(&corral, points, at);
        let length = norm(&nearest);
        if length >= least {
            break;
        }
        least = length;
        let height = |&v: &u32| dot(&nearest, &way(v));
        let Some(entering) = others.iter().min_by(|a, b| height(a).total_cmp(&height(b))) else { break };
        if height(entering) > enough * length {
            return f64::INFINITY;
        }
        if length == 0.0 || height(entering) >= length * length * (1.0 - 1e-9) {
            break;
        }
        // A member that could come nearer has a weight that is rounded: better weights help.
        if corral.iter().all(|(member, _, _)| member != entering) {
            corral.push((*entering, way(*entering), 0.0));
        }
        if !descend(&mut corral, d, &mut 0) {
            break;
        }
    }
    least
}

/// Takes the weights of a corral, whose last member has just entered, to those of the point of its
/// hull that is nearest to 0, and drops members without weight; false where rounding hides it.
fn descend(corral: &mut Vec<Member>, d: usize, spent: &mut u64) -> bool {
    loop {
        *spent += (corral.len() * corral.len() * d) as u64;
        let Some(weights) = affine_minimum(corral, d) else { return true };
        if weights.iter().all(|&w| w > 0.0) {
            corral.iter_mut().zip(weights).for_each(|(member, w)| member.2 = w);
            return true;
        }
        // As far towards it as all weights stay at least 0.
        let theta = corral
            .iter()
            .zip(&weights)
            .filter(|(_, w)| **w <= 0.0)
            .map(|((_, _, old), w)| if old - w > 0.0 { old / (old - w) } else { 0.0 })
            .fold(1.0, f64::min);
        corral.iter_mut().zip(&weights).for_each(|(member, w)| member.2 += theta * (w - member.2));
        let before = corral.len();
        let least = corral.iter().map(|m| m.2).fold(f64::INFINITY, f64::min);
        corral.retain(|member| member.2 > least.max(1e-15));
        if corral.is_empty() || corral.len() == before {
            return false;
        }
        let total: f64 = corral.iter().map(|m| m.2).sum();
        for member in corral.iter_mut() {
            member.2 /= total;
        }
    }
}

/// A token, the way to it, and its weight.
type Member = (u32, Vec<f64>, f64);

/// The combination of a corral as seen from `at`, without the rounding of large sums.
fn exact_combination(corral: &[Member], points: &Points, at: &[f64]) -> Vec<f64> {
    let weights: Vec<f64> = corral.iter().map(|m| m.2).collect();
    let total: f64 = weights.iter().sum();
    let twice = [&weights[..], &weights].concat();
    let along = |(k, &p): (usize, &f64)| {
        let ends: Vec<f64> =
            corral.iter().map(|m| points.row(m.0 as usize)[k]).chain(weights.iter().map(|_| -p)).collect();
        dot_exactly(&twice, &ends) / total
    };
    at.iter().enumerate().map(along).collect()
}

fn combination(corral: &[Member], d: usize) -> Vec<f64> {
    let total: f64 = corral.iter().map(|m| m.2).sum();
    (0..d).map(|k| corral.iter().map(|(_, w, weight)| weight / total * w[k]).sum()).collect()
}

/// Weights, of sum 1 and any sign, of the point nearest to 0 in the affine hull of the corral: those
/// that it has, corrected, so that they get better by every call.
fn affine_minimum(corral: &[Member], d: usize) -> Option<Vec<f64>> {
    let m = corral.len() - 1;
    if m == 0 {
        return Some(vec![1.0]);
    }
    let base = &corral[0].1;
    let edges = DMatrix::from_fn(d, m, |k, c| corral[c + 1].1[k] - base[k]);
    let target = -DVector::from_vec(combination(corral, d));
    let change = edges.svd(true, true).solve(&target, 1e-14).ok()?;
    let total: f64 = corral.iter().map(|m| m.2).sum();
    let changes = std::iter::once(-change.sum()).chain(change.iter().copied());
    Some(corral.iter().zip(changes).map(|(member, change)| member.2 / total + change).collect())
}
