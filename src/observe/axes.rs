//! Principal axes: the orthonormal directions `v_1, v_2, …` in which a cloud varies most,
//! `C v_k = λ_k v_k`, `C = mean of (x − m)(x − m)^T`, `λ_1 >= λ_2 >= …`. The share of the variance
//! along `v_k` is `λ_k / trace C`.
//!
//! The eigenproblem is solved for C (d × d) or, when fewer tokens than dimensions are at hand, for
//! the Gram matrix (m × m) with the same eigenvalues. Large clouds are represented by an even
//! sample: the axes are a way to look at a cloud, not a result.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::points::mean;
use crate::num::{self, dot, norm};
use crate::tokens::Tokens;

/// Tokens sampled of each cloud, and where d is large.
const SAMPLE: usize = 2048;
const SAMPLE_HIGH: usize = 256;

/// The first principal axes of one cloud, or of several pooled.
#[derive(Clone, Debug, PartialEq)]
pub struct PrincipalAxes {
    /// m, the mean of the sample, in the tokens' unit.
    pub mean: Vec<f64>,
    /// v_k: unit vectors, most variance first, the component of largest magnitude positive.
    pub directions: Vec<Vec<f64>>,
    /// λ_k / trace C in `[0, 1]`; all 0 for a cloud without extent.
    pub shares: Vec<f64>,
}

impl PrincipalAxes {
    /// The first `count` axes (at most d of them) of `clouds` pooled, each with equal weight.
    /// Clouds share one d; none is empty. Finite for every finite cloud.
    pub fn of(clouds: &[&Tokens], count: usize) -> Self {
        let d = clouds.iter().map(|cloud| cloud.d()).min().unwrap_or(0);
        let unit = clouds.iter().map(|cloud| cloud.largest_magnitude()).fold(0.0, f64::max);
        let unit = if unit > 0.0 { unit } else { 1.0 };
        let cap = if d > 512 { SAMPLE_HIGH } else { SAMPLE };
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for cloud in clouds {
            let row = |i| (0..d).map(|k| cloud.get(i, k) / unit).collect::<Vec<_>>();
            rows.extend(num::evenly(cloud.n(), cap).map(row));
        }
        let m = rows.len();
        let mean = mean(d, rows.iter().map(Vec::as_slice));
        for row in &mut rows {
            row.iter_mut().zip(&mean).for_each(|(x, c)| *x -= c);
        }
        let total: f64 = rows.iter().map(|row| dot(row, row)).sum();
        let mut axes = eigenvectors(&rows, d, count.min(d));
        for (_, direction) in &mut axes {
            orient(direction);
        }
        // Rounding of the mean leaves a coincident cloud a variance of a few ulp², which is none.
        let has_extent = total > m as f64 * d as f64 * 1e-28;
        Self {
            mean: mean.into_iter().map(|x| x * unit).collect(),
            shares: axes
                .iter()
                .map(|(value, _)| if has_extent { (value / total).clamp(0.0, 1.0) } else { 0.0 })
                .collect(),
            directions: axes.into_iter().map(|(_, direction)| direction).collect(),
        }
    }

    /// The coordinate of token i along an axis, from the mean, divided by `unit`; at a unit near
    /// the cloud's size no finite cloud overflows.
    pub fn along(&self, axis: usize, tokens: &Tokens, i: usize, unit: f64) -> f64 {
        let terms = self.directions[axis].iter().zip(&self.mean).enumerate();
        terms.map(|(k, (v, mean))| v * (tokens.get(i, k) / unit - mean / unit)).sum()
    }
}

/// The largest `count` eigenvalues of `sum of r r^T` over the rows r, with unit eigenvectors.
fn eigenvectors(rows: &[Vec<f64>], d: usize, count: usize) -> Vec<(f64, Vec<f64>)> {
    let m = rows.len();
    let matrix = if d <= m {
        let mut sums = DMatrix::zeros(d, d);
        for row in rows {
            for a in 0..d {
                for b in 0..=a {
                    sums[(a, b)] += row[a] * row[b];
                }
            }
        }
        symmetric(sums)
    } else {
        symmetric(DMatrix::from_fn(m, m, |i, j| if j <= i { dot(&rows[i], &rows[j]) } else { 0.0 }))
    };
    let eigen = SymmetricEigen::new(matrix);
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let mut axes: Vec<(f64, Vec<f64>)> = Vec::with_capacity(count);
    for &at in order.iter().take(count) {
        let vector: DVector<f64> = eigen.eigenvectors.column(at).into_owned();
        let direction = if d <= m {
            vector.iter().copied().collect()
        } else {
            (0..d).map(|k| rows.iter().zip(vector.iter()).map(|(row, v)| row[k] * v).sum()).collect()
        };
        axes.push((eigen.eigenvalues[at].max(0.0), direction));
    }
    axes.resize_with(count, || (0.0, vec![0.0; d]));
    complete(&mut axes, d);
    axes
}

