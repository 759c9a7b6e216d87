//! The convex hull of a cloud, K(t) = conv X(t): which tokens are its vertices.
//!
//! K(t) shrinks to the limit polytope K (arXiv 2509.15958), so the hull of the last state stands
//! for K. Where no bit moves any more it is K.
//!
//! * d ≤ 3: exact. Every decision is the sign of an orientation in exact arithmetic (Shewchuk 1997,
//!   crate `robust`); tokens inside a face or an edge are no vertices. One token, coincident,
//!   collinear and coplanar clouds are as good as any.
//! * d > 3: by certificates (`general`). A vertex comes with a direction in which it alone is
//!   extreme; any other token is within [`Hull::tolerance`] of the hull of the vertices found; what
//!   the effort did not suffice for is undecided, and named so.
//!
//! In large clouds tokens well inside the hull of a few extreme tokens are put aside first.
//!
//! Which of the vertices stand out of the hull of the others by more than rounding is decided in
//! `standing`.
//!
//! The lowest index stands for all coincident tokens. For d ≤ 3, coordinates below 2^-250 of the
//! largest count as 0: beyond that products underflow. On a run's lattice there are none.

mod general;
mod inside;
pub(super) mod planar;
mod scaled;
mod solid;
mod standing;
#[cfg(test)]
mod tests;

use self::scaled::{Scaled, unique};
use super::points::Points;
use crate::num;

/// Multiply-adds that a hull for d > 3 may take unless told otherwise: a second or two.
pub const EFFORT: u64 = 1 << 30;

/// Exponent up to which coordinates need no scaling: products of a few stay in range for d ≤ 3; for
/// d > 3 squares are compared with 1, so coordinates must be of its size.
fn reach(points: &Points) -> i32 {
    if points.d() > 3 { 0 } else { 128 }
}

/// The vertices of a cloud's hull.
#[derive(Clone, Debug, PartialEq)]
pub struct Hull {
    /// Tokens that are vertices, ascending; of coincident ones the lowest index. Never empty.
    pub vertices: Vec<u32>,
    /// Undecided tokens, ascending; none for d ≤ 3.
    pub undecided: Vec<u32>,
    /// The largest distance from the hull of the vertices of a token that is neither, in the
    /// tokens' unit; 0 for d ≤ 3.
    pub tolerance: f64,
    /// Pairs of tokens that hold every edge of the hull; other pairs lie on its boundary too.
    /// `None` for d > 3.
    edges: Option<Vec<[u32; 2]>>,
}

impl Hull {
    /// Computes the hull of a cloud.
    pub fn of(points: &Points) -> Self {
        Self::with_effort(points, EFFORT)
    }

    /// Computes the hull of a cloud, with at most `effort` multiply-adds where d > 3.
    pub fn with_effort(points: &Points, effort: u64) -> Self {
        let (scaled, exponent) = points.in_range(reach(points));
        let candidates = inside::outer(&scaled, None);
        Self::of_candidates(&scaled, candidates, exponent, effort)
    }

    /// Computes the hull of a cloud of which at most 2^19 tokens, 2^8 for d > 3, lie outside the
    /// hull of `extremes`; `None` for more. It takes a second at most.
    pub(super) fn of_few(points: &Points, extremes: Option<Vec<u32>>) -> Option<Self> {
        let (scaled, exponent) = points.in_range(reach(points));
        let candidates = inside::outer(&scaled, extremes);
        let most = if points.d() > 3 { 1 << 8 } else { 1 << 19 };
        (candidates.len() <= most).then(|| Self::of_candidates(&scaled, candidates, exponent, EFFORT >> 6))
    }

    fn of_candidates(points: &Points, candidates: Vec<u32>, exponent: i32, effort: u64) -> Self {
        if points.d() > 3 {
            let (vertices, undecided, tolerance) = general::hull(points, effort);
            return Self { vertices, undecided, tolerance: num::scale(tolerance, exponent), edges: None };
        }
        let candidates = unique(points, candidates);
        let named = |position: u32| candidates[position as usize];
        let place = |k: usize| move |&i: &u32| points.row(i as usize)[k];
        let scaled = Scaled::of(points);
        let around = |ring: &[u32]| -> Vec<[u32; 2]> {
            (0..ring.len()).map(|e| [ring[e], ring[(e + 1) % ring.len()]]).collect()
        };
        let (mut vertices, edges): (Vec<u32>, _) = match points.d() {
            1 => {
                let by = |a: &&u32, b: &&u32| place(0)(a).total_cmp(&place(0)(b));
                let ends = [candidates.iter().min_by(by), candidates.iter().max_by(by)];
                let ends: Vec<u32> = ends.into_iter().flatten().copied().collect();
                (ends.clone(), around(&ends))
            }
            2 => {
                let ring = planar::vertices(candidates.iter().map(|&i| (scaled.row(i), i)).collect());
                (ring.clone(), around(&ring))
            }
            _ => {
                let rows: Vec<[f64; 3]> = candidates.iter().map(|&i| scaled.row(i)).collect();
                let solid = solid::Solid::of(&rows);
                let sides = solid.facets.into_iter().flat_map(|[a, b, c]| [[a, b], [b, c], [c, a]]);
                let edges = around(&solid.ring).into_iter().chain(sides).map(|edge| edge.map(named)).collect();
                (solid.vertices.into_iter().map(named).collect(), edges)
            }
        };
        vertices.sort_unstable();
        vertices.dedup();
        Self { vertices, undecided: Vec::new(), tolerance: 0.0, edges: Some(edges) }
    }

    /// Tokens among which every vertex is, ascending.
    pub(super) fn candidates(&self) -> Vec<u32> {
        let mut tokens = [&self.vertices[..], &self.undecided].concat();
        tokens.sort_unstable();
        tokens
    }

    /// The vertices' coordinates.
    pub fn points(&self, of: &Points) -> Points {
        of.select(&self.vertices)
    }
}
