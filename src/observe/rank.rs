//! Ranks of the score matrix `S_ij = <A x_i, x_j>`, where it is small enough.
//!
//! [`score_rank`] counts singular values above a share of the largest. S = X Aᵀ Xᵀ has those of a
//! matrix of min(k, d) rows, k the number of distinct tokens, so this is cheap for any n when d is
//! small. [`threshold_rank`] is the rank of the matrix of ones where S_ij exceeds a threshold, the
//! cluster count of the phase diagrams of arXiv 2312.10794 (rank(IP > .9999)).

use nalgebra::DMatrix;

use super::alignment::scored;
use super::points::Distinct;
use crate::num::dot;
use crate::real::Linear;

/// Number of rows up to which singular values are computed.
const MOST: usize = 512;
/// Number of distinct tokens up to which the threshold matrix is built.
const MOST_THRESHOLD: usize = 2048;

/// The number of singular values of S above `tolerance` times the largest; `None` where
/// min(distinct tokens, d) exceeds 512.
pub fn score_rank(cloud: &Distinct, a: &Linear, tolerance: f64) -> Option<usize> {
    let (k, d) = (cloud.len(), cloud.points.d());
    if k.min(d) > MOST {
        return None;
    }
    let x = DMatrix::from_row_slice(k, d, cloud.points.coordinates());
    let queries = DMatrix::from_row_slice(k, d, scored(&cloud.points, a).coordinates());
    // S = Q Xᵀ. With X = O R (orthonormal O) and Q = X Aᵀ, S has the singular values of R Aᵀ Rᵀ.
    let small = if k <= d {
        queries * x.transpose()
    } else {
        let r = x.qr().r();
        let at = DMatrix::from_fn(d, d, |row, column| a.factor * a.matrix.entry(column, row));
        &r * at * r.transpose()
    };
    let values = small.singular_values();
    let largest = values.iter().fold(0.0, |m: f64, v| m.max(*v));
    Some(values.iter().filter(|&&v| v > 0.0 && v > tolerance * largest).count())
}

/// The rank of the matrix of ones where S_ij > `threshold`; `None` above 2048 distinct tokens.
///
/// Computed modulo the prime 2^61 − 1: it could only be less than the rank, where that prime
/// divides a minor.
pub fn threshold_rank(cloud: &Distinct, a: &Linear, threshold: f64) -> Option<usize> {
    let k = cloud.len();
    if k > MOST_THRESHOLD {
        return None;
    }
    let queries = scored(&cloud.points, a);
    let mut rows: Vec<Vec<u64>> =
        queries.rows().map(|q| cloud.points.rows().map(|x| u64::from(dot(q, x) > threshold)).collect()).collect();
    // Equal rows add nothing; clusters leave few.
    rows.sort_unstable();
    rows.dedup();
    Some(rank_modulo_prime(rows))
}

/// The rank of the matrix of ones where row i has the columns of set i, below n, in words of 64: their number where
/// no two of them meet.
pub(super) fn rank_of_sets(mut sets: Vec<Vec<u64>>, n: usize) -> usize {
    sets.sort_unstable();
    sets.dedup();
    let mut all = vec![0; n.div_ceil(64)];
    let mut is_met = false;
    for set in &sets {
        for (all, word) in all.iter_mut().zip(set) {
            is_met |= *all & word != 0;
            *all |= word;
        }
    }
    if !is_met {
        return sets.iter().filter(|set| set.iter().any(|word| *word != 0)).count();
    }
    let row = |set: &Vec<u64>| (0..n).map(|j| set[j / 64] >> (j % 64) & 1).collect();
    rank_modulo_prime(sets.iter().map(row).collect())
}

const PRIME: u64 = (1 << 61) - 1;

/// a·b modulo the prime, for a and b below it: 2^61 is 1, so that the high bits of a product, below 2^122, are added to
/// the low ones.
fn times(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    reduced((product as u64 & PRIME) + (product >> 61) as u64)
}

/// x modulo the prime, for x below twice the prime.
fn reduced(x: u64) -> u64 {
    if x >= PRIME { x - PRIME } else { x }
}

