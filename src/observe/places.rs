//! The places of a state: tokens that rounding alone may keep apart; and which are vertices of K.
//!
//! A state is rounded: the middle of two vertices may lie a unit outside the edge between them, or
//! outside the plane of a flat K. It is a vertex of the tokens' hull, and none of K. So a **place**
//! gathers the tokens that chains of neighbours within rounding join, and is a **vertex** where it
//! stands out of the hull of the others by more than rounding ([`Rounding`] has the lengths). This
//! is the one notion of a vertex: `measures.csv`, the end of a run and studies have it.
//!
//! Neither depends on the order of the tokens.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::clusters::Chains;
use super::hull::Hull;
use super::points::{Distinct, Points};
use super::rounding::Rounding;
use crate::num;

/// The places of a state, heaviest first, of equal ones by their coordinates.
#[derive(Clone, Debug, PartialEq)]
pub struct Places {
    /// Place of every token.
    pub label: Vec<usize>,
    /// Tokens of every place, ascending.
    pub members: Vec<Vec<u32>>,
    /// Means of the tokens of every place.
    pub centres: Points,
    /// How far rounding may keep each place from others.
    pub allowed: Vec<f64>,
    /// Places that are vertices of K, ascending; none only where the hull is not known.
    pub vertices: Vec<usize>,
}

impl Places {
    /// Gathers the tokens of a state; the cost is that of the hull of its places, and O(n log n).
    pub fn of(points: &Points, rounding: &Rounding) -> Self {
        let cloud = Distinct::of(points).in_order();
        let hull = Hull::of(&cloud.points);
        Self::among(&cloud, Some(&hull), rounding)
    }

    /// The places of distinct tokens, in order, with their hull if it is known.
    pub(super) fn among(cloud: &Distinct, hull: Option<&Hull>, rounding: &Rounding) -> Self {
        let drawn = rounding.drawn(cloud);
        let place = gather(cloud, rounding);
        let elsewhere = |i: u32| {
            let own = place[i as usize];
            let place = &place;
            move |j: u32| place[j as usize] != own
        };
        let drawn: BTreeMap<u32, f64> =
            drawn.iter().map(|(i, drawn)| (*i, rounding.allowed(cloud, drawn, elsewhere(*i)))).collect();
        let allowed = |i: u32| drawn.get(&i).copied().unwrap_or(2.0 * rounding.length());
        let (scaled, exponent) = cloud.points.in_range(0);
        let vertices = hull.map(|hull| hull.standing(&scaled, &place, |i| num::scale(allowed(i), -exponent)));

        let count = place.iter().max().map_or(0, |&last| last as usize + 1);
        let mut widest = vec![0.0f64; count];
        for (i, &p) in (0..).zip(&place) {
            widest[p as usize] = widest[p as usize].max(allowed(i));
        }
        Self {
            label: cloud.label.iter().map(|&i| place[i as usize] as usize).collect(),
            centres: centres(cloud, &place, count),
            allowed: widest,
            members: members(cloud, &place, count),
            vertices: vertices.unwrap_or_default().into_iter().map(|p| p as usize).collect(),
        }
    }

    /// The centres of some places.
    pub fn points(&self, places: &[usize]) -> Points {
        self.centres.select(&places.iter().map(|&place| place as u32).collect::<Vec<_>>())
    }
}

/// The place of every distinct point, heaviest first, then by the least point.
fn gather(cloud: &Distinct, rounding: &Rounding) -> Vec<u32> {
    let mut chains = Chains::of(&cloud.points, 2.0 * rounding.length());
    let roots: Vec<usize> = (0..cloud.len()).map(|i| chains.root(i)).collect();
    let mut weight = vec![0u64; cloud.len()];
    roots.iter().zip(&cloud.weight).for_each(|(&root, &w)| weight[root] += u64::from(w));
    let mut order: Vec<usize> = (0..cloud.len()).filter(|&root| weight[root] > 0).collect();
    order.sort_by_key(|&root| (Reverse(weight[root]), root));
    let mut rank = vec![0; cloud.len()];
    (0..).zip(&order).for_each(|(at, &root)| rank[root] = at);
    roots.iter().map(|&root| rank[root]).collect()
}

fn members(cloud: &Distinct, place: &[u32], count: usize) -> Vec<Vec<u32>> {
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); count];
    (0..).zip(&cloud.label).for_each(|(token, &i)| members[place[i as usize] as usize].push(token));
    members
}

/// The mean of the tokens of every place, as an offset from its first point: that of coincident
/// tokens is the token.
fn centres(cloud: &Distinct, place: &[u32], count: usize) -> Points {
    let d = cloud.points.d();
    let (mut first, mut total) = (vec![u32::MAX; count], vec![0.0; count]);
    for (i, &p) in (0..).zip(place) {
        first[p as usize] = first[p as usize].min(i);
        total[p as usize] += f64::from(cloud.weight[i as usize]);
    }
    let mut x = cloud.points.select(&first).coordinates().to_vec();
    for (i, &p) in place.iter().enumerate() {
        let share = f64::from(cloud.weight[i]) / total[p as usize];
        let origin = cloud.points.row(first[p as usize] as usize);
        let ways = cloud.points.row(i).iter().zip(origin).map(|(x, o)| share * (x - o));
        x[p as usize * d..][..d].iter_mut().zip(ways).for_each(|(sum, way)| *sum += way);
    }
    Points::unchecked(d, x)
}
