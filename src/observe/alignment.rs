//! Alignment: how far a token is from being its own best match, and the maximal alignment set S.
//!
//! ```text
//! g_i = max_l S_il − S_ii = max_{v in K} <A x_i, v − x_i>
//! S   = { x in K : <A x, x> = max_{y in K} <A x, y> }
//! ```
//!
//! g_i → 0 is the numerical test of x_i → S (arXiv 2509.15958; S is derived from a summary of arXiv
//! 2509.15958 and the one of 2407.01602). The maximum over tokens is one over the vertices of their
//! hull. g_i is also the duality gap `max_y <∇J(x_i), x_i − y>` of a Frank–Wolfe step for `J(x) =
//! −<A x, x>/2` (arXiv 2508.09628), and the vertex that attains it is the cell that x_i lies in
//! (F3), whose label stays constant in the positive semidefinite case (F4).

use super::envelope::Envelope;
use super::hull::Hull;
use super::points::Points;
use crate::num::{dot, largest_magnitude};
use crate::real::Linear;

/// Alignment of every token.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// g_i >= 0, in the unit of scores.
    pub gap: Vec<f64>,
    /// The first token that attains the maximum: the label of the cell C(v) of arXiv 2508.09628.
    pub best: Vec<u32>,
}

impl Alignment {
    /// Finds each maximum among the hull's vertices and [`Hull::undecided`], under a full mask.
    ///
    /// # Panics
    /// If the hull is not that of the points.
    pub fn of(points: &Points, a: &Linear, hull: &Hull) -> Self {
        let keys = hull.candidates();
        let found = Self::beside(points, a, &points.select(&keys));
        Self { best: found.best.iter().map(|&best| keys[best as usize]).collect(), ..found }
    }

    /// Finds each maximum among some keys that hold the vertices of the tokens' hull;
    /// [`Alignment::best`] indexes these keys.
    pub(super) fn beside(points: &Points, a: &Linear, slopes: &Points) -> Self {
        let queries = scored(points, a);
        // The best key does not depend on the query's length; boxes of directions drop most keys.
        let directions = Points::unchecked(
            points.d(),
            queries
                .rows()
                .flat_map(|q| {
                    let largest = largest_magnitude(q);
                    let unit = if largest > 0.0 { largest } else { 1.0 };
                    q.iter().map(move |x| x / unit)
                })
                .collect(),
        );
        let offsets = vec![0.0; slopes.n()];
        let gain = |i: usize, v: usize| gain(queries.row(i), slopes.row(v), points.row(i));
        let best = Envelope { slopes, offsets: &offsets }.best(&directions, gain);
        Self {
            // A token's own score counts, so the maximum is at least 0 but for rounding.
            gap: best.iter().map(|best| best.value.max(0.0)).collect(),
            best: best.iter().map(|best| best.index).collect(),
        }
    }

    /// Takes a known argmax, [`crate::outcome::Strips::argmax`] of the step from these very points.
    /// O(n·d), in any dimension, under any mask.
    ///
    /// # Panics
    /// If there is not one argmax a point.
    pub fn from_argmax(points: &Points, a: &Linear, argmax: &[u32]) -> Self {
        assert_eq!(points.n(), argmax.len(), "an argmax a token");
        let queries = scored(points, a);
        let gap = |i: usize| gain(queries.row(i), points.row(argmax[i] as usize), points.row(i)).max(0.0);
        Self { gap: (0..points.n()).map(gap).collect(), best: argmax.to_vec() }
    }

    /// The token with the largest gap, and that gap.
    pub fn largest(&self) -> (u32, f64) {
        let mut largest = (0, 0.0);
        for (i, &gap) in (0..).zip(&self.gap) {
            if gap > largest.1 {
                largest = (i, gap);
            }
        }
        largest
    }

    /// Whether each token is in S up to `tolerance`, in the unit of scores: a gap below about (unit
    /// of the lattice)·|A x| is rounding.
    pub fn in_maximal_set(&self, tolerance: f64) -> Vec<bool> {
        self.gap.iter().map(|&gap| gap <= tolerance).collect()
    }
}

/// A x_i for every point.
pub(super) fn scored(points: &Points, a: &Linear) -> Points {
    if a.factor == 1.0 && a.matrix == crate::model::Matrix::Identity {
        return points.clone();
    }
    Points::unchecked(points.d(), points.rows().flat_map(|x| a.apply(x)).collect())
}

