//! The places at which tokens rest: groups of tokens that coincide but for rounding.
//!
//! A place may be a vertex of the hull of all by a rounding alone, as where it is the middle of an
//! edge. Two questions tell: does it stay a vertex when it is pulled a little towards the middle
//! ([`Places::vertices`]), and does it stick out by more than a tolerance in one of many directions
//! ([`Places::exposed`])?

use std::collections::BTreeSet;

use crate::error::Result;
use crate::num::dot;
use crate::observe::{Clusters, Directions, Hull, Points};
use crate::tokens::Tokens;

/// Tokens are at one place if steps of at most this many units of the lattice chain them.
pub(super) const TOGETHER: f64 = 4096.0;
/// The distance that a vertex is pulled by, in units of its distance to the middle.
const PULL: f64 = 1e-9;
/// Number of directions in which places may stick out.
const DIRECTIONS: usize = 2048;

/// The places of a state.
pub(super) struct Places {
    /// Place of every token.
    pub(super) label: Vec<usize>,
    /// Tokens of every place, ascending.
    pub(super) members: Vec<Vec<u32>>,
    /// Means of the tokens of every place.
    pub(super) centres: Points,
}

impl Places {
    /// Groups the tokens of a state on a lattice of that unit.
    pub(super) fn of(tokens: &Tokens, unit: f64) -> Result<Self> {
        let points = Points::of(tokens);
        let Clusters { label, weight } = Clusters::of(tokens, TOGETHER * unit);
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); weight.len()];
        for (i, &label) in (0..).zip(&label) {
            members[label].push(i);
        }
        // Differences to one member: the mean of coincident tokens is that token.
        let centres = members.iter().flat_map(|place| mean_from(&points, place, points.row(place[0] as usize)));
        let centres = Points::new(points.d(), centres.collect())?;
        Ok(Self { label, members, centres })
    }

    /// Places that stay vertices of the hull when they are pulled inwards, in the hull's order.
    pub(super) fn vertices(&self) -> Vec<usize> {
        let hull = Hull::of(&self.centres);
        let corners = hull.points(&self.centres);
        let pulled = |&c: &usize| stays_a_vertex(&corners, c);
        (0..corners.n()).filter(pulled).map(|c| hull.vertices[c] as usize).collect()
    }

    /// Places that stick out by more than `tolerance` in one of many directions, ascending.
    pub(super) fn exposed(&self, tolerance: f64) -> Vec<usize> {
        let hull = Hull::of(&self.centres);
        let corners = hull.points(&self.centres);
        let directions = Directions::new(corners.d(), DIRECTIONS, 0);
        let mut found = BTreeSet::new();
        for j in 0..directions.len() {
            let u = directions.vector(j);
            let mut heights: Vec<(usize, f64)> = corners.rows().map(|v| dot(v, &u)).enumerate().collect();
            heights.sort_unstable_by(|a, b| b.1.total_cmp(&a.1));
            if heights.get(1).is_none_or(|next| heights[0].1 - next.1 > tolerance) {
                found.insert(hull.vertices[heights[0].0] as usize);
            }
        }
        found.into_iter().collect()
    }

    /// The centres of some places.
    pub(super) fn points(&self, places: &[usize]) -> Points {
        self.centres.select(&places.iter().map(|&place| place as u32).collect::<Vec<_>>())
    }
}

/// The mean of some points, as an offset from `origin`.
pub(super) fn mean_from(points: &Points, members: &[u32], origin: &[f64]) -> Vec<f64> {
    let offset = |k: usize| members.iter().map(|&i| points.row(i as usize)[k] - origin[k]).sum::<f64>();
    (0..points.d()).map(|k| origin[k] + offset(k) / members.len() as f64).collect()
}

fn stays_a_vertex(corners: &Points, c: usize) -> bool {
    let (n, d) = (corners.n(), corners.d());
    let mut rows = corners.coordinates().to_vec();
    for k in 0..d {
        let middle = corners.rows().map(|v| v[k]).sum::<f64>() / n as f64;
        rows[c * d + k] -= PULL * (rows[c * d + k] - middle);
    }
    Points::new(d, rows).is_ok_and(|pulled| Hull::of(&pulled).vertices.contains(&(c as u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A limit between two vertices that counts as a vertex would hide how far it is from one.
    #[test]
    fn the_middle_of_an_edge_is_no_vertex() {
        let middle = [1.0 + 1e-15, 0.5];
        let rows = [vec![0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0], middle.to_vec(), vec![0.4, 0.5]].concat();
        let places = Places::of(&Tokens::from_flat(6, 2, rows).unwrap(), 1e-20).unwrap();
        for vertices in [places.vertices(), places.exposed(1e-12)] {
            let mut corners: Vec<u32> = vertices.iter().map(|&place| places.members[place][0]).collect();
            corners.sort_unstable();
            assert_eq!(corners, [0, 1, 2, 3]);
        }
        let alone = Places::of(&Tokens::from_flat(2, 2, vec![1.0, 2.0, 1.0, 2.0]).unwrap(), 1e-16).unwrap();
        assert_eq!((alone.vertices().len(), alone.members.len(), &alone.label[..]), (1, 1, &[0, 0][..]));
    }
}
