//! Pairs of tokens in nearly one direction, whatever their lengths, and the groups that they form:
//! the statistics of the phase diagrams of arXiv 2312.10794.

use super::rank::rank_of_sets;
use crate::num::{dot, norm};
use crate::tokens::Tokens;

/// The cosine above which pairs are counted there.
pub const NEAR: f64 = 0.999;

/// Tokens beyond which pairs are not looked at.
const MOST: usize = 2048;

/// The directions of tokens, row-major; 0 has none, and keeps 0.
fn directions(tokens: &Tokens) -> Vec<f64> {
    let mut x = tokens.to_f64();
    for row in x.chunks_exact_mut(tokens.d()) {
        // No square overflows or vanishes.
        let largest = crate::num::largest_magnitude(row);
        if largest > 0.0 {
            for x in row.iter_mut() {
                *x /= largest;
            }
            let length = norm(row);
            for x in row.iter_mut() {
                *x /= length;
            }
        }
    }
    x
}

/// The share of the pairs of two tokens whose directions have a cosine above `cosine`; `None` of one
/// token, and above 2048.
pub fn near_pairs(tokens: &Tokens, cosine: f64) -> Option<f64> {
    let (n, d) = (tokens.n(), tokens.d());
    if !(2..=MOST).contains(&n) {
        return None;
    }
    let x = directions(tokens);
    let mut near = 0u64;
    for (i, row) in x.chunks_exact(d).enumerate() {
        near += x[..i * d].chunks_exact(d).filter(|other| dot(row, other) > cosine).count() as u64;
    }
    Some(near as f64 / (n * (n - 1) / 2) as f64)
}

/// The rank of the matrix of ones where directions have a cosine above `cosine`: the number of groups
/// where nearness is transitive; `None` above 2048 tokens.
pub fn near_groups(tokens: &Tokens, cosine: f64) -> Option<usize> {
    let (n, d) = (tokens.n(), tokens.d());
    if n > MOST {
        return None;
    }
    let x = directions(tokens);
    let mut sets = vec![vec![0u64; n.div_ceil(64)]; n];
    for (i, row) in x.chunks_exact(d).enumerate() {
        sets[i][i / 64] |= 1 << (i % 64);
        for (j, other) in x[..i * d].chunks_exact(d).enumerate() {
            if dot(row, other) > cosine {
                sets[i][j / 64] |= 1 << (j % 64);
                sets[j][i / 64] |= 1 << (i % 64);
            }
        }
    }
    Some(rank_of_sets(sets, n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::Cloud;
    use crate::observe::{Distinct, Points, threshold_rank};
    use crate::real::Linear;

    fn circle(angles: &[f64], lengths: &[f64]) -> Tokens {
        let place = |(a, r): (&f64, &f64)| [r * a.cos(), r * a.sin()];
        Tokens::from_flat(angles.len(), 2, angles.iter().zip(lengths).flat_map(place).collect::<Vec<f64>>()).unwrap()
    }

    /// Two groups and one token alone: a wrong share would move every boundary of a phase diagram.
    #[test]
    fn pairs_and_groups_of_a_known_cloud() {
        let tokens = circle(&[0.0, 0.01, 0.02, 2.0, 2.01, 4.0], &[1.0, 2.0, 1e-200, 1e200, 1.0, 1.0]);
        assert_eq!(near_pairs(&tokens, NEAR), Some(4.0 / 15.0));
        assert_eq!(near_groups(&tokens, NEAR), Some(3));
        // A chain, which is no group: 0 ~ 1 ~ 2, and 0 and 2 are apart; its matrix has full rank.
        let chain = circle(&[0.0, 0.04, 0.08], &[1.0; 3]);
        assert_eq!((near_pairs(&chain, NEAR), near_groups(&chain, NEAR)), (Some(2.0 / 3.0), Some(3)));
        assert_eq!(
            (near_pairs(&circle(&[1.0], &[1.0]), NEAR), near_groups(&circle(&[1.0], &[0.0]), NEAR)),
            (None, Some(1))
        );
    }

    /// The two ways to the authors' rank must agree, in both of their branches.
    #[test]
    fn groups_are_the_rank_of_the_matrix() {
        let identity = Linear { factor: 1.0, matrix: crate::model::Matrix::Identity };
        for seed in 0..40 {
            let tokens = Cloud::Circle.sample(3 + 2 * seed as usize, 2, seed).unwrap();
            let unit = Tokens::from_flat(tokens.n(), 2, directions(&tokens)).unwrap();
            let distinct = Distinct::of(&Points::of(&unit));
            assert_eq!(near_groups(&unit, 0.99), threshold_rank(&distinct, &identity, 0.99), "seed {seed}");
        }
    }
}
