//! What several studies begin with: clouds by name, those of [`crate::init`] and one with corners; strip forms by name; steps
//! to look at.
//!
//! The cloud `corners`: half of its tokens about [`CORNERS`] points far apart on spheres of radius 0.95 to 1.05, the others about the
//! middles of neighbouring ones. A token that sees two corners v, w within δ goes to (v + w)/2, which is not in S as |v| ≠ |w|: the
//! recipe of Remark 3.1 of arXiv 2509.15958, as reconstructed.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::error::Result;
use crate::init::{Cloud, CloudSample};
use crate::model::{Matrix, StripForm};
use crate::observe::{Clusters, Hull, Points};
use crate::real::Linear;
use crate::rng::Stream;
use crate::tokens::{Precision, Tokens};

/// Corners of a cloud of that name.
pub(super) const CORNERS: usize = 4;
const NAME: &str = "corners";
/// Directions that each corner is the best of.
const DRAWN: usize = 32;

/// The identity as scores.
pub(super) const IDENTITY: Linear = Linear { factor: 1.0, matrix: Matrix::Identity };

/// Names of strip forms on the command line.
pub(super) fn forms() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(StripForm::ALL.map(|(_, name)| name))
}

/// The strip form of a name.
///
/// # Errors
/// No such name.
pub(super) fn form(name: &str) -> Result<StripForm> {
    StripForm::parse(name)
}

/// |x|.
pub(super) fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Names of clouds on the command line.
pub(super) fn clouds() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(std::iter::once(NAME).chain(Cloud::ALL.map(|(_, name)| name)))
}

/// The cloud of a name.
///
/// # Errors
/// No such name; a kind that does not exist in d dimensions.
pub(super) fn cloud(name: &str, n: usize, d: usize, seed: u64) -> Result<Tokens> {
    if name == NAME {
        return corners(n, d, seed);
    }
    CloudSample::new(Cloud::parse(name)?, n, d).tokens(seed, Precision::F64)
}

/// Checks that there is such a cloud.
///
/// # Errors
/// As [`cloud`].
pub(super) fn validate_cloud(name: &str, n: usize, d: usize) -> Result<()> {
    if name == NAME { Ok(()) } else { CloudSample::new(Cloud::parse(name)?, n, d).validate() }
}

/// A uniform unit vector.
pub(super) fn direction(stream: &mut Stream, d: usize) -> Vec<f64> {
    loop {
        let v: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > 0.0 {
            return v.into_iter().map(|x| x / length).collect();
        }
    }
}

fn corners(n: usize, d: usize, seed: u64) -> Result<Tokens> {
    let mut stream = Stream::new(seed, "corners", 0);
    let mut chosen: Vec<Vec<f64>> = Vec::new();
    for _ in 0..CORNERS.min(n) {
        let nearness = |u: &[f64]| {
            let cosine = |c: &Vec<f64>| c.iter().zip(u).map(|(a, b)| a * b).sum::<f64>();
            chosen.iter().map(cosine).fold(-1.0, f64::max)
        };
        let candidates = (0..DRAWN).map(|_| direction(&mut stream, d)).map(|u| (nearness(&u), u));
        if let Some((_, best)) = candidates.min_by(|a, b| a.0.total_cmp(&b.0)) {
            chosen.push(best);
        }
    }
    for corner in &mut chosen {
        let radius = 0.95 + 0.1 * stream.uniform();
        for x in corner.iter_mut() {
            *x *= radius;
        }
    }
    let middle = |a: usize| -> Vec<f64> {
        let away = |b: &usize| chosen[a].iter().zip(&chosen[*b]).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
        let others = (0..chosen.len()).filter(|b| *b != a);
        let b = others.min_by(|b, c| away(b).total_cmp(&away(c))).unwrap_or(a);
        chosen[a].iter().zip(&chosen[b]).map(|(x, y)| f64::midpoint(*x, *y)).collect()
    };
    let mut rows = Vec::with_capacity(n * d);
    for i in 0..n {
        let mut stream = Stream::new(seed, "around", i as u64);
        let away = direction(&mut stream, d);
        let far = libm::pow(stream.uniform(), 1.0 / d as f64);
        let a = i % chosen.len();
        let (from, reach) = if i < n.div_ceil(2) { (chosen[a].clone(), 0.02) } else { (middle(a), 0.05) };
        rows.extend(from.iter().zip(away).map(|(x, u)| x + reach * far * u));
    }
    Tokens::from_flat(n, d, rows)
}

