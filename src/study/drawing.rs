//! Pieces of figures that several studies draw.

use crate::observe::{Hull, Points};
use crate::plot::{Chart, Coordinate};
use crate::tokens::Tokens;

/// A point of a chart.
pub(super) type Spot = (f64, f64);

/// The place of a token in the plane of its first two coordinates.
pub(super) fn spot(tokens: &Tokens, i: usize) -> Spot {
    (tokens.get(i, 0), tokens.get(i, 1))
}

/// The places of all tokens.
pub(super) fn spots(tokens: &Tokens) -> impl Iterator<Item = Spot> {
    (0..tokens.n()).map(|i| spot(tokens, i))
}

/// The path of a token over frames.
pub(super) fn path(frames: &[(u64, Tokens)], i: usize) -> impl Iterator<Item = Spot> {
    frames.iter().map(move |(_, tokens)| spot(tokens, i))
}

/// A chart of the plane with equal units, within `reach` of the origin if that is given.
pub(super) fn plane(title: impl Into<String>, reach: Option<f64>) -> Chart {
    let axis = |name: &str| {
        let axis = Coordinate::linear(name);
        match reach {
            Some(reach) => axis.within(-reach, reach),
            None => axis,
        }
    };
    Chart::new(title, axis("x₁"), axis("x₂")).equal_units()
}

/// The corners of the tokens' hull in the plane, in turn.
pub(super) fn outline(tokens: &Tokens) -> Vec<Spot> {
    let points = Points::of(tokens);
    let corners = Hull::of(&points).points(&points);
    let count = corners.n() as f64;
    let mut turn: Vec<Spot> = corners.rows().map(|v| (v[0], v[1])).collect();
    let middle = turn.iter().fold((0.0, 0.0), |sum, v| (sum.0 + v.0 / count, sum.1 + v.1 / count));
    let angle = |v: &Spot| libm::atan2(v.1 - middle.1, v.0 - middle.0);
    turn.sort_by(|a, b| angle(a).total_cmp(&angle(b)));
    turn
}
