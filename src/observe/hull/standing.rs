//! The vertices that stand out of the hull of the others by more than rounding.
//!
//! Tokens are gathered to places first, so that a vertex that is several tokens wide does not hide
//! behind itself. Then the place that stands out least, beside what rounding allows it, is given up
//! as long as it is allowed so much, and those that are left are judged anew. A place that stands
//! out of all others by more than it is allowed is never given up, since hulls only shrink; and of
//! two that hide one another, or of many on a smooth boundary, only as many are given up as the
//! rest can stand for.
//!
//! Only vertices are compared, and a vertex only with its neighbours: the facets that appear where
//! a vertex is taken away have their corners among these. What a place that was given up was beside
//! is beside one another from then on. For d > 3 all are neighbours.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::super::points::Points;
use super::{Hull, general};

/// Comparisons of a place with a vertex beside it beyond which no further place is given up.
const EFFORT: usize = 1 << 21;

struct Standing<'a> {
    points: &'a Points,
    /// Vertices at every place that is not given up.
    corners: BTreeMap<u32, Vec<u32>>,
    /// Neighbours of every place; `None` where all are.
    near: Option<BTreeMap<u32, BTreeSet<u32>>>,
}

impl Hull {
    /// The places that are vertices, ascending. `place` is the place of every point, `allowed` how
    /// far a point may stand out by rounding; of places that stand out equally the last is given up first.
    ///
    /// The points are of magnitude 1 at most.
    pub(in super::super) fn standing(
        &self,
        points: &Points,
        place: &[u32],
        allowed: impl Fn(u32) -> f64 + Sync,
    ) -> Vec<u32> {
        let mut corners: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for v in self.candidates() {
            corners.entry(place[v as usize]).or_default().push(v);
        }
        let near = self.edges.as_ref().map(|edges| {
            let mut near: BTreeMap<u32, BTreeSet<u32>> = corners.keys().map(|&p| (p, BTreeSet::new())).collect();
            for [a, b] in edges.iter().map(|edge| edge.map(|i| place[i as usize])).filter(|[a, b]| a != b) {
                near.entry(a).or_default().insert(b);
                near.entry(b).or_default().insert(a);
            }
            near
        });
        let mut standing = Standing { points, corners, near };
        let flat: Vec<u32> = standing.near.iter().flat_map(|near| near.keys()).copied().collect();
        for p in flat.into_iter().filter(|p| !standing.corners.contains_key(p)).collect::<Vec<_>>() {
            standing.give_up(p);
        }
        standing.reduce(allowed);
        standing.corners.into_keys().collect()
    }
}

impl Standing<'_> {
    fn reduce(&mut self, allowed: impl Fn(u32) -> f64 + Sync) {
        let all: Vec<u32> = self.corners.keys().copied().collect();
        let shares: Vec<(u32, f64)> = all.into_par_iter().map(|p| (p, self.share(p, &allowed))).collect();
        // Shares are at least 0, so their bits have their order.
        let waits = |(p, share): (u32, f64)| (share <= 1.0).then_some((share.to_bits(), Reverse(p)));
        let mut waiting: BTreeSet<(u64, Reverse<u32>)> = shares.into_iter().filter_map(waits).collect();
        let (mut given_up, mut effort) = (0, 0);
        // The number of places that had been given up when a place was last judged.
        let mut judged: BTreeMap<u32, usize> = BTreeMap::new();
        while let Some((_, Reverse(p))) = waiting.pop_first() {
            if judged.insert(p, given_up).unwrap_or(0) == given_up {
                self.give_up(p);
                given_up += 1;
            } else if effort > EFFORT {
                break;
            } else {
                effort += self.near.as_ref().map_or(self.corners.len(), |near| near[&p].len());
                waiting.extend(waits((p, self.share(p, &allowed))));
            }
        }
    }

    /// How far a place stands out, as a share of what it is allowed; infinite above 1.
    fn share(&self, p: u32, allowed: &impl Fn(u32) -> f64) -> f64 {
        let others = |q: &u32| self.corners.get(q).into_iter().flatten().copied();
        let others: Vec<u32> = match &self.near {
            Some(near) => near[&p].iter().flat_map(others).collect(),
            None => self.corners.keys().filter(|&&q| q != p).flat_map(others).collect(),
        };
        let mut largest = 0.0f64;
        for &v in &self.corners[&p] {
            let allowed = allowed(v);
            let distance = general::distance(self.points, &others, v, allowed);
            if distance > allowed {
                return f64::INFINITY;
            }
            if distance > 0.0 {
                largest = largest.max(distance / allowed);
            }
        }
        largest
    }

    fn give_up(&mut self, p: u32) {
        self.corners.remove(&p);
        let Some(near) = &mut self.near else { return };
        let Some(around) = near.remove(&p) else { return };
        for q in &around {
            if let Some(of) = near.get_mut(q) {
                of.remove(&p);
                of.extend(around.iter().filter(|r| *r != q));
            }
        }
    }
}
