//! Distance of every token to the nearest of some points: vertices of K, centres of clusters.
//!
//! Studies draw a histogram of distances to the nearest vertex.

use super::envelope::Envelope;
use super::points::Points;
use crate::num::{self, squared_distance};

/// The nearest of some points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearest {
    /// Index of that point.
    pub index: u32,
    /// Distance to it, in the points' unit.
    pub distance: f64,
}

/// For every point, the first of the nearest of `to`; about O(n log n) in few dimensions.
///
/// Distances are sums of squared differences in f64: relatively exact however small.
///
/// # Panics
/// If the dimensions differ.
pub fn nearest(points: &Points, to: &Points) -> Vec<Nearest> {
    let with_no_balls = vec![0.0; to.n()];
    let Powers { least, exponent } = power(points, to, &with_no_balls);
    let distance = |square: f64| num::scale(square.max(0.0).sqrt(), exponent);
    least.into_iter().map(|(index, square)| Nearest { index, distance: distance(square) }).collect()
}

/// The least power of every point.
pub(super) struct Powers {
    /// Index of the ball, and the power over 4^exponent.
    pub(super) least: Vec<(u32, f64)>,
    exponent: i32,
}

/// For every point x the ball B(v, r_v) of least power `|x − v|² − r_v²`, and that power: x is in
/// some ball iff it is at most 0.
pub(super) fn power(points: &Points, centres: &Points, radii: &[f64]) -> Powers {
    assert_eq!(points.d(), centres.d(), "points and centres of one dimension");
    let largest = points.largest_magnitude().max(centres.largest_magnitude());
    let exponent = num::exponent_above(largest);
    let exponent = if (-256..=256).contains(&exponent) { 0 } else { exponent };
    // Seen from the middle of the centres, so that offsets are no larger than they have to be.
    let middle = |k: usize| {
        let (low, high) = num::range(centres.rows().map(|row| row[k]));
        low / 2.0 + high / 2.0
    };
    let middle: Vec<f64> = (0..centres.d()).map(middle).collect();
    let seen = |points: &Points| -> Points {
        let x = points.rows().flat_map(|row| row.iter().zip(&middle).map(|(x, m)| num::scale(x - m, -exponent)));
        Points::unchecked(points.d(), x.collect())
    };
    let (queries, slopes) = (seen(points), seen(centres));
    let squares: Vec<f64> = radii.iter().map(|&r| num::scale(r, -exponent).powi(2)).collect();
    let offsets: Vec<f64> = slopes.rows().zip(&squares).map(|(v, r)| (r - num::dot(v, v)) / 2.0).collect();
    let exact = |i: usize, v: usize| -> f64 {
        let square = if exponent == 0 {
            squared_distance(points.row(i), centres.row(v))
        } else {
            squared_distance(queries.row(i), slopes.row(v))
        };
        squares[v] - square
    };
    let best = Envelope { slopes: &slopes, offsets: &offsets }.best(&queries, exact);
    Powers { least: best.into_iter().map(|best| (best.index, -best.value)).collect(), exponent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use proptest::prelude::*;

    proptest! {
        /// If a token were measured from another vertex than its nearest, histograms of limits
        /// would show artefacts that are none.
        #[test]
        fn nearest_is_the_plain_minimum(
            d in 1usize..6, n in 1usize..400, m in 1usize..60, seed in any::<u64>(), coarse in any::<bool>(), scale in -200i32..200,
        ) {
            let mut stream = Stream::new(seed, "cloud", 0);
            let mut draw = |count: usize| -> Points {
                let x = (0..count * d).map(|_| {
                    let x = if coarse { stream.below(3) as f64 } else { stream.normal() };
                    num::scale(x, scale)
                });
                Points::new(d, x.collect()).unwrap()
            };
            let (points, to) = (draw(n), draw(m));
            for (i, found) in nearest(&points, &to).into_iter().enumerate() {
                let distance = |v: usize| squared_distance(points.row(i), to.row(v)).sqrt();
                let least = (0..m).map(distance).fold(f64::INFINITY, f64::min);
                prop_assert_eq!(found.distance, least);
                prop_assert_eq!(found.index as usize, (0..m).position(|v| distance(v) == least).unwrap());
            }
        }
    }

    /// A token on one of two vertices a hair apart is at distance 0 from it, at any scale.
    #[test]
    fn a_token_on_a_vertex_is_at_distance_zero() {
        for scale in [1e-300, 1e-100, 1.0, 1e100, 1e300] {
            let to = Points::new(2, [1.0, 1.0, 1.0 + 2.0 * f64::EPSILON, 1.0, -1.0, 0.5].map(|x| x * scale).to_vec())
                .unwrap();
            for (i, found) in nearest(&to, &to).into_iter().enumerate() {
                assert_eq!((found.index as usize, found.distance), (i, 0.0), "{scale}");
            }
        }
        let far = Points::new(1, vec![3e300]).unwrap();
        assert_eq!(nearest(&far, &Points::new(1, vec![-1e300]).unwrap())[0].distance, 4e300);
    }
}
