//! Tokens put aside at first sight: strictly inside the hull of a few extreme ones, d = 2 and 3.
//!
//! A token is put aside only where its heights over all facets of that inner hull are negative by
//! more than their rounding, so nothing that is dropped can be a vertex. Most are dropped by a ball
//! inside that hull.

use rayon::prelude::*;

use super::super::points::{Points, mean};
use super::super::support::Directions;
use super::scaled::{Scaled, unique};
use super::{planar, solid};
use crate::num::{dot, norm, squared_distance};

/// Number of directions, beside those of the axes, whose extreme tokens make the inner hull.
const DIRECTIONS: usize = 32;

/// Number of facets compared at once.
const SIDE: usize = 8;

/// Number of points up to which none are put aside first.
const SMALL: usize = 512;

/// The inner hull as an intersection of half-spaces, shrunk by rounding.
struct Inner {
    centre: Vec<f64>,
    /// The squared radius of a ball about the centre that is inside.
    ball: f64,
    /// `[coordinate of the outward normal, then limit of <normal, x − centre>][facet]`, filled up
    /// with half-spaces that hold every point.
    planes: Vec<[[f64; SIDE]; 4]>,
}

/// Tokens that may be vertices, ascending; `extremes` are some extreme tokens, if they are known.
pub(super) fn outer(points: &Points, extremes: Option<Vec<u32>>) -> Vec<u32> {
    let all = || (0..points.n() as u32).collect();
    if points.n() <= SMALL || !(2..=3).contains(&points.d()) {
        return all();
    }
    let found = || Directions::new(points.d(), DIRECTIONS, 0).support(points).iter().map(|s| s.token).collect();
    let Some(inner) = Inner::of(points, extremes.unwrap_or_else(found)) else { return all() };
    let d = points.d();
    points
        .coordinates()
        .par_chunks(4096 * d)
        .enumerate()
        .flat_map_iter(|(chunk, rows)| {
            let inner = &inner;
            rows.chunks_exact(d)
                .enumerate()
                .filter(|(_, row)| !inner.holds(row))
                .map(move |(at, _)| (chunk * 4096 + at) as u32)
        })
        .collect()
}

impl Inner {
    /// Builds the hull of some extreme tokens; `None` where they lie in a plane.
    fn of(points: &Points, extremes: Vec<u32>) -> Option<Self> {
        let d = points.d();
        let extremes = unique(points, extremes);
        let facets: Vec<Vec<u32>> = if d == 2 {
            let scaled = Scaled::of(points);
            let ring = planar::vertices(extremes.iter().map(|&i| (scaled.row(i), i)).collect());
            if ring.len() < 3 {
                return None;
            }
            (0..ring.len()).map(|e| vec![ring[e], ring[(e + 1) % ring.len()]]).collect()
        } else {
            let scaled = Scaled::of(points);
            let rows: Vec<[f64; 3]> = extremes.iter().map(|&i| scaled.row(i)).collect();
            let facets = solid::Solid::of(&rows).facets;
            facets.into_iter().map(|f| f.map(|i| extremes[i as usize]).to_vec()).collect()
        };
        if facets.is_empty() {
            return None;
        }
        let centre = mean(d, extremes.iter().map(|&i| points.row(i as usize)));
        let radius = points.largest_magnitude();
        let mut ball = f64::INFINITY;
        let mut planes = Vec::with_capacity(facets.len());
        for facet in facets {
            let edge = |to: usize| -> Vec<f64> {
                let (from, to) = (points.row(facet[0] as usize), points.row(facet[to] as usize));
                to.iter().zip(from).map(|(b, a)| b - a).collect()
            };
            let (normal, size) = if d == 2 {
                let e = edge(1);
                (vec![e[1], -e[0]], norm(&e))
            } else {
                let (e, f) = (edge(1), edge(2));
                let cross = vec![e[1] * f[2] - e[2] * f[1], e[2] * f[0] - e[0] * f[2], e[0] * f[1] - e[1] * f[0]];
                (cross, (dot(&e, &e) * dot(&f, &f)).sqrt())
            };
            let base: Vec<f64> = points.row(facet[0] as usize).iter().zip(&centre).map(|(a, c)| a - c).collect();
            // The normal strays by a few roundings of its edges' lengths, a height by that times
            // the way across.
            let limit = dot(&normal, &base) - 256.0 * f64::EPSILON * size * radius;
            let length = norm(&normal);
            ball = if length > 0.0 { ball.min(limit / length) } else { f64::NEG_INFINITY };
            planes.push((normal, limit));
        }
        // Facets that cut off most come first.
        planes.sort_by(|(a, p), (b, q)| (p / norm(a)).total_cmp(&(q / norm(b))));
        let ball = if ball > 0.0 { ball * ball * (1.0 - 1e-12) } else { -1.0 };
        let side_by_side = |planes: &[(Vec<f64>, f64)]| {
            let mut all = [[0.0; SIDE], [0.0; SIDE], [0.0; SIDE], [f64::INFINITY; SIDE]];
            for (at, (normal, limit)) in planes.iter().enumerate() {
                normal.iter().enumerate().for_each(|(k, &x)| all[k][at] = x);
                all[3][at] = *limit;
            }
            all
        };
        Some(Self { centre, ball, planes: planes.chunks(SIDE).map(side_by_side).collect() })
    }

    /// Whether x is strictly inside, by more than rounding.
    fn holds(&self, x: &[f64]) -> bool {
        if squared_distance(x, &self.centre) < self.ball {
            return true;
        }
        let mut from = [0.0; 3];
        for (from, (x, c)) in from.iter_mut().zip(x.iter().zip(&self.centre)) {
            *from = x - c;
        }
        self.planes.iter().all(|[a, b, c, limit]| {
            let mut holds = true;
            for at in 0..SIDE {
                holds &= a[at] * from[0] + b[at] * from[1] + c[at] * from[2] < limit[at];
            }
            holds
        })
    }
}