/// Whether step t is one of about eight in each doubling of t: what is looked at over long times.
pub(super) fn is_log_spaced(t: u64) -> bool {
    t == 0 || t.is_multiple_of(1 << t.ilog2().saturating_sub(3))
}

/// The corners of a polygon in the plane, in turn.
pub(super) fn outline(corners: &Points) -> Vec<(f64, f64)> {
    let count = corners.n() as f64;
    let mut turn: Vec<(f64, f64)> = corners.rows().map(|v| (v[0], v[1])).collect();
    let middle = turn.iter().fold((0.0, 0.0), |sum, v| (sum.0 + v.0 / count, sum.1 + v.1 / count));
    let angle = |v: &(f64, f64)| libm::atan2(v.1 - middle.1, v.0 - middle.0);
    turn.sort_by(|a, b| angle(a).total_cmp(&angle(b)));
    turn
}

/// Tokens at rest are at one place if they are chained by at most this many units of the lattice.
const TOGETHER: f64 = 4096.0;

/// How far a corner is pulled to see whether it is one, in units of its distance to the middle.
const PULL: f64 = 1e-9;

/// The places at which tokens end.
pub(super) struct Rest {
    /// Place of every token.
    pub(super) label: Vec<usize>,
    /// Tokens of every place, ascending.
    pub(super) members: Vec<Vec<u32>>,
    /// Their means.
    pub(super) centres: Points,
    /// Places that are vertices of the hull of all by more than rounding, ascending.
    pub(super) at_vertex: Vec<usize>,
}

impl Rest {
    /// The places of a state on a lattice of that unit.
    ///
    /// # Errors
    /// None for tokens that are finite.
    pub(super) fn of(tokens: &Tokens, unit: f64) -> Result<Self> {
        let points = Points::of(tokens);
        let Clusters { label, weight } = Clusters::of(tokens, TOGETHER * unit);
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); weight.len()];
        for (i, &label) in (0..).zip(&label) {
            members[label].push(i);
        }
        let mut centres = Vec::with_capacity(members.len() * points.d());
        for place in &members {
            // Differences to one member: the mean of coincident tokens is that token.
            let origin = points.row(place[0] as usize);
            let offset = |k: usize| place.iter().map(|&i| points.row(i as usize)[k] - origin[k]).sum::<f64>();
            centres.extend((0..points.d()).map(|k| origin[k] + offset(k) / place.len() as f64));
        }
        let centres = Points::new(points.d(), centres)?;
        let hull = Hull::of(&centres);
        let corners = hull.points(&centres);
        let at_vertex =
            (0..corners.n()).filter(|&c| sticks_out(&corners, c)).map(|c| hull.vertices[c] as usize).collect();
        Ok(Self { label, members, centres, at_vertex })
    }
}

/// Whether a corner is a vertex by more than rounding: pulled a little towards the middle, it still is. The middle of an edge, once
/// rounded, may lie outside of it.
fn sticks_out(corners: &Points, c: usize) -> bool {
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
        let tokens = Tokens::from_flat(6, 2, rows).unwrap();
        let rest = Rest::of(&tokens, 1e-20).unwrap();
        let mut corners: Vec<u32> = rest.at_vertex.iter().map(|&place| rest.members[place][0]).collect();
        corners.sort_unstable();
        assert_eq!(corners, [0, 1, 2, 3]);
        let alone = Rest::of(&Tokens::from_flat(2, 2, vec![1.0, 2.0, 1.0, 2.0]).unwrap(), 1e-16).unwrap();
        assert_eq!((alone.at_vertex.len(), alone.members.len(), &alone.label[..]), (1, 1, &[0, 0][..]));
    }

    /// Clouds must have the size that was asked for, however small, in any dimension.
    #[test]
    fn corners_of_any_size() {
        for (n, d) in [(1, 1), (2, 3), (3, 2), (50, 5)] {
            let tokens = cloud(NAME, n, d, 1).unwrap();
            assert_eq!((tokens.n(), tokens.d()), (n, d));
            assert_eq!(tokens, cloud(NAME, n, d, 1).unwrap());
        }
    }
}
