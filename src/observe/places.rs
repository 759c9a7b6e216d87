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
        let mut of_place: Vec<Vec<u32>> = vec![Vec::new(); count];
        (0..).zip(&place).for_each(|(i, &p)| of_place[p as usize].push(i));
        Self {
            label: cloud.label.iter().map(|&i| place[i as usize] as usize).collect(),
            centres: Points::unchecked(
                cloud.points.d(),
                of_place.iter().flat_map(|of| weighted_mean(cloud, of)).collect(),
            ),
            allowed: of_place.iter().map(|of| of.iter().map(|&i| allowed(i)).fold(0.0, f64::max)).collect(),
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
    let mut weight: BTreeMap<usize, u64> = BTreeMap::new();
    roots.iter().zip(&cloud.weight).for_each(|(&root, &w)| *weight.entry(root).or_default() += u64::from(w));
    let mut order: Vec<(usize, u64)> = weight.into_iter().collect();
    order.sort_by_key(|&(root, weight)| (Reverse(weight), root));
    let rank: BTreeMap<usize, u32> = order.iter().zip(0..).map(|(&(root, _), at)| (root, at)).collect();
    roots.iter().map(|root| rank[root]).collect()
}

fn members(cloud: &Distinct, place: &[u32], count: usize) -> Vec<Vec<u32>> {
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); count];
    (0..).zip(&cloud.label).for_each(|(token, &i)| members[place[i as usize] as usize].push(token));
    members
}

/// The mean of the tokens at some distinct points, as an offset from the first: that of coincident
/// tokens is the token.
fn weighted_mean(cloud: &Distinct, of: &[u32]) -> Vec<f64> {
    let origin = cloud.points.row(of[0] as usize);
    let weight = |i: u32| f64::from(cloud.weight[i as usize]);
    let total: f64 = of.iter().map(|&i| weight(i)).sum();
    let offset =
        |k: usize| of.iter().map(|&i| weight(i) / total * (cloud.points.row(i as usize)[k] - origin[k])).sum::<f64>();
    (0..origin.len()).map(|k| origin[k] + offset(k)).collect()
}