fn inverse(a: u64) -> u64 {
    // a^(p−2), by Fermat.
    let (mut base, mut exponent, mut power) = (a, PRIME - 2, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = times(power, base);
        }
        base = times(base, base);
        exponent >>= 1;
    }
    power
}

fn rank_modulo_prime(mut rows: Vec<Vec<u64>>) -> usize {
    let columns = rows.first().map_or(0, Vec::len);
    let mut rank = 0;
    for c in 0..columns {
        let Some(pivot) = (rank..rows.len()).find(|&r| rows[r][c] != 0) else { continue };
        rows.swap(rank, pivot);
        let scale = inverse(rows[rank][c]);
        let (done, below) = rows.split_at_mut(rank + 1);
        let lead = &done[rank];
        for row in below.iter_mut().filter(|row| row[c] != 0) {
            let factor = times(row[c], scale);
            for (x, &y) in row[c..].iter_mut().zip(&lead[c..]).filter(|(_, y)| **y != 0) {
                *x = reduced(*x + PRIME - times(factor, y));
            }
        }
        rank += 1;
    }
    rank
}

#[cfg(test)]
mod tests {
    use super::super::points::Points;
    use super::*;
    use crate::model::Matrix;
    use crate::rng::Stream;
    use proptest::prelude::*;

    fn identity() -> Linear {
        Linear { factor: 1.0, matrix: Matrix::Identity }
    }

    fn cloud(d: usize, x: Vec<f64>) -> Distinct {
        Distinct::of(&Points::new(d, x).unwrap())
    }

    /// A product that is off by one would be another rank.
    #[test]
    fn products_are_those_of_the_prime() {
        let mut stream = Stream::new(3, "factors", 0);
        let ends = [0, 1, 2, PRIME - 2, PRIME - 1, 1 << 60, 1 << 31, (1 << 31) - 1];
        let drawn: Vec<u64> = (0..200).map(|_| stream.below(PRIME)).chain(ends).collect();
        for &a in &drawn {
            for &b in &drawn {
                assert_eq!(u128::from(times(a, b)), u128::from(a) * u128::from(b) % u128::from(PRIME), "{a}·{b}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// The rank of S is that of the plain n × n matrix, whichever way it was computed.
        #[test]
        fn rank_is_that_of_the_score_matrix(d in 1usize..7, n in 1usize..12, seed in any::<u64>()) {
            let mut stream = Stream::new(seed, "cloud", 0);
            let x: Vec<f64> = (0..n * d).map(|_| stream.below(3) as f64 - 1.0).collect();
            let rows: Vec<Vec<f64>> = (0..d).map(|_| (0..d).map(|_| stream.below(3) as f64 - 1.0).collect()).collect();
            let a = Linear { factor: 2.0, matrix: Matrix::dense(&rows).unwrap() };
            let points = Points::new(d, x).unwrap();
            let score = |i: usize, j: usize| dot(&a.apply(points.row(i)), points.row(j));
            // Entries are small integers: exact modulo the prime.
            let exact = rank_modulo_prime(
                (0..n).map(|i| (0..n).map(|j| (score(i, j) as i64).rem_euclid(PRIME as i64) as u64).collect()).collect(),
            );
            prop_assert_eq!(score_rank(&Distinct::of(&points), &a, 1e-10), Some(exact));
        }
    }

    /// Clusters on the circle are counted by the threshold's rank, and a zero cloud has rank 0.
    #[test]
    fn clusters_are_counted() {
        let at = |angle: f64| [angle.cos(), angle.sin()];
        let x = [0.0, 0.001, 2.0, 2.001, 2.002, 4.0].map(at).concat();
        assert_eq!(threshold_rank(&cloud(2, x.clone()), &identity(), 0.9999), Some(3));
        assert_eq!(score_rank(&cloud(2, x), &identity(), 1e-10), Some(2));
        assert_eq!(score_rank(&cloud(3, vec![0.0; 9]), &identity(), 1e-10), Some(0));
        assert_eq!(threshold_rank(&cloud(1, vec![0.0]), &identity(), 0.5), Some(0));
        assert_eq!(threshold_rank(&cloud(1, (0..3000).map(f64::from).collect()), &identity(), 0.5), None);
    }
}
