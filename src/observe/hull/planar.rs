//! The hull in the plane: the monotone chain (Andrew, 1979) with exact orientations.

use robust::{Coord, orient2d};

use super::scaled::lexicographic;

/// A point with the caller's index of it.
pub(crate) type Named = ([f64; 2], u32);

/// The vertices, counterclockwise from the least one; points on an edge are none. A segment has its
/// two ends, a point itself. Equal points count as one where there are three vertices or more.
pub(crate) fn vertices(mut points: Vec<Named>) -> Vec<u32> {
    points.sort_by(|(a, i), (b, j)| lexicographic(a, b).then(i.cmp(j)));
    if points.len() < 3 {
        return points.into_iter().map(|(_, name)| name).collect();
    }
    let mut chain: Vec<Named> = chain_of(points.iter());
    chain.pop();
    let mut upper = chain_of(points.iter().rev());
    upper.pop();
    chain.append(&mut upper);
    chain.into_iter().map(|(_, name)| name).collect()
}

fn chain_of<'a>(points: impl Iterator<Item = &'a Named>) -> Vec<Named> {
    let mut chain: Vec<Named> = Vec::new();
    for &point in points {
        while let [.., a, b] = &chain[..]
            && turn(a.0, b.0, point.0) <= 0.0
        {
            chain.pop();
        }
        chain.push(point);
    }
    chain
}

/// Above 0 for a turn to the left at b, 0 exactly on a line.
pub(super) fn turn(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    let at = |p: [f64; 2]| Coord { x: p[0], y: p[1] };
    orient2d(at(a), at(b), at(c))
}
