//! Clouds to begin with, by name: those of [`crate::init`] and one with corners.
//!
//! The cloud `corners`: half of its tokens about [`CORNERS`] points far apart on spheres of radius
//! 0.95 to 1.05, the others about the middles of neighbouring ones. A token that sees two corners
//! v, w within δ goes to (v + w)/2, which is not in S as |v| ≠ |w|: the recipe of Remark 3.1 of
//! arXiv 2509.15958, as reconstructed. Its numbers never stand without [`described`] or [`ABOUT`].

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::error::Result;
use crate::init::{Cloud, CloudSample};
use crate::num::{dot, norm, squared_distance};
use crate::rng::Stream;
use crate::tokens::{Precision, Tokens};

/// Number of corners of the cloud `corners`.
const CORNERS: usize = 4;
const NAME: &str = "corners";
/// Number of directions drawn for each corner, of which the best is taken.
const DRAWN: usize = 32;

/// What has to be known where numbers of the cloud `corners` are read.
pub(super) const ABOUT: &str = "The cloud `corners` is built to have limits outside S: half of its tokens lie about four \
    points far apart, at distances of 0.95 to 1.05 from the origin, the others about the middles of neighbouring ones. \
    Its numbers do not say how often anything happens; those of the other clouds do.";

/// The name of a cloud for a claim, with what it is built for.
pub(super) fn described(name: &str) -> String {
    if name == NAME { format!("{name}, built to have them") } else { name.to_owned() }
}

/// Parses names of clouds on the command line.
pub(super) fn parser() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(std::iter::once(NAME).chain(Cloud::ALL.map(|(_, name)| name)))
}

/// Checks that the cloud of a name exists in d dimensions.
pub(super) fn validate(name: &str, n: usize, d: usize) -> Result<()> {
    if name == NAME { Ok(()) } else { CloudSample::new(Cloud::parse(name)?, n, d).validate() }
}

/// Draws the cloud of a name.
pub(super) fn named(name: &str, n: usize, d: usize, seed: u64) -> Result<Tokens> {
    if name == NAME {
        return corners(n, d, seed);
    }
    CloudSample::new(Cloud::parse(name)?, n, d).tokens(seed, Precision::F64)
}

/// Draws a uniform unit vector.
pub(super) fn direction(stream: &mut Stream, d: usize) -> Vec<f64> {
    loop {
        let v: Vec<f64> = (0..d).map(|_| stream.normal()).collect();
        let length = norm(&v);
        if length > 0.0 {
            return v.into_iter().map(|x| x / length).collect();
        }
    }
}

/// Draws `drawn` directions and keeps the one that is farthest from all of `others`.
pub(super) fn farthest_direction(others: &[Vec<f64>], drawn: usize, stream: &mut Stream, d: usize) -> Vec<f64> {
    let mut best = (f64::INFINITY, Vec::new());
    for _ in 0..drawn {
        let u = direction(stream, d);
        let nearness = others.iter().map(|other| dot(other, &u)).fold(-1.0, f64::max);
        if nearness.total_cmp(&best.0).is_lt() {
            best = (nearness, u);
        }
    }
    best.1
}

/// Draws a point of the ball of radius `reach` about `centre`, uniformly.
pub(super) fn in_ball(centre: &[f64], reach: f64, stream: &mut Stream) -> Vec<f64> {
    let away = direction(stream, centre.len());
    let far = libm::pow(stream.uniform(), 1.0 / centre.len() as f64);
    centre.iter().zip(away).map(|(x, u)| x + reach * far * u).collect()
}

fn corners(n: usize, d: usize, seed: u64) -> Result<Tokens> {
    let mut stream = Stream::new(seed, NAME, 0);
    let mut corners: Vec<Vec<f64>> = Vec::new();
    for _ in 0..CORNERS.min(n) {
        let next = farthest_direction(&corners, DRAWN, &mut stream, d);
        corners.push(next);
    }
    for corner in &mut corners {
        let radius = 0.95 + 0.1 * stream.uniform();
        for x in corner {
            *x *= radius;
        }
    }
    let middle = |a: usize| -> Vec<f64> {
        let away = |b: &usize| squared_distance(&corners[a], &corners[*b]);
        let others = (0..corners.len()).filter(|b| *b != a);
        let b = others.min_by(|b, c| away(b).total_cmp(&away(c))).unwrap_or(a);
        corners[a].iter().zip(&corners[b]).map(|(x, y)| f64::midpoint(*x, *y)).collect()
    };
    let around = |i: usize| {
        let mut stream = Stream::new(seed, "around", i as u64);
        let a = i % corners.len();
        if i < n.div_ceil(2) { in_ball(&corners[a], 0.02, &mut stream) } else { in_ball(&middle(a), 0.05, &mut stream) }
    };
    Tokens::from_flat(n, d, (0..n).flat_map(around).collect::<Vec<f64>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clouds must have the size that was asked for, however small, in any dimension.
    #[test]
    fn corners_of_any_size() {
        for (n, d) in [(1, 1), (2, 3), (3, 2), (50, 5)] {
            let tokens = named(NAME, n, d, 1).unwrap();
            assert_eq!((tokens.n(), tokens.d()), (n, d));
            assert_eq!(tokens, named(NAME, n, d, 1).unwrap());
        }
    }
}