/// <q, v − x>, computed from the difference so that scores do not cancel.
fn gain(q: &[f64], v: &[f64], x: &[f64]) -> f64 {
    if v == x {
        return 0.0;
    }
    let apart = |k: usize| v[k] - x[k];
    if q.len() <= 3 {
        return (0..q.len()).map(|k| q[k] * apart(k)).sum();
    }
    dot(q, &(0..q.len()).map(apart).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Matrix;
    use crate::rng::Stream;
    use proptest::prelude::*;

    fn identity() -> Linear {
        Linear { factor: 1.0, matrix: Matrix::Identity }
    }

    proptest! {
        /// If a gap were too small, a limit outside S would pass for one in it, and confirm Theorem
        /// 5.1.
        #[test]
        fn gaps_are_the_plain_maxima(
            d in 1usize..5, n in 1usize..200, seed in any::<u64>(), coarse in any::<bool>(), matrix in 0..3,
        ) {
            let mut stream = Stream::new(seed, "cloud", 0);
            let draw = |stream: &mut Stream| if coarse { stream.below(3) as f64 - 1.0 } else { stream.normal() };
            let points = Points::new(d, (0..n * d).map(|_| draw(&mut stream)).collect()).unwrap();
            let a = match matrix {
                0 => identity(),
                1 => Linear { factor: -0.5, matrix: Matrix::Identity },
                _ => {
                    let rows: Vec<Vec<f64>> = (0..d).map(|_| (0..d).map(|_| draw(&mut stream)).collect()).collect();
                    Linear { factor: 1.0, matrix: Matrix::dense(&rows).unwrap() }
                }
            };
            let alignment = Alignment::of(&points, &a, &Hull::of(&points));
            let mut argmax = Vec::new();
            for i in 0..n {
                let q = a.apply(points.row(i));
                let score = |l: usize| dot(&q, points.row(l));
                let max = (0..n).map(score).fold(f64::NEG_INFINITY, f64::max);
                let size = q.iter().map(|x| x.abs()).sum::<f64>() * points.largest_magnitude();
                prop_assert!((alignment.gap[i] - (max - score(i))).abs() <= 1e-13 * size);
                prop_assert!(score(alignment.best[i] as usize) >= max - 1e-13 * size);
                argmax.push((0..n).find(|&l| score(l) == max).unwrap() as u32);
            }
            let known = Alignment::from_argmax(&points, &a, &argmax);
            for (one, other) in alignment.gap.iter().zip(&known.gap) {
                prop_assert!((one - other).abs() <= 1e-12 * (1.0 + one.abs()));
            }
        }
    }

    /// The counterexample constructed for Remark 3.1 of arXiv 2509.15958: the limit (1.05, 0) is
    /// outside S with a gap of 0.0525; the corners are in S, and so is the projection of 0 on the
    /// edge.
    #[test]
    fn the_non_vertex_limit_has_its_gap() {
        let rows = [
            [1.0, 1.0],
            [1.1, -1.0],
            [-1.2, 0.9],
            [-1.0, -1.1],
            [1.05, 0.0],
            [1.05 - 0.002_618_453_865_336_6, 0.052_369_077_306_733],
        ];
        let points = Points::new(2, rows.concat()).unwrap();
        let alignment = Alignment::of(&points, &identity(), &Hull::of(&points));
        assert!((alignment.gap[4] - 0.0525).abs() < 1e-12, "{alignment:?}");
        assert_eq!(alignment.in_maximal_set(1e-9), [true, true, true, true, false, true]);
        assert_eq!(alignment.largest().0, 4);
    }

    /// A token at 0 scores 0 with every token: it is in S if 0 is in K.
    #[test]
    fn the_zero_token_is_aligned() {
        let points = Points::new(2, vec![0.0, 0.0, 1.0, 0.0, -1.0, 0.5, -1.0, -0.5]).unwrap();
        let alignment = Alignment::of(&points, &identity(), &Hull::of(&points));
        assert_eq!(alignment.gap[0], 0.0);
        assert_eq!(
            Alignment::of(
                &Points::new(1, vec![0.0]).unwrap(),
                &identity(),
                &Hull::of(&Points::new(1, vec![0.0]).unwrap())
            )
            .gap,
            [0.0]
        );
    }
}