fn symmetric(mut lower: DMatrix<f64>) -> DMatrix<f64> {
    lower.fill_upper_triangle_with_lower_triangle();
    lower
}

/// Gram–Schmidt; a direction that vanishes (fewer axes of variance than asked for) becomes the
/// first coordinate axis that is independent of those before it.
fn complete(axes: &mut [(f64, Vec<f64>)], d: usize) {
    for at in 0..axes.len() {
        let (before, rest) = axes.split_at_mut(at);
        let direction = &mut rest[0].1;
        let mut coordinate = 0;
        while !normalise(direction, before) && coordinate < d {
            direction.fill(0.0);
            direction[coordinate] = 1.0;
            coordinate += 1;
        }
    }
}

/// Whether the part of `direction` orthogonal to `before` could be given length 1.
fn normalise(direction: &mut [f64], before: &[(f64, Vec<f64>)]) -> bool {
    let length = norm(direction);
    if length < 1e-12 {
        return false;
    }
    for x in direction.iter_mut() {
        *x /= length;
    }
    for (_, other) in before {
        let along = dot(direction, other);
        direction.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
    }
    let left = norm(direction);
    for x in direction.iter_mut() {
        *x /= left;
    }
    left > 1e-6
}

/// Makes the first of the components within 1e-9 of the largest magnitude positive.
fn orient(direction: &mut [f64]) {
    let largest = num::largest_magnitude(direction);
    let lead = direction.iter().find(|x| x.abs() >= largest * (1.0 - 1e-9)).copied().unwrap_or(0.0);
    if lead < 0.0 {
        for x in direction {
            *x = -*x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cloud(rows: &[&[f64]]) -> Tokens {
        Tokens::from_flat(rows.len(), rows[0].len(), rows.concat()).unwrap()
    }

    /// If this failed, a projected picture would not show the directions that its labels claim.
    #[test]
    fn a_stretched_cloud_has_its_known_axes() {
        // Variance 9 along (3, 4, 0)/5, 1 along z, none along (4, −3, 0)/5.
        let tokens = cloud(&[&[1.8, 2.4, 1.0], &[1.8, 2.4, -1.0], &[-1.8, -2.4, 1.0], &[-1.8, -2.4, -1.0]]);
        let axes = PrincipalAxes::of(&[&tokens], 2);
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-12);
        assert!(near(&axes.directions[0], &[0.6, 0.8, 0.0]), "{axes:?}");
        assert!(near(&axes.directions[1], &[0.0, 0.0, 1.0]), "{axes:?}");
        assert!(near(&axes.shares, &[0.9, 0.1]), "{axes:?}");
    }

    /// If this failed, one token, coincident tokens or n < d would give a picture of NaN.
    #[test]
    fn degenerate_clouds_still_have_orthonormal_axes() {
        for tokens in [
            cloud(&[&[0.3, 0.1, 0.7, 0.0]]),
            cloud(&[[0.1; 5].as_slice(); 3]),
            cloud(&[[0.0; 3].as_slice(); 4]),
            cloud(&[&[1e300, 0.0, 0.0, 0.0, 1e300], &[-1e300, 0.0, 0.0, 0.0, -1e300]]),
            cloud(&[&[1e-310, 0.0, 2e-310]]),
        ] {
            let axes = PrincipalAxes::of(&[&tokens, &tokens], 2);
            for a in 0..2 {
                for b in 0..2 {
                    let product = dot(&axes.directions[a], &axes.directions[b]);
                    assert!((product - f64::from(u8::from(a == b))).abs() < 1e-9, "{axes:?}");
                }
            }
            assert!(axes.mean.iter().chain(&axes.shares).all(|x| x.is_finite()), "{axes:?}");
        }
    }
}
